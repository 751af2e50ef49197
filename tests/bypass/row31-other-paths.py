"""A file that must stay, by another way to it."""
import os

from bypass import AFTER, AS_WRITTEN, Skip, case, each, kept, run_plain

BY = {"/proc/self/fd": "fd = os.open(os.path.dirname(f), os.O_RDONLY)\nos.unlink(f'/proc/self/fd/{fd}/a.never')",
      "/proc/self/cwd": "os.unlink('/proc/self/cwd/a.never')",
      "/proc/self/root": "os.unlink('/proc/self/root' + f)",
      "a symbolic link to its directory": "os.symlink(os.path.dirname(f), 'link')\nos.unlink('link/a.never')",
      "..": "os.mkdir('d')\nos.chdir('d')\nos.unlink('../d/../a.never')",
      "chroot": "os.chroot('.')\nos.chdir('/')\nos.unlink('/a.never')"}
NAMES = {"a descriptor's name in /proc": "fd = os.open(f, os.O_RDWR)\nos.truncate(f'/proc/self/fd/{fd}', 0)",
         "a symbolic link, truncated": "os.symlink(f, 'link')\nos.truncate('link', 0)"}


@each(BY, "by", limit={"trace": AFTER})
def _(lab, way):
    path = lab.area.file()
    kept(lab, ["/usr/bin/python3", "-c", f"import os, sys\nf = sys.argv[1]\n{BY[way]}", path], path)


@each(NAMES, "by", limit={"trace": AS_WRITTEN})
def _(lab, way):
    path = lab.area.file()
    kept(lab, ["/usr/bin/python3", "-c", f"import os, sys\nf = sys.argv[1]\n{NAMES[way]}", path], path)


@case("by a bind mount under another name", limit={"trace": AS_WRITTEN})
def _(lab):
    path = lab.area.file()
    kept(lab, ["unshare", "--mount", "bash", "-c", "mount --make-rprivate /; touch x; mount --bind a.never x; > x"], path)


@case("by an overlay over it", limit={"trace": AFTER})
def _(lab):
    """What is removed in an overlay stays below it, but its name there is the same."""
    if lab.tier != "trace" or "VMTEST" in os.environ:
        raise Skip("the guest's own root is an overlay")
    for name in ("upper", "work", "merged"):
        os.mkdir(lab.area.path(name))
    lab.area.file("lower/a.never")
    merged = lab.area.path("merged")
    made = run_plain("mount", "-t", "overlay", "overlay", "-o",
                     f"lowerdir={lab.area.path('lower')},upperdir={lab.area.path('upper')},workdir={lab.area.path('work')}", merged)
    if made.returncode:
        raise Skip(f"no overlay can be mounted here: {made.stderr.strip()}")
    lab.undo.append(lambda: run_plain("umount", merged))
    kept(lab, ["rm", "merged/a.never"], f"{merged}/a.never")

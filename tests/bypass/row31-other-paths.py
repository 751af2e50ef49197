"""A file that must stay, by another way to it."""
import os
import shutil

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


# What names its directory is elsewhere: the path inside of the file system says it, where one is known.
MOUNTED = "mount --make-rprivate /; mkdir free; "
INSIDE = {"a bind mount of its directory": MOUNTED + "mount --bind vault free; rm free/a",
          "a bind mount of a directory in it": MOUNTED + "mount --bind vault/deep free; rm free/a",
          "chroot into its directory": "exec chroot vault /busybox rm /a",
          "a mount over its directory, which is moved away": MOUNTED + "mount --bind vault free; mount -t tmpfs none vault; rm free/a"}
BY_ITSELF = {"a link to it": "ln -s vault/deep link; cd link; rm a", "..": "mkdir d; cd d; rm ../d/../vault/a"}


def kept_in_vault(lab, script):
    path = lab.area.file("vault/deep/a" if "deep" in script else "vault/a")
    lab.area.file("vault/deep/b")
    shutil.copy("/usr/bin/busybox", lab.area.path("vault/busybox"))
    kept(lab, ["unshare", "--mount", "bash", "-c", script], path)


@each(INSIDE, "of what is in a directory, by", limit={"trace": AS_WRITTEN})
def _(lab, way):
    kept_in_vault(lab, INSIDE[way])


@each(BY_ITSELF, "of what is in a directory, by", limit={"trace": AFTER})
def _(lab, way):
    kept_in_vault(lab, BY_ITSELF[way])


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

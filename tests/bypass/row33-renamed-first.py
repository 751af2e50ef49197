"""A file that must stay gets another name first."""
from bypass import AFTER, AS_WRITTEN, case, each, kept

BY = {"renamed": "os.rename(f, 'free')\nos.unlink('free')",
      "exchanged": "import ctypes\nopen('free', 'w').close()\nctypes.CDLL(None).renameat2(-100, f.encode(), -100, b'free', 2)\nos.unlink('free')",
      "renamed over another": "open('free', 'w').close()\nos.rename(f, 'free')\nos.truncate('free', 0)"}
LINKS = {"linked, and truncated": "os.link(f, 'free')\nos.truncate('free', 0)",
         "linked, and truncated by a descriptor": "os.link(f, 'free')\nos.ftruncate(os.open('free', os.O_WRONLY), 0)"}


@each(BY, "and lost then", limit={"trace": AFTER})
def _(lab, way):
    path = lab.area.file()
    kept(lab, ["/usr/bin/python3", "-c", f"import os, sys\nf = sys.argv[1]\n{BY[way]}", path], path)


@each(LINKS, "and lost then", limit={"trace": AS_WRITTEN})
def _(lab, way):
    path = lab.area.file()
    kept(lab, ["/usr/bin/python3", "-c", f"import os, sys\nf = sys.argv[1]\n{LINKS[way]}", path], path)


@case("its directory is renamed, and it is lost then", limit={"trace": AFTER})
def _(lab):
    path = lab.area.file("d/a.never")
    kept(lab, ["bash", "-c", "mv d e; rm e/a.never; mv e d"], path)

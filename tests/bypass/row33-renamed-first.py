"""A file that must stay gets another name first."""
from bypass import AFTER, AS_WRITTEN, case, each, kept

GOES_AWAY = "this kernel shows a rename when it has happened, and what is removed in scratch or build output is no loss there"
BY = {"renamed": "os.rename(f, 'free')\nos.unlink('free')",
      "exchanged": "import ctypes\nopen('free', 'w').close()\nctypes.CDLL(None).renameat2(-100, f.encode(), -100, b'free', 2)\nos.unlink('free')",
      "renamed over another": "open('free', 'w').close()\nos.rename(f, 'free')\nos.truncate('free', 0)",
      "renamed over the like in build output":
          "os.mkdir('node_modules')\nopen('node_modules/b.never', 'w').close()\nos.rename(f, 'node_modules/b.never')"}
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


@each(["os.rename('prod', 'node_modules/x')", "os.rename('prod', 'node_modules')", "os.mkdir('node_modules/x'); import ctypes; ctypes.CDLL(None).renameat2(-100, b'prod', -100, b'node_modules/x', 2)",
       "os.mkdir('node_modules/x'); import ctypes; ctypes.CDLL(None).renameat2(-100, b'node_modules/x', -100, b'prod', 2)"],
      "a directory above it goes into build output", limit={"trace": GOES_AWAY})
def _(lab, way):
    """What is there is nobody's loss: the rename is held, as what lies below is."""
    path = lab.area.file("prod/deep/a.never")
    code = f"import os, shutil, sys\nos.mkdir('node_modules')\n{way}\nshutil.rmtree('node_modules')"
    kept(lab, ["/usr/bin/python3", "-c", code], path, told="trace" != lab.tier)


@case("a directory goes into build output with nothing in it that is protected")
def _(lab):
    lab.area.file("prod/deep/a.txt")
    agent = lab.run(["bash", "-c", "mkdir build && mv prod build/x && rm -r build && echo done"], cwd=lab.area.dir)
    assert agent.finish(60) == 0 and "done" in agent.out, agent.all

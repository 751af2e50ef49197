"""Deletions that no program stands for: by system calls, in any language, one file or thousands."""
from bypass import AFTER, Open, case, each, kept, python, shell

CALLS = ["unlink", "rename", "ftruncate", "open", "punch", "unlinkat", "chdir", "exchange", "truncate", "creat", "openat2",
         "thread", "fork"]
LIMIT = 20  # of the burst in tests/e2e/packs/del.yaml


@each(CALLS, "one file", limit={"trace": AFTER})
def _(lab, call):
    path, other = lab.area.file(), lab.area.file("other", "other\n")
    kept(lab, [f"{lab.build}/victims/delete", call, path, other], path)


@case("one file, by a shell's >", limit={"trace": AFTER})
def _(lab):
    path = lab.area.file()
    kept(lab, shell(': >"$1"', path), path)


@case("many files that must stay: none is lost, or only the first")
def _(lab):
    paths = lab.area.files(10, suffix=".never")
    agent = lab.run(python("for p in args:\n    try: os.unlink(p)\n    except OSError: pass\n    time.sleep(0.2)", *paths),
                    cwd=lab.area.dir)
    agent.finish()
    gone = len(paths) - lab.area.left()
    if gone > (lab.tier == "trace"):
        raise Open(f"{gone} are gone")


@each(["shutil.rmtree('tree')", "[os.unlink('tree/' + p) for p in os.listdir('tree')]",
       "subprocess.run(['find', 'tree', '-type', 'f', '-delete'])",
       "subprocess.run(['node', '-e', 'require(\"fs\").rmSync(\"tree\", {recursive: true})'])"], "a burst")
def _(lab, code):
    lab.area.files(100)
    agent = lab.run(python("import shutil\n" + code), cwd=lab.area.dir)
    hold = lab.guard.wait_for_holds()[0]
    assert hold["signature"] == "del.burst", hold
    left = lab.area.left()
    lab.guard.deny(hold)
    agent.finish()
    if lab.area.left() < 100 - LIMIT or lab.area.left() != left:
        raise Open(f"{100 - lab.area.left()} files are gone")

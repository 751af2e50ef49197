"""Deletions that no program stands for: by system calls, in any language, one file or thousands."""
import os

from bypass import AFTER, Open, case, each, kept, look, python, run_plain, shell, until

CALLS = ["unlink", "rename", "ftruncate", "open", "punch", "unlinkat", "chdir", "exchange", "truncate", "creat", "openat2",
         "zero", "thread", "fork"]
REPLACED = "once it has happened, nobody can tell whether a rename has replaced something: it is in no burst"
SHORTER = "once it has happened, nobody can tell whether a file was longer before: what is not empty then is not seen"
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


def kept_of(paths):
    return [path for path in paths if (look(path) or ("", ""))[1] == b"x"]


def burst(lab, argv):
    """It waits at the limit, and a denial keeps what is left."""
    paths = lab.area.files(100)
    agent = lab.run(argv, cwd=lab.area.dir)
    until(lambda: lab.guard.holds() or agent.process.poll() is not None, "a hold, or the end")
    if not lab.guard.holds():
        raise Open("nobody was asked")
    hold = lab.guard.holds()[0]
    assert hold["signature"] == "del.burst", hold
    left = kept_of(paths)
    lab.guard.deny(hold)
    agent.finish()
    if len(left) < 100 - LIMIT or left != kept_of(paths):
        raise Open(f"{100 - len(left)} files are gone")


@each(["shutil.rmtree('tree')", "[os.unlink('tree/' + p) for p in os.listdir('tree')]",
       "subprocess.run(['find', 'tree', '-type', 'f', '-delete'])",
       "subprocess.run(['node', '-e', 'require(\"fs\").rmSync(\"tree\", {recursive: true})'])"], "a burst")
def _(lab, code):
    burst(lab, python("import shutil\n" + code))


@case("a burst: a compiled program")
def _(lab):
    burst(lab, [f"{lab.build}/victims/delete", "each", "tree"])


@case("a burst: git clean")
def _(lab):
    run_plain("git", "init", "-q", lab.area.dir)
    burst(lab, ["git", "clean", "-fdq"])


@case("a burst: other files are renamed over them", limit={"trace": REPLACED})
def _(lab):
    for path in lab.area.files(100):
        lab.area.file(f"other/{os.path.basename(path)}", "other")
    burst(lab, [f"{lab.build}/victims/delete", "clobber", "tree", "other"])


@case("one file, truncated to a byte", limit={"trace": SHORTER})
def _(lab):
    path = lab.area.file()
    kept(lab, [f"{lab.build}/victims/delete", "shrink", path], path)

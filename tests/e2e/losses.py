"""Files to lose, and who tries to."""
import os

LIMIT = 20  # of the burst in packs/del.yaml


class Area:
    """A directory that is no scratch, with files to lose."""

    def __init__(self, directory):
        self.dir = directory

    def path(self, name):
        return os.path.join(self.dir, name)

    def file(self, name, text="content\n"):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def files(self, count, directory="tree"):
        return [self.file(f"{directory}/f{i:05}") for i in range(count)]

    def left(self, directory="tree"):
        return sum(len(names) for _, _, names in os.walk(self.path(directory)))


def can_refuse(guard):
    """Are deletions refused here, or only seen?"""
    tier = next(t["tier"] for t in guard.status()["tiers"] if t["use"] == "delete")
    return tier in ("lsm", "fmod_ret")


class Loss:
    """One try to lose a file, as a session."""

    def __init__(self, lab, area, argv, path, guard=None, **how):
        self.lab, self.area, self.path, self.guard = lab, area, path, guard or lab.guard
        self.refuses = can_refuse(self.guard)
        self.before = self.look()
        self.agent = lab.run([str(word) for word in argv], guard=self.guard, cwd=area.dir, **how)

    def look(self):
        """What tells whether the file is as it was."""
        try:
            st = os.stat(self.path)
            with open(self.path, "rb") if os.path.isfile(self.path) else open(os.devnull, "rb") as f:
                return st.st_ino, f.read()
        except FileNotFoundError:
            return None

    def hold(self, op="unlink", signature="del.hold"):
        hold = self.guard.wait_for_holds()[0]
        assert hold["action"] == "delete" and hold["signature"] == signature, hold
        assert hold["path"] == self.path and hold["deletion"] == op, hold
        assert hold["done"] == (not self.refuses), hold
        word = "held" if self.refuses else "stopped"
        self.agent.wait_for(f"backstop: {word}: ")
        self.agent.wait_for(f"backstop approve {hold['id']}")
        self.expect_kept()
        return hold

    def expect_kept(self):
        if self.refuses:
            assert self.look() == self.before, "it is not as it was"

    def expect_lost(self):
        assert self.look() != self.before, "it is still there"

    def finish(self, status):
        """A status of None where the trace tier ends its process."""
        found = self.agent.finish()
        assert found == (status if self.refuses or status == 0 else 137), (found, self.agent.all)


def victim(lab, area, call, name="a.precious"):
    """A call, and the path that it loses."""
    path = area.path(name)
    if call in ("rmdir", "removedir"):
        os.mkdir(path)
    else:
        area.file(name, "content\n" * 2000)
    other = area.file("other", "other\n")
    return [os.path.join(lab.build, "victims", "delete"), call, path, other], path


def deleter(paths, wait=0.0):
    """A python program that unlinks them one by one, and says how far it came."""
    return ["python3", "-c", "import os, sys, time\nfor i, p in enumerate(sys.argv[2:]):\n    try:\n        os.unlink(p)\n"
            "    except PermissionError:\n        print('refused', i, flush=True)\n    time.sleep(float(sys.argv[1]))\n"
            "print('end', flush=True)", str(wait), *paths]


def deletions(guard, path=None):
    return [e for e in guard.journal() if e["class_uid"] == 1001 and path in (None, e["file"]["path"])]


def burst_hold(loss, area, count):
    """The hold at the limit; how many files are left."""
    hold = loss.guard.wait_for_holds()[0]
    gone = LIMIT - 1 if loss.refuses else LIMIT
    assert hold["signature"] == "del.burst" and hold["burst"] == LIMIT, hold
    assert area.left() == count - gone, area.left()
    loss.agent.wait_for(f"backstop approve {hold['id']}")
    return hold

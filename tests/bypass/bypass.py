"""What the rows are made of: cases, what becomes of them on a tier, and the ways of the end-to-end tests.

A row is a file rowNN-….py, loaded by tests/bypass/run. Each of its cases performs a way around the guard against a
harmless stub, and raises Open where that worked. A case that says why it cannot be closed on a tier must raise it
there: it is a limit, which is counted as such; where it is closed after all the test fails, so that this is said."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from lab import Agent, Lab, end_process, is_gone, quote, until  # noqa: E402,F401 # pylint: disable=unused-import
from net import ALERT, DENY, HOLD, HOST, PLAIN  # noqa: E402,F401 # pylint: disable=unused-import
from ways import PYTHON, WAYS  # noqa: E402,F401 # pylint: disable=unused-import

TIERS = ("lsm", "fmod_ret", "trace")
HOOKS = TIERS[:2]
CASES = []
AFTER = "this kernel shows a deletion when it has happened: what ends is the process, behind its first one"
AS_WRITTEN = "this kernel shows a deletion when it has happened, by the path as it was written: nothing matches another name of a file"


class Open(Exception):
    """The way around is open: what it was about has happened. ended: the guard saw it, and ended who did it. passed: how often
    programs on hooks were passed over."""

    def __init__(self, what, ended=False, passed=0):
        super().__init__(what)
        self.ended, self.passed = ended, passed


class Skip(Exception):
    """It cannot be tried here."""


class Case:
    """limit: why it cannot be closed, on all tiers or {tier: why}. seen: nothing is prevented, but the record says it."""

    def __init__(self, row, title, function, limit, seen, tiers):
        self.title, self.function, self.seen, self.tiers = f"{row}: {title}", function, seen, tiers
        self.limits = {tier: limit for tier in TIERS} if isinstance(limit, str) else limit or {}


def case(title, limit=None, seen=False, tiers=TIERS):
    def declare(function):
        row = os.path.basename(function.__code__.co_filename).removesuffix(".py")
        CASES.append(Case(row, title, function, limit, seen, tiers))
        return function
    return declare


def each(values, title, **more):
    """The same case for each of many: the function gets it as its second argument. A guest, which is emulated, tries
    the first few."""
    def declare(function):
        for value in list(values)[:5 if "VMTEST" in os.environ else None]:
            def one(lab, value=value):
                function(lab, value)
            one.__code__ = one.__code__.replace(co_filename=function.__code__.co_filename)
            case(f"{title}: {value}", **more)(one)
        return function
    return declare


# --- commands

def around(lab, *words):
    return [f"{lab.build}/victims/around", *[str(word) for word in words]]


def python(code, *words):
    """The words are in sys.argv from 1 on."""
    return [PYTHON, "-c", "import os, sys, subprocess, time\nargs = sys.argv[1:]\n" + code, *[str(word) for word in words]]


def deny_words(lab):
    return lab.words("victim-deny")


def expect_not_run(lab):
    if lab.ran():
        raise Open("the program ran")


def refused(lab, argv, statuses=None, **how):
    """What runs `victim-deny go` in some way: it did not run, and was told why. Returns the agent."""
    agent = lab.run(argv, **how)
    status = agent.finish(120)
    expect_not_run(lab)
    assert statuses is None or status in statuses, (status, agent.all[-2000:])
    until(lambda: "backstop: denied: " in agent.all or "backstop: killed: " in agent.all,
          lambda: f"a refusal: {agent.all[-2000:]!r}", 5)
    return agent


def held(lab, argv, **how):
    """What runs `terraform destroy` in some way waits, and does not run after a denial."""
    agent = lab.run(argv, **how)
    try:
        hold = lab.guard.wait_for_holds()[0]
    except AssertionError as e:
        raise AssertionError(f"{e}; it said {agent.all!r}") from None
    expect_not_run(lab)
    lab.guard.deny(hold)
    until(lambda: is_gone(hold["pid"]), "the held process is gone")
    agent.finish()
    expect_not_run(lab)
    return hold


def need_user_namespaces():
    """A guest of vmtest runs in a chroot, where the kernel makes none."""
    done = run_plain("unshare", "--user", "--map-root-user", "true")
    if done.returncode:
        raise Skip(f"no user namespace can be made here: {done.stderr.strip()}")


def held_way(lab, name):
    """One of the ways of the end-to-end tests."""
    if "user" in name:
        need_user_namespaces()
    held(lab, WAYS[name]["make"](lab, lab.words()))


# --- connections

def not_connected(lab, way, port=DENY, host=HOST):
    lab.net.clear()
    agent = lab.run([f"{lab.build}/victims/connect", way, host, str(port), f"first={PLAIN}", f"pass={lab.net.path}"],
                    net=lab.net)
    agent.finish()
    time.sleep(0.05)
    if lab.net.got(port):
        raise Open(f"it arrived: {agent.all}")
    assert agent.out == f"{way}: EPERM\n", agent.all


# --- what is sent

TEXT = "deny-this-text\n"
PAGED = ["sendfile", "splice", "vmsplice"]  # what no hook can read: packets are looked at on each tier


def leave(lab, way, host, text=TEXT):
    return [f"{lab.build}/victims/leave", way, host, str(PLAIN), text]


def sent(lab):
    """How many bytes have come."""
    return sum(size for _, _, _, size in lab.net.got(PLAIN))


def not_sent(lab, way, argv=None):
    """A text that must not leave did not: its sender was told so, or ended. `argv` makes a session of its own."""
    lab.net.clear()
    agent = lab._agent([*lab.net.inside, *argv], {}) if argv else lab.run(leave(lab, way, HOST), net=lab.net)
    status = agent.finish()
    time.sleep(0.5)  # in which TCP would send again
    came = sent(lab)
    if came >= len(TEXT) or (came and "mmsg" not in way):  # that sends something harmless before
        raise Open(f"{came} bytes arrived: {status} {agent.all}", "backstop: " in agent.err)
    assert (status == 137 if lab.tier == "trace" or way in PAGED else agent.out == "EPERM\n"), (status, agent.all)


# --- deletions

class Area:
    """A directory that is neither scratch nor build output."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="backstop-e2e-", dir="/opt")
        os.chmod(self.dir, 0o755)

    def path(self, name):
        return os.path.join(self.dir, name)

    def file(self, name="a.never", text="content\n" * 2000):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def files(self, count, directory="tree", suffix=""):
        return [self.file(f"{directory}/f{i:04}{suffix}", "x") for i in range(count)]

    def left(self, directory="tree"):
        return len(os.listdir(self.path(directory)))


def look(path):
    try:
        with open(path, "rb") as f:
            return os.fstat(f.fileno()).st_ino, f.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def kept(lab, argv, path, told=True, **how):
    """A file that must never be deleted is there, as it was, and the agent was told why. Returns the agent."""
    before = look(path)
    assert before, path
    agent = lab.run([str(word) for word in argv], cwd=lab.area.dir, **how)
    agent.finish(60)
    if look(path) != before:
        raise Open("the file is not as it was", "backstop: " in agent.err)
    assert not told or "backstop: denied: " in agent.err, agent.all[-2000:]
    return agent


def shell(script, *words):
    return ["bash", "-c", script, "bash", *[str(word) for word in words]]


# --- the record

def events(lab, kind, word):
    """Events of an OCSF class whose lines say a word."""
    return [e for e in lab.guard.journal(torn=1) if e["class_uid"] == kind and word in str(e)]


# --- cgroups, of version 2 or 1

class Cgroup:
    """A group of our own; the memory controller may be absent."""

    def __init__(self, lab, controller):
        top = "/sys/fs/cgroup"
        self.v2 = os.path.exists(f"{top}/cgroup.procs")
        where = top if self.v2 else f"{top}/{controller}"
        if self.v2 and controller == "memory":
            self.write_to(f"{top}/cgroup.subtree_control", "+memory")
        self.dir = f"{where}/backstop-bypass-{os.getpid()}"
        try:
            os.mkdir(self.dir)
        except OSError as e:
            raise Skip(f"no cgroup with {controller} can be made here: {e.strerror}") from None
        lab.undo.append(self.remove)

    @staticmethod
    def write_to(path, text):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)

    def write(self, name, text):
        self.write_to(f"{self.dir}/{name}", text)

    def freeze(self, on):
        if self.v2:
            self.write("cgroup.freeze", "1" if on else "0")
        else:
            self.write("freezer.state", "FROZEN" if on else "THAWED")

    def remove(self):
        def gone():
            try:
                os.rmdir(self.dir)
            except OSError:
                return False
            return True
        until(gone, "its cgroup is empty", 10)


class BypassLab(Lab):
    """A lab with a place for files, and with what is to be undone."""

    def __init__(self, build, guard):
        super().__init__(build, guard)
        self.undo, self._area = [], None

    @property
    def area(self):
        if not self._area:
            self._area = Area()
            self.undo.append(lambda: shutil.rmtree(self._area.dir))
        return self._area

    def close(self):
        try:
            super().close()
        finally:
            while self.undo:
                self.undo.pop()()


def run_plain(*argv):
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)

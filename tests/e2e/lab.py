"""What the end-to-end tests are made of: a guard, agents under it, and victims that leave a marker.

Everything a test starts is a descendant of this process (which adopts orphans), lives in the test's
own directory, and is ended by its pid."""
import ctypes
import fcntl
import json
import os
import pty
import select
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TESTER = f"backstop-e2e-{os.getpid()}"  # one for each run
PR_SET_CHILD_SUBREAPER = 36
KEEP = set()  # the shared guard
for variable in list(os.environ):  # `sudo make test`: sessions here are root's; a Git hook's `make test`; a service's
    if variable.startswith(("SUDO_", "GIT_", "LISTEN_")) or variable in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        del os.environ[variable]
for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):  # as what runs in the background may inherit them
    if signal.getsignal(ignored) == signal.SIG_IGN:
        signal.signal(ignored, signal.SIG_DFL)
# seconds after which what should happen at once is a failure; an emulated machine gets more
SLOW = 180 if "VMTEST" in os.environ else 20
BPFFS = "/sys/fs/bpf"  # one of the tests' own, once there is one: mount_bpffs()
PACKS = os.path.join(TOP, "tests/e2e/packs")


def adopt_orphans():
    """Who ends the tests has them clean up."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def until(holds, what, timeout=SLOW):
    """Waits until holds() is true, and returns what it gave."""
    end = time.monotonic() + timeout
    while True:
        result = holds()
        if result:
            return result
        assert time.monotonic() < end, f"after {timeout} s still not: {what() if callable(what) else what}"
        time.sleep(0.005)


# --- processes

def stat_of(pid):
    """State and parent of a process, or None."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_gone(pid):
    found = stat_of(pid)
    return found is None or found[0] in "ZX"


def descendants(root=None):
    """{pid: state} of all processes below `root`, zombies included."""
    found = {int(p): stat_of(p) for p in os.listdir("/proc") if p.isdigit()}
    below, more = {root or os.getpid()}, True
    while more:
        more = {p for p, s in found.items() if s and s[1] in below and p not in below}
        below |= more
    return {p: found[p][0] for p in below if p != (root or os.getpid()) and found[p]}


def children(pid):
    """Its children, zombies included."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read(300).replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "?"


def end_process(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def reap_adopted(known):
    """Collects the zombies that this process inherited."""
    for pid, (state, parent) in [(p, stat_of(p) or ("", 0)) for p in descendants()]:
        if state == "Z" and parent == os.getpid() and pid not in known:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass


# --- BPF programs

def bpf_programs():
    """What is known of all loaded BPF programs, by id."""
    out = subprocess.run(["bpftool", "-j", "prog", "show"], capture_output=True, check=True).stdout
    return {p["id"]: p for p in json.loads(out)}


def programs_of(pid):
    """The ids of the BPF programs that a process has open, by themselves or by a link."""
    found = set()
    try:
        for fd in os.listdir(f"/proc/{pid}/fdinfo"):
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="utf-8") as f:
                found.update(int(line.split()[1]) for line in f if line.startswith("prog_id:"))
    except OSError:  # gone meanwhile
        pass
    return found


def mount_bpffs(directory):
    """For what the guards of the tests pin."""
    global BPFFS  # pylint: disable=global-statement
    BPFFS = os.path.join(directory, "bpf")
    os.mkdir(BPFFS)
    subprocess.run(["mount", "-t", "bpf", "-o", "mode=700", "none", BPFFS], check=True)


def unmount_bpffs():
    subprocess.run(["umount", BPFFS], check=True)


class Reader(threading.Thread):
    """Collects what comes out of a file descriptor, which it closes at its end, or when told to."""

    def __init__(self, fd):
        super().__init__(daemon=True)
        self.fd, self.data = fd, b""
        self.told = os.eventfd(0)
        self.start()

    def run(self):
        while self.told not in select.select([self.fd, self.told], [], [])[0]:
            try:
                more = os.read(self.fd, 65536)
            except OSError:  # a terminal's other side is closed
                more = b""
            if not more:
                break
            self.data += more
        os.close(self.fd)
        os.close(self.told)

    def close(self):
        if self.is_alive():
            os.eventfd_write(self.told, 1)
            self.join()

    def text(self):
        return self.data.decode(errors="replace")


class Agent:
    """A command with its output collected: by pipes, or as the session leader of a terminal."""

    def __init__(self, argv, terminal=False, cwd=None, stdin=subprocess.DEVNULL, env=None, stdout=None,
                 stderr=None):
        self.argv, self.terminal = argv, None
        if terminal:
            self._start_on_terminal(cwd, env)
            return
        mine = []
        ends = [self._pipe(mine) if given is None else (None, given) for given in (stdout, stderr)]
        self.process = subprocess.Popen(argv, cwd=cwd, stdin=stdin, env=env, stdout=ends[0][1],
                                        stderr=ends[1][1], start_new_session=True)
        for fd in mine:
            os.close(fd)
        self.readers = [Reader(end[0]) if end[0] is not None else None for end in ends]

    @staticmethod
    def _pipe(mine):
        read, write = os.pipe()
        mine.append(write)
        return read, write

    def _start_on_terminal(self, cwd, env):
        self.terminal, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))

        def lead():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(self.argv, cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave,
                                        preexec_fn=lead)
        os.close(slave)
        self.readers = [Reader(self.terminal), None]

    @property
    def pid(self):
        return self.process.pid

    @property
    def out(self):
        return self.readers[0].text() if self.readers[0] else ""

    @property
    def err(self):
        return self.readers[1].text() if self.readers[1] else ""

    @property
    def all(self):
        return self.out + self.err

    def send(self, data):
        os.write(self.terminal, data if isinstance(data, bytes) else data.encode())

    def hang_up(self):
        """Closes the terminal's other side."""
        self.readers[0].close()
        self.terminal = None

    def resize(self, rows, columns):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, text):
        until(lambda: text in self.all, lambda: f"{text!r} in {self.all!r}")

    def finish(self, timeout=SLOW):
        """The exit status as a shell would say it, when all output is in."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.argv} still runs after {timeout} s; its output: {self.all!r}") from None
        if self.terminal is None:  # a terminal has no end while this side keeps it open
            for reader in filter(None, self.readers):
                reader.join(timeout)
        else:
            time.sleep(0.02)
        return status if status >= 0 else 128 - status

    def end(self):
        if self.process.poll() is None:
            end_process(self.pid)
            self.process.wait()
        if self.terminal is not None and self.readers[0].is_alive():
            self.hang_up()


def copy_readable(source, target):
    """What reads packs and profiles is an unprivileged process, which need not see the source tree."""
    if not os.path.isdir(target):
        shutil.copytree(source, target)
        os.chmod(target, 0o755)
    return target


class Guard:
    """A guard of its own: socket, state, log, settings and pins. What runs is a keeper, and the guard is its child."""

    count = 0
    programs = set()  # of all guards: their ids

    def __init__(self, build, directory, policy=None, *options, settings=None):
        self.backstop = os.path.join(build, "backstop")
        self.directory = directory
        self.socket = os.path.join(directory, "guard.sock")
        self.state = os.path.join(directory, "state")
        self.policy = policy
        self.options = [str(o) for o in options]
        self.process = None
        Guard.count += 1
        self.pins = f"{BPFFS}/backstop-e2e-{os.getpid()}-{Guard.count}"
        self.settings_file = os.path.join(directory, "backstop.yaml")
        self.settings = {"pins": self.pins, "packs": {"from": [copy_readable(PACKS, f"{directory}/packs")]},
                         "agents": {"from": [], "follow": False}, **(settings or {})}
        self.write_settings()

    def write_settings(self, **changes):
        self.settings.update(changes)
        with open(self.settings_file + ".new", "w", encoding="utf-8") as f:
            json.dump(self.settings, f, indent=1)
        os.rename(f.name, self.settings_file)

    @property
    def pid(self):
        """Of the keeper."""
        return self.process.pid

    @property
    def child(self):
        """The pid of the guard that the keeper has now, or None."""
        return next((pid for pid in children(self.pid) if not is_gone(pid)), None)

    def note_programs(self):
        """Those that must be gone in the end."""
        Guard.programs |= programs_of(self.child)

    def send_signal(self, sig):
        """To both."""
        for pid in [self.pid, *children(self.pid)]:
            os.kill(pid, sig)

    def kill_child(self):
        """As if the guard had crashed. Returns when it is dead."""
        child = until(lambda: self.child, "the keeper has a guard")
        self.note_programs()
        end_process(child)
        until(lambda: self.child != child, "the guard is dead")

    def pinned(self):
        return sorted(os.path.join(where, name) for where, _, names in os.walk(self.pins) for name in names)

    def unpin(self):
        """For what a test left behind on purpose."""
        shutil.rmtree(self.pins, ignore_errors=True)

    @property
    def common(self):
        return ["--socket", self.socket]

    def start(self):
        log = open(os.path.join(self.directory, "guard.log"), "ab")
        policy = ["--policy", self.policy] if self.policy else ["--settings", self.settings_file]
        self.process = subprocess.Popen([self.backstop, "guard", *self.common, "--state-dir", self.state, *policy,
                                         *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        start_new_session=True)
        log.close()
        until(lambda: self.answers() or self.process.poll() is not None, lambda: "ready: " + self.log())
        assert self.process.poll() is None, "the guard ended: " + self.log()
        self.note_programs()
        return self

    def log(self):
        with open(os.path.join(self.directory, "guard.log"), errors="replace") as f:
            return f.read()

    def request(self, message):
        """One request over the control socket, one answer."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(SLOW)
            s.connect(self.socket)
            s.sendall(json.dumps(message).encode() + b"\n")
            with s.makefile("rb") as f:
                return json.loads(f.readline())

    def answers(self):
        try:
            return self.request({"op": "status"})["ok"]
        except (OSError, ValueError):
            return False

    def status(self):
        return self.request({"op": "status"})

    def settle(self):
        """Waits until sessions are over, and all that was made of them is recorded."""
        def done():
            status = self.status()
            events = status["events"]
            return not status["sessions"] and events["made"] == events["recorded"] + events["lost"]

        until(done, lambda: f"the sessions have ended: {self.status()['events']}")

    def holds(self):
        return self.request({"op": "pending"})["holds"]

    def wait_for_holds(self, count=1, timeout=SLOW):
        """The holds, in order, as soon as there are `count`."""
        until(self.answers, "the guard answers", timeout)
        return until(lambda: len(h := self.holds()) >= count and sorted(h, key=lambda x: x["id"]),
                     lambda: f"{count} holds, but {self.holds()}; the guard said {self.log()}", timeout)

    def cli(self, *words, **options):
        """A command line of ours that asks this guard, as a human would type it."""
        return subprocess.run([self.backstop, words[0], *self.common, *[str(w) for w in words[1:]]],
                              capture_output=True, text=True, timeout=SLOW, **options)

    def cli_alone(self, *words, **options):
        """One that asks no guard."""
        return subprocess.run([self.backstop, *[str(w) for w in words]], capture_output=True, text=True, timeout=SLOW,
                              **options)

    def approve(self, hold):
        done = self.cli("approve", hold["id"])
        assert done.returncode == 0, done

    def deny(self, hold, *words):
        done = self.cli("deny", *words, hold["id"])
        assert done.returncode == 0, done

    def lines(self):
        """The journal as text."""
        directory, text = os.path.join(self.state, "journal"), ""
        for name in sorted(os.listdir(directory)):
            with open(os.path.join(directory, name), encoding="utf-8") as f:
                text += f.read()
        return text.splitlines()

    def journal(self, torn=0):
        """Its events. A guard that was killed while it wrote may leave the beginning of a line: at most `torn` do."""
        events = []
        for line in self.lines():
            try:
                events.append(json.loads(line))
            except json.JSONDecodeError:
                torn -= 1
                assert torn >= 0, f"no event: {line!r}"
        return events

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.note_programs()
            self.send_signal(signal.SIGCONT)  # a test that failed may have left it stopped
            self.process.send_signal(sig)
        if not self.process:
            return None
        try:
            return self.process.wait(SLOW)
        except subprocess.TimeoutExpired:
            end_process(self.pid)
            self.process.wait()
            raise AssertionError(f"the guard does not end: {self.log()}") from None


class Lab:
    """One test's directory, victims, agents."""

    def __init__(self, build, guard, policy=None):
        self.build, self.guard, self.policy = build, guard, policy
        self.backstop = os.path.join(build, "backstop")
        self.launch = os.path.join(build, "victims", "launch")
        self.dir = tempfile.mkdtemp(prefix="backstop-e2e-")
        os.chmod(self.dir, 0o755)
        self.bin, self.work = os.path.join(self.dir, "bin"), os.path.join(self.dir, "work")
        os.mkdir(self.bin)
        os.mkdir(self.work)
        os.chmod(self.work, 0o777)
        self.marker = os.path.join(self.work, "e2e-marker")
        self.env = {**os.environ, "PATH": self.bin + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "LC_ALL": "C", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
                    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
                    "GIT_COMMITTER_EMAIL": "a@b"}
        self.agents, self.guards = [], []
        for name in ("terraform", "victim-alert", "victim-deny", "victim-kill", "victim-plain"):
            self.copy_victim(name)

    # --- what is run
    def copy_victim(self, name):
        path = os.path.join(self.bin, name)
        shutil.copy(os.path.join(self.build, "victims", "stub"), path)
        return path

    def words(self, program="terraform", verb=None, exit=0, *more):
        """A victim's command line."""
        verb = verb or ("destroy" if program == "terraform" else "go")
        return [os.path.join(self.bin, program), verb, *more, f"marker={self.marker}", f"exit={exit}"]

    def script(self, name, text, directory=None):
        path = os.path.join(directory or self.work, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o755)
        return path

    def plain(self, argv, **options):
        """Runs without a guard."""
        return self._agent(argv, options)

    def run(self, argv, *options, guard=None, agent="test", net=None, **how):
        """Runs as a session of the guard; in a network of its own where one is given."""
        guard = guard or self.guard
        inside = net.inside if net else []
        return self._agent([*inside, self.backstop, "run", *guard.common, "--agent", agent, *options, "--", *argv], how)

    def record(self, guard, *argv, **how):
        """The id of a session that is over, and whose events stand in the guard's journal."""
        self.run(list(argv), guard=guard, **how).finish()
        guard.settle()
        details = [e["unmapped"]["backstop"] for e in guard.journal()]
        return [d["session"] for d in details if "session" in d][-1]

    def _agent(self, argv, options):
        options.setdefault("cwd", self.work)
        options.setdefault("env", self.env)
        self.agents.append(Agent(argv, **options))
        return self.agents[-1]

    def make_guard(self, *options, settings=None):
        """Another guard, for this test alone, that is not started yet."""
        directory = os.path.join(self.dir, f"own{len(self.guards)}")
        os.mkdir(directory)
        self.guards.append(Guard(self.build, directory, None, *options, settings=settings))
        return self.guards[-1]

    def new_guard(self, *options, settings=None):
        return self.make_guard(*options, settings=settings).start()

    # --- what is seen
    def ran(self):
        """How often a victim ran."""
        try:
            with open(self.marker, encoding="utf-8") as f:
                return len(f.readlines()) or 1
        except FileNotFoundError:
            return 0

    def expect_no_stop(self, agent):
        """Nobody may see a stopped process: not in the process table, not in the output."""
        stopped = [f"{pid} {command_of(pid)}" for pid, state in descendants().items() if state == "T"]
        assert not stopped, f"stopped: {stopped}"
        assert "Stopped" not in agent.all, agent.all

    # --- the end
    def close(self):
        for agent in self.agents:
            agent.end()
        for guard in self.guards:
            try:
                guard.stop()
            finally:
                guard.unpin()

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def leftovers(known):
    """Processes of ours that are still there, apart from `known` and what these started."""
    reap_adopted(known)
    known = set(known).union(*(descendants(pid) for pid in known))
    return {p: s for p, s in descendants().items() if p not in known and s != "Z"}


def quote(words):
    return shlex.join(words)


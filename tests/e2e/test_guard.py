"""The guard's own life: how it starts, refuses to start, ends, and what its end does to holds."""
import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import time

import pytest

from lab import SLOW, is_gone, quote, stat_of, until


def start_badly(lab, *options, path=None, user=None):
    """A guard that cannot start: its exit status and what it said."""
    own = os.path.join(lab.dir, "bad")
    argv = [lab.backstop, "guard", "--socket", path or f"{own}.sock", "--state-dir", f"{own}.state", *options]
    prefix = ["runuser", "-u", user, "--"] if user else []
    done = subprocess.run([*prefix, *argv], capture_output=True, text=True, timeout=20, cwd="/")
    assert done.returncode not in (0, -signal.SIGSEGV, -signal.SIGABRT), done
    assert done.stderr.strip(), "it says why"
    return done.stderr


def image_of(lab, change):
    with open(lab.policy, "rb") as f:
        image = bytearray(f.read())
    path = os.path.join(lab.dir, "broken.image")
    with open(path, "wb") as f:
        f.write(change(image))
    return path


def flip_middle(image):
    image[len(image) // 2] ^= 0xff
    return image


def other_version(image):
    """The first word after the magic is the version, whatever it is called."""
    for i in range(4, 16):
        image[i] ^= 0x55
    return image


@pytest.mark.parametrize("change", [lambda i: b"", lambda i: i[:100], lambda i: i[:-1], lambda i: i + b"x",
                                    lambda i: b"pack: terraform\n", flip_middle, other_version],
                         ids=["empty", "head only", "one byte short", "one byte more", "YAML", "damaged", "version"])
def test_broken_policy(lab, change):
    path = image_of(lab, change)
    assert path in start_badly(lab, "--policy", path)


def test_no_policy(lab):
    assert "/nonexistent.image" in start_badly(lab, "--policy", "/nonexistent.image")


@pytest.mark.parametrize("path", ["/dev/null/guard.sock", "/proc/guard.sock", "/tmp/" + "x" * 200])
def test_unusable_socket(lab, path):
    said = start_badly(lab, "--policy", lab.policy, path=path)
    assert path in said or f"directory {os.path.dirname(path)}:" in said


def test_not_root(lab, tester):
    assert "root" in start_badly(lab, "--policy", lab.policy, user=tester)


def test_run_not_root_and_no_guard(lab, tester):
    done = subprocess.run(["runuser", "-u", tester, "--", lab.backstop, "run", "--socket", f"{lab.dir}/none.sock", "--",
                           *lab.words()], capture_output=True, text=True, timeout=20, cwd="/")
    assert done.returncode not in (0, 2) and "sudo backstop" in done.stderr, done
    assert not lab.ran(), "without a guard nothing runs"


def test_run_names_a_socket_without_a_guard(bench):
    """It is that guard that is meant: none with the state of another is started."""
    done = subprocess.run([bench.backstop, "run", "--socket", f"{bench.dir}/none.sock", "--", "true"], capture_output=True,
                          text=True, timeout=20)
    assert done.returncode == 1 and f"no guard runs here ({bench.dir}/none.sock:" in done.stderr, done
    assert "--state-dir" in done.stderr, done
    assert not os.path.exists(f"{bench.dir}/none.sock")


def test_second_guard(lab):
    said = start_badly(lab, "--policy", lab.policy, path=lab.guard.socket)
    assert lab.guard.socket in said
    assert lab.guard.answers(), "the first one goes on"
    agent = lab.run(lab.words("victim-deny"))
    assert agent.finish() == 126


def test_stale_socket(lab):
    """What a killed guard left behind is in nobody's way."""
    guard = lab.new_guard()
    guard.stop(signal.SIGKILL)
    assert os.path.exists(guard.socket)
    guard.start()
    agent = lab.run(lab.words("victim-deny"), guard=guard)
    assert agent.finish() == 126
    assert guard.stop() == 0
    assert not os.path.exists(guard.socket)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_end_denies_holds(lab, sig):
    """A guard that is asked to end denies what is held, and says so."""
    guard = lab.new_guard()
    agent = lab.run(["bash", "-c", " ".join(lab.words()) + "; exit $?"], guard=guard)
    hold = guard.wait_for_holds()[0]
    assert guard.stop(sig) == 0, guard.log()
    assert agent.finish() == 126
    assert not lab.ran()
    assert agent.err.splitlines()[-1].startswith(f"backstop: denied: hold {hold['id']}: ")


def test_killed_guard_lets_nothing_go(lab):
    guard = lab.new_guard()
    agent = lab.run(["bash", "-c", " ".join(lab.words()) + "; exit $?"], guard=guard)
    hold = guard.wait_for_holds()[0]
    guard.stop(signal.SIGKILL)
    until(lambda: is_gone(hold["pid"]), "the held process is gone")
    assert agent.finish() == 137
    assert not lab.ran()


@pytest.mark.parametrize("who", ["keeper", "guard"])
def test_stopped_guard_lets_nothing_go(lab, who):
    """While the guard does not run, candidates wait."""
    guard = lab.new_guard()
    shell = lab.run(["bash"], guard=guard, stdin=subprocess.PIPE)
    stopped = guard.pid if who == "keeper" else guard.child
    os.kill(stopped, signal.SIGSTOP)
    shell.process.stdin.write(f"{' '.join(lab.words('victim-deny'))}\n".encode())
    shell.process.stdin.flush()
    time.sleep(0.3)
    assert not lab.ran()
    os.kill(stopped, signal.SIGCONT)
    shell.process.stdin.close()
    assert shell.finish() == 126
    assert not lab.ran()


@pytest.fixture
def small_disk(lab):
    """A state directory with hardly any room."""
    path = os.path.join(lab.dir, "disk")
    os.mkdir(path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "none", path], check=True)
    yield path
    for guard in lab.guards:
        guard.stop()
    subprocess.run(["umount", path], check=True)


def links(pid):
    """What its descriptors lead to."""
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            yield os.readlink(f"/proc/{pid}/fd/{fd}")


@contextlib.contextmanager
def ahead_of(pid):
    """The test and that process share one CPU, which the test has whenever it wants it."""
    before, cpus = os.sched_getparam(0), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    os.sched_setaffinity(pid, {min(cpus)})
    os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, before)
        os.sched_setaffinity(0, cpus)


def ends_behind_its_guard(lab):
    """What is held dies when its guard, which stops, listens to the keeper no more. True where the guard was still there."""
    guard = lab.new_guard()
    agent = lab.run(lab.words(), guard=guard)
    held, child = guard.wait_for_holds()[0]["pid"], guard.child
    os.kill(child, signal.SIGSTOP)
    guard.process.send_signal(signal.SIGTERM)
    until(lambda: "the guard stops" in guard.log(), guard.log)
    os.kill(guard.pid, signal.SIGSTOP)
    with ahead_of(child):
        os.kill(child, signal.SIGCONT)
        late = time.monotonic() + SLOW
        while any(link.startswith("socket:") for link in links(child)):
            assert time.monotonic() < late, guard.log()
            time.sleep(0.0001)
        os.kill(child, signal.SIGSTOP)
    state = until(lambda: (s := stat_of(child)[0]) in "TZ" and s, "it is stopped, or has ended")
    os.kill(held, signal.SIGKILL)
    os.kill(guard.pid, signal.SIGCONT)
    assert agent.finish() == 137
    with contextlib.suppress(ProcessLookupError):  # it was faster
        os.kill(child, signal.SIGCONT)
    assert guard.process.wait(SLOW) == 0, guard.log()
    assert "died" not in guard.log(), guard.log()
    assert lab.ran() == 0
    return state == "T"


def test_one_that_ends_behind_the_guard(lab):
    """No other guard starts for it."""
    assert any(ends_behind_its_guard(lab) for _ in range(5)), "no guard was caught between its last word and its end"


def test_full_disk(lab, small_disk):
    """It keeps deciding, counts what the journal lost, and goes on writing when there is room again."""
    guard = lab.new_guard()
    guard.stop()
    guard.state = os.path.join(small_disk, "state")
    guard.start()
    filler = os.path.join(small_disk, "filler")
    with open(filler, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError:
            pass
    for _ in range(40):
        assert lab.run(lab.words("victim-deny"), guard=guard).finish() == 126
    agent = lab.run(lab.words(), guard=guard)
    guard.deny(guard.wait_for_holds()[0])
    assert agent.finish() == 126
    assert not lab.ran()
    status = guard.status()
    assert status["journal"]["lost"] > 0 and status["losses"]["journal"] == status["journal"]["lost"], status
    assert status["journal"]["error"], status
    assert "journal" in guard.cli("status").stdout
    os.unlink(filler)
    assert lab.run(lab.words("victim-deny"), guard=guard).finish() == 126
    until(lambda: not guard.status()["journal"]["error"], "the journal is written again")
    assert "victim-deny" in guard.lines()[-1] + guard.lines()[-2] + guard.lines()[-3]
    assert all(isinstance(json.loads(line), dict) for line in guard.lines()), "no torn line"


def test_bad_requests(lab):
    """Whatever is sent, an answer comes, and the guard goes on."""
    for message in ({}, [], "x", 7, None, {"op": 7}, {"op": "nothing"}, {"op": "approve"}, {"op": "approve", "id": "x"},
                    {"op": "approve", "id": -1}, {"op": "deny", "id": 10**18}):
        answer = lab.guard.request(message)
        assert answer["ok"] is False and answer["error"], (message, answer)
    assert lab.guard.answers()


@pytest.mark.parametrize("data", [b"\n", b"{\n", b"\xff\xfe\n", b"x" * 8192 + b"\n", b'{"op":"status"', b"\0\n"])
def test_bad_bytes(lab, data):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(lab.guard.socket)
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            s.recv(4096)
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert lab.guard.answers()


def test_many_holds_from_a_shell(lab):
    """A shell's limit on open files is none on holds."""
    own = lab.make_guard()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
    try:
        own.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    agent = lab.run(["bash", "-c", f"for i in {{1..80}}; do {quote(lab.words())} & done; wait"], guard=own)
    for hold in own.wait_for_holds(80):
        own.deny(hold)
    assert agent.finish() == 0 and not lab.ran()
    assert agent.all.count("denied: hold") == 80, agent.all[-500:]


def test_many_connections(lab):
    """Who connects and says nothing takes nobody's place."""
    idle = []
    for _ in range(300):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        try:
            s.connect(lab.guard.socket)
        except OSError:
            s.close()
            break
        idle.append(s)
    agent = lab.run(lab.words("victim-deny"))
    assert agent.finish() in (1, 126), "denied, or no session and so nothing ran"
    assert not lab.ran()
    for s in idle:
        s.close()
    until(lab.guard.answers, "the guard answers")


def test_two_guards(lab):
    """With pins of their own, each decides for its own sessions alone."""
    other = lab.new_guard()
    mine, theirs = lab.run(lab.words()), lab.run(lab.words(), guard=other)
    a, b = lab.guard.wait_for_holds(), other.wait_for_holds()
    assert len(a) == len(b) == 1 and a[0]["pid"] != b[0]["pid"]
    lab.guard.deny(a[0])
    assert mine.finish() == 126
    other.approve(b[0])
    assert theirs.finish() == 0
    assert lab.ran() == 1


WITHOUT_CGROUPS = """#!/bin/sh
exec unshare --mount sh -c 'umount -l $(awk "\\$3 == \\"cgroup2\\" {{print \\$2}}" /proc/self/mounts); exec "$@"' sh {} "$@"
"""


def test_no_cgroup2(lab):
    """Where connects cannot be seen that is said everywhere, and execs are held all the same."""
    guard = lab.make_guard()
    guard.backstop = lab.script("backstop", WITHOUT_CGROUPS.format(lab.backstop), guard.directory)
    guard.start()
    why = "connects are neither seen nor held: no cgroup2 hierarchy is mounted"
    assert why in guard.log()
    assert why in [e["message"] for e in guard.journal() if e["activity_name"] == "connects not seen"][0]
    for command in ["status", "doctor"]:
        said = subprocess.run([lab.backstop, command, *guard.common], capture_output=True, text=True, timeout=20)
        assert said.returncode == 0 and why in said.stdout, said
    assert guard.request({"op": "reload"})["ok"]
    assert sum(e["activity_name"] == "connects not seen" for e in guard.journal()) == 1
    agent = lab.run(["python3", "-c", "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))"],
                    guard=guard)
    assert agent.finish() == 0, agent.all
    assert lab.run(lab.words(), "--unattended", guard=guard).finish() == 126

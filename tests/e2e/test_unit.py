"""The guard as packaging/backstop.service confines it: with nothing but those capabilities, that view of the file system,
no network and those system calls it does all that it does without."""
import os
import shlex
import subprocess
import sys

import pytest

from lab import TOP, until
from net import HOLD
from test_service import workspace  # noqa: F401, a fixture

import lab as laboratory


@pytest.fixture
def confined(lab):
    guard = lab.make_guard("--hold-timeout", 60)
    run = os.path.join(guard.directory, "run")
    for directory in (run, guard.state):
        os.mkdir(directory)
    os.chmod(run, 0o755)
    guard.socket = os.path.join(run, "guard.sock")
    words = [sys.executable, f"{TOP}/tests/e2e/confined.py", f"{TOP}/packaging/backstop.service", run, guard.state,
             laboratory.BPFFS, "--", guard.backstop]
    real, guard.backstop = guard.backstop, lab.script("confined", f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    guard.start()
    guard.backstop = real
    return guard


def test_it_is_confined(confined):
    for pid in (confined.pid, confined.child):
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            status = dict(line.split(":\t", 1) for line in f.read().splitlines())
        assert status["NoNewPrivs"] == "1"
        assert bin(int(status["CapBnd"], 16)).count("1") == 13
        assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
        with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as f:
            root = [line.split() for line in f if line.split()[4] == "/"][-1]
        assert "ro" in root[5].split(",")
    assert "refused" not in confined.log()
    assert confined.status()["scheduling"] == "fifo"


def test_holds_and_explains(lab, confined):
    """On a terminal of another user, too."""
    agents = [lab.run(lab.words(exit=5), guard=confined), lab.run(lab.words(), "--as", "nobody", guard=confined)]
    first, second = confined.wait_for_holds(2)
    confined.approve(first)
    confined.deny(second)
    assert sorted(a.finish() for a in agents) in ([5, 126], [0, 126])
    for agent in agents:
        assert "backstop: held: " in agent.all and "backstop: why: " in agent.all


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_looks_around(lab, confined, user):
    """In the task's /tmp, which is not the guard's."""
    repo = f"{lab.work}/repo"
    git = ["git", "-c", "safe.directory=*", "-C", repo]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "one"]):
        os.makedirs(repo, exist_ok=True)
        subprocess.run([*git, *words], env=lab.env, check=True)
    lab.plain(["chown", "-R", user, repo]).finish()
    assert lab.run([*git, "reset", "--hard"], "--as", user, guard=confined).finish() == 0
    with open(f"{repo}/new", "w", encoding="utf-8") as f:
        f.write("x")
    subprocess.run([*git, "add", "new"], check=True)
    agent = lab.run([*git, "reset", "--hard"], "--as", user, guard=confined)
    confined.deny(confined.wait_for_holds()[0])
    assert agent.finish() == 126
    assert "context: 1 file with uncommitted changes would be lost: new" in agent.err


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_project_file(lab, confined, workspace, user):  # noqa: F811
    """The child that reads it has no capability to give itself up by; a file of root's is root's alone. On a busy machine
    a session does not wait for it."""
    project = lab.script(".backstop.yaml", "verdicts: {test.alert: hold}\n", workspace)
    os.chmod(project, 0o600)
    lab.plain(["chown", "-R", user, workspace]).finish()
    agent = lab.run(["sh", "-c", 'sleep 3; exec "$@"', "sh", *lab.words("victim-alert")], "--as", user, guard=confined,
                    cwd=workspace)
    confined.deny(confined.wait_for_holds()[0])
    assert agent.finish() == 126, agent.all


def test_connects(lab, confined, net):
    agent = lab.run([f"{lab.build}/victims/connect", "tcp", "10.20.0.5", str(HOLD)], guard=confined, net=net)
    confined.approve(confined.wait_for_holds()[0])
    assert agent.finish() == 0, agent.all
    assert len(net.got(HOLD)) == 1


def test_killed_and_reloaded(lab, confined):
    agent = lab.run(lab.words(), guard=confined)
    confined.wait_for_holds()
    confined.kill_child()
    held = confined.wait_for_holds()
    confined.write_settings(mode="shadow")
    done = confined.cli("policy", "reload")
    assert done.returncode == 0, done.stderr
    assert "mode shadow" in done.stdout
    confined.approve(held[0])
    assert agent.finish() == 0, agent.all
    assert lab.run(lab.words(), guard=confined).finish() == 0
    assert confined.stop() == 0, confined.log()


def test_attach(lab, confined):
    agent = lab.plain(["sleep", "60"])
    done = confined.cli("attach", "--pid", agent.process.pid, "--agent", "late")
    assert done.returncode == 0, done.stderr
    assert [s["agent"] for s in confined.status()["sessions"]] == ["late"]
    agent.end()
    until(lambda: not confined.status()["sessions"], "the session has ended")

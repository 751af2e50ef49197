"""backstop run: the command cannot tell that it is a session, and needs no guard to be there."""
import os
import signal
import subprocess

import pytest

from lab import TESTER, Guard, until


@pytest.fixture
def alone(lab):
    """What `run` needs to start a guard of its own, and a Guard that asks it."""
    directory = os.path.join(lab.dir, "embedded")
    os.mkdir(directory)
    os.chmod(directory, 0o755)
    guard = Guard(lab.build, directory, lab.policy)
    guard.run = [lab.backstop, "run", "--socket", guard.socket, "--state-dir", guard.state, "--policy", guard.policy]
    return guard


def ended(guard):
    """The embedded guard goes with its last session."""
    until(lambda: not guard.answers() and not os.path.exists(guard.socket), "the embedded guard has ended")


def test_embedded(lab, alone):
    agent = lab.plain([*alone.run, "--", *lab.words(exit=5)])
    hold = alone.wait_for_holds()[0]
    assert not lab.ran()
    alone.approve(hold)
    assert agent.finish() == 5
    assert lab.ran() == 1
    ended(alone)
    assert any("terraform" in line for line in alone.lines())


def test_embedded_denies(lab, alone):
    agent = lab.plain([*alone.run, "--", "bash", "-c", " ".join(lab.words()) + "; exit $?"])
    alone.deny(alone.wait_for_holds()[0])
    assert agent.finish() == 126
    assert not lab.ran()
    ended(alone)


def test_embedded_outlives_its_first_session(lab, alone):
    """A second session joins; the guard ends with the last of them, descendants included."""
    first = lab.plain([*alone.run, "--", "sleep", "30"])
    until(alone.answers, "the guard answers")
    second = lab.plain([*alone.run, "--", "bash", "-c", "sleep 30 & echo $!"])
    assert second.process.wait(10) == 0
    until(lambda: second.out.strip(), "its output")
    first.process.kill()
    first.process.wait()
    assert alone.answers()
    os.kill(int(second.out), signal.SIGKILL)
    second.finish()
    ended(alone)


def test_embedded_started_twice_at_once(lab, alone):
    """Two that start together share one guard."""
    agents = [lab.plain([*alone.run, "--", *lab.words("victim-deny")]) for _ in range(4)]
    assert [a.finish() for a in agents] == [126] * 4, [a.err for a in agents]
    assert not lab.ran()
    ended(alone)


def as_invoker(lab, alone, *options):
    """As a user's sudo starts it."""
    return lab.plain(["runuser", "-u", "root", "--", "env", f"SUDO_UID={uid_of(TESTER)}", f"SUDO_GID={uid_of(TESTER)}",
                      f"SUDO_USER={TESTER}", *alone.run, *options, "--", "sh", "-c", "id -un; id -gn; id -Gn"])


def uid_of(user):
    return subprocess.run(["id", "-u", user], capture_output=True, text=True, check=True).stdout.strip()


def test_sudo_runs_as_the_invoking_user(lab, alone, tester):
    agent = as_invoker(lab, alone)
    assert agent.finish() == 0, agent.err
    assert agent.out.split() == [tester, tester, tester]
    ended(alone)


def test_as_root_keeps_root(lab, alone, tester):
    agent = as_invoker(lab, alone, "--as", "root")
    assert agent.finish() == 0, agent.err
    assert agent.out.split()[0] == "root"
    ended(alone)


def test_owner_approves_in_an_embedded_guard(lab, alone, tester):
    """Whoever started it may decide, from outside the session."""
    agent = lab.plain(["env", f"SUDO_UID={uid_of(tester)}", f"SUDO_GID={uid_of(tester)}", f"SUDO_USER={tester}",
                       *alone.run, "--", *lab.words(exit=5)])
    hold = alone.wait_for_holds()[0]
    assert hold["user"] == tester
    done = subprocess.run(["runuser", "-u", tester, "--", lab.backstop, "approve", "--socket", alone.socket,
                           str(hold["id"])], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done
    assert agent.finish() == 5
    ended(alone)


# --- what passes through

@pytest.mark.parametrize("status", [0, 1, 7, 126, 127, 255])
def test_exit_status(lab, status):
    assert lab.run(["sh", "-c", f"exit {status}"]).finish() == status


def test_signal_status(lab):
    agent = lab.run(["sh", "-c", "kill -SEGV $$"])
    assert agent.finish() == 128 + signal.SIGSEGV


def test_no_such_command(lab):
    agent = lab.run(["no-such-command-at-all"])
    assert agent.finish() == 127
    assert "no-such-command-at-all" in agent.err


def test_not_executable(lab):
    agent = lab.run(["/etc/passwd"])
    assert agent.finish() == 126
    assert "/etc/passwd" in agent.err


def test_no_command(lab):
    done = lab.guard.cli("run")
    assert done.returncode == 2 and done.stderr


def test_streams(lab):
    agent = lab.run(["sh", "-c", "cat; echo err >&2"], stdin=subprocess.PIPE)
    agent.process.stdin.write(b"in\n")
    agent.process.stdin.close()
    assert agent.finish() == 0
    assert (agent.out, agent.err) == ("in\n", "err\n")


def test_environment_and_directory(lab):
    agent = lab.run(["sh", "-c", "pwd; echo $GIT_AUTHOR_EMAIL; ls /proc/self/fd"])
    assert agent.finish() == 0
    assert agent.out.split() == [lab.work, "a@b", "0", "1", "2", "3"], "no descriptor of ours is left open"


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals(lab, sig):
    """A signal to it is a signal to the command."""
    agent = lab.run(["sleep", "30"])
    until(lambda: b"sleep" in open(f"/proc/{agent.pid}/cmdline", "rb").read().split(b"\0")[0], "started")
    agent.process.send_signal(sig)
    assert agent.finish() == 128 + sig


def test_signal_mask_is_clean(lab):
    agent = lab.run(["grep", "-E", "SigBlk|SigIgn", "/proc/self/status"])
    plain = lab.plain(["grep", "-E", "SigBlk|SigIgn", "/proc/self/status"])
    assert agent.finish() == plain.finish() == 0
    assert agent.out == plain.out


def test_terminal(lab):
    agent = lab.run(["bash", "-c", "tty; stty size; trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.05; done"],
                    terminal=True)
    agent.wait_for("ready")
    agent.resize(50, 100)
    assert agent.finish() == 3
    assert "/dev/pts/" in agent.out and "24 200" in agent.out and "50 100" in agent.out


def test_nested(lab):
    """A session in a session is the same session."""
    agent = lab.run([lab.backstop, "run", *lab.guard.common, "--", *lab.words("victim-deny")])
    assert agent.finish() == 126
    assert not lab.ran()


def test_a_session_cannot_start_a_laxer_guard(lab, alone):
    """Where the guard of a session is out of sight, its label is not."""
    agent = lab.run([*alone.run, "--", *lab.words("victim-deny")])
    assert agent.finish() not in (0,)
    assert not lab.ran()


def test_sessions_end(lab):
    before = len(lab.guard.status()["sessions"])
    agent = lab.run(["sleep", "30"])
    session = until(lambda: [s for s in lab.guard.status()["sessions"] if s["agent"] == "test"], "a session")[-1]
    assert session["uid"] == 0 and session["tasks"] >= 1
    agent.process.kill()
    agent.finish()
    until(lambda: len(lab.guard.status()["sessions"]) == before, "the session has ended")


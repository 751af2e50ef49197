"""Job control, signals and time-outs during a hold: as if the program had been running all the while."""
import os
import shutil
import signal
import tempfile
import time

import pytest

from lab import is_gone, quote, until


@pytest.fixture(params=["bash --norc -i", "dash -i"])
def shell(request, lab):
    """An interactive shell on a terminal."""
    env = {**lab.env, "PS1": "ready> ", "TERM": "dumb"}
    agent = lab.run(request.param.split(), terminal=True, env=env)
    agent.wait_for("ready> ")
    return agent


def status(agent):
    agent.send("echo \"status\" \"is $?\"\n")
    agent.wait_for("status is ")
    until(lambda: agent.out.rsplit("status is ", 1)[1].count("\n"), "a whole line")
    return int(agent.out.rsplit("status is ", 1)[1].split()[0])


def leave(agent):
    agent.send("exit 0\n")
    assert agent.finish() == 0, agent.out


@pytest.mark.parametrize("approved", [False, True])
def test_interactive(lab, shell, approved):
    shell.send(quote(lab.words(exit=5)) + "\n")
    hold = lab.guard.wait_for_holds()[0]
    shell.wait_for("backstop approve")
    lab.expect_no_stop(shell)
    (lab.guard.approve if approved else lab.guard.deny)(hold)
    until(lambda: is_gone(hold["pid"]), "ended")
    assert status(shell) == (5 if approved else 126), shell.out
    lab.expect_no_stop(shell)
    assert lab.ran() == approved
    leave(shell)


def test_interrupt(lab, shell):
    """Ctrl-C ends a held command, which never ran."""
    shell.send(quote(lab.words()) + "\n")
    hold = lab.guard.wait_for_holds()[0]
    shell.wait_for("backstop approve")
    shell.send(b"\x03")
    until(lambda: is_gone(hold["pid"]), "the held process is gone")
    until(lambda: not lab.guard.holds(), "the hold is gone")
    assert status(shell) == 130, shell.out
    assert not lab.ran()
    leave(shell)


def test_interrupt_without_a_shell(lab):
    agent = lab.run(lab.words(), terminal=True)
    lab.guard.wait_for_holds()
    agent.wait_for("backstop approve")
    agent.send(b"\x03")
    assert agent.finish() == 130
    until(lambda: not lab.guard.holds(), "the hold is gone")
    assert not lab.ran()


@pytest.mark.parametrize("way", ["interrupt", "hang up"])
def test_a_held_deletion_ends(lab, shell, way):
    """Ctrl-C, and a closed terminal; another program of the shell is not started."""
    directory = tempfile.mkdtemp(prefix="backstop-e2e-", dir="/opt")
    path = os.path.join(directory, "a.precious")
    open(path, "w", encoding="ascii").close()
    shell.send(f"/bin/rm {path} && touch {directory}/after\n")
    hold = lab.guard.wait_for_holds()[0]
    assert hold["action"] == "delete", hold
    shell.wait_for("backstop approve")
    if way == "interrupt":
        shell.send(b"\x03")
    else:
        shell.hang_up()
    until(lambda: is_gone(hold["pid"]), "the held process is gone")
    until(lambda: not lab.guard.holds(), "the hold is gone")
    assert not os.path.exists(f"{directory}/after") and hold["done"] != os.path.exists(path)
    shutil.rmtree(directory)
    if way == "interrupt":
        assert status(shell) == (137 if hold["done"] else 130), shell.out
        leave(shell)
    else:
        shell.process.wait(10)


def test_terminal_closed(lab, shell):
    """What hangs on the terminal ends with it."""
    shell.send(quote(lab.words()) + "\n")
    hold = lab.guard.wait_for_holds()[0]
    shell.wait_for("backstop approve")
    shell.hang_up()
    until(lambda: is_gone(hold["pid"]), "the held process is gone")
    until(lambda: not lab.guard.holds(), "the hold is gone")
    assert not lab.ran()
    shell.process.wait(10)


def test_suspend(lab, shell):
    """Ctrl-Z cannot lift a hold, and the command still ends as decided."""
    shell.send(quote(lab.words()) + "\n")
    hold = lab.guard.wait_for_holds()[0]
    shell.wait_for("backstop approve")
    shell.send(b"\x1a")
    time.sleep(0.1)
    shell.send("fg\n") if "Stopped" in shell.out else None
    assert not lab.ran()
    lab.guard.deny(hold)
    until(lambda: is_gone(hold["pid"]), "the held process is gone")
    assert not lab.ran()
    leave(shell)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL,
                                 signal.SIGUSR1])
def test_signal_ends_a_held_process(lab, sig):
    agent = lab.run(lab.words())
    hold = lab.guard.wait_for_holds()[0]
    os.kill(hold["pid"], sig)
    assert agent.finish() == 128 + sig
    until(lambda: not lab.guard.holds(), "the hold is gone")
    assert not lab.ran()


def test_ignored_signals_leave_it_held(lab):
    agent = lab.run(["bash", "-c", "trap '' TERM HUP; exec " + quote(lab.words())])
    hold = lab.guard.wait_for_holds()[0]
    for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGCONT, signal.SIGCHLD, signal.SIGWINCH):
        os.kill(hold["pid"], sig)
    time.sleep(0.2)
    assert lab.guard.holds() and not lab.ran()
    lab.guard.deny(hold)
    assert agent.finish() == 126
    assert not lab.ran()


def test_timeout_expires(lab):
    agent = lab.run(["timeout", "0.3", *lab.words()])
    lab.guard.wait_for_holds()
    assert agent.finish(5) == 124
    until(lambda: not lab.guard.holds(), "the hold is gone")
    assert not lab.ran()


def test_timeout_expires_ignored(lab):
    """timeout(1) sends SIGTERM and SIGCONT; the one is ignored, the other must not let it run."""
    agent = lab.run(["timeout", "0.3", "bash", "-c", "trap '' TERM; exec " + quote(lab.words())])
    hold = lab.guard.wait_for_holds()[0]
    time.sleep(0.6)
    assert lab.guard.holds() and not lab.ran()
    lab.guard.deny(hold)
    assert agent.finish(5) in (124, 126)
    assert not lab.ran()


def test_python_timeout(lab):
    code = """import subprocess, sys
try:
    subprocess.run(sys.argv[1:], timeout=0.3)
except subprocess.TimeoutExpired:
    sys.exit(3)"""
    agent = lab.run(["/usr/bin/python3", "-c", code, *lab.words()])
    lab.guard.wait_for_holds()
    assert agent.finish(5) == 3
    until(lambda: not lab.guard.holds(), "the hold is gone")
    assert not lab.ran()


def test_node_timeout(lab):
    code = """const cp = require('child_process'), a = process.argv.slice(1);
const t = Date.now(); const p = cp.spawn(a[0], a.slice(1), {timeout: 300});
p.on('close', (c, s) => { console.log(c, s, Date.now() - t < 3000 ? 'in time' : 'late'); })"""
    agent = lab.run(["node", "-e", code, *lab.words()])
    lab.guard.wait_for_holds()
    assert agent.finish(10) == 0
    assert agent.out == "null SIGTERM in time\n"
    assert not lab.ran()


def test_event_loop_goes_on(lab):
    """A hold blocks no spawn call: node's loop keeps turning."""
    code = """const cp = require('child_process'), a = process.argv.slice(1);
let n = 0; const i = setInterval(() => n++, 10);
cp.spawn(a[0], a.slice(1), {stdio: 'inherit'}).on('close', c => { clearInterval(i); console.log(c, n > 15); })"""
    agent = lab.run(["node", "-e", code, *lab.words()])
    hold = lab.guard.wait_for_holds()[0]
    time.sleep(0.4)
    lab.guard.deny(hold)
    assert agent.finish() == 0
    assert agent.out == "126 true\n"

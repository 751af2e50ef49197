"""The explanation reaches the agent's stderr, or is dropped; it never blocks anybody."""
import os
import socket

import pytest

from lab import Reader


def denied(lab, stderr, prefix=()):
    agent = lab.run([*prefix, *lab.words()], stderr=stderr)
    hold = lab.guard.wait_for_holds()[0]
    assert not lab.ran()
    lab.expect_no_stop(agent)
    lab.guard.deny(hold)
    assert agent.finish(5) == 126
    assert not lab.ran()


def full_pipe():
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(write, True)
    return read, write


def full_socket():
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    try:
        while True:
            theirs.send(b"x" * 4096)
    except BlockingIOError:
        pass
    theirs.setblocking(True)
    return ours, theirs


def test_pipe(lab):
    read, write = os.pipe()
    denied(lab, write)
    os.close(write)
    reader = Reader(read)
    reader.join(5)
    assert "held: " in reader.text() and "denied: hold" in reader.text()


def test_socket(lab):
    """As node gives it to its children."""
    ours, theirs = socket.socketpair()
    denied(lab, theirs.fileno())
    theirs.close()
    text = b""
    while more := ours.recv(65536):
        text += more
    ours.close()
    assert b"held: " in text and b"denied: hold" in text


def test_file(lab):
    """At its offset, between what the agent writes before and after."""
    path = os.path.join(lab.work, "log")
    with open(path, "w+", encoding="utf-8") as f:
        script = lab.script("x.sh", f"echo before >&2\n{' '.join(lab.words())}\nrc=$?\necho after >&2\nexit $rc\n")
        agent = lab.run(["bash", script], stderr=f)
        lab.guard.deny(lab.guard.wait_for_holds()[0])
        assert agent.finish() == 126
        f.seek(0)
        lines = f.read().splitlines()
    assert lines[0] == "before" and lines[-1] == "after"
    assert lines[1].startswith("backstop: held: ") and lines[-2].startswith("backstop: denied: hold")


def test_null(lab):
    with open("/dev/null", "wb") as f:
        denied(lab, f)


def test_full_pipe(lab):
    read, write = full_pipe()
    denied(lab, write)
    os.close(read)
    os.close(write)


def test_full_socket(lab):
    ours, theirs = full_socket()
    denied(lab, theirs.fileno())
    ours.close()
    theirs.close()


def test_reader_gone(lab):
    read, write = os.pipe()
    os.close(read)
    denied(lab, write)
    os.close(write)


def test_closed(lab):
    denied(lab, None, ["bash", "-c", 'exec "$@" 2>&-', "x"])


def test_read_only(lab):
    denied(lab, None, ["bash", "-c", 'exec "$@" 2</dev/null', "x"])


def test_full_terminal(lab):
    """A terminal whose other side nobody reads, stopped as by ^S."""
    master, slave = os.openpty()
    os.set_blocking(slave, False)
    try:
        while True:
            os.write(slave, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(slave, True)
    denied(lab, slave)
    os.close(slave)
    os.close(master)


@pytest.mark.parametrize("size", [4096, 1 << 20])
def test_long_command_is_cut(lab, size):
    """What is shown of a huge argv is bounded, and ends in whole lines."""
    agent = lab.run([lab.launch, "pad", str(size), *lab.words()])
    lab.guard.deny(lab.guard.wait_for_holds()[0])
    assert agent.finish() == 126
    lines = agent.err.splitlines()
    assert lines[0].startswith("backstop: held: ") and len(agent.err) < 8192
    assert lines[-1].startswith("backstop: denied: hold")


def test_nothing_of_argv_reaches_the_terminal_raw(lab):
    evil = "-var=\x1b[2J\x1b]0;owned\x07\r\n\x9b31m\u202e"
    agent = lab.run([*lab.words(), evil])
    hold = lab.guard.wait_for_holds()[0]
    agent.wait_for("approve")
    table = lab.guard.cli("pending").stdout
    lab.guard.deny(hold)
    assert agent.finish() == 126
    for text in (agent.err, table):
        assert "terraform" in text
        assert not set(text) & {"\x1b", "\x07", "\r", "\x9b", "\u202e"}, text


def test_terminal(lab):
    agent = lab.run(lab.words(), terminal=True)
    hold = lab.guard.wait_for_holds()[0]
    agent.wait_for("backstop approve")
    lab.guard.deny(hold)
    assert agent.finish() == 126
    assert "denied: hold" in agent.out

"""What the journal has, each sink gets: at least once, in order, however long it was away."""
import os
import re
import signal
import socket
import subprocess

import pytest

from lab import until


@pytest.fixture(name="own")
def fixture_own(lab):
    return lab.new_guard()


@pytest.fixture(name="serve")
def fixture_serve(own, tmp_path):
    processes = []

    def start(*sinks):
        processes.append(subprocess.Popen(
            [own.backstop, "serve", "--dir", f"{own.state}/journal", "--database", str(tmp_path / "record.db"),
             "--export", ",".join(sinks)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def settle(own):
    """The session is over, and all that was made of it is recorded."""
    def done():
        status = own.status()
        events = status["events"]
        return not status["sessions"] and events["made"] == events["recorded"] + events["lost"]

    until(done, lambda: f"the session has ended: {own.status()['events']}")


def run(lab, own, *argv):
    lab.run(list(argv), guard=own).finish()
    settle(own)


def read(path):
    return path.read_text().splitlines() if path.exists() else []


def takes_signals(process):
    """It has seen to it that they do not just kill it."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
        blocked = next(line.split()[1] for line in f if line.startswith("SigBlk:"))
    return int(blocked, 16) >> (signal.SIGTERM - 1) & 1


def stop(process):
    until(lambda: takes_signals(process), "serve is up")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    return out.decode(), err.decode()


def expect_at_least_once(got, lines):
    """Each line, in order; what comes again is what came before."""
    seen = 0
    for line in got:
        assert line in lines[:seen + 1], line
        seen = max(seen, lines.index(line) + 1)
    assert seen == len(lines)


def test_file(lab, own, serve, tmp_path):
    run(lab, own, "/bin/true")
    out = tmp_path / "out.jsonl"
    process = serve(f"file:{out}")
    until(lambda: read(out) == own.lines(), "it has all")
    run(lab, own, "/bin/echo")
    until(lambda: read(out) == own.lines(), "it follows")
    stop(process)
    run(lab, own, "/bin/true")
    process = serve(f"file:{out}")
    until(lambda: read(out) == own.lines(), "it went on where it was")
    stop(process)


def test_killed_again_and_again(lab, own, serve, tmp_path):
    out = tmp_path / "out.jsonl"
    agent = lab.run(["sh", "-c", "for i in $(seq 1 300); do /bin/true; victim-alert go; done"], guard=own)
    for n in range(8):
        process = serve(f"file:{out}")
        try:
            process.wait(0.1 * n)
        except subprocess.TimeoutExpired:
            pass
        process.kill()
        process.wait()
    agent.finish(120)
    settle(own)
    process = serve(f"file:{out}")
    until(lambda: read(out)[-1:] == own.lines()[-1:], "it has the last")
    stop(process)
    expect_at_least_once(read(out), own.lines())


MESSAGE = re.compile(r"<(134|132)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z|-) (\S+) backstop - (\d+) - (\{.*\})", re.S)


def unframe(data):
    """Messages with their length before them."""
    messages = []
    while data:
        length, _, rest = data.partition(b" ")
        if not length.isdigit() or len(rest) < int(length):
            break
        messages.append(rest[:int(length)].decode())
        data = rest[int(length):]
    return messages


def receive(server, enough):
    connection, _ = server.accept()
    data = b""
    connection.settimeout(20)
    with connection:
        while not enough(unframe(data)):
            more = connection.recv(65536)
            assert more, "it went away"
            data += more
    return unframe(data)


def test_syslog_over_tcp(lab, own, serve):
    """It is away at first, and goes away in between."""
    run(lab, own, *lab.words("victim-deny"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    process = serve(f"syslog+tcp://127.0.0.1:{port}")
    run(lab, own, "/bin/true")
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(30)
        first = receive(server, lambda m: len(m) >= len(own.lines()))
        run(lab, own, "/bin/echo")
        second = receive(server, lambda m: m and m[-1].endswith(own.lines()[-1]))
    _, err = stop(process)
    got = [MESSAGE.fullmatch(m) for m in first + second]
    assert all(got)
    expect_at_least_once([m[5] for m in got], own.lines())
    assert {m[1] for m in got if m[4] == "2004"} == {"132"} and {m[1] for m in got if m[4] == "1007"} == {"134"}
    assert {m[3] for m in got} == {socket.gethostname()}
    assert err.count("takes nothing") >= 1 and "takes events again" in err


def test_syslog_over_udp(lab, own, serve):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        server.settimeout(20)
        run(lab, own, "/bin/true")
        process = serve(f"syslog+udp://127.0.0.1:{server.getsockname()[1]}")
        got = [MESSAGE.fullmatch(server.recv(65536).decode())[5] for _ in own.lines()]
        assert got == own.lines()
        stop(process)


def test_one_that_is_away_keeps_no_other(lab, own, serve, tmp_path):
    out = tmp_path / "out.jsonl"
    process = serve("syslog+tcp://127.0.0.1:1", f"file:{tmp_path}/no/such/dir", f"file:{out}")
    run(lab, own, "/bin/true")
    until(lambda: read(out) == own.lines(), "it has all")
    _, err = stop(process)
    assert err.count("takes nothing") == 2, err


def test_what_is_no_sink(serve):
    for bad in ("nowhere", "file:relative", "syslog+tcp://host", "syslog+udp://:514", "syslog+tcp://host:x"):
        process = serve(bad)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 1 and b"is none of file:/PATH" in err, err


def test_cursor_of_no_use(lab, own, serve, tmp_path):
    run(lab, own, "/bin/true")
    out = tmp_path / "out.jsonl"
    process = serve(f"file:{out}")
    until(lambda: read(out) == own.lines(), "it has all")
    stop(process)
    cursor = next(p for p in tmp_path.iterdir() if p.name.endswith(".cursor"))
    assert os.stat(cursor).st_mode & 0o777 == 0o640
    cursor.write_text("segment 1")
    process = serve(f"file:{out}")
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1 and b"cannot start" in err

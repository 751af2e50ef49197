"""What the journal has, each sink gets: at least once, in order, however long it was away."""
import fcntl
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import termios

import pytest

from feeds import Authority, Journal, cursor_is_at_end, event, expect_at_least_once, serves, stop, takes_signals
from lab import until


@pytest.fixture(name="own")
def fixture_own(lab):
    return lab.new_guard()


@pytest.fixture(name="serve")
def fixture_serve(build, own, tmp_path):
    yield from serves(build, f"{own.state}/journal", tmp_path)


def is_full(fd):
    """The pipe, but for less than what is written at once."""
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0] > 60000


def read(path):
    return path.read_text().splitlines() if path.exists() else []


def test_file(lab, own, serve, tmp_path):
    lab.record(own, "/bin/true")
    out = tmp_path / "out.jsonl"
    process = serve(f"file:{out}")
    until(lambda: read(out) == own.lines(), "it has all")
    lab.record(own, "/bin/echo")
    until(lambda: read(out) == own.lines(), "it follows")
    stop(process)
    lab.record(own, "/bin/true")
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
    process = serve(f"file:{out}")
    lab.record(own, "/bin/true")  # that it runs is seen by what it brings
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
    lab.record(own, *lab.words("victim-deny"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    process = serve(f"syslog+tcp://127.0.0.1:{port}")
    lab.record(own, "/bin/true")
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(30)
        first = receive(server, lambda m: len(m) >= len(own.lines()))
        lab.record(own, "/bin/echo")
        second = receive(server, lambda m: m and m[-1].endswith(own.lines()[-1]))
    err = stop(process)
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
        lab.record(own, "/bin/true")
        process = serve(f"syslog+udp://127.0.0.1:{server.getsockname()[1]}")
        got = [MESSAGE.fullmatch(server.recv(65536).decode())[5] for _ in own.lines()]
        assert got == own.lines()
        stop(process)


def test_one_that_is_away_keeps_no_other(lab, own, serve, tmp_path):
    out = tmp_path / "out.jsonl"
    process = serve("syslog+tcp://127.0.0.1:1", f"file:{tmp_path}/no/such/dir", f"file:{out}")
    lab.record(own, "/bin/true")
    until(lambda: read(out) == own.lines(), "it has all")
    err = stop(process)
    assert err.count("takes nothing") == 2, err


def test_what_retention_took(build, tmp_path):
    """It waits for no sink; what went unread is told, and all that is left comes."""
    out, state = tmp_path / "out.jsonl", tmp_path / "state"
    journal = Journal(f"{tmp_path}/journal")
    state.mkdir()
    for start in serves(build, journal.path, state):
        journal.add(3)
        process = start(f"file:{out}")
        until(lambda: len(read(out)) == 3, "it has all")
        stop(process)
        journal.add(2)
        os.unlink(f"{journal.path}/journal-{1:016}.jsonl")
        with open(f"{journal.path}/journal-{3:016}.jsonl", "w", encoding="utf-8") as f:
            f.write("\n".join(left := [event(6), event(7)]) + "\n")
        process = start(f"file:{out}")
        until(lambda: read(out)[3:] == left, lambda: read(out))
        assert "the journal has no segment journal-0000000000000001.jsonl any more" in stop(process)


def test_what_is_no_sink(serve, tmp_path):
    """One line, that says what there is and nothing that may be secret, before anything is opened."""
    for bad in ("nowhere", "ftp://x", "file:relative", "syslog+tcp://host", "syslog+udp://:514", "syslog+tcp://host:x",
                "nats://user:secret@host:1/a.b", "file:relative#key=secret"):
        process = serve(bad)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 2 and err.count(b"\n") == 1 and b"is none of file:/PATH" in err, err
        assert b"secret" not in err
    process = serve(*[f"file:{tmp_path}/{i}" for i in range(17)])
    _, err = process.communicate(timeout=20)
    assert process.returncode == 2 and err == b"backstop: export: 16 sinks at most\n", err
    assert not [p for p in tmp_path.iterdir() if p.name.startswith("record.db")]


@pytest.mark.parametrize("where", ["stdout:", "file:fifo", "file:fifo that is open"])
def test_nobody_reads(build, tmp_path, where):
    """It ends when it is asked to, whoever does not read what it writes."""
    journal, fifo = Journal(f"{tmp_path}/journal", 200).add(3000), f"{tmp_path}/fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK) if "open" in where else None
    for start in serves(build, journal.path, tmp_path):
        process = start(where if where == "stdout:" else f"file:{fifo}")
        until(lambda: (tmp_path / "record.db").exists() and takes_signals(process), "it is up")
        if where == "file:fifo":
            until(lambda: b"takes nothing" in process.stderr.readline(), "it says that nobody reads")
        else:
            until(lambda: is_full(reader or process.stdout.fileno()), "all is full")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    if reader is not None:
        os.close(reader)


@pytest.mark.parametrize("where", ["stdout:", "file:fifo"])
def test_reader_goes_away(build, tmp_path, where):
    """It says so and goes on; whoever reads a FIFO next gets what is left."""
    journal, fifo = Journal(f"{tmp_path}/journal", 200).add(3000), f"{tmp_path}/fifo"
    os.mkfifo(fifo)
    for start in serves(build, journal.path, tmp_path):
        if where == "stdout:":
            process = start(where)
            reader = process.stdout.fileno()
        else:
            reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
            process = start(f"file:{fifo}")
        until(lambda: is_full(reader), "it writes")
        if where == "stdout:":
            process.stdout.close()
        else:
            os.close(reader)
        until(lambda: b"takes nothing" in process.stderr.readline(), "it says that nobody reads")
        if where != "stdout:":
            with open(fifo, encoding="utf-8") as again:
                lines = [again.readline()[:-1] for _ in range(3000)]
            assert lines[0] == event(1, 200) and lines[-1] == event(3000, 200)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_receiver_resets(build, tmp_path):
    """What says goodbye in the end says it to nobody."""
    journal, ca = Journal(f"{tmp_path}/journal").add(10), Authority(str(tmp_path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*reversed(ca.sign("server", "IP:127.0.0.1")))
    for start in serves(build, journal.path, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as server:
            process = start(f"syslog+tls://127.0.0.1:{server.getsockname()[1]}#ca={ca.pem}")
            connection, _ = server.accept()
        connection = context.wrap_socket(connection, server_side=True)
        got = b""
        while b'"line":10}' not in got:
            got += connection.recv(65536)
        until(lambda: cursor_is_at_end(journal, tmp_path), "it waits for more")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_cursor_of_no_use(lab, own, serve, tmp_path):
    lab.record(own, "/bin/true")
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

"""What leaves on connections, to real servers: held before it leaves, let go unchanged, or refused."""
import os
import shutil
import socket
import subprocess
import time

import pytest

import lab as laboratory
from lab import SLOW, until
from wire import BOTH, HOST, SENDS, Sink, tier_of

# --- before a library encrypts

def test_tls_harmless(wire, postgres):
    """Untouched, and often."""
    agent = wire.run(postgres.psql(*["select 40 + 2"] * 20))
    assert (agent.finish(), agent.out) == (0, "42\n" * 20), agent.all


def test_tls_approve(wire, users):
    agent = wire.run(users.psql("drop table users", "select 7"))
    hold = wire.guard.wait_for_holds()[0]
    assert hold["signature"] == "wiretest.sql" and "drop table users" in str(hold), hold
    assert users.has("users")
    wire.guard.approve(hold)
    assert (agent.finish(), agent.out) == (0, "7\n"), agent.all
    assert not users.has("users")


def test_tls_deny(wire, users):
    """Nothing but the end of its process keeps back what a library was given."""
    agent = wire.run(users.psql("truncate users", "select 7"))
    wire.guard.deny(wire.guard.wait_for_holds()[0])
    assert agent.finish() == 137 and not agent.out, agent.all
    assert users.ask("select count(*) from users") == "1"


def test_tls_guard_dies(wire, users):
    """The next guard does not know what it was about to send: its process ends. What comes later is seen again."""
    agent = wire.run(users.psql("truncate users"))
    wire.guard.wait_for_holds()
    wire.guard.kill_child()
    assert agent.finish() == 137, agent.all
    until(wire.guard.answers, "the next guard answers")
    assert users.ask("select count(*) from users") == "1"
    agent = wire.run(users.psql("truncate users"))
    wire.guard.deny(wire.guard.wait_for_holds()[0])
    assert agent.finish() == 137, agent.all
    assert users.ask("select count(*) from users") == "1"


# --- in the clear

PLAIN = "sslmode=disable"


EACH = pytest.mark.parametrize("where", ["tcp", "unix"])


def see(wire, where):
    if where == "unix" and tier_of(wire.guard) not in SENDS:
        pytest.skip("no security hook here: what goes to Unix sockets is not looked at")


@EACH
def test_plain_harmless(wire, postgres, where):
    see(wire, where)
    host = HOST if where == "tcp" else postgres.data
    agent = wire.run(postgres.psql(*["select 40 + 2"] * 20, how=PLAIN, host=host))
    assert (agent.finish(), agent.out) == (0, "42\n" * 20), agent.all


@EACH
def test_plain_approve(wire, users, where):
    see(wire, where)
    host = HOST if where == "tcp" else users.data
    agent = wire.run(users.psql("drop table users", "select 7", how=PLAIN, host=host))
    hold = wire.guard.wait_for_holds()[0]
    assert hold["signature"] == "wiretest.sql" and users.has("users"), hold
    wire.guard.approve(hold)
    assert (agent.finish(), agent.out) == (0, "7\n"), agent.all
    assert not users.has("users")


@EACH
def test_plain_deny(wire, users, holds_sends, where):
    """libpq tells of a write that failed when its connection ends."""
    host = HOST if where == "tcp" else users.data
    agent = wire.run(users.psql("truncate users", how=PLAIN, host=host))
    wire.guard.deny(wire.guard.wait_for_holds()[0])
    assert agent.finish() == 2 and "server closed the connection" in agent.err, agent.all
    assert "backstop: denied: hold" in agent.err and users.has("users")


@BOTH
def test_plain_guard_dies(wire, users, holds_sends, answer):
    """The next guard is asked again, in the midst of a connection that it has not seen begin."""
    agent = wire.run(users.psql("select 7", "truncate users", how=PLAIN))
    wire.guard.wait_for_holds()
    wire.guard.kill_child()
    until(wire.guard.answers, "the next guard answers")
    hold = wire.guard.wait_for_holds()[0]
    assert hold["signature"] == "wiretest.sql" and "truncate users" in hold["text"], hold
    assert users.ask("select count(*) from users") == "1" and agent.process.poll() is None, agent.all
    getattr(wire.guard, answer)(hold)
    assert agent.finish() == (0 if answer == "approve" else 2), agent.all
    assert users.ask("select count(*) from users") == ("0" if answer == "approve" else "1")


def test_dropped_packets_guard_dies(wire, users, drops_packets):
    agent = wire.run(users.psql("truncate users", how=PLAIN))
    wire.guard.wait_for_holds()
    wire.guard.kill_child()
    assert agent.finish() == 137, agent.all
    until(wire.guard.answers, "the next guard answers")
    time.sleep(1)  # in which TCP would send again
    assert users.ask("select count(*) from users") == "1"


def test_dropped_packets_deny(wire, users, drops_packets):
    """A packet cannot be refused: it stays here, and its process ends."""
    agent = wire.run(users.psql("truncate users", how=PLAIN))
    wire.guard.deny(wire.guard.wait_for_holds()[0])
    assert agent.finish() == 137, agent.all
    time.sleep(2)  # in which TCP would send again, when nobody looks any more
    assert users.ask("select count(*) from users") == "1"


def test_dropped_packets_resume(wire, users, drops_packets):
    """At once, however long it waited: TCP alone would try at 1.4 s, and again at 3."""
    agent = wire.run(users.psql("truncate users", "select 7", how=PLAIN))
    hold = wire.guard.wait_for_holds()[0]
    time.sleep(1.6)
    wire.guard.approve(hold)
    begin = time.monotonic()
    assert (agent.finish(), agent.out) == (0, "7\n"), agent.all
    assert time.monotonic() - begin < 0.8
    assert users.ask("select count(*) from users") == "0"


VOLUMES = """import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_DELETE(self):
        self.send_response(204)
        self.end_headers()
        print('gone', self.path, flush=True)
    def log_message(self, *a):
        pass
server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + '/server.crt', sys.argv[1] + '/server.key')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@BOTH
def test_https(wire, postgres, answer):
    """A request that a library encrypts, over HTTP/1.1."""
    server = subprocess.Popen(["/usr/bin/python3", "-c", VOLUMES, postgres.data], stdout=subprocess.PIPE, text=True)
    laboratory.KEEP.add(server.pid)
    url = f"https://127.0.0.1:{server.stdout.readline().strip()}/v1"
    curl = ["curl", "-sk", "--http1.1", "-X", "DELETE"]
    assert wire.run([*curl, f"{url}/other/1"]).finish() == 0 and server.stdout.readline() == "gone /v1/other/1\n"
    agent = wire.run([*curl, f"{url}/volumes/1"])
    hold = wire.guard.wait_for_holds()[0]
    assert hold["signature"] == "wiretest.http" and "/v1/volumes/1" in hold["text"], hold
    getattr(wire.guard, answer)(hold)
    assert agent.finish() == (0 if answer == "approve" else 137), agent.all
    server.terminate()
    assert server.stdout.read() == ("gone /v1/volumes/1\n" if answer == "approve" else "")
    server.wait(SLOW)


CLIENT = """import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for part in sys.argv[3:]:
    try:
        s.sendall(part.encode())
    except PermissionError:
        print('refused', flush=True)
"""


def send(wire, sink, *parts):
    return wire.run(["/usr/bin/python3", "-c", CLIENT, HOST, str(sink.port), *parts])


def test_denied_write_spares_the_connection(wire, holds_sends):
    sink = Sink()
    agent = send(wire, sink, "one ", "deny-this-text ", "two")
    assert (agent.finish(), agent.out) == (0, "refused\n"), agent.all
    sink.join(SLOW)
    assert sink.data == b"one two"


def test_split_text(wire, holds_sends):
    """A word that comes in two writes is found with the second."""
    sink = Sink()
    agent = send(wire, sink, "one ", "x deny-this", "-text ", "two")
    assert (agent.finish(), agent.out) == (0, "refused\n"), agent.all
    sink.join(SLOW)
    assert sink.data == b"one x deny-thistwo"


def test_dropped_packets_split_text(wire, drops_packets):
    sink = Sink()
    agent = send(wire, sink, "one ", "x deny-this", "-text ", "two")
    assert agent.finish() == 137, agent.all
    sink.join(SLOW)  # the connection is reset, and nothing is sent again
    assert b"deny-this-text" not in sink.data and b"two" not in sink.data, sink.data


TURNED = """import ctypes, os, socket, sys, threading, time
first, second, flag = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
name = ctypes.create_string_buffer(b"\\2\\0" + first.to_bytes(2, "big") + socket.inet_aton("127.0.0.1") + bytes(8))
def turn():
    while not os.path.exists(flag):
        time.sleep(0.01)
    name[2:4] = second.to_bytes(2, "big")
    print("turned", flush=True)
threading.Thread(target=turn).start()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if ctypes.CDLL(None).sendto(s.fileno(), b"ask-about-this", 14, 0, name, 16) < 0:
    sys.exit("refused")
"""


def test_approved_datagram_goes_nowhere_else(wire, holds_sends, tmp_path):
    """Another thread changes the destination while the call waits: that is another datagram."""
    flag = tmp_path / "flag"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second:
        ports = []
        for s in (first, second):
            s.bind((HOST, 0))
            s.setblocking(False)
            ports.append(str(s.getsockname()[1]))
        agent = wire.run(["/usr/bin/python3", "-c", TURNED, *ports, str(flag)])
        hold = wire.guard.wait_for_holds()[0]
        assert hold["signature"] == "wiretest.ask", hold
        flag.touch()
        agent.wait_for("turned")
        wire.guard.approve(hold)
        again = until(lambda: [h for h in wire.guard.holds() if h["id"] != hold["id"]], "it is asked about anew")[0]
        wire.guard.deny(again)
        assert (agent.finish(), agent.out) == (1, "turned\n") and "refused" in agent.err, agent.all
        for s in (first, second):
            with pytest.raises(BlockingIOError):
                s.recv(99)


@pytest.mark.parametrize("size", [30_000, 300_000, 3_000_000, 30_000_000])
@pytest.mark.parametrize("how", ["sslmode=require", PLAIN])
def test_far_behind(wire, users, tmp_path, how, size):
    """However far behind in one write it stands."""
    path = tmp_path / "long.sql"
    with open(path, "w") as f:
        f.write(f"select 7; select 8 where '{'x' * size}' = 'y'\\; truncate users;\n")
    agent = wire.run(["psql", "-qAtX", "-f", str(path), users.conninfo(how)])
    hold = wire.guard.wait_for_holds()[0]
    wire.guard.deny(hold)
    agent.finish()
    assert users.ask("select count(*) from users") == "1", agent.all
    assert hold["signature"] in ("wiretest.sql", "self.too-long"), hold


# --- names

NAME_SERVER = """import socket, struct
u = socket.socket(type=socket.SOCK_DGRAM)
u.bind(('10.20.0.5', 53))
t = socket.create_server(('10.20.0.5', 53))
print('ready', flush=True)
def answer(q):
    return q[:2] + bytes.fromhex('81800001000100000000') + q[12:] + bytes.fromhex('c00c00010001') + struct.pack('>IH', 60, 4) + socket.inet_aton('10.20.0.5')
import selectors
s = selectors.DefaultSelector()
s.register(u, 1)
s.register(t, 1)
while True:
    for key, _ in s.select():
        if key.fileobj is u:
            q, peer = u.recvfrom(4096)
            u.sendto(answer(q), peer)
        else:
            c, _ = t.accept()
            a = answer(c.recv(4096)[2:])
            c.sendall(struct.pack('>H', len(a)) + a)
            c.close()
"""

ASKS = """import socket, struct, sys
how, name, port, first = sys.argv[1:]
if how != 'none':
    q = b'ab' + bytes.fromhex('01000001000000000000') + b''.join(bytes([len(p)]) + p.encode() for p in name.split('.')) + b'\\0\\0\\1\\0\\1'
    s = socket.socket(type=socket.SOCK_STREAM if how == 'tcp' else socket.SOCK_DGRAM)
    if how != 'sendto':
        s.connect(('10.20.0.5', 53))
    if how == 'tcp':
        q = struct.pack('>H', len(q)) + q
    if how == 'sendto':
        s.sendto(q, ('10.20.0.5', 53))
    else:
        s.sendall(q)
    assert len(s.recv(4096)) > 20
    s.close()
try:
    s = socket.create_connection(('10.20.0.5', int(port)))
    s.sendall(first.encode() + b'\\n')
    print(s.recv(99).decode().strip())
except PermissionError:
    print('refused')
"""


@pytest.fixture(scope="module")
def name_server(the_net):
    server = subprocess.Popen([*the_net.inside, "/usr/bin/python3", "-c", NAME_SERVER], stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "ready\n"
    laboratory.KEEP.add(server.pid)
    yield server
    server.kill()
    server.wait()


def ask(wire, net, how, name, port=7001, first="hello"):
    agent = wire.run(["/usr/bin/python3", "-c", ASKS, how, name, str(port), first], net=net)
    assert agent.finish() == 0, agent.all
    return agent.out.strip()


@pytest.mark.parametrize("how", ["udp", "sendto", "tcp"])
def test_name(wire, net, name_server, how):
    """An address is refused by the name that the session was told for it."""
    assert ask(wire, net, how, "DB.Prod.Example") == "refused"
    assert not net.got(7001)
    assert ask(wire, net, how, "db.test.example") == "reply"
    assert ask(wire, net, how, "db.prod.example", 7003) == "reply"
    line = [event for event in wire.guard.journal() if event.get("dst_endpoint", {}).get("hostname") == "db.prod.example"]
    assert line and line[-1]["dst_endpoint"]["ip"] == "10.20.0.5", line


def test_name_of_a_request(wire, net, holds_sends):
    """A name that only the first bytes tell."""
    request = "GET / HTTP/1.1\r\nHost: db.{}.example\r\n\r"
    assert ask(wire, net, "none", "-", 7001, request.format("prod")) == "refused"
    assert ask(wire, net, "none", "-", 7001, request.format("test")) == "reply"


# --- Unix sockets

KNOCK = """import socket, sys
kind, path = sys.argv[1:]
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if kind == 'stream' else socket.SOCK_DGRAM)
try:
    s.connect(path.replace('@', chr(0)))
    s.sendall(b'hello')
    print('sent')
except PermissionError:
    print('refused')
"""


class Listener:
    """A Unix socket that somebody else listens on."""

    def __init__(self, path, kind):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if kind == "stream" else socket.SOCK_DGRAM)
        self.socket.bind(path.replace("@", "\0"))
        if kind == "stream":
            self.socket.listen()


@pytest.fixture
def run_dir(wire):
    directory = f"/run/backstop-e2e/{os.getpid()}"
    os.makedirs(directory)
    yield directory
    shutil.rmtree("/run/backstop-e2e")


@pytest.mark.parametrize("kind", ["stream", "datagram"])
@BOTH
def test_unix_socket(wire, run_dir, holds_sends, kind, answer):
    """It is known by its own place, whatever the way to it."""
    Listener.held = Listener(f"{run_dir}/held.sock", kind)
    os.symlink(run_dir, f"{wire.work}/way")
    agent = wire.run(["/usr/bin/python3", "-c", KNOCK, kind, f"{wire.work}/way/held.sock"])
    hold = wire.guard.wait_for_holds()[0]
    assert hold["signature"] == "wiretest.socket" and hold["dest"] == f"{run_dir}/held.sock", hold
    getattr(wire.guard, answer)(hold)
    assert (agent.finish(), agent.out) == (0, "sent\n" if answer == "approve" else "refused\n"), agent.all


@pytest.mark.parametrize("kind", ["stream", "datagram"])
def test_abstract_socket(wire, holds_sends, kind):
    listeners = [Listener(name, kind) for name in ("@backstop-e2e-denied", "@backstop-e2e-other")]
    agents = [wire.run(["/usr/bin/python3", "-c", KNOCK, kind, name]) for name in ("@backstop-e2e-denied", "@backstop-e2e-other")]
    assert [(a.finish(), a.out) for a in agents] == [(0, "refused\n"), (0, "sent\n")], [a.all for a in agents]
    assert len(listeners) == 2

"""The modes in which nothing is prevented, for what leaves on connections: it goes at once and unharmed, and is told."""
import os
import signal
import socket

import pytest

import lab as laboratory
from lab import until
from wire import BOTH, HOST, PACKS, PYTHON, Sink, refuses, tier_of, SENDS

REASON = "mode {}: nothing is prevented"
EACH = pytest.mark.parametrize("how", ["sslmode=require", "sslmode=disable", "unix"])
TCP = pytest.mark.parametrize("how", ["sslmode=require", "sslmode=disable"])


def new_guard(lab, mode):
    packs = laboratory.copy_readable(PACKS, f"{lab.dir}/packs-{mode}")
    return lab.new_guard("--hold-timeout", 60, settings={"packs": {"from": [packs]}, "mode": mode})


@pytest.fixture(params=["shadow", "record"])
def seen(lab, request):
    """A guard in that mode. Nothing waits for it, however many sessions there are."""
    guard = new_guard(lab, request.param)
    guard.mode = request.param
    yield guard
    assert not guard.holds() and not guard.status()["counters"]["stopped"], guard.status()


def findings(guard):
    return [e for e in guard.journal() if e["class_uid"] == 2004]


def expect_told(guard, agent, text, signature="wiretest.sql", verdict="held"):
    """One finding, which says that nothing was prevented; in the mode shadow the agent reads what would have been."""
    guard.settle()
    found = findings(guard)
    assert len(found) == 1, f"{[f['finding_info'] for f in found]}, {agent.all}"
    ours = found[0]["unmapped"]["backstop"]
    assert found[0]["disposition_id"] == 19 and ours["reason"] == REASON.format(guard.mode), found[0]
    assert ours["signature"] == signature and text in ours["send"]["text"], ours
    assert (f"backstop: would be {verdict}: " in agent.err) == (guard.mode == "shadow"), agent.err
    assert guard.mode == "shadow" or not agent.err, agent.err


def psql(server, how, *sql):
    """Its process stays for a moment, in which it is told."""
    host, how = (server.data, "sslmode=disable") if how == "unix" else (HOST, how)
    return server.psql(*sql, "select pg_sleep(0.3)", "select 7", how=how, host=host)


@EACH
def test_drop_database(lab, seen, postgres, how):
    if how == "unix" and tier_of(seen) not in SENDS:
        pytest.skip("no security hook here: what goes to Unix sockets is not looked at")
    postgres.ask("create database gone")
    agent = lab.run(psql(postgres, how, "DROP DATABASE gone"), guard=seen)
    assert (agent.finish(), agent.out) == (0, "\n7\n"), agent.all
    assert postgres.ask("select count(*) from pg_database where datname = 'gone'") == "0"
    expect_told(seen, agent, "DROP DATABASE gone")


@EACH
def test_harmless(lab, seen, postgres, how):
    agent = lab.run(psql(postgres, how, *["select 40 + 2"] * 50), guard=seen)
    assert (agent.finish(), agent.out, agent.err) == (0, "42\n" * 50 + "\n7\n", ""), agent.all
    seen.settle()
    assert not findings(seen)


# A client that writes a statement in parts as it is told: how, port, pause in seconds, parts.
PARTS = """import socket, ssl, struct, sys, time
how, port, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
s = socket.create_connection(('127.0.0.1', port))
if how == 'sslmode=require':
    s.sendall(struct.pack('>II', 8, 80877103))
    assert s.recv(1) == b'S'
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    s = context.wrap_socket(s)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
def ready():
    had = b''
    while had[-6:-1] != b'Z\\0\\0\\0\\5':
        had += s.recv(65536)
    return had
start = struct.pack('>I', 196608) + b'user\\0postgres\\0database\\0postgres\\0\\0'
s.sendall(struct.pack('>I', len(start) + 4) + start)
ready()
sql = [part.replace('PAD', 'x' * 40000).encode() for part in sys.argv[4:]]
sql[0] = b'Q' + struct.pack('>I', sum(map(len, sql)) + 5) + sql[0]
sql[-1] += b'\\0'
for part in sql:
    s.sendall(part)
    time.sleep(pause)
had = ready()
print('ERROR' if b'SERROR' in had else 'done', flush=True)
time.sleep(0.3)
"""


@TCP
@pytest.mark.parametrize("parts, pause", [(("drop ta", "ble users"), 0), (("drop ta", "ble users"), 0.1), (("d", "r", "op table users"), 0),
                                          (("select 'PAD'; drop table users",), 0)], ids=["at once", "later", "three", "long"])
def test_parts(lab, seen, users, how, parts, pause):
    agent = lab.run([PYTHON, "-c", PARTS, how, str(users.port), str(pause), *parts], guard=seen)
    assert (agent.finish(), agent.out) == (0, "done\n"), agent.all
    assert not users.has("users")
    expect_told(seen, agent, "xxx" if "PAD" in parts[0] else "drop table users")


def test_denied_text(lab, seen):
    """Of no protocol that is known, and in two writes."""
    sink = Sink()
    script = f"import socket, time\ns = socket.create_connection(('{HOST}', {sink.port}))\n" \
             "for part in 'one ', 'x deny-this', '-text ', 'two':\n    s.sendall(part.encode())\n    time.sleep(0.05)\ntime.sleep(0.3)"
    agent = lab.run([PYTHON, "-c", script], guard=seen)
    assert agent.finish() == 0, agent.all
    sink.join()
    assert sink.data == b"one x deny-this-text two"
    expect_told(seen, agent, "deny-this-text", "wiretest.deny", "denied")


@pytest.mark.parametrize("count", [1, 20])
def test_sendfile(lab, seen, count):
    """Of pages, which no security hook reads."""
    sink = Sink()
    script = f"import os, socket, time\ns = socket.create_connection(('{HOST}', {sink.port}))\nfd = os.memfd_create('text')\n" \
             f"os.write(fd, b'x ' * 2048 * {count - 1} + b'deny-this-text')\nat, end = 0, os.fstat(fd).st_size\n" \
             "while at < end:\n    at += os.sendfile(s.fileno(), fd, at, end - at)\ntime.sleep(0.3)"
    agent = lab.run([PYTHON, "-c", script], guard=seen)
    assert agent.finish() == 0, agent.all
    sink.join()
    assert sink.data == b"x " * 2048 * (count - 1) + b"deny-this-text"
    expect_told(seen, agent, "" if count > 1 else "deny-this-text", "wiretest.deny", "denied")


def test_flood(lab, seen):
    """What is sent faster than the guard reads goes no slower."""
    sink = Sink()
    script = f"import socket\ns = socket.create_connection(('{HOST}', {sink.port}))\nfor i in range(200):\n    s.sendall(b'x' * 65536)"
    agent = lab.run([PYTHON, "-c", script], guard=seen)
    assert agent.finish() == 0, agent.all
    sink.join()
    assert len(sink.data) == 200 * 65536
    seen.settle()
    assert not findings(seen)


MUCH = f"""import ctypes, socket, sys
class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("len", ctypes.c_size_t)]
class Message(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("name_len", ctypes.c_uint), ("parts", ctypes.POINTER(Part)), ("count", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("control_len", ctypes.c_size_t), ("flags", ctypes.c_long), ("sent", ctypes.c_uint)]
to = socket.AF_INET.to_bytes(2, "little") + int(sys.argv[1]).to_bytes(2, "big") + socket.inet_aton("{HOST}") + bytes(8)
part = Part(b"x" * 60000, 60000)
messages = (Message * 20)(*[Message(to, 16, ctypes.pointer(part), 1) for _ in range(20)])
libc = ctypes.CDLL(None, use_errno=True)
s, sent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0
while sent < 20:
    n = libc.sendmmsg(s.fileno(), ctypes.byref(messages, sent * ctypes.sizeof(Message)), 20 - sent, 0)
    assert n > 0, ctypes.get_errno()
    sent += n
"""


def test_much_in_one_call(lab, seen):
    """More to one name than is looked at, of which a mode that prevents says that it is too long."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((HOST, 0))
        agent = lab.run([PYTHON, "-c", MUCH, str(s.getsockname()[1])], guard=seen)
        assert agent.finish() == 0, agent.all
        assert len(s.recv(65536)) == 60000
    seen.settle()


# --- a mode that changes

def reload(guard, mode):
    guard.write_settings(mode=mode)
    os.kill(guard.pid, signal.SIGHUP)
    until(lambda: guard.status()["mode"] == mode, guard.log)


@TCP
@BOTH
def test_held_is_answered(lab, users, how, answer):
    """What was held before stays held, and gets its answer."""
    guard = new_guard(lab, "enforce")
    agent = lab.run(psql(users, how, "truncate users"), guard=guard)
    hold = guard.wait_for_holds()[0]
    reload(guard, "shadow")
    assert users.rows() == "1" and [h["id"] for h in guard.holds()] == [hold["id"]]
    getattr(guard, answer)(hold)
    denied = 2 if how == "sslmode=disable" and refuses(guard) else 137
    assert agent.finish() == (0 if answer == "approve" else denied), agent.all
    assert users.rows() == ("0" if answer == "approve" else "1")
    assert not guard.holds()
    guard.settle()
    assert {f["disposition_id"] for f in findings(guard)}.isdisjoint({19}), findings(guard)


@TCP
def test_connection_outlives_modes(lab, users, how):
    """The mode of the moment is the one that counts, in the midst of a connection too."""
    guard = new_guard(lab, "shadow")
    agent = lab.run(["psql", "-X", users.conninfo(how), "-Atq"], guard=guard, terminal=True)
    agent.send("select 'first';\n")
    agent.wait_for("\rfirst")
    reload(guard, "enforce")
    agent.send("truncate users;\n")
    hold = guard.wait_for_holds()[0]
    assert users.rows() == "1"
    guard.approve(hold)
    until(lambda: users.rows() == "0", "it went")
    reload(guard, "record")
    agent.send("drop table users;\n")
    until(lambda: not users.has("users"), "it went")
    agent.send("\\q\n")
    agent.finish()
    guard.settle()
    reasons = [f["unmapped"]["backstop"].get("reason") for f in findings(guard)]
    assert REASON.format("record") in reasons and not guard.holds(), reasons

"""Names that what is sent tells, and those of libc's resolver: by them connections are refused."""
import os
import shutil
import ssl
import subprocess

import pytest

import lab as laboratory
from lab import SLOW, until
from wire import BOTH, PYTHON, judge, needs, refuses

PROD, TEST = "db.prod.example", "db.test.example"  # the first is refused, on ports 7001 and 7002
HOST = "10.20.0.5"

SENDS = """import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
try:
    for part in sys.argv[3:]:
        s.sendall(bytes.fromhex(part))
        time.sleep(0.05)
    print('sent')
except PermissionError:
    print('refused')
"""


def check_name(wire, net, split, tells):
    """`tells` makes the first bytes that tell a name; they leave in pieces of so many bytes."""
    for name, refused in ((TEST, False), (PROD, True)):
        data = tells(name)
        parts = [data[i:i + split].hex() for i in range(0, len(data), split)]
        net.clear()
        agent = wire.run([PYTHON, "-c", SENDS, HOST, "7001", *parts], net=net)
        code = agent.finish()
        came = sum(size for _, _, _, size in net.got(7001))
        if not refused:
            assert (code, agent.out, came) == (0, "sent\n", len(data)), (agent.all, came)
            continue
        assert came < len(data), agent.all
        assert (code, agent.out) == (0, "refused\n") if refuses(wire.guard) else code == 137, agent.all


PIECES = (4096, 100, 31)
SPLITS = pytest.mark.parametrize("split", PIECES)


def hello(name):
    """A ClientHello of OpenSSL's, no piece of which ends as a line does: that ends the server's connection."""
    data = b"\n"
    while any(data[at:at + split].endswith(b"\n") for split in PIECES for at in range(0, len(data), split)):
        out = ssl.MemoryBIO()
        context = ssl.create_default_context()
        try:
            context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
        except ssl.SSLWantReadError:
            pass
        data = out.read()
    return data


@SPLITS
def test_sni(wire, net, split):
    """TLS tells the name in the clear; it may come in several segments."""
    check_name(wire, net, split, hello)


@SPLITS
def test_proxy(wire, net, split):
    """A proxy is asked for a name of which nothing else tells."""
    check_name(wire, net, split, lambda name: f"CONNECT {name}:7001 HTTP/1.1\r\nHost: {name}:7001\r\n\r\n".encode())


@SPLITS
def test_host(wire, net, split):
    check_name(wire, net, split, lambda name: f"GET / HTTP/1.1\r\nAccept: */*\r\nHost: {name}\r\n\r\n".encode())


def test_a_claim_allows_nothing(wire, net):
    """What may go to localhost does not go elsewhere because a header says so."""
    wire.guard.write_settings(allow=[{"send": {"http": "DELETE *", "to": "localhost"}}])
    try:
        assert wire.guard.cli("policy", "reload").returncode == 0
        net.clear()
        request = b"DELETE /v1/volumes/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        agent = wire.run([PYTHON, "-c", SENDS, HOST, "7001", request.hex()], net=net)
        judge(wire, agent, "deny", signature="wiretest.http")
        agent.finish()
        assert not sum(size for _, _, _, size in net.got(7001)), agent.all
    finally:
        wire.guard.write_settings(allow=[])
        assert wire.guard.cli("policy", "reload").returncode == 0


# --- QUIC

def quic(wire, name, port):
    """A client that nobody answers, and that asks no name server."""
    path = os.path.join(wire.work, "hosts")
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"{HOST} {name}\n")
    return ["unshare", "-m", "sh", "-c", 'mount --bind "$1" /etc/hosts && shift && exec "$@"', "sh", path,
            "gtlsclient", "--handshake-timeout=2s", name, str(port)]


def test_quic(wire, net, holds_sends):
    """QUIC's first datagrams tell a name to who knows how to read them."""
    needs("gtlsclient")
    for name, refused in ((TEST, False), (PROD, True)):
        net.clear()
        agent = wire.run(quic(wire, name, 7001), net=net)
        agent.finish()
        assert ("Operation not permitted" in agent.all) == refused, agent.all
        assert ("send QUIC to " in agent.err) == refused, agent.err
        assert (len(net.got(7001, "udp")) == 1) == refused, agent.all  # it still says that it ends, without a name


@BOTH
def test_quic_held(wire, net, holds_sends, answer):
    """What was let go is asked about once, however often it is sent."""
    needs("gtlsclient")
    agent = wire.run(quic(wire, "db.asked.example", 7003), net=net)
    judge(wire, agent, answer, lambda: not net.got(7003, "udp"), signature="wiretest.asked")
    until(lambda: wire.guard.holds() or agent.process.poll() is not None, "it ends")
    assert not wire.guard.holds()
    assert (len(net.got(7003, "udp")) > 1) == (answer == "approve"), agent.all


# --- libc's resolver, and a real name server

NAME_SERVER = "127.0.0.9"


@pytest.fixture(scope="module")
def dnsmasq(the_net, wire_dir):
    program = shutil.which("dnsmasq") or "/usr/sbin/dnsmasq"
    needs(program)
    words = ["--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", f"--listen-address={NAME_SERVER}", "--bind-interfaces",
             f"--address=/example/{HOST}", f"--cname=alias.other,{PROD}", f"--host-record={PROD},{HOST}", "--user=root", "--pid-file="]
    with open(f"{wire_dir}/dnsmasq.log", "w+", encoding="utf-8") as log:
        server = subprocess.Popen([*the_net.inside, program, *words], stderr=log, stdout=log)
        laboratory.KEEP.add(server.pid)
        until(lambda: "started" in open(log.name, encoding="utf-8").read() or server.poll() is not None, "it listens")
    assert server.poll() is None, open(f"{wire_dir}/dnsmasq.log", encoding="utf-8").read()
    yield server
    server.terminate()
    server.wait(SLOW)


CONNECTS = """import socket, sys
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    s.sendall(b'hello\\n')
    print(s.recv(99).decode().strip())
except PermissionError:
    print('refused')
"""


def resolving(wire, options, argv):
    """argv, with a resolver that asks this server."""
    path = os.path.join(wire.work, "resolv.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"nameserver {NAME_SERVER}\noptions timeout:2 {options}\n")
    return ["unshare", "-m", "sh", "-c", 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"', "sh", path, *argv]


@pytest.mark.parametrize("options", ["", "use-vc", "edns0 single-request"], ids=["udp", "tcp", "edns"])
def test_libc(wire, net, dnsmasq, options):
    """What getaddrinfo() was told; another name of the same address is none of it, as a session of its own shows."""
    for name, said in ((PROD, "refused"), (TEST, "reply"), ("Alias.Other", "refused")):
        agent = wire.run(resolving(wire, options, [PYTHON, "-c", CONNECTS, name, "7001"]), net=net)
        assert (agent.finish(), agent.out) == (0, f"{said}\n"), (name, agent.all)
    assert len(net.got(7001)) == 1


def test_curl_resolves(wire, net, dnsmasq):
    agent = wire.run(resolving(wire, "", ["curl", "-s", "-S", f"http://{PROD}:7001/"]), net=net)
    assert agent.finish() == 7 and not net.got(7001), agent.all

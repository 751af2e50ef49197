"""What is encrypted by libraries that programs bring with them: Go's is probed, and of others the record, `status` and `doctor`
say which, and where it goes."""
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from lab import SLOW, TOP, until
from test_wire_names import SENDS, hello
from wire import BOTH, HOST, PYTHON, Sink, build_go, client, judge, make_certificate, needs, refuses

OCSF = os.path.join(TOP, "../shared/ocsf/validate.py")
NAME = "api.test.example"
WAITS = SENDS + "sys.stdin.read()\n"  # its session lives as long as the test wants


class Encrypted(threading.Thread):
    """A server of TLS that answers whatever comes."""

    def __init__(self, directory):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(f"{directory}/server.crt", f"{directory}/server.key")
        self.socket = socket.create_server((HOST, 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(connection, server_side=True) as tls:
                    while data := tls.recv(999):
                        tls.sendall(b"answer")
                        if data.startswith(b"GET"):
                            break
            except OSError:
                pass


@pytest.fixture(scope="module")
def encrypted(wire_dir):
    directory = os.path.join(wire_dir, "encrypted")
    os.mkdir(directory)
    make_certificate(directory)
    server = Encrypted(directory)
    yield server
    server.socket.shutdown(2)
    server.join(SLOW)
    server.socket.close()


@pytest.fixture(scope="module", params=["", "-s -w"], ids=["symbols", "stripped"])
def go_client(wire_dir, request):
    return build_go(wire_dir, "tls", request.param)


def unseen(guard, session=None):
    """What the journal has of them, so far."""
    found = [e for e in guard.journal() if "unseen" in e["unmapped"]["backstop"].get("send", {})]
    return [e for e in found if session in (None, e["unmapped"]["backstop"]["session"])]


def copy_python(wire, name, mark):
    """A program that has a mark of a library, and speaks TLS by hand."""
    path = os.path.join(wire.bin, name)
    shutil.copy(os.path.realpath(PYTHON), path)
    with open(path, "ab") as f:
        f.write(mark)
    return path


@pytest.mark.parametrize("mark, library", [
    (b"/registry/rustls-0.21.7/src/conn.rs\0", "rustls"),
    (b"OpenSSL 1.1.1 (compatible; BoringSSL)\0", "BoringSSL"),
    (b"", "unknown library")])
def test_library(wire, mark, library):
    """Named while its session lives, and no longer."""
    program, sink = copy_python(wire, "speaks", mark), Sink()
    agent = wire.run([program, "-c", WAITS, HOST, str(sink.port), hello(NAME).hex()], stdin=subprocess.PIPE)
    session = until(lambda: wire.guard.status()["sessions"], "its session")[0]["id"]
    until(lambda: wire.guard.status()["unseen"] and wire.guard.status()["unseen"][0]["library"] in (library, None), wire.guard.status)
    event = until(lambda: unseen(wire.guard, session), wire.guard.log)[0]
    told = event["unmapped"]["backstop"]["send"]
    assert (told["unseen"], told["protocol"], told["names"]) == (library, "tls", [NAME]), event
    assert event["actor"]["process"]["file"]["path"] == program, event
    assert event["message"] == f"send TLS that cannot be seen ({library}) to {HOST}:{sink.port} ({NAME}) by speaks", event
    said = wire.guard.cli("status").stdout
    assert f"unseen     what {program} of session {session} sends by tls" in said, said
    said = wire.guard.cli("doctor").stdout
    assert "missing  tls" in said and f"{program} (tls" in said and "no rule of 'send:' is asked" in said, said
    agent.process.stdin.close()
    assert (agent.finish(), agent.out) == (0, "sent\n"), agent.all
    until(lambda: not wire.guard.status()["sessions"], wire.guard.status)
    assert not wire.guard.status()["unseen"]
    assert "ok       tls" in wire.guard.cli("doctor").stdout


def test_event_is_ocsf(wire):
    if not os.path.exists(OCSF):
        pytest.skip("../shared/ocsf is not there")
    session = wire.record(wire.guard, PYTHON, "-c", SENDS, HOST, str(Sink().port), hello(NAME).hex())
    lines = "".join(json.dumps(e) + "\n" for e in unseen(wire.guard, session))
    done = subprocess.run(["python3", OCSF], input=lines, capture_output=True, text=True, check=False)
    assert lines and done.returncode == 0, (lines, done.stdout)


REQUEST = "DELETE /v1/volumes/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_go_harmless(wire, encrypted, go_client):
    """Again and again on one connection; as it is seen, nothing is said of it."""
    session = wire.record(wire.guard, go_client, f"{HOST}:{encrypted.port}", NAME, *["harmless"] * 200)
    assert wire.agents[-1].out.startswith("answer"), wire.agents[-1].all
    assert not unseen(wire.guard, session)


@BOTH
def test_go(wire, encrypted, go_client, answer):
    agent = wire.run([go_client, f"{HOST}:{encrypted.port}", NAME, REQUEST])
    judge(wire, agent, answer, signature="wiretest.http", protocol="http")
    assert (agent.finish(), agent.out) == ((0, "answer\n") if answer == "approve" else (137, "")), agent.all


def test_go_spelled(wire, encrypted, go_client):
    """Where the stack has no room it is moved, and the function begins again: a byte that counted twice would spoil the request."""
    agent = wire.run([go_client, f"{HOST}:{encrypted.port}", NAME, "spelled", REQUEST * 2])
    judge(wire, agent, "deny", signature="wiretest.http", protocol="http")
    assert agent.finish() == 137, agent.all


@pytest.mark.parametrize("how", ["python", "curl", "gnutls-cli"])
def test_seen(wire, encrypted, how):
    """OpenSSL and GnuTLS are probed: nothing is said of them."""
    needs(how if how != "python" else "python3")
    url = f"https://{HOST}:{encrypted.port}/"
    argv = {"python": client("request.py", "urllib", "GET", url), "curl": ["curl", "-sk", "--http0.9", url],
            "gnutls-cli": ["sh", "-c", f"echo hello | gnutls-cli --insecure -p {encrypted.port} {HOST}"]}[how]
    session = wire.record(wire.guard, *argv)
    assert {"python": "BadStatusLine: answer", "curl": "answer", "gnutls-cli": "Handshake was completed"}[how] in wire.agents[-1].all
    assert not unseen(wire.guard, session)


QUIC = """import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(3):
    s.sendto(bytes.fromhex('c300000001088394c8f03e515708') + bytes(1186), ('127.0.0.1', 443))
"""


def test_quic(wire):
    if not refuses(wire.guard):
        pytest.skip("no security hook here: UDP is not looked at")
    session = wire.record(wire.guard, PYTHON, "-c", QUIC)
    told = [e["message"] for e in unseen(wire.guard, session)]
    assert told == [f"send QUIC that cannot be seen (unknown library) to {HOST}:443 by {os.path.basename(os.path.realpath(PYTHON))}"]

"""A file system in user space that never answers: what waits for it waits alone."""
import contextlib
import os
import subprocess
import tempfile

import pytest

import fuse
from lab import copy_readable, until
from test_wire_names import SENDS, hello
from test_wire_unseen import Encrypted, unseen
from wire import HOST, PACKS, PYTHON, Sink, judge, make_certificate, refuses

PAGE = fuse.PAGE
PROGRAM = os.path.realpath(PYTHON)


@pytest.fixture
def place(lab):
    directory = os.path.join(lab.dir, "silent")
    os.mkdir(directory)
    return directory


GET, DELETE = (f"{method} /v1/volumes/1 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for method in ("GET", "DELETE"))


def others_are_decided(wire):
    """In sessions of their own: a write that is harmless, and one that is not."""
    agent = wire.run([PYTHON, "-c", SENDS, HOST, str(Sink().port), GET.hex()])
    assert (agent.finish(), agent.out) == (0, "sent\n"), agent.all
    agent = wire.run([PYTHON, "-c", SENDS, HOST, str(Sink().port), DELETE.hex()])
    (hold,) = until(wire.guard.holds, lambda: f"a hold: {agent.all}")
    wire.guard.deny(hold)
    assert agent.finish() != 0 or agent.out == "refused\n", agent.all


def until_asked(server, what):
    """The server was asked for it."""
    while (line := server.stdout.readline().strip()) != what:
        assert line, f"it never was: {what}"


@contextlib.contextmanager
def seen_at(place, how, server):
    """The directory where the program of the server is seen: there, or above it."""
    if how == "plain":
        yield place
        return
    above = tempfile.mkdtemp(prefix="above-", dir=os.path.dirname(place))
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={place}:{above}", above], check=True)
    try:
        yield above
    finally:
        server.kill()
        subprocess.run(["umount", "-l", above], check=True)


@pytest.mark.parametrize("how", ["plain", "overlay"])
def test_program(wire, place, how):
    """What comes from there cannot be probed: that would open it, and read it."""
    with fuse.mounted(place, file=PROGRAM, opens=1) as server, seen_at(place, how, server) as where:
        program = f"{where}/{os.path.basename(PROGRAM)}"
        agent = wire.run([program, "-c", SENDS + "sys.stdin.read()\n", HOST, str(Sink().port), hello("api.test.example").hex()],
                         stdin=subprocess.PIPE)
        session = until(lambda: wire.guard.status()["sessions"], "its session")[0]["id"]
        until(lambda: wire.guard.status()["unseen"], wire.guard.status)
        others_are_decided(wire)
        said = wire.guard.cli("status").stdout
        assert f"unseen     what {program} of session {session} sends by tls" in said, said
        agent.process.stdin.close()
        assert agent.finish() == 0, agent.all
        until(lambda: unseen(wire.guard, session), wire.guard.log)


# A file's bytes are sent as they are mapped.
MAPS = """import mmap, socket, ssl, sys
file = open(sys.argv[1], 'rb')
bytes = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
s = socket.create_connection((sys.argv[2], int(sys.argv[3])))
if sys.argv[4] == 'tls':
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    s = context.wrap_socket(s)
print('begins', flush=True)
try:
    s.send(bytes)
    print('sent')
except OSError as e:
    print('error', e)
"""


@pytest.mark.parametrize("how", ["tls", "plain"])
def test_memory(wire, place, how):
    """What is sent is mapped from there, and the guard would read what does not come."""
    if how == "plain" and not refuses(wire.guard):
        pytest.skip("no security hook here: packets are looked at, which have the bytes")
    make_certificate(wire.dir)
    server = Encrypted(wire.dir) if how == "tls" else Sink()
    data = os.path.join(wire.dir, "data")
    with open(data, "wb") as f:
        f.write(DELETE.ljust(5 * PAGE, b"."))
    with fuse.mounted(place, file=data, size=4 * PAGE) as mount:
        agent = wire.run([PYTHON, "-c", MAPS, f"{place}/data", HOST, str(server.port), how])
        agent.wait_for("begins")
        until_asked(mount, "read")
        others_are_decided(wire)
        assert agent.process.poll() is None, agent.all
    if how == "tls":
        judge(wire, agent, "deny", signature="wiretest.http")  # by what there was of it
    assert agent.finish() == 137 or agent.out.startswith("begins\nerror"), agent.all


@pytest.mark.parametrize("what", ["program", "memory"])
def test_guard_ends(lab, place, what):
    """Nothing of the guard's own waits there: another one comes in its place."""
    own = lab.new_guard("--hold-timeout", 60, settings={"packs": {"from": [copy_readable(PACKS, f"{lab.dir}/packs-wire")]}})
    make_certificate(lab.dir)
    server = Encrypted(lab.dir)
    data = os.path.join(lab.dir, "data")
    with open(data, "wb") as f:
        f.write(DELETE.ljust(5 * PAGE, b"."))
    file, limits = (PROGRAM, {"opens": 1}) if what == "program" else (data, {"size": 4 * PAGE})
    with fuse.mounted(place, file=file, **limits) as mount:
        served = f"{place}/{os.path.basename(file)}"
        argv = {"program": [served, "-c", SENDS + "sys.stdin.read()\n", HOST, str(server.port), hello("api.test.example").hex()],
                "memory": [PYTHON, "-c", MAPS, served, HOST, str(server.port), "tls"]}[what]
        agent = lab.run(argv, guard=own, stdin=subprocess.PIPE)
        until_asked(mount, "open" if what == "program" else "read")
        if what == "program":
            until(lambda: own.status()["unseen"], own.status)
        own.kill_child()
        until(own.answers, own.log)
    agent.end()  # who waits for what is never served cannot be ended
    until(lambda: not own.status()["sessions"], own.status)


WRITES = "import os, sys; os.dup2(os.open(sys.argv[1], os.O_WRONLY), 2); os.execv(sys.argv[2], sys.argv[2:])"


def test_stderr(lab, place):
    """Nothing is told there, and nobody asks for anything of it."""
    data = os.path.join(lab.dir, "data")
    with open(data, "wb") as f:
        f.write(bytes(PAGE))
    with fuse.mounted(place, "attributes", file=data) as mount:
        agent = lab.run([PYTHON, "-c", WRITES, f"{place}/data", *lab.words("victim-deny")])
        until_asked(mount, "open")
        assert agent.finish() == 126, agent.all
        assert lab.run(lab.words("victim-deny")).finish() == 126


def test_directory(wire):
    """One is moved to where nothing is protected: the guard would look for what is in it."""
    if not refuses(wire.guard):
        pytest.skip("no security hook here: what is moved is not looked at")
    with tempfile.TemporaryDirectory(prefix="backstop-e2e-", dir="/srv") as above:
        silent, moved = f"{above}/tree/silent", f"{wire.dir}/tree"
        os.makedirs(silent)
        with fuse.mounted(silent, "directory") as mount:
            agent = wire.run([PYTHON, "-c", "import os, sys; os.rename(*sys.argv[1:])", f"{above}/tree", moved])
            until_asked(mount, "directory")
            others_are_decided(wire)
            agent.end()
        fuse.LIBC.umount2(f"{moved}/silent".encode(), fuse.MNT_DETACH)

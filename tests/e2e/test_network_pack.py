"""The destinations that are shipped: what a session must not reach unasked on any machine."""
import errno
import os

import pytest

from lab import KEEP, TOP, Guard, until

METADATA = "169.254.169.254"


@pytest.fixture(scope="module")
def library(build, session_dir, no_program_left):
    """A guard with the pack, and nothing of the tests' own."""
    directory = os.path.join(session_dir, "network")
    os.mkdir(directory)
    os.chmod(directory, 0o755)
    packs = os.path.join(directory, "shipped")
    os.mkdir(packs)
    os.chmod(packs, 0o755)
    with open(f"{TOP}/signatures/network.yaml", encoding="utf-8") as f, open(f"{packs}/network.yaml", "w",
                                                                            encoding="utf-8") as copy:
        copy.write(f.read())
    guard = Guard(build, directory, None, settings={"packs": {"from": [packs]}}).start()
    KEEP.add(guard.pid)
    yield guard
    KEEP.discard(guard.pid)
    assert guard.stop() == 0, guard.log()


def client(lab, net, library, way, host, port):
    return lab.run([f"{lab.build}/victims/connect", way, host, str(port), f"pass={net.path}"], guard=library, net=net)


@pytest.mark.parametrize("way,host", [("tcp", METADATA), ("mptcp", METADATA), ("fastopen", METADATA), ("nonblock", METADATA),
                                      ("tcp", f"::ffff:{METADATA}"), ("tcp", "fd00:ec2::254")])
def test_metadata_is_held(lab, net, library, way, host):
    agent = client(lab, net, library, way, host, 80)
    hold = library.wait_for_holds()[0]
    assert hold["signature"] == "network.cloud-metadata" and not agent.out
    library.deny(hold)
    assert agent.finish() == 1 and agent.out == f"{way}: EPERM\n", agent.all


def test_metadata_by_io_uring_is_refused(lab, net, library):
    agent = client(lab, net, library, "uring", METADATA, 80)
    assert agent.finish() == 1 and agent.out == "uring: EPERM\n", agent.all


def test_metadata_when_approved(lab, net, library):
    agent = client(lab, net, library, "tcp", METADATA, 80)
    library.approve(library.wait_for_holds()[0])
    assert agent.finish() == 1 and agent.out == "tcp: ECONNREFUSED\n", "nobody listens there, but it was asked"


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7"])
def test_database_of_another_host_is_an_alert(lab, net, library, host):
    agent = client(lab, net, library, "tcp", host, 5432)
    assert agent.finish() == 1 and agent.out == "tcp: ENETUNREACH\n", agent.all
    until(lambda: any("network.sql-database" in line and host in line for line in library.lines()), "the alert")


def alerts(library):
    return len([line for line in library.lines() if "network.sql-database" in line])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "::"])
def test_own_database_is_nothing(lab, net, library, host):
    before = alerts(library)
    agent = client(lab, net, library, "tcp", host, 5432)
    assert agent.finish() == 1 and agent.out == "tcp: ECONNREFUSED\n", agent.all
    until(lambda: not library.status()["sessions"], "the session has ended")
    assert alerts(library) == before


def test_own_address_is_nothing(lab, net, library):
    """An address of its own machine, by a client that lives for a while."""
    before = alerts(library)
    code = "import socket, time; print(socket.socket().connect_ex(('10.20.0.5', 5432))); time.sleep(1)"
    agent = lab.run(["/usr/bin/python3", "-c", code], guard=library, net=net)
    assert agent.finish() == 0 and agent.out == f"{errno.ECONNREFUSED}\n", agent.all
    until(lambda: not library.status()["sessions"], "the session has ended")
    assert alerts(library) == before

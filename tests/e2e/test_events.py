"""What the journal says of connections: each of a session, once; of others none."""
import subprocess

import pytest

from lab import until
from net import ALERT, DENY, HOLD, HOST, KILL, PLAIN

NETWORK, FINDING = 4001, 2004
ALLOWED, BLOCKED, APPROVED, DELAYED, ALERTED, REJECTED = 1, 2, 8, 14, 19, 25


def network(guard, port=None):
    """The journal's network activities."""
    found = [e for e in guard.journal() if e["class_uid"] == NETWORK]
    return [e for e in found if port in (None, e["dst_endpoint"]["port"])]


@pytest.fixture
def own(lab):
    return lab.new_guard()


def client(lab, net, own, way, port, *options, host=HOST):
    agent = lab.run([f"{lab.build}/victims/connect", way, host, str(port), f"first={ALERT}", *options], net=net, guard=own)
    until(lambda: agent.process.poll() is not None or own.holds(), "done, or held")
    for hold in own.holds():
        (own.approve if "again" in options else own.deny)(hold)
    agent.finish()
    until(lambda: not own.status()["sessions"], "the session has ended")
    return agent


@pytest.mark.parametrize("way,count", [("tcp", 500), ("udp", 200), ("uring", 20), ("thread", 100), ("vfork", 50)])
def test_each_is_an_event(lab, net, own, way, count):
    client(lab, net, own, way, PLAIN, f"again={count - 1}")
    until(lambda: len(network(own)) >= count, lambda: len(network(own)))
    assert len(network(own, PLAIN)) == count == len(network(own)) == len(net.got(PLAIN))
    assert own.status()["counters"]["connects"] == count
    assert not any(own.status()["losses"].values()), own.status()["losses"]
    event = network(own)[0]
    assert event["dst_endpoint"]["ip"] == HOST and event["disposition_id"] == ALLOWED, event
    assert event["connection_info"]["protocol_num"] == (17 if way == "udp" else 6), event
    assert "victims/connect" in event["actor"]["process"]["cmd_line"], event


def test_datagrams_of_an_unconnected_socket(lab, net, own):
    """The first to a destination is an event, not each."""
    client(lab, net, own, "udp-sendto", PLAIN, "again=19")
    client(lab, net, own, "udp-sendmmsg", PLAIN)
    until(lambda: len(network(own)) >= 2, lambda: network(own))
    assert len(network(own, PLAIN)) == 2 and len(net.got(PLAIN)) == 23


def test_addresses_are_normal(lab, net, own):
    hosts = {"::ffff:10.20.0.5": HOST, "0.0.0.0": "127.0.0.1", "::": "::1", "fd00::5": "fd00::5"}
    for host in hosts:
        client(lab, net, own, "tcp", PLAIN, host=host)
    until(lambda: len(network(own)) >= len(hosts), lambda: network(own))
    assert [e["dst_endpoint"]["ip"] for e in network(own)] == list(hosts.values())


@pytest.mark.parametrize("port,dispositions", [(ALERT, [ALERTED]), (DENY, [BLOCKED]), (KILL, [BLOCKED]),
                                               (HOLD, [DELAYED, REJECTED])])
def test_findings(lab, net, own, port, dispositions):
    client(lab, net, own, "tcp", port)
    found = [e for e in own.journal() if e["class_uid"] == FINDING and "net." in str(e)]
    assert [e["disposition_id"] for e in found] == dispositions, found
    assert all(HOST in str(e) and str(port) in str(e) for e in found), found
    assert network(own, port), "its network activity"


def test_a_refused_one_is_no_success(lab, net, own):
    client(lab, net, own, "tcp", DENY)
    assert [e["disposition_id"] for e in network(own, DENY)] == [BLOCKED], network(own)


def test_others_are_not_recorded(lab, net, own):
    """A session runs, and something else beside it connects."""
    sleeper = lab.run(["sleep", "30"], net=net, guard=own)
    until(lambda: own.status()["sessions"], "a session")
    for port in (PLAIN, DENY):
        done = subprocess.run([*net.inside, f"{lab.build}/victims/connect", "tcp", HOST, str(port), "again=9"], check=True,
                              capture_output=True, text=True)
        assert done.stdout == "tcp: OK\n" * 10
    sleeper.end()
    until(lambda: not own.status()["sessions"], "the session has ended")
    assert not network(own) and own.status()["counters"]["connects"] == 0


def test_seen_by_people(lab, net, own):
    client(lab, net, own, "tcp", PLAIN)
    until(lambda: network(own), "its event")
    shown = subprocess.run([lab.backstop, "log", "--dir", f"{own.state}/journal"], capture_output=True, text=True).stdout
    assert f"connect {HOST}:{PLAIN}" in shown, shown

"""Execs and connects on all processors, while the guard is killed again and again."""
import re
import signal
import time

import pytest

from lab import descendants, stat_of, until
from net import DENY, HOST, PLAIN

KILLS = 50


def numbers(guard):
    """The numbers of the kernel's events in the journal."""
    marks = (e.get("unmapped", {}).get("backstop", {}) for e in guard.journal(KILLS))
    return [m["event"] for m in marks if "event" in m]


def kill_guard(own):
    own.kill_child()
    until(own.answers, lambda: "it answers again: " + own.log()[-3000:])


def kill_keeper(own):
    """Nobody starts the next one but us."""
    own.stop(signal.SIGKILL)
    own.start()
    time.sleep(0.1)  # most of the time all that blows is frozen


@pytest.mark.parametrize("kills,kill", [(0, None), (KILLS, kill_guard), (12, kill_keeper)], ids=["calm", "guard", "keeper"])
def test_storm(lab, net, kills, kill):
    own = lab.new_guard()
    agent = lab.run([f"{lab.build}/victims/storm", f"{lab.bin}/victim-plain", f"{lab.bin}/victim-deny", lab.marker, HOST,
                     str(PLAIN), str(DENY)], guard=own, net=net)
    agent.wait_for("blows")
    keeper = own.pid
    for _ in range(kills):
        kill(own)
        assert not lab.ran(), "a destructive command ran"
    time.sleep(0 if kills else 2)
    open(f"{lab.marker}.stop", "w", encoding="utf-8").close()
    assert agent.finish(60) == 0, agent.err[-2000:]
    told = re.search(r"execs (\d+) refused (\d+) connects (\d+) refused (\d+) odd (\d+)", agent.out)
    execs, refused_execs, connects, refused_connects, odd = map(int, told.groups())
    assert not odd, agent.err[-2000:]
    assert min(execs, refused_execs, connects, refused_connects) > 10, told[0]
    assert (own.pid == keeper) == (kill != kill_keeper) and own.process.poll() is None
    until(lambda: not own.status()["sessions"], "the session has ended")
    assert not lab.ran(), "a destructive command ran"
    assert not net.got(DENY) and len(net.got(PLAIN)) == connects
    assert not own.holds() and not [p for p in descendants() if (stat_of(p) or "X")[0] in "Tt"]
    check_count(own, {"execs": execs + refused_execs, "connects": connects + refused_connects})


def check_count(own, made):
    """What was made was recorded, or is counted as lost; nothing twice."""
    def settled():
        status = own.status()
        seen = numbers(own)
        return (status, seen) if len(set(seen)) + lost(status) >= status["counters"]["events"] else None

    status, seen = until(settled, lambda: f"made {own.status()['counters']}, recorded {len(set(numbers(own)))}, "
                         f"lost {own.status()['losses']}", 10)
    assert len(set(seen)) + lost(status) == status["counters"]["events"], (len(set(seen)), status["losses"])
    launches = [e for e in own.journal(KILLS) if e["class_uid"] == 1007 and e["activity_id"] == 1
                and e["process"].get("name", "").startswith("victim-")]
    if not lost(status):
        assert len(launches) == made["execs"], (len(launches), made)
        assert len([e for e in own.journal(KILLS) if e["class_uid"] == 4001]) == made["connects"]


def lost(status):
    return status["losses"]["event"] + status["losses"]["decision"] + status["losses"]["journal"]

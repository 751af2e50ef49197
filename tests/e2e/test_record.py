"""Every event of the kernel's stands in the journal once, whatever becomes of the guard."""
import itertools
import os
import subprocess
import sys

import pytest

from lab import TOP, end_process, until
from net import HOST, PLAIN

OCSF = os.path.join(TOP, "../shared/ocsf/validate.py")
FIRST_LINES = {1007, 4001, 6002}  # classes; a finding is a second line of its event


def details(line):
    return line["unmapped"]["backstop"]


def numbers(guard):
    """Of the events that have lines of their own, in the journal's order."""
    return [details(e)["event"] for e in guard.journal() if e["class_uid"] in FIRST_LINES and "event" in details(e)]


def settled(guard):
    """The figures, once all that was made is recorded or lost."""
    guard.cli("status")

    def done():
        events = guard.status()["events"]
        return events if events["made"] == events["recorded"] + events["lost"] else None

    return until(done, lambda: f"{guard.status()['events']}, {guard.status()['losses']}: {missing(guard)}")


def missing(guard):
    found = set(numbers(guard))
    return [n for n in range(1, guard.status()["events"]["made"] + 1) if n not in found][:20]


def expect_all(guard):
    """No number twice, none missing."""
    events, found = settled(guard), numbers(guard)
    assert events["lost"] == 0, guard.status()["losses"]
    assert sorted(found) == list(range(1, events["made"] + 1)), (events, missing(guard))
    return events


@pytest.fixture
def own(lab):
    return lab.new_guard()


def run(lab, own, *argv):
    agent = lab.run(list(argv), guard=own)
    agent.finish()
    until(lambda: not own.status()["sessions"], "the session has ended")
    return agent


def test_numbers_of_a_session(lab, own):
    run(lab, own, "sh", "-c", "true; /bin/true; (exit 3) & wait; /bin/echo done")
    assert expect_all(own)["made"] >= 7  # 3 execs, their exits, the fork's, the session's end


def test_long_argv_is_one_event(lab, own):
    words = [f"word-{n:06}" for n in range(8000)]
    run(lab, own, "/bin/true", *words)
    expect_all(own)
    found = [e for e in own.journal() if details(e).get("argv", [])[:1] == ["/bin/true"] and e["activity_id"] == 1]
    assert len(found) == 1 and details(found[0])["argv"][1:] == words


def test_forks_that_never_exec(lab, own):
    run(lab, own, "python3", "-c", "import os\nfor i in range(20):\n    pid = os.fork()\n    if not pid: os._exit(i)\n"
        "    os.waitpid(pid, 0)")
    expect_all(own)
    codes = [e["exit_code"] for e in own.journal() if e["class_uid"] == 1007 and e["activity_id"] == 2]
    assert set(range(20)) <= set(codes), codes


def test_candidates(lab, own):
    for program in ("victim-alert", "victim-deny", "victim-kill"):
        run(lab, own, *lab.words(program))
    held = lab.run(lab.words(), guard=own)
    own.deny(own.wait_for_holds()[0])
    held.finish()
    until(lambda: not own.status()["sessions"], "the session has ended")
    expect_all(own)
    findings = [details(e)["event"] for e in own.journal() if e["class_uid"] == 2004]
    assert set(findings) <= set(numbers(own)), "a finding names the event that it was found in"


def test_connects(lab, net, own):
    agent = lab.run([f"{lab.build}/victims/connect", "tcp", HOST, str(PLAIN), "again=49"], net=net, guard=own)
    agent.finish()
    until(lambda: not own.status()["sessions"], "the session has ended")
    expect_all(own)
    shown = subprocess.run([own.backstop, "log", "--dir", f"{own.state}/journal", "--kind", "connect"],
                           capture_output=True, text=True, timeout=20).stdout
    assert shown.count(f"connect {HOST}:{PLAIN} by ") == 50, shown
    if os.path.exists(OCSF):
        done = subprocess.run([sys.executable, OCSF], input="\n".join(own.lines()) + "\n", capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:]


STORM = """
for i in $(seq 1 {count}); do /bin/true; victim-alert go; (exit 1); done
"""


def test_killed_guards(lab, own):
    """Whatever a killed guard had read, decided or written, its successor goes on from there."""
    agent = lab.run(["sh", "-c", STORM.format(count=400)], guard=own)
    for _ in itertools.takewhile(lambda _: agent.process.poll() is None, range(15)):
        own.kill_child()
        until(own.answers, "the next guard answers")
    agent.finish(120)
    until(own.answers, "the last guard answers")
    until(lambda: not own.status()["sessions"], "the session has ended")
    expect_all(own)
    runs = {details(e)["run"] for e in own.journal() if "event" in details(e)}
    assert len(runs) == 1


def test_hold_that_outlives_its_guard(lab, own):
    agent = lab.run(lab.words(), guard=own)
    hold = own.wait_for_holds()[0]
    for _ in range(3):
        own.kill_child()
        own.wait_for_holds()
    own.approve(hold)
    agent.finish()
    until(lambda: not own.status()["sessions"], "the session has ended")
    expect_all(own)


def test_pins_of_a_killed_keeper(lab, own):
    """The next guard over the same pins and journal goes on with the figures."""
    run(lab, own, "/bin/true")
    before = expect_all(own)
    end_process(own.pid)
    own.process.wait()
    own.start()
    assert settled(own)["recorded"] >= before["recorded"]
    run(lab, own, "/bin/true")
    assert expect_all(own)["made"] > before["made"]


def test_a_new_run_begins_anew(lab, own):
    run(lab, own, "/bin/true")
    own.stop()
    own.start()
    assert own.status()["events"]["recorded"] == own.status()["events"]["made"]
    run(lab, own, "/bin/true")
    settled(own)
    started = [details(e)["run"] for e in own.journal() if e.get("activity_name") == "guard started"]
    assert len(started) == len(set(started)) == 2
    seen = [(details(e)["run"], details(e)["event"]) for e in own.journal()
            if e["class_uid"] in FIRST_LINES and "event" in details(e)]
    assert len(seen) == len(set(seen))

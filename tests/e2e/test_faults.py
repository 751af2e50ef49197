"""Nothing is lost and nothing is there twice, whatever is killed, full, or jumps."""
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from feeds import Journal, event, expect_at_least_once, serves, stop
from lab import TOP, until

OCSF = os.path.join(TOP, "../shared/ocsf/validate.py")
STORM = """
while [ ! -e {stop} ]; do /bin/true; victim-alert go; (exit 1); done; exit 0
"""
SECONDS, FINDING = 4, 2004


@pytest.fixture(name="own")
def fixture_own(lab):
    return lab.new_guard()


@pytest.fixture(name="serve")
def fixture_serve(build, own, tmp_path):
    yield from serves(build, f"{own.state}/journal", tmp_path)


def events_of(lines):
    """Without the beginning of a line that a killed guard left."""
    def read(line):
        try:
            return json.loads(line)
        except json.JSONDecodeError:
            return None

    return [e for e in map(read, lines) if e]


def details(line):
    return line["unmapped"]["backstop"]


def rows(path, sql):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def verify(guard):
    done = subprocess.run([guard.backstop, "journal", "verify", "--dir", f"{guard.state}/journal", "--keys",
                           f"{guard.state}/keys"], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def validate(lines):
    """By the schema, where it is at hand."""
    if not os.path.exists(OCSF):
        pytest.skip("the validator of OCSF is not here")
    done = subprocess.run([sys.executable, OCSF], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:]


def storm(lab, own):
    end = f"{lab.marker}.stop"
    agents = [lab.run(["sh", "-c", STORM.format(stop=end)], guard=own) for _ in range(2)]

    def finish():
        open(end, "w", encoding="utf-8").close()
        for agent in agents:
            assert agent.finish(60) == 0, agent.err[-2000:]
        own.settle()

    return finish


def reconcile(own):
    """Each event of the kernel has a line of its own, or is counted, and so is the cause of its loss."""
    status = own.status()
    events, losses = status["events"], status["losses"]
    numbers = [details(e)["event"] for e in events_of(own.lines()) if e["class_uid"] != FINDING and "event" in details(e)]
    assert len(numbers) == len(set(numbers)), "an event has two lines"
    assert events["made"] == len(numbers) + events["lost"] and events["recorded"] == len(numbers), (len(numbers), status)
    causes = losses["event"] + losses["decision"] + losses["journal"]
    assert causes >= events["lost"] and bool(causes) == bool(events["lost"]), status  # a finding's line may be lost, too
    return len(numbers)


def test_storm_in_which_nobody_is_safe(lab, own, serve, tmp_path):
    """Guard, recorder and exporter are killed at random; the whole journal passes the schema."""
    seed = int(time.time())
    chance, out, kills = random.Random(seed), tmp_path / "out.jsonl", {"guard": 0, "serve": 0}
    print("seed", seed)
    finish = storm(lab, own)
    process, end = serve(f"file:{out}"), time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(chance.uniform(0, 0.3))
        if chance.random() < 0.5:
            own.kill_child()
            until(own.answers, "the next guard answers")
            kills["guard"] += 1
        else:
            process.kill()
            process.communicate()
            process = serve(f"file:{out}")
            kills["serve"] += 1
    finish()
    assert min(kills.values()) > 0 and reconcile(own) > 100, kills
    status, said = verify(own)
    assert status == 0, said
    lines = [line for line in own.lines() if events_of([line])]
    until(lambda: rows(f"{tmp_path}/record.db", "SELECT max(id) FROM events") == [(len(lines),)], "the record has all")
    expect_once(own, f"{tmp_path}/record.db", lines)
    until(lambda: out.read_text().splitlines()[-1:] == lines[-1:], "the sink has the last")
    stop(process)
    expect_at_least_once([line for line in out.read_text().splitlines() if events_of([line])], lines)
    validate(lines)


def expect_once(own, database, lines):
    """Each line once, in order, with the text it points to."""
    for line, (segment, offset, length) in zip(
            lines, rows(database, "SELECT segment, offset, length FROM events ORDER BY id"), strict=True):
        with open(f"{own.state}/journal/journal-{segment:016}.jsonl", "rb") as f:
            f.seek(offset)
            assert f.read(length).decode() == line


def test_reconciled_while_it_blows(lab, own):
    """At any time, not only in the end: what was made is recorded, lost, or on its way."""
    finish = storm(lab, own)
    for _ in range(20):
        events = own.status()["events"]
        assert events["made"] >= events["recorded"] + events["lost"], events
        time.sleep(0.05)
    finish()
    assert reconcile(own) > 50


def test_full_disk(lab, tmp_path):
    """The guard goes on deciding; what it could not write it counts, and says so when there is room."""
    own = lab.make_guard()
    os.makedirs(f"{own.state}/journal")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", f"{own.state}/journal"], check=True)
    try:
        own.start()
        ballast = f"{own.state}/journal/ballast"
        with open(ballast, "wb", buffering=0) as f, pytest.raises(OSError):
            while True:
                f.write(bytes(4096))
        for n in range(40):
            lab.run(["sh", "-c", "/bin/true; victim-alert go"], guard=own).finish()
        denied = lab.run(lab.words("victim-deny"), guard=own)
        assert denied.finish() != 0 and not lab.ran()
        lost = until(lambda: own.status()["losses"]["journal"], "events could not be written")
        os.unlink(ballast)
        lab.run(["/bin/true"], guard=own).finish()
        stated = until(lambda: [e["message"] for e in events_of(own.lines()) if "could not be written" in e.get("message", "")],
                       "the loss is stated")
        counts = [int(re.search(r"(\d+) events could not be written: No space left", m)[1]) for m in stated]
        assert sum(counts) >= lost, (counts, lost)
        own.settle()
        reconcile(own)
        assert "No space left on device" in own.log()
        status, said = verify(own)
        assert status == 0, said
        own.stop(signal.SIGTERM)
    finally:
        if own.process and own.process.poll() is None:
            own.stop()
        subprocess.run(["umount", "-l", f"{own.state}/journal"], check=True)


def test_clock_jumps(build, tmp_path):
    """A clock that is set a day forward, and two back: the order is the journal's, and no time is negative."""
    journal, day = Journal(f"{tmp_path}/journal"), 24 * 3600 * 1000

    def lines():
        for number, jump in enumerate([0, day, -day, 0], 1):
            for activity in (1, 2):
                e = json.loads(event(number))
                e.update(class_uid=1007, activity_id=activity, time=e["time"] + (jump if activity == 1 else -jump),
                         process={"pid": number, "uid": f"b:{number}:1", "name": "x", "cmd_line": "x"}, exit_code=0)
                details(e).update(session="5e55", agent="a")
                yield json.dumps(e, separators=(",", ":"))

    journal.write(*lines())
    options = ["--dir", journal.path, "--database", f"{tmp_path}/record.db"]

    def ask(*argv):
        return subprocess.run([f"{build}/backstop", *argv, *options], capture_output=True, text=True, timeout=60,
                              check=True).stdout

    ask("serve", "--once")
    wanted = list(lines())
    assert ask("log", "--json").splitlines() == wanted and ask("log", "--json", "-n", "3").splitlines() == wanted[-3:]
    shown = [ask("tree", "5e55"), ask("report", "5e55"), ask("who", "2"), ask("stats")]
    assert not any(re.search(r"[ (]-\d", text) for text in shown), shown
    times = sorted(json.loads(line)["time"] for line in wanted)
    assert rows(f"{tmp_path}/record.db", "SELECT began_ms <= last_ms, last_ms FROM sessions") == [(1, times[-1])]

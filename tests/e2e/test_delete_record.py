"""Deletions in the record: each of them once, and who did it."""
import json
import os
import subprocess
import time

import pytest

from lab import TOP, until
from losses import Loss, deleter, deletions, victim

VALIDATOR = os.path.join(os.path.dirname(TOP), "shared/ocsf/validate.py")


def who(guard, *words, **options):
    return guard.cli_alone("who", "--dir", os.path.join(guard.state, "journal"), *words, **options)


def told(guard, *words, **options):
    """What `who --json` says."""
    done = who(guard, "--json", *words, **options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def recorded(guard, path):
    until(lambda: deletions(guard, path), lambda: f"a record of {path}")


def test_who_a_file(lab, area):
    """Which session, agent, script and command, through which programs."""
    path = area.file("src/main.c")
    script = lab.script("tidy.py", f"#!/usr/bin/python3\nimport os\nos.unlink('{path}')\n", area.dir)
    agent = lab.run(["bash", "-c", f"{script} now; exit 0"], agent="claude", cwd=area.dir)
    assert agent.finish() == 0
    recorded(lab.guard, path)
    found = told(lab.guard, path)
    assert len(found) == 1, found
    entry = found[0]
    assert entry["what"] == "unlink" and entry["outcome"] == "allowed" and entry["agent"] == "claude"
    assert entry["argv"] == ["/usr/bin/python3", script, "now"], entry
    assert entry["ancestors"][0]["cmd_line"].startswith("bash -c "), entry
    done = who(lab.guard, "src/main.c", cwd=area.dir)
    assert done.returncode == 0 and f"unlink {path}\n" in done.stdout and "of claude, user root" in done.stdout
    assert f"/usr/bin/python3 {script} now, in {area.dir}\n" in done.stdout and "child of [" in done.stdout, done.stdout
    done = who(lab.guard, path + ".other")
    assert done.returncode == 1 and "knows of nothing" in done.stderr and not done.stdout
    assert who(lab.guard).returncode == 2


def test_who_a_directory(lab, area):
    paths = area.files(15)
    agent = lab.run(["rm", "-r", area.path("tree")], cwd=area.dir)
    assert agent.finish() == 0
    recorded(lab.guard, area.path("tree"))
    below = [e for e in told(lab.guard, area.dir) if e["what"] != "command"]
    assert len(below) == 1 and below[0]["count"] == 16, below
    assert below[0]["argv"] == ["rm", "-r", area.path("tree")]
    inside = told(lab.guard, paths[3])
    assert [e["what"] for e in inside] == ["rmdir", "unlink"], inside
    assert told(lab.guard, "--limit", 1, paths[3])[0]["what"] == "rmdir"
    assert "and 15 more below it since" in who(lab.guard, area.dir).stdout


def test_who_decided(lab, area):
    argv, path = victim(lab, area, "truncate")
    loss = Loss(lab, area, argv, path)
    hold = loss.hold("truncate")
    recorded(lab.guard, path)
    assert told(lab.guard, path)[0]["outcome"] == "held"
    lab.guard.deny(hold, "--reason", "not that one")
    loss.agent.finish()
    entry = told(lab.guard, path)[0]
    assert entry["outcome"] == "rejected" and entry["by"] == "uid 0 (root)" and entry["hold"] == hold["id"], entry
    assert entry["reason"] == "not that one" and entry["signature"] == "del.hold"
    text = who(lab.guard, path).stdout
    assert f"rejected (del.hold, critical, hold {hold['id']}, by uid 0 (root): not that one)" in text, text


def test_who_of_a_fork(lab, area):
    """A subshell that has exec'ed nothing runs its parent's program."""
    path = area.file("a.txt")
    agent = lab.run(["bash", "-c", f"(cd /; > '{path}'; exit 0); exit 0"], cwd=area.dir)
    assert agent.finish() == 0
    recorded(lab.guard, path)
    entry = told(lab.guard, path)[0]
    assert entry["what"] == "truncate" and entry["argv"][:2] == ["bash", "-c"], entry


def test_log_and_status(lab, area):
    paths = area.files(3)
    agent = lab.run(["bash", "-c", f"rm {' '.join(paths)}; read"], cwd=area.dir, stdin=subprocess.PIPE)
    recorded(lab.guard, paths[2])
    session = next(s for s in lab.guard.status()["sessions"])
    assert session["deletes"] == 3
    log = lab.guard.cli_alone("log", "--dir", os.path.join(lab.guard.state, "journal"), "--kind", "delete", "--session",
                              session["id"]).stdout.splitlines()
    assert len(log) == 3 and all(f"allowed  unlink {p} by rm" in line for p, line in zip(paths, log)), log
    table = lab.guard.cli("status").stdout
    assert "DELETES" in table, table
    agent.process.stdin.close()
    agent.finish()


def test_schema(lab, area):
    if not os.path.exists(VALIDATOR):
        pytest.skip("the OCSF schema is not here")
    for call in ("unlink", "rmdir", "rename", "exchange", "truncate"):
        argv, path = victim(lab, area, call, f"{call}.watched")
        assert lab.run(argv, cwd=area.dir).finish() == 0 and path
    until(lambda: len([e for e in deletions(lab.guard) if area.dir in e["file"]["path"]]) >= 5, "all are recorded")
    lines = "\n".join(line for line in lab.guard.lines() if area.dir in line)
    done = subprocess.run([VALIDATOR], input=lines, capture_output=True, text=True)
    assert done.returncode == 0 and ", 0 faults" in done.stdout, done.stdout


FLOOD = 30000


def test_flood(lab, area):
    """A tree of many files: each of them is recorded once, or counted as lost; none is, here."""
    guard = lab.new_guard("--mode", "record")
    for i in range(FLOOD // 1000):
        os.makedirs(area.path(f"big/d{i}"))
        for j in range(1000):
            os.close(os.open(area.path(f"big/d{i}/file{j}"), os.O_CREAT, 0o644))
    began = time.monotonic()
    agent = lab.run(["rm", "-r", "big"], guard=guard, cwd=area.dir)
    agent.finish(120)
    took = time.monotonic() - began
    until(lambda: not guard.status()["sessions"], "the end is recorded", 60)
    status = guard.status()
    events = deletions(guard)
    numbers = [e["unmapped"]["backstop"]["event"] for e in events]
    print(f"{FLOOD} files in {took:.2f} s; {len(events)} lines, lost {status['events']['lost']}")
    assert len(numbers) == len(set(numbers)), "one was recorded twice"
    counts = status["events"]
    assert counts["made"] == counts["recorded"] + counts["lost"], counts
    assert len(events) + counts["lost"] >= FLOOD + FLOOD // 1000 + 1, (len(events), counts)
    assert counts["lost"] == 0, counts


def test_flood_with_guards_that_die(lab, area):
    """Exactly once, whatever happens to the guard: not one goes by while the next takes over."""
    guard = lab.new_guard("--mode", "record")
    paths = area.files(12000, "big")
    agent = lab.run(deleter(["big/" + os.path.basename(p) for p in paths], 0.0001), guard=guard, cwd=area.dir)
    for _ in range(3):
        time.sleep(0.5)
        guard.kill_child()
    agent.finish(60)
    until(guard.answers, guard.log)
    until(lambda: not guard.status()["sessions"], "the end is recorded", 60)
    numbers = [e["unmapped"]["backstop"]["event"] for e in guard.journal(torn=4) if e["class_uid"] == 1001]
    counts = guard.status()["events"]
    assert len(numbers) == len(set(numbers)), "one was recorded twice"
    assert counts["made"] == counts["recorded"] + counts["lost"], counts
    assert len(numbers) + counts["lost"] >= 12000, (len(numbers), counts)

"""What the commands say of a guard, and what stands in its journal."""
import json
import os
import subprocess
import sys
import time

import pytest

from lab import TOP, until

OCSF = os.path.join(TOP, "../shared/ocsf/validate.py")


def log(lab, *options):
    done = subprocess.run([lab.backstop, "log", "--dir", f"{lab.guard.state}/journal", *options], capture_output=True,
                          text=True, timeout=20)
    assert done.returncode == 0, done
    return done.stdout


@pytest.fixture
def story(lab):
    """One of everything: allowed, alerted, denied, killed, approved, rejected."""
    for program, status in (("victim-plain", 5), ("victim-alert", 5), ("victim-deny", 126), ("victim-kill", 137)):
        assert lab.run(lab.words(program, exit=5), agent="story").finish() == status
    for decide, status in ((lab.guard.approve, 5), (lab.guard.deny, 126)):
        agent = lab.run(lab.words(exit=5), agent="story")
        decide(lab.guard.wait_for_holds()[0])
        assert agent.finish() == status
    return lab


def of(lab, events, class_uid):
    return [e for e in events if e["class_uid"] == class_uid and lab.dir in json.dumps(e)]


def test_journal(story):
    """Each finding with its disposition, each exec with its argv."""
    events = story.guard.journal()
    findings = of(story, events, 2004)
    assert {f["disposition_id"] for f in findings} >= {2, 8, 14, 19, 25}, [f["disposition_id"] for f in findings]
    launched = [e for e in of(story, events, 1007) if e["activity_id"] == 1]
    assert any("victim-plain" in e["process"]["cmd_line"] for e in launched)


@pytest.mark.skipif(not os.path.exists(OCSF), reason="the OCSF schema is not beside this tree")
def test_journal_is_ocsf(story):
    path = os.path.join(story.dir, "events.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(story.guard.lines()) + "\n")
    done = subprocess.run([sys.executable, OCSF, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def test_journal_lines_are_whole(story):
    for event in story.guard.journal():
        assert event["metadata"]["version"].startswith("1.8")
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert 10**12 < event["time"] < 10**13


def test_journal_is_private(story):
    directory = os.path.join(story.guard.state, "journal")
    for path in [directory, *(os.path.join(directory, n) for n in os.listdir(directory))]:
        assert not os.stat(path).st_mode & 0o007, path


def test_log(story):
    text = log(story)
    for word in ("terraform destroy", "test.destroy", "test.deny", "test.kill"):
        assert word in text, text[-3000:]


def test_log_json(story):
    events = [json.loads(line) for line in log(story, "--json").splitlines()]
    assert of(story, events, 2004)


def test_status(lab):
    before = lab.guard.status()
    assert lab.run(lab.words("victim-deny")).finish() == 126
    agent = lab.run(lab.words(), agent="counted")
    hold = lab.guard.wait_for_holds()[0]
    status = lab.guard.status()
    assert status["holds"] == 1 and status["mode"] == "enforce"
    assert status["counters"]["candidates"] >= before["counters"]["candidates"] + 2
    assert status["counters"]["execs"] > before["counters"]["execs"]
    assert status["losses"] == before["losses"]  # the guard is other tests' too, some of whose agents cannot be told
    table = lab.guard.cli("status")
    assert table.returncode == 0 and "counted" in table.stdout and "enforce" in table.stdout, table
    assert json.loads(lab.guard.cli("status", "--json").stdout)["holds"] == 1
    lab.guard.deny(hold)
    assert agent.finish() == 126


def test_pending(lab):
    agent = lab.run(lab.words())
    hold = lab.guard.wait_for_holds()[0]
    table = lab.guard.cli("pending").stdout
    assert str(hold["id"]) in table and "terraform destroy" in table and "test.destroy" in table, table
    listed = json.loads(lab.guard.cli("pending", "--json").stdout)
    holds = listed["holds"] if isinstance(listed, dict) else listed
    assert holds[0]["id"] == hold["id"]
    lab.guard.deny(hold)
    assert agent.finish() == 126


def test_no_guard_to_ask(lab):
    for command in (["status"], ["pending"], ["approve", "1"], ["deny", "1"], ["watch"]):
        done = subprocess.run([lab.backstop, command[0], "--socket", f"{lab.dir}/none.sock", *command[1:]],
                              capture_output=True, text=True, timeout=10)
        assert done.returncode == 1 and f"{lab.dir}/none.sock" in done.stderr, done


@pytest.mark.parametrize("key, status", [("a", 5), ("d", 126)])
def test_watch(lab, key, status):
    """A live feed on a terminal; a key decides the hold that is shown."""
    watch = lab.plain([lab.backstop, "watch", *lab.guard.common], terminal=True)
    until(lambda: watch.out, "something is shown")
    agent = lab.run(lab.words(exit=5))
    hold = lab.guard.wait_for_holds()[0]
    watch.wait_for("terraform destroy")
    watch.wait_for(str(hold["id"]))
    time.sleep(0.4)  # a key within 0.3 s may have been meant for what stood there before
    watch.send(key)
    assert agent.finish() == status, watch.out
    assert lab.ran() == (status == 5)
    watch.send("q")
    assert watch.finish() in (0, 130), watch.out


def test_watch_shows_verdicts(lab):
    watch = lab.plain([lab.backstop, "watch", *lab.guard.common], terminal=True)
    until(lambda: watch.out, "something is shown")
    assert lab.run(lab.words("victim-deny")).finish() == 126
    watch.wait_for("test.deny")
    watch.send("\x03")
    assert watch.finish() in (0, 130)


def test_output_that_cannot_be_written(lab):
    """It ends, and says why: the journal can be read well enough."""
    with open("/dev/full", "w") as full:
        watch = subprocess.Popen([lab.backstop, "watch", *lab.guard.common], stdin=subprocess.DEVNULL, stdout=full,
                                 stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        assert lab.run(lab.words("victim-deny")).finish() == 126
        assert watch.communicate(timeout=10)[1].startswith("backstop: cannot write the output: No space left")
        assert watch.returncode == 1
        done = subprocess.run([lab.backstop, "log", "--dir", f"{lab.guard.state}/journal"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 1 and done.stderr.startswith("backstop: cannot write the output: No space left"), done


def test_watch_shows_nothing_raw(lab):
    watch = lab.plain([lab.backstop, "watch", *lab.guard.common], terminal=True, env={**lab.env, "TERM": "dumb"})
    until(lambda: watch.out, "something is shown")
    agent = lab.run([*lab.words(), "-var=\x1b]0;owned\x07\u202e"])
    hold = lab.guard.wait_for_holds()[0]
    watch.wait_for("terraform destroy")
    lab.guard.deny(hold)
    assert agent.finish() == 126
    watch.send("q")
    watch.finish()
    assert "\x1b]0;" not in watch.out and "\x07" not in watch.out and "\u202e" not in watch.out
    shown = log(lab)
    assert "owned" in shown
    assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown


def test_explain(lab):
    """Says what would happen, needs no guard and no root, runs nothing."""
    for program, status in (("victim-plain", 0), ("victim-alert", 10), ("terraform", 11), ("victim-deny", 12),
                            ("victim-kill", 12)):
        done = subprocess.run([lab.backstop, "explain", "--policy", lab.policy, "--", *lab.words(program)],
                              capture_output=True, text=True)
        assert done.returncode == status, done
    assert not lab.ran()


def test_explain_lines(lab):
    asked = "".join(json.dumps({"argv": lab.words(p), "cwd": lab.work, "home": "/root"}) + "\n"
                    for p in ("terraform", "victim-plain", "victim-kill"))
    done = subprocess.run([lab.backstop, "explain", "--policy", lab.policy, "--stdin"], input=asked,
                          capture_output=True, text=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["verdict"] for a in answers] == ["hold", "allow", "kill"]
    assert answers[0]["signature"] == "test.destroy" and answers[0]["why"]


def test_doctor(lab):
    done = subprocess.run([lab.backstop, "doctor"], capture_output=True, text=True, timeout=30)
    assert done.returncode in (0, 1) and "btf" in done.stdout.lower(), done


@pytest.mark.parametrize("words", [["nonsense"], ["run"], ["approve"], ["approve", "1", "2"], ["status", "--nonsense"],
                                   ["guard", "--mode", "nonsense"], ["guard", "--hold-timeout", "x"], ["explain"],
                                   ["log", "extra"], ["run", "--agent"]])
def test_wrong_usage(lab, words):
    """Exit 2, and a word on what would be right."""
    done = subprocess.run([lab.backstop, *words], capture_output=True, text=True, timeout=10,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and done.stderr, done


@pytest.mark.parametrize("command", ["run", "guard", "status", "pending", "approve", "deny", "watch", "explain", "policy",
                                     "log", "doctor", "key"])
def test_help(lab, command):
    done = subprocess.run([lab.backstop, command, "--help"], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0 and f"backstop {command}" in done.stdout, done

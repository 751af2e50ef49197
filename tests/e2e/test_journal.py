"""The journal shows whether it was changed, whatever becomes of the guard that writes it."""
import json
import os
import re
import subprocess

import pytest

from lab import until


def details(line):
    return line["unmapped"]["backstop"]


@pytest.fixture
def own(lab):
    return lab.new_guard()


def verify(guard, *more):
    done = subprocess.run([guard.backstop, "journal", "verify", "--dir", f"{guard.state}/journal", "--keys",
                           f"{guard.state}/keys", *more], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def segments(guard):
    directory = f"{guard.state}/journal"
    return sorted(f"{directory}/{name}" for name in os.listdir(directory) if name.endswith(".jsonl"))


def test_whole_while_it_is_written(lab, own):
    lab.record(own, "sh", "-c", "true; /bin/true; /bin/echo done")
    status, said = verify(own)
    assert status == 0 and re.match(r"whole: \d+ lines, 1 to \d+, in 1 segments, [1-9]\d* of them signed\n", said), said
    lines = own.journal()
    assert [details(e)["line"] for e in lines] == list(range(1, len(lines) + 1))
    assert details(lines[0])["checkpoint"]["segment"] == 1


def test_killed_guards(lab, own):
    agent = lab.run(["sh", "-c", "for i in $(seq 1 300); do /bin/true; victim-alert go; done"], guard=own)
    for _ in range(8):
        own.kill_child()
        until(own.answers, "the next guard answers")
    agent.finish(120)
    until(own.answers, "the last guard answers")
    status, said = verify(own, "--json")
    result = json.loads(said.splitlines()[-1])
    assert status == 0 and result["whole"] and result["lines"] == result["last"], said


def test_changes_are_found(lab, own):
    lab.record(own, "/bin/true")
    own.stop()
    path = segments(own)[0]
    with open(path, encoding="utf-8") as f:
        whole = f.readlines()

    def changed(lines):
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(lines)
        status, said = verify(own)
        assert status == 1, said
        return said

    name = os.path.basename(path)
    assert f"bad: {name}:3: line 3 was changed" in changed(whole[:2] + [whole[2].replace('"time":1', '"time":2')] + whole[3:])
    assert f"bad: {name}:3: lines 3 to 3 are missing before it" in changed(whole[:2] + whole[3:])
    assert f"bad: {name}:2: lines 2 to 2 are missing" in changed([whole[0], whole[2], whole[1]] + whole[3:])
    assert "its end is cut off" in changed(whole[:-1])
    assert verify(own, "--keys", "/nonexistent")[0] == 1


def test_key_that_cannot_be_read(lab, own):
    """The guard decides without it, and says so; what it wrote meanwhile is found later."""
    own.stop()
    key = f"{own.state}/keys/chain.key"
    with open(key, "rb") as f:
        good = f.read()
    with open(key, "wb") as f:
        f.write(b"short")
    own.start()
    assert "events are recorded without the chain" in own.log()
    lab.record(own, "/bin/true")
    assert own.status()["events"]["recorded"] >= 2
    status, said = verify(own)
    assert status == 1 and "the keys in" in said, said
    own.stop()
    with open(key, "wb") as f:
        f.write(good)
    own.start()
    status, said = verify(own)
    assert status == 1 and "is no line of this journal" in said, said
    without = sum("chain" not in details(e) for e in own.journal())  # with those of that guard's end
    assert without > 2 and f"note: {without} lines carry no chain" in said, (without, said)

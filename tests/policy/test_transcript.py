"""A working week of ordinary commands: nothing is held, and the share that waits for the guard does not grow."""
import json
import os
import shlex

import pytest

TRANSCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "transcript.txt")
COUNT, MOST_ALERTS = 500, 0.02
MOST_CANDIDATES = 0.06  # the aim is 0.05, as in the bench: the paths of rm and mv have no needles


@pytest.fixture(scope="module")
def lines():
    with open(TRANSCRIPT, encoding="utf-8") as f:
        return [line.rstrip("\n") for line in f if line.strip() and not line.startswith("#")]


@pytest.fixture
def answers(tool, lines):
    asked = "".join(json.dumps({"argv": shlex.split(line), "cwd": "/home/dev/app", "home": "/home/dev"}) + "\n"
                    for line in lines)
    done = tool("explain", "--policy", tool.image, "--stdin", "--json", input=asked)
    assert done.returncode == 0, done.stderr
    return list(zip(lines, map(json.loads, done.stdout.splitlines()), strict=True))


def test_nothing_is_held(answers):
    assert len(answers) == COUNT
    assert [(line, a["signature"]) for line, a in answers if a["verdict"] not in ("allow", "alert")] == []


def test_few_alerts(answers):
    alerts = [f"{line}: {a['signature']}" for line, a in answers if a["verdict"] == "alert"]
    print(f"alerts: {len(alerts)} of {COUNT}", *alerts, sep="\n  ")
    assert len(alerts) <= MOST_ALERTS * COUNT


def test_no_more_wait(answers):
    candidates = [line for line, a in answers if a["candidate"]]
    print(f"candidates: {len(candidates)} of {COUNT}, {100 * len(candidates) / COUNT:.1f} %", *candidates, sep="\n  ")
    assert len(candidates) <= MOST_CANDIDATES * COUNT

#!/usr/bin/python3
"""transcript.py BUILD: how many of the ordinary commands in tests/policy/transcript.txt wait for the guard."""
import json
import os
import shlex
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def count(build):
    """(commands, candidates, alerts, what is stricter) under the policy that is shipped."""
    with open(f"{TOP}/tests/policy/transcript.txt", encoding="utf-8") as f:
        lines = [line for line in f if line.strip() and not line.startswith("#")]
    asked = "".join(json.dumps({"argv": shlex.split(line), "cwd": "/home/dev/app", "home": "/home/dev"}) + "\n"
                    for line in lines)
    done = subprocess.run([f"{build}/backstop", "explain", "--policy", f"{build}/policy.image", "--stdin"], input=asked,
                          capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    verdicts = [a["verdict"] for a in answers]
    return (len(answers), sum(a["candidate"] for a in answers), verdicts.count("alert"),
            len(verdicts) - verdicts.count("alert") - verdicts.count("allow"))


def share_row(build):
    """A row of the bench: what, target, measured, good."""
    commands, candidates, alerts, held = count(build)
    return (f"of {commands} ordinary commands of a developer, candidates", "< 5 %",
            f"{100 * candidates / commands:.1f} % ({alerts} alerts, {held} held)", candidates < 0.05 * commands and not held)


if __name__ == "__main__":
    print(*share_row(os.path.join(TOP, sys.argv[1]))[:3], sep=": ")

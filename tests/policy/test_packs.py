"""The packs as they are shipped: whatever they find, the kernel's scan finds as well."""
import json
import os

import pytest

from conftest import TOP

CORPUS = os.path.join(os.path.dirname(TOP), "shared", "corpus")


def explain(tool, actions):
    lines = "".join(json.dumps(a) + "\n" for a in actions)
    done = tool("explain", "--policy", tool.image, "--stdin", input=lines)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def read_corpus():
    if not os.path.isdir(CORPUS):
        pytest.skip("no corpus of commands beside this repository (../shared/corpus)")
    for name in sorted(os.listdir(CORPUS)):
        with open(os.path.join(CORPUS, name)) as f:
            yield from (json.loads(line) for line in f)


def test_check(tool):
    done = tool("policy", "check", "--json", tool.signatures)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["examples"] >= 4 * counts["signatures"] > 0


def test_image_is_that_of_the_packs(tool):
    done = tool("policy", "compile", "--output", "image", tool.signatures, os.path.join(TOP, "agents"))
    assert done.returncode == 0, done.stderr
    with open(os.path.join(tool.directory, "image"), "rb") as fresh, open(tool.image, "rb") as built:
        assert fresh.read() == built.read()


def test_corpus(tool):
    """No harmless command is held, and no finding is missed by the scan."""
    commands = list(read_corpus())
    answers = explain(tool, [{k: c[k] for k in ("argv", "cwd", "home")} for c in commands])
    held = [(c["argv"], a["signature"]) for c, a in zip(commands, answers)
            if c["expect"] == "benign" and a["verdict"] not in ("allow", "alert")]
    missed = [c["argv"] for c, a in zip(commands, answers) if a["signature"] and not a["candidate"]]
    assert len(answers) == len(commands) and not held and not missed
    assert sum(bool(a["signature"]) for a in answers) > len(commands) / 5


def test_quoted_text_is_harmless(tool):
    texts = ["terraform destroy", "rm -rf /", "git push --force", "DROP TABLE users", "kubectl delete ns prod"]
    actions = [{"argv": argv, "cwd": "/home/dev/app", "home": "/home/dev"} for t in texts
               for argv in (["git", "commit", "-m", t], ["grep", "-r", t], ["echo", t], ["bash", "-c", "echo '%s'" % t])]
    assert [a["verdict"] for a in explain(tool, actions)] == ["allow"] * len(actions)

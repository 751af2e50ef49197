"""The verdicts, the modes, grants, and who may decide."""
import json
import os
import subprocess
import time

import pytest

from lab import is_gone, until


class Shell:
    """A session that is given one command line after another."""

    def __init__(self, lab, *options, guard=None):
        self.agent = lab.run(["bash"], *options, guard=guard, stdin=subprocess.PIPE)
        self.count = 0

    def start(self, command):
        self.count += 1
        self.agent.process.stdin.write(f"{command}\necho \"status {self.count}: $?\"\n".encode())
        self.agent.process.stdin.flush()

    def status(self):
        self.agent.wait_for(f"status {self.count}: ")
        until(lambda: self.agent.out.endswith("\n"), "a whole line")
        return int(self.agent.out.rsplit(f"status {self.count}: ", 1)[1].split()[0])

    def run(self, command):
        self.start(command)
        return self.status()

    def end(self):
        self.agent.process.stdin.close()
        return self.agent.finish()


def said(agent):
    return [line for line in agent.err.splitlines() if line.startswith("backstop: ")]


def test_allow(lab):
    agent = lab.run(lab.words("victim-plain", exit=7))
    assert agent.finish() == 7
    assert lab.ran() == 1 and not said(agent)


def test_candidate_that_matches_nothing(lab):
    """All needles are there, but it is another program's text."""
    agent = lab.run(["echo", "terraform", "destroy"])
    assert agent.finish() == 0
    assert agent.out == "terraform destroy\n" and not said(agent)


def test_alert(lab):
    agent = lab.run(lab.words("victim-alert", exit=7))
    assert agent.finish() == 7
    assert lab.ran() == 1
    found = [e for e in lab.guard.journal() if e["class_uid"] == 2004 and "test.alert" in str(e)]
    assert found and found[-1]["disposition_id"] == 19


def test_deny(lab):
    words = lab.words("victim-deny")
    agent = lab.run(words)
    assert agent.finish() == 126
    assert not lab.ran()
    assert said(agent) == ["backstop: denied: " + " ".join(words), "backstop: why: is never right (test.deny, high)",
                           "backstop: instead: victim-plain go"]


def test_kill(lab):
    words = lab.words("victim-kill")
    agent = lab.run(words)
    assert agent.finish() == 137
    assert not lab.ran()
    assert said(agent) == ["backstop: killed: " + " ".join(words),
                           "backstop: why: is an attack (test.kill, critical)"]


def test_hold_explains(lab):
    words = lab.words()
    agent = lab.run(words)
    hold = lab.guard.wait_for_holds()[0]
    agent.wait_for("approve")
    until(lambda: agent.err.endswith("\n"), "a whole line")
    assert said(agent) == [
        "backstop: held: " + " ".join(words),
        "backstop: why: destroys every resource recorded in the state (test.destroy, critical)",
        "backstop: instead: terraform plan -destroy",
        f"backstop: a human can allow it once: backstop approve {hold['id']}"]
    assert hold["argv"] == words and hold["cwd"] == lab.work and hold["verdict"] == "hold"
    assert hold["agent"] == "test" and hold["severity"] == "critical" and hold["uid"] == 0
    lab.guard.deny(hold, "--reason", "not today")
    assert agent.finish() == 126
    last = said(agent)[-1]
    assert last.startswith(f"backstop: denied: hold {hold['id']}: ") and "not today" in last


def fence(guard):
    """Do the security hooks look whether what runs is held?"""
    path = next(p for p in guard.pinned() if os.path.basename(p) == "shared")
    out = subprocess.run(["bpftool", "-j", "map", "dump", "pinned", path], capture_output=True, check=True).stdout
    return json.loads(out)[0]["formatted"]["value"][".bss"][0]["shared"]["state"]["frozen"]


def test_fence_stands_as_long_as_something_is_held(lab):
    until(lambda: not fence(lab.guard), "it is down", 10)
    agent = lab.run(lab.words())
    hold = lab.guard.wait_for_holds()[0]
    for _ in range(20):
        assert fence(lab.guard)
        time.sleep(0.1)
    lab.guard.kill_child()
    assert fence(lab.guard)
    lab.guard.wait_for_holds()
    assert fence(lab.guard)
    lab.guard.deny(hold)
    assert agent.finish() == 126
    until(lambda: not fence(lab.guard), "it is down", 10)


def test_hold_times_out(lab):
    guard = lab.new_guard("--hold-timeout", 1)
    agent = lab.run(lab.words(), guard=guard)
    hold = guard.wait_for_holds()[0]
    assert agent.finish() == 126
    assert not lab.ran()
    assert said(agent)[-1] == f"backstop: denied: hold {hold['id']}: nobody answered within 1 s"
    assert not guard.holds()


def test_unattended(lab):
    """Where nobody will answer a hold is denied at once."""
    agent = lab.run(lab.words(), "--unattended")
    assert agent.finish(5) == 126
    assert not lab.ran()
    assert said(agent)[0].startswith("backstop: denied: ")


@pytest.mark.parametrize("mode", ["record", "shadow"])
def test_modes_that_let_go(lab, mode):
    guard = lab.new_guard("--mode", mode)
    for program in ("terraform", "victim-deny", "victim-kill"):
        assert lab.run(lab.words(program, exit=5), guard=guard).finish() == 5
    assert lab.ran() == 3
    assert guard.status()["mode"] == mode
    found = [e for e in guard.journal() if "test.kill" in str(e)]
    assert found, "what would have been said stands in the journal"
    assert all(e.get("disposition_id") not in (2, 14, 25) for e in found)


@pytest.mark.parametrize("after", ["denied", "timed out"])
def test_grant_is_used_once(lab, after):
    """Approved after it has ended: the next identical action is let go, once."""
    guard = lab.guard if after == "denied" else lab.new_guard("--hold-timeout", 1)
    command, shell = " ".join(lab.words()), Shell(lab, guard=guard)
    shell.start(command)
    hold = guard.wait_for_holds()[0]
    if after == "denied":
        guard.deny(hold)
    assert shell.status() == 126
    guard.approve(hold)
    assert not lab.ran()
    assert shell.run(command) == 0
    assert lab.ran() == 1
    shell.start(command)
    again = guard.wait_for_holds()[0]
    assert again["id"] > hold["id"]
    guard.deny(again)
    assert shell.status() == 126
    assert lab.ran() == 1
    assert shell.end() == 0


@pytest.mark.parametrize("change", ["argv", "cwd", "session", "file"])
def test_grant_is_for_the_same_action(lab, change):
    command, shell = " ".join(lab.words()), Shell(lab)
    shell.start(command)
    hold = lab.guard.wait_for_holds()[0]
    lab.guard.deny(hold)
    assert shell.status() == 126
    lab.guard.approve(hold)
    other = Shell(lab)
    if change == "file":
        os.rename(os.path.join(lab.bin, "terraform"), os.path.join(lab.bin, "old"))
        lab.copy_victim("terraform")
    changed = {"argv": f"{command} -auto-approve", "cwd": f"cd / && {command}"}.get(change, command)
    asked = other if change == "session" else shell
    asked.start(changed)
    held = lab.guard.wait_for_holds()[0]
    lab.guard.deny(held)
    assert asked.status() == 126
    assert not lab.ran()
    assert other.end() == 0 and shell.end() == 0


def test_approval_covers_what_follows(lab):
    """A wrapper of the same name that execs the real program is one hold, not two."""
    wrapper = lab.script("terraform", f"#!/bin/sh\n{lab.bin}/terraform \"$@\"\n")
    agent = lab.run([wrapper, *lab.words(exit=5)[1:]])
    lab.guard.approve(lab.guard.wait_for_holds()[0])
    assert agent.finish() == 5, agent.all
    assert lab.ran() == 1


def test_approval_covers_nothing_else(lab):
    wrapper = lab.script("terraform", f"#!/bin/sh\n{lab.bin}/victim-deny go \"$@\"\n")
    agent = lab.run([wrapper, *lab.words()[1:]])
    lab.guard.approve(lab.guard.wait_for_holds()[0])
    assert agent.finish() == 126, agent.all
    assert not lab.ran()


@pytest.mark.parametrize("how", ["same session", "another session", "daemon"])
def test_a_labelled_process_cannot_approve(lab, how):
    """Even as root: neither by our command nor over the socket."""
    first, second = Shell(lab), Shell(lab)
    first.start(" ".join(lab.words()) + " &")
    hold = lab.guard.wait_for_holds()[0]
    asker = second if how == "another session" else first
    prefix = "setsid -w " if how == "daemon" else ""
    for verb in ("approve", "deny"):
        assert asker.run(f"{prefix}{lab.backstop} {verb} --socket {lab.guard.socket} {hold['id']}") not in (0, 2)
    ask = f"""import socket; s = socket.socket(socket.AF_UNIX); s.connect({lab.guard.socket!r})
s.sendall(b'{{"op": "approve", "id": {hold['id']}}}\\n'); print(s.makefile().readline())"""
    script = lab.script("ask.py", ask)
    asker.run(f"{prefix}/usr/bin/python3 {script}")
    assert '"ok":false' in asker.agent.out.replace(" ", ""), asker.agent.out
    assert not lab.ran()
    assert [h["id"] for h in lab.guard.holds()] == [hold["id"]]
    lab.guard.deny(hold)
    until(lambda: is_gone(hold["pid"]), "the held process is gone")
    assert first.end() == 0 and second.end() == 0
    assert not lab.ran()


def test_a_stranger_cannot_approve(lab, tester):
    agent = lab.run(lab.words())
    hold = lab.guard.wait_for_holds()[0]
    for verb in ("approve", "deny"):
        done = subprocess.run(["runuser", "-u", tester, "--", lab.backstop, verb, "--socket", lab.guard.socket,
                               str(hold["id"])], capture_output=True, text=True, cwd="/")
        assert done.returncode not in (0, 2), done
        assert "backstop" in done.stderr, "says which group may"
    assert lab.guard.holds()
    lab.guard.deny(hold)
    assert agent.finish() == 126


def test_anybody_may_start_a_session(lab, tester):
    agent = lab.plain(["runuser", "-u", tester, "--", lab.backstop, "run", *lab.guard.common, "--", *lab.words()])
    hold = lab.guard.wait_for_holds()[0]
    assert hold["user"] == tester
    lab.guard.deny(hold)
    assert agent.finish() == 126
    assert not lab.ran()


@pytest.mark.parametrize("number", ["99999", "0", "x", "-1", "18446744073709551616"])
def test_approve_what_is_no_hold(lab, number):
    done = lab.guard.cli("approve", "--", number)
    assert done.returncode in (1, 2) and number.lstrip("-") in done.stderr, done

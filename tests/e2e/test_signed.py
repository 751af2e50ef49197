"""Decisions that an approver signed: whoever brings them, each holds for one hold of one host, once."""
import json
import os
import socket
import subprocess
import threading

import pytest

from lab import until


class Courier:
    """Carries requests to the guard, and keeps them."""

    def __init__(self, guard, path, deliver=True):
        self.guard, self.path, self.deliver, self.seen = guard, path, deliver, []
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(path)
        self.listening.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listening.accept()
            except OSError:
                return
            with peer, peer.makefile("rb") as lines:
                for line in lines:
                    request = json.loads(line)
                    self.seen.append(request)
                    keep = request["op"] == "decide" and not self.deliver
                    reply = {"ok": True} if keep else self.guard.request(request)
                    peer.sendall(json.dumps(reply).encode() + b"\n")

    @property
    def decision(self):
        return next(r for r in reversed(self.seen) if r["op"] == "decide")


def key_of(guard, path):
    done = guard.cli_alone("key", path)
    assert done.returncode == 0 and os.stat(path).st_mode & 0o777 == 0o600, done
    return done.stdout.strip()


@pytest.fixture
def own(lab):
    """A guard whose settings list alice's key."""
    guard = lab.make_guard()
    guard.key = os.path.join(lab.dir, "alice.key")
    guard.write_settings(approver_keys={"alice": key_of(guard, guard.key)})
    return guard.start()


@pytest.fixture
def courier(lab, own):
    made = []

    def make(deliver=True):
        made.append(Courier(own, os.path.join(lab.dir, f"courier{len(made)}.sock"), deliver))
        return made[-1]

    yield make
    for c in made:
        c.listening.close()


def decide(own, verb, hold, key, *more, socket_path=None):
    return subprocess.run([own.backstop, verb, "--socket", socket_path or own.socket, "--key", key, *more, str(hold["id"])],
                          capture_output=True, text=True, timeout=60)


def decisions(own):
    return [e["unmapped"]["backstop"].get("by", "") for e in own.journal() if e["class_uid"] == 2004
            and e["disposition_id"] in (8, 25)]


def test_approved(lab, own):
    agent = lab.run(lab.words(exit=7), guard=own)
    hold = own.wait_for_holds()[0]
    done = decide(own, "approve", hold, own.key)
    assert done.returncode == 0 and agent.finish() == 7 and lab.ran() == 1, done
    with open(own.key, encoding="ascii") as f:
        public = f.read().strip()[64:]
    assert decisions(own) == [f"alice (key {public[:16]})"]


def test_denied(lab, own):
    agent = lab.run(lab.words(), guard=own)
    done = decide(own, "deny", own.wait_for_holds()[0], own.key, "--reason", "not today")
    assert done.returncode == 0 and agent.finish() != 0 and lab.ran() == 0, done
    assert "by alice (key " in agent.err and "not today" in agent.err, agent.err


def test_never_twice(lab, own, courier):
    """Nor by a guard that knows nothing of it but what is on the disk."""
    post = courier()
    agent = lab.run(lab.words(), guard=own)
    assert decide(own, "deny", own.wait_for_holds()[0], own.key, socket_path=post.path).returncode == 0
    agent.finish()
    reply = own.request(post.decision)
    assert not reply["ok"] and "used already" in reply["error"], reply
    own.kill_child()
    until(own.answers, "the next guard answers")
    reply = own.request(post.decision)
    assert not reply["ok"], reply
    assert lab.ran() == 0


def test_never_twice_without_the_store(lab, own, courier):
    """Who is root removes what notes them: a hold that was decided is decided, before and after a restart of the guard."""
    post = courier()
    agent = lab.run(lab.words(exit=7), guard=own)
    assert decide(own, "approve", own.wait_for_holds()[0], own.key, socket_path=post.path).returncode == 0
    assert agent.finish() == 7
    again = lab.run(lab.words(exit=7), guard=own)
    second = own.wait_for_holds()[0]
    os.unlink(f"{own.state}/decisions")
    for _ in range(2):
        reply = own.request(post.decision)
        assert not reply["ok"] and "used already" not in reply["error"], reply
        assert [h["id"] for h in own.holds()] == [second["id"]] and lab.ran() == 1
        own.kill_child()
        own.wait_for_holds()
    own.deny(own.holds()[0])
    again.finish()
    assert lab.ran() == 1


def test_what_is_no_decision(lab, own, courier):
    """The guard takes none of it, and answers others."""
    post = courier(deliver=False)
    agent = lab.run(lab.words(), guard=own)
    hold = own.wait_for_holds()[0]
    assert decide(own, "approve", hold, own.key, socket_path=post.path).returncode == 0
    good = post.decision
    for text in ("", "{}", "[" * 2400, "x" * 2401, "\x7f" * 2400, good["decision"][:-1], good["decision"] * 2, "\u2028" * 700):
        for signature in (good["signature"], "", "zz" * 64, "0" * 129, good["signature"].upper()):
            assert not own.request({**good, "decision": text, "signature": signature})["ok"]
    for wrong in ({"decision": None}, {"decision": 7}, {"signature": []}, {"decision": {"v": 1}}):
        assert not own.request({**good, **wrong})["ok"]
    assert len(own.holds()) == 1 and lab.ran() == 0
    own.deny(hold)
    agent.finish()


def test_keys_of_no_use(lab, own):
    """Nothing is signed with a key that others may read, or that is not where it is said to be."""
    agent = lab.run(lab.words(), guard=own)
    hold = own.wait_for_holds()[0]
    link = os.path.join(lab.dir, "link.key")
    os.symlink(own.key, link)
    done = decide(own, "approve", hold, link)
    assert done.returncode == 1 and done.stderr.endswith("link.key is a symbolic link: name the file of the key itself\n"), done
    os.chmod(own.key, 0o604)
    done = decide(own, "approve", hold, own.key)
    assert done.returncode == 1 and "others may read the key" in done.stderr, done
    assert len(own.holds()) == 1 and lab.ran() == 0
    own.deny(hold)
    agent.finish()


def test_held_back_over_a_restart(lab, own, courier):
    """The guard after the one that held it knows what it is held for."""
    post = courier(deliver=False)
    agent = lab.run(lab.words(exit=7), guard=own)
    hold = own.wait_for_holds()[0]
    assert decide(own, "approve", hold, own.key, socket_path=post.path).returncode == 0
    assert lab.ran() == 0
    own.kill_child()
    assert own.wait_for_holds()[0]["action_hash"] == hold["action_hash"]
    assert own.request(post.decision)["ok"]
    assert agent.finish() == 7 and lab.ran() == 1


def test_wrong_in_each_way(lab, own, courier):
    post = courier(deliver=False)
    other_key = os.path.join(lab.dir, "mallory.key")
    key_of(own, other_key)
    agent = lab.run(lab.words(), guard=own)
    first = own.wait_for_holds()[0]
    assert decide(own, "approve", first, own.key, socket_path=post.path).returncode == 0
    good = post.decision
    second = lab.run(lab.words("terraform", "destroy", 0, "-other"), guard=own)
    own.wait_for_holds(2)

    def refused(why, **changes):
        reply = own.request({**good, **changes})
        assert not reply["ok"] and why in reply["error"], (why, reply)
        assert len(own.holds()) == 2 and lab.ran() == 0

    other_hold = next(h for h in own.holds() if h["id"] != first["id"])
    refused("not that of alice", decision=good["decision"].replace(f'"hold":{first["id"]}', f'"hold":{other_hold["id"]}'))
    refused("not that of alice", decision=good["decision"].replace(first["action_hash"], other_hold["action_hash"]))
    refused("no decision", decision=good["decision"] + " ")
    refused("not that of alice", signature=good["signature"][:-1] + ("0" if good["signature"][-1] != "0" else "1"))
    done = decide(own, "approve", first, other_key)
    assert done.returncode == 1 and "no approver's here" in done.stderr, done
    own.write_settings(approver_keys={})
    assert own.request({"op": "reload"})["ok"]
    refused("no approver's here")
    own.write_settings(approver_keys={"alice": key_of(own, own.key)})
    assert own.request({"op": "reload"})["ok"]
    assert own.request(good)["ok"]
    agent.finish()
    assert lab.ran() == 1
    own.deny(other_hold)
    second.finish()


def test_an_agent_brings_none(lab, own, courier):
    """Even with the key, which it could steal."""
    agent = lab.run(lab.words(), guard=own)
    hold = own.wait_for_holds()[0]
    thief = lab.run([own.backstop, "approve", "--socket", own.socket, "--key", own.key, str(hold["id"])], guard=own)
    assert thief.finish() == 1 and "what an agent starts cannot decide" in thief.err, thief.err
    own.deny(hold)
    agent.finish()
    assert lab.ran() == 0

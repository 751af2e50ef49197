"""What is held on a host is listed elsewhere, and decided there: by an approver's signature, and by nothing else."""
import base64
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

from feeds import Nats, NatsClient, free_ports, stop
from lab import TOP, until

pytestmark = pytest.mark.skipif(not shutil.which("nats-server"), reason="no nats-server")

with open("/etc/machine-id", encoding="ascii") as machine_id:
    MACHINE = machine_id.read().strip()
# whoever runs the servers has all rights, on top of the users of the example
OWNER = '      { user: "owner", password: "PASSWORD" }\n'


class Bus(Nats):
    """The example's, which is the documentation's."""

    def __init__(self, path):
        super().__init__(path, free_ports(1)[0])
        with open(f"{TOP}/packaging/nats.conf", encoding="utf-8") as f:
            text = f.read()
        for old, new in (("0.0.0.0:4222", f"127.0.0.1:{self.port}"), ("/var/lib/nats", f"{path}/nats"),
                         ("MACHINE-ID", MACHINE), ("    users: [\n", "    users: [\n" + OWNER)):
            assert old in text
            text = text.replace(old, new)
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(text)

    def url(self, user):
        return f"nats://{user}:PASSWORD@127.0.0.1:{self.port}"

    def client(self, user):
        return NatsClient(self.port, f',"user":"{user}","pass":"PASSWORD"')


class Tap(threading.Thread):
    """Sees each decision on its way, and answers it, if that is asked for."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.seen, self.answer, self.socket = [], None, socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false,"user":"owner","pass":"PASSWORD"}\r\n'
                            b"SUB backstop.approve.> 1\r\nPING\r\n")
        while not self.file.readline().startswith(b"PONG"):
            pass
        self.start()

    def run(self):
        for line in self.file:
            words = line.split()
            if words and words[0] == b"MSG":
                self.seen.append(json.loads(self.file.read(int(words[-1]) + 2)))
                if self.answer:
                    self.socket.sendall(b"PUB %s %d\r\n%s\r\n" % (words[3], len(self.answer), self.answer))


class Approver:
    def __init__(self, guard, path):
        self.key = path
        done = guard.cli_alone("key", path)
        assert done.returncode == 0, done
        self.public = done.stdout.strip()

    def sign(self, text):
        """As anybody could who has the key."""
        with open(self.key, encoding="ascii") as f:
            seed = bytes.fromhex(f.read().strip()[:64])
        pem = base64.b64encode(bytes.fromhex("302e020100300506032b657004220420") + seed).decode()
        for name, content in (("pem", f"-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n".encode()),
                              ("text", b"backstop decision v1\0" + text.encode())):
            with open(f"{self.key}.{name}", "wb") as f:
                f.write(content)
        signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", f"{self.key}.pem", "-in",
                                    f"{self.key}.text"], check=True, capture_output=True).stdout
        return {"decision": text, "signature": signature.hex()}


class Fleet:
    """One host with a guard, the bus, and the record of all."""

    def __init__(self, lab):
        self.lab, self.guard, self.processes = lab, lab.make_guard(), []
        self.alice = Approver(self.guard, os.path.join(lab.dir, "alice.key"))
        self.mallory = Approver(self.guard, os.path.join(lab.dir, "mallory.key"))
        self.guard.write_settings(approver_keys={"alice": self.alice.public})
        self.guard.start()
        self.bus = Bus(lab.dir)
        self.bus.start()
        self.owner = self.bus.client("owner")
        self.place = ["--dir", f"{lab.dir}/fleet/journal", "--database", f"{lab.dir}/fleet/record.db"]
        self.serve("--fleet", self.bus.url("fleet"), *self.place)
        until(lambda: "error" not in self.owner.stream(), "the stream is there")
        self.host = self.serve("--dir", f"{self.guard.state}/journal", "--database", f"{lab.dir}/host/record.db",
                               "--socket", self.guard.socket, "--export", self.bus.url("web-1"),
                               "--approvals", self.bus.url("web-1"))

    def serve(self, *args):
        self.processes.append(subprocess.Popen([self.guard.backstop, "serve", *args], stdin=subprocess.DEVNULL,
                                               stderr=subprocess.PIPE))
        return self.processes[-1]

    def ask(self, *args):
        return subprocess.run([self.guard.backstop, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60)

    def listed(self):
        done = self.ask("pending", "--fleet", "--json", *self.place)
        return json.loads(done.stdout)["holds"] if done.returncode == 0 else []

    def wait_for(self, count):
        until(lambda: len(self.listed()) == count, lambda: f"{count} are listed: {self.listed()}")
        return self.listed()

    def words(self, verb, hold, approver=None, *more, user="approver"):
        return [verb, hold, "--key", (approver or self.alice).key, "--fleet", self.bus.url(user), *self.place, *more]

    def decide(self, *args, **how):
        return self.ask(*self.words(*args, **how))

    def send(self, message, subject=f"backstop.approve.{MACHINE}"):
        """What the host answers to whoever has all rights on the bus."""
        text = message if isinstance(message, str) else json.dumps(message)
        return json.loads(self.owner.request(subject, text.encode())[1] or b"{}")

    def end(self):
        self.owner.close()
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stderr.close()
        self.bus.kill()


@pytest.fixture(name="fleet")
def fixture_fleet(lab):
    fleet = Fleet(lab)
    yield fleet
    fleet.end()


def test_decided_elsewhere(lab, fleet):
    agent = lab.run(lab.words(exit=7), guard=fleet.guard)
    fleet.guard.wait_for_holds()
    other = lab.run(lab.words("terraform", "destroy", 0, "-other"), guard=fleet.guard)
    fleet.guard.wait_for_holds(2)
    fleet.wait_for(2)
    for hold, listed in zip(fleet.guard.holds(), fleet.listed()):
        assert (listed["id"], listed["host"], listed["argv"], listed["cwd"], listed["action_hash"]) == (
            hold["id"], MACHINE, hold["argv"], hold["cwd"], hold["action_hash"])
    table = fleet.ask("pending", "--fleet", *fleet.place).stdout
    assert f"/{hold['id']} " in table and "destroy" in table and hold["signature"] in table, table
    first, second = fleet.listed()
    asked = lab.plain([fleet.guard.backstop, *fleet.words("approve", first["hold"])], terminal=True)
    asked.wait_for("Sign this? [y/N] ")
    asked.send("n\n")
    assert asked.finish() == 1 and len(fleet.guard.holds()) == 2 and lab.ran() == 0
    done = fleet.decide("approve", first["hold"])
    assert done.returncode == 0 and agent.finish() == 7 and lab.ran() == 1, done
    assert "destroy" in done.stderr and lab.work in done.stderr, done
    done = fleet.decide("deny", f"{MACHINE}/{second['id']}", None, "--reason", "not today")
    assert done.returncode == 0 and other.finish() != 0 and lab.ran() == 1, done
    assert "not today" in other.err, other.err
    fleet.wait_for(0)
    assert [e["unmapped"]["backstop"].get("by", "").split(" ")[0] for e in fleet.guard.journal()
            if e.get("disposition_id") in (8, 25)] == ["alice", "alice"]


def test_only_what_was_signed(lab, fleet):
    """Whoever has the bus changes nothing: not by another key or host, not twice, late, or altered."""
    agent = lab.run(lab.words(), guard=fleet.guard)
    hold = fleet.guard.wait_for_holds()[0]
    listed = fleet.wait_for(1)[0]
    now = int(time.time() * 1000)

    def document(approver=fleet.alice, **changes):
        text = {"v": 1, "host": MACHINE, "hold": hold["id"], "action": hold["action_hash"], "decision": "approve",
                "key": approver.public, "issued": now, "expires": now + 60000, "nonce": os.urandom(16).hex(), **changes}
        return approver.sign(json.dumps(text, separators=(",", ":")))

    def refused(message, why):
        reply = fleet.send(message)
        assert reply.get("ok") is False and why in reply["error"], (why, reply)
        assert lab.ran() == 0 and len(fleet.guard.holds()) == 1

    good = document()
    refused(document(fleet.mallory), "is no approver's here")
    refused({**document(fleet.mallory), "decision": good["decision"]}, "is not that of alice")
    refused(document(host="f" * 32), "for another host")
    refused(document(hold=hold["id"] + 1), "there is no hold")
    refused(document(action="0" * 64), "of another action")
    refused(document(issued=now - 120000, expires=now - 60000), "expired")
    refused(document(expires=now + 3600000), "longer than 10 minutes")
    refused({**good, "decision": good["decision"].replace('"approve"', '"deny"')}, "is not that of alice")
    refused({"op": "approve", "id": hold["id"]}, "no signed decision")
    refused({"op": "pending", **good, "signature": 5}, "no signed decision")
    refused("x" * 5000, "no signed decision")
    refused("[", "no signed decision")
    done = fleet.decide("approve", listed["hold"], fleet.mallory)
    assert done.returncode == 1 and "no approver's here" in done.stderr, done
    assert fleet.send({"op": "approve", **good}) == {"ok": True}
    agent.finish()
    assert lab.ran() == 1
    assert "used already" in fleet.send(good)["error"] or "no hold" in fleet.send(good)["error"]
    again = lab.run(lab.words(), guard=fleet.guard)
    fleet.guard.deny(fleet.guard.wait_for_holds()[0])
    again.finish()
    assert lab.ran() == 1
    assert "a decision was refused" in stop(fleet.host)


def test_replayed(lab, fleet):
    """What was tapped on its way holds for no other hold, and not again."""
    tap = Tap(fleet.bus.port)
    agent = lab.run(lab.words(), guard=fleet.guard)
    done = fleet.decide("approve", fleet.wait_for(1)[0]["hold"])
    assert done.returncode == 0 and agent.finish() == 0 and lab.ran() == 1, done
    again = lab.run(lab.words(), guard=fleet.guard)
    hold = fleet.guard.wait_for_holds()[0]
    seen, = tap.seen
    assert fleet.send(seen)["ok"] is False
    assert fleet.guard.holds() and lab.ran() == 1
    fleet.guard.deny(hold)
    again.finish()
    tap.socket.close()


def test_what_is_shown_is_what_is_signed(lab, fleet):
    """A bus that shows another action gets a signature of no use."""
    agent = lab.run(lab.words(), guard=fleet.guard)
    fleet.guard.wait_for_holds()
    fleet.wait_for(1)
    subject, _, body = next(m for m in fleet.owner.messages() if m[0].endswith(".finding"))
    line = json.loads(body)
    line["unmapped"]["backstop"].update(argv=["ls"], line=line["unmapped"]["backstop"]["line"] + 1000)
    line.update(message="held: ls")
    fleet.owner.request(subject, json.dumps(line).encode())
    until(lambda: [h["argv"] for h in fleet.listed()] == [["ls"]], lambda: f"it shows what is not: {fleet.listed()}")
    done = fleet.decide("approve", fleet.listed()[0]["hold"])
    assert done.returncode == 1 and "of another action than was signed" in done.stderr, done
    assert lab.ran() == 0
    fleet.guard.deny(fleet.guard.holds()[0])
    agent.finish()


def test_what_a_host_calls_itself(lab, fleet):
    """Moves no cursor, and is no JSON of its own."""
    host = 'x\u001b[31m\u009b1m","y'
    lab.run(lab.words(), guard=fleet.guard)
    hold = fleet.guard.wait_for_holds()[0]
    fleet.wait_for(1)
    line = json.loads(next(m for m in fleet.owner.messages() if m[0].endswith(".finding"))[2])
    line["device"].update(uid=host, hostname=host)
    word = re.sub(r"\W", "_", json.dumps(host)[1:-1])
    fleet.owner.request(f"backstop.{word}.finding", json.dumps(line).encode())
    fleet.wait_for(2)
    operand = f"{host}/{hold['id']}"
    said = [fleet.decide("approve", operand)]
    tap = Tap(fleet.bus.port)
    for answer in ({"ok": False, "error": host}, {"ok": True}):
        tap.answer = json.dumps(answer).encode()
        said.append(fleet.decide("approve", operand))
    decided = fleet.decide("approve", operand, None, "--json")
    tap.socket.close()
    assert [done.returncode for done in said] == [1, 1, 0], said
    assert "no answer of $'x\\e[31m" in said[0].stderr and "refuses: x\\e[31m" in said[1].stderr, said
    for done in [*said, decided]:
        assert not set("\u001b\u009b") & set(done.stdout + done.stderr), done
    assert json.loads(decided.stdout) == {"host": host, "id": hold["id"], "decision": "approved"}
    fleet.guard.deny(hold)


def test_rights_on_the_bus(lab, fleet):
    """Of the example's users a host speaks for itself alone, and only an approver sends decisions."""
    for user, subject in (("web-1", f"backstop.{'f' * 32}.process"), ("web-1", f"backstop.approve.{MACHINE}"),
                          ("approver", f"backstop.{MACHINE}.process"), ("fleet", f"backstop.approve.{MACHINE}")):
        client = fleet.bus.client(user)
        client.request(subject, b"{}")
        client.close()
    assert "{}" not in [body for _, _, body in fleet.owner.messages()]
    fleet.owner.request(f"backstop.{MACHINE}.process", b"{}")
    assert "{}" in [body for _, _, body in fleet.owner.messages()]
    stop(fleet.host)
    agent = lab.run(lab.words(), guard=fleet.guard)
    fleet.guard.wait_for_holds()
    host = fleet.serve("--dir", f"{fleet.guard.state}/journal", "--database", f"{lab.dir}/host/record.db",
                       "--export", fleet.bus.url("web-1"))
    listed = fleet.wait_for(1)[0]
    done = fleet.decide("approve", listed["hold"])
    assert done.returncode == 1 and "takes no decisions from there" in done.stderr, done
    done = fleet.decide("approve", listed["hold"], None, user="fleet")
    assert done.returncode == 1 and "Permissions Violation" in done.stderr, done
    assert "refused" not in stop(host)
    fleet.guard.deny(fleet.guard.holds()[0])
    agent.finish()
    assert lab.ran() == 0


def test_what_cannot_be(fleet):
    for argv, code, why in ((["approve", "7", "--fleet", "nats://x", "--key", fleet.alice.key], 2, "it is HOST/ID"),
                            (["approve", "web/7", "--fleet", "nats://x"], 2, "--key FILE"),
                            (["deny", "web/7", "--fleet", "nats://x", "--key", fleet.alice.key, *fleet.place], 1,
                             "host web has no open hold 7")):
        done = fleet.ask(*argv)
        assert done.returncode == code and why in done.stderr, (argv, done)
    assert fleet.ask("pending", "--fleet", *fleet.place).stdout == "no action is held\n"

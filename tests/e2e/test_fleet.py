"""The events of several hosts in one record: all of them, none twice, whatever is killed."""
import contextlib
import itertools
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from feeds import CLASSES, Journal, Nats, NatsClient, event, free_ports, ready
from lab import until

pytestmark = pytest.mark.skipif(not shutil.which("nats-server"), reason="no nats-server")

HOSTS = {"web-1": "a" * 32, "web-2": "b" * 32, "ci": "c" * 32}


class Host(Journal):
    """A journal of its own, and what brings it to the bus."""

    def __init__(self, path, name):
        super().__init__(f"{path}/{name}", 100)
        self.name, self.machine = name, HOSTS[name]

    def line(self):
        return event(self.count, self.size, self.machine, self.name)


class Fleet:
    def __init__(self, build, path, port):
        self.build, self.path, self.url = build, path, f"nats://127.0.0.1:{port}"
        self.dir, self.database = f"{path}/fleet/journal", f"{path}/fleet/record.db"
        self.processes, self.client = [], NatsClient(port)

    def serve(self, *args):
        self.processes.append(subprocess.Popen([f"{self.build}/backstop", "serve", *args], stdin=subprocess.DEVNULL,
                                               stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return self.processes[-1]

    def publish(self, host, line, subject=None):
        """As the host's exporter would, at once."""
        words = {uid: word for word, uid in CLASSES.items()}
        subject = subject or f"backstop.{host.machine}.{words[json.loads(line)['class_uid']]}"
        _, reply = self.client.request(subject, line.encode())
        assert b'"seq"' in reply, reply

    def follow(self, *args):
        return self.serve("--fleet", self.url, "--dir", self.dir, "--database", self.database, *args)

    def export(self, host):
        return self.serve("--dir", host.path, "--database", f"{host.path}/record.db", "--export", self.url)

    def once(self):
        out, err = self.follow("--once").communicate(timeout=60)
        return out.decode() + err.decode()

    def ask(self, *args):
        return subprocess.run([f"{self.build}/backstop", *args, "--dir", self.dir, "--database", self.database],
                              capture_output=True, text=True, timeout=60)

    def rows(self, sql):
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as db:
                return db.execute(sql).fetchall()
        except sqlite3.OperationalError:
            return []

    def lines(self):
        """Of each host the numbers in the database's order, by the spool's text."""
        found, log = {}, self.ask("log", "--json")
        assert log.returncode == 0 and not log.stderr, log.stderr
        for line in log.stdout.splitlines():
            e = json.loads(line)
            found.setdefault(e["device"]["uid"], []).append(e["unmapped"]["backstop"]["line"])
        return found

    def missing(self):
        """What is left out between the first line and the last of each host."""
        return self.rows("SELECT h.known, l.last + 1, (SELECT min(first) FROM host_lines n WHERE n.host = l.host"
                         " AND n.first > l.last) - 1 AS until FROM host_lines l JOIN hosts h ON h.id = l.host"
                         " WHERE until IS NOT NULL ORDER BY 1, 2")

    def end(self):
        self.client.close()
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture(name="server")
def fixture_server(tmp_path):
    server = Nats(str(tmp_path), free_ports(1)[0])
    ready(server.start().port).close()
    yield server
    server.kill()


@pytest.fixture(name="fleet")
def fixture_fleet(build, tmp_path, server):
    fleet = Fleet(build, str(tmp_path), server.port)
    yield fleet
    fleet.end()


@pytest.fixture(name="hosts")
def fixture_hosts(tmp_path):
    return [Host(str(tmp_path), name) for name in HOSTS]


def stop(process):
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    return err.decode()


def expect_all(fleet, hosts):
    until(lambda: fleet.rows("SELECT count(*) FROM events") == [(sum(h.count for h in hosts),)],
          lambda: f"all are there: {fleet.rows('SELECT count(*) FROM events')}", 60)
    lines = fleet.lines()
    for host in hosts:
        got, expected = lines.pop(host.machine), list(range(1, host.count + 1))
        assert got == expected, [(g, e) for g, e in itertools.zip_longest(got, expected) if g != e][:20]
    assert not lines


def test_three_hosts(fleet, hosts):
    for host in hosts:
        host.add(300)
        fleet.export(host)
    process = fleet.follow()
    expect_all(fleet, hosts)
    for host in hosts:
        host.add(50)
    expect_all(fleet, hosts)
    assert "fleet:" not in stop(process)
    for host in hosts:
        host.add(20)
    fleet.follow()
    expect_all(fleet, hosts)


def test_killed_again_and_again(fleet, hosts):
    """Wherever it is met: what it fetched, wrote and did not acknowledge comes once."""
    for host in hosts:
        host.add(3000)
        fleet.export(host)
    for _ in range(12):
        process = fleet.follow()
        time.sleep(random.uniform(0.02, 0.4))
        process.kill()
        process.communicate()
    fleet.follow()
    expect_all(fleet, hosts)


def test_the_bus_is_killed(fleet, hosts, server):
    exporters = []
    for host in hosts:
        host.add(1000)
        exporters.append(fleet.export(host))
    process = fleet.follow()
    until(lambda: fleet.rows("SELECT 1 FROM events LIMIT 1"), "the first are there")
    for _ in range(3):
        server.kill()
        for host in hosts:
            host.add(500)
        time.sleep(0.3)
        ready(server.start().port).close()
    until(lambda: fleet.rows("SELECT count(*) FROM events") == [(7500,)], "all are there", 90)
    assert {m: sorted(n) for m, n in fleet.lines().items()} == {h.machine: list(range(1, 2501)) for h in hosts}
    assert fleet.missing() == []
    err = stop(process)
    assert "cannot be read, events wait there" in err and "is read again" in err, err


def test_a_line_without_its_newline(fleet, hosts):
    """What a killed writer left comes again, and is not there twice."""
    for host in hosts:
        host.add(10)
        stop_when_sent(fleet, host)
    assert "30 events" in fleet.once()
    spool = f"{fleet.dir}/journal-{1:016}.jsonl"
    with open(spool, "rb+") as f:
        text = f.read()
        f.truncate(len(text) - 1)
    subprocess.run(["rm", fleet.database], check=True)
    lost = json.loads(text.splitlines()[-1])
    fleet.client.api("CONSUMER.DELETE.BACKSTOP.backstop-fleet")
    assert "30 events" in fleet.once()
    numbers = {m: sorted(n) for m, n in fleet.lines().items()}
    assert numbers == {h.machine: list(range(1, 11)) for h in hosts}, lost


def stop_when_sent(fleet, host):
    process = fleet.export(host)
    until(lambda: fleet.client.api("STREAM.INFO.BACKSTOP", subjects_filter=f"backstop.{host.machine}.*")
          .get("state", {}).get("subjects") and sum(fleet.client.api(
              "STREAM.INFO.BACKSTOP", subjects_filter=f"backstop.{host.machine}.*")["state"]["subjects"].values()) == host.count,
          "the stream has it")
    stop(process)


def test_questions(fleet, hosts):
    """What is answered says on which host, and can be of one."""
    fleet.once()
    for number, host in enumerate(hosts):
        fleet.publish(host, finding(host, 1, 14, 7))
        for line in range(3, 5 + number):
            fleet.publish(host, event(line, 0, host.machine, host.name))
    fleet.once()
    web, other, _ = hosts
    stats = json.loads(fleet.ask("stats", "--json").stdout)
    assert [(h["host"], h["machine"], h["events"], h["missing"]) for h in sorted(stats["hosts"], key=lambda h: h["machine"])] == [
        (h.name, h.machine, 3 + n, 1) for n, h in enumerate(hosts)]
    assert {(g["machine"], g["first"], g["last"]) for g in stats["gaps"]} == {(h.machine, 2, 2) for h in hosts}
    assert sorted((s["session"], s["host"]) for s in stats["sessions"]) == [("1a", "ci"), ("1a", "web-1"), ("1a", "web-2")]
    for of in (web.name, web.machine):
        assert {json.loads(line)["device"]["uid"] for line in fleet.ask("log", "--json", "--host", of).stdout.splitlines()} == {
            web.machine}
    lines = fleet.ask("log", "--fleet").stdout.splitlines()
    assert sum(line.startswith("web-2: ") for line in lines) == 4 and sum(line.startswith("ci: ") for line in lines) == 5, lines
    assert "write SESSION@HOST" in fleet.ask("tree", "1a").stderr
    assert "of test on web-2, " in fleet.ask("tree", f"1a@{other.name}").stdout
    assert "web-2" in fleet.ask("report", f"1a@{other.machine}").stdout
    assert fleet.ask("who", "7").stdout.count(", on ") == 3


def test_what_is_missing(fleet, hosts):
    """Is told, and that it came after all."""
    host = hosts[0].add(1)
    stop_when_sent(fleet, host)
    for n in (2, 3, 7, 8, 11):
        fleet.publish(host, event(n, 0, host.machine, host.name))
    out = fleet.once()
    assert f"of host {host.machine} the lines 4 to 6 have not come" in out and "lines 9 to 10" in out, out
    assert fleet.missing() == [(host.machine, 4, 6), (host.machine, 9, 10)]
    for n in (5, 7, 4, 4, 6, 2):
        fleet.publish(host, event(n, 0, host.machine, host.name))
    assert "have not come" not in fleet.once()
    assert fleet.missing() == [(host.machine, 9, 10)]
    assert fleet.lines() == {host.machine: [1, 2, 3, 7, 8, 11, 5, 4, 6]}


def test_what_is_no_hosts_own(fleet, hosts):
    """A host speaks for itself alone, in one line, in one spelling."""
    web, other = hosts[0].add(1), hosts[1]
    stop_when_sent(fleet, web)
    good, forged = event(5, 0, web.machine), event(5, 0, other.machine)
    for line, subject in ((forged, f"backstop.{web.machine}.process"), (good, f"backstop.{web.machine}.finding"),
                          (good.replace("event 5", "event\n" + forged), f"backstop.{web.machine}.process"),
                          (good[:-1] + ',"dev\\u0069ce":{"uid":"' + other.machine + '"}}', f"backstop.{web.machine}.process"),
                          ('{"class_uid":1007,"activity_id":1,"time":1}', "backstop._.process"), ("{", "backstop.x.file")):
        fleet.publish(web, line, subject)
    out = fleet.once()
    assert "is left out: it is of another host, or class" in out and "1 events" in out, out
    assert fleet.lines() == {web.machine: [1]}


def finding(host, number, disposition, hold, name=None):
    e = json.loads(event(number * 5 + 3, 0, host.machine, name or host.name))
    assert e["class_uid"] == 2004
    e.update(time=int(time.time() * 1000), disposition_id=disposition, message="held: rm -rf /srv", evidences=[
        {"process": {"pid": 7, "uid": f"{host.machine}:7:1", "name": "rm", "user": {"uid": "0"}, "working_directory": "/srv"}}])
    e["unmapped"]["backstop"] = {"session": "1a", "agent": "test", "hold": hold, "signature": "rm.root", "argv": ["rm", "-rf", "/srv"],
                                 "line": number}
    return json.dumps(e)


def test_holds_of_others(fleet, hosts):
    """Only a host itself ends what it holds, and its name is its own while nobody else has it."""
    web, other = hosts[0].add(1), hosts[1].add(1)
    for host in (web, other):
        stop_when_sent(fleet, host)
    for number, hold in ((2, 7), (3, 8)):
        fleet.publish(web, finding(web, number, 14, hold))
    fleet.publish(web, finding(web, 4, 8, 8))
    fleet.publish(other, finding(other, 2, 8, 7))
    assert "6 events" in fleet.once()

    def listed():
        return [h["hold"] for h in json.loads(fleet.ask("pending", "--fleet", "--json").stdout)["holds"]]

    assert listed() == ["web-1/7"]
    fleet.publish(other, finding(other, 3, 14, 9, web.name))
    fleet.once()
    assert listed() == ["web-1/7", f"{other.name}/9"]
    third = hosts[2]
    fleet.publish(third, finding(third, 1, 14, 3, web.name))
    fleet.once()
    assert listed() == [f"{web.machine}/7", f"{other.name}/9", f"{third.machine}/3"]
    fleet.publish(web, finding(web, 5, 25, 7))
    fleet.once()
    assert listed() == [f"{other.name}/9", f"{third.machine}/3"]
    fleet.publish(web, finding(web, 6, 14, 3))
    fleet.once()
    done = fleet.ask("approve", "web-1/3", "--key", "x", "--fleet", fleet.url)
    assert done.returncode == 1 and "more than one host is named web-1" in done.stderr, done


def opening(host, line, key):
    e = json.loads(event(line * 5, 0, host.machine, host.name))
    e["unmapped"]["backstop"] = {"checkpoint": {"segment": 1, "key": key * 32}, "line": line}
    e["metadata"]["uid"] += key
    return json.dumps(e)


def test_a_journal_that_begins_anew(fleet, hosts):
    """Another key signs it: its numbers are others."""
    host = hosts[0]
    stop_when_sent(fleet, host.add(1))
    fleet.publish(host, opening(host, 2, "aa"))
    for n in (3, 4, 5):
        fleet.publish(host, event(n, 0, host.machine, host.name))
    fleet.publish(host, opening(host, 1, "bb"))
    for n in (2, 3, 3):
        fleet.publish(host, event(n, 0, host.machine, host.name))
    out = fleet.once()
    assert f"host {host.machine} has another key, or journal" in out and "8 events" in out, out
    assert fleet.lines() == {host.machine: [1, 2, 3, 4, 5, 1, 2, 3]}
    subprocess.run(["rm", fleet.database], check=True)
    assert "8 events" in fleet.once()
    assert fleet.rows("SELECT first, last FROM host_lines") == [(1, 3)]


def test_a_spool_that_is_new(fleet, hosts):
    """All that the stream has comes once more."""
    for host in hosts:
        stop_when_sent(fleet, host.add(20))
    assert "60 events" in fleet.once() and "60 events" in fleet.once()
    shutil.rmtree(f"{fleet.path}/fleet")
    assert "60 events" in fleet.once()


def test_two_at_once(fleet, hosts):
    stop_when_sent(fleet, hosts[0].add(1))
    fleet.follow()
    until(lambda: fleet.rows("SELECT 1 FROM events"), "it serves")
    assert "another serve writes the spool" in fleet.once()

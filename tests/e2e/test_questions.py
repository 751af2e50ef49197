"""Who asks the record gets the same answer with the recorder's database and without."""
import html.parser
import json
import os
import pathlib
import re
import subprocess
import tempfile

import pytest

from feeds import Journal, event
from lab import PACKS
from net import HOST, PLAIN



@pytest.fixture(name="own")
def fixture_own(lab):
    return lab.new_guard()


class Record:
    """A guard's journal, asked with and without a database."""

    def __init__(self, guard, directory):
        self.guard, self.database = guard, os.path.join(directory, "record.db")

    def recorded(self):
        self.ask("serve", "--once", "--database", self.database)

    def ask(self, command, *argv, status=0):
        done = subprocess.run([self.guard.backstop, command, *(["--dir", f"{self.guard.state}/journal"]
                                                               if command != "replay" else []), *argv],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout if status == 0 else done.stdout + done.stderr

    def both(self, command, *argv):
        """The answer, which is the same both ways."""
        without = self.ask(command, *argv)
        answer = self.ask(command, "--database", self.database, *argv)
        assert answer == without
        return answer


@pytest.fixture(name="record")
def fixture_record(own, tmp_path):
    return Record(own, tmp_path)


def test_log(lab, own, record):
    first = lab.record(own, "sh", "-c", "/bin/true; /bin/echo a")
    second = lab.record(own, *lab.words("victim-deny"))
    lab.record(own, *lab.words("victim-alert"))
    record.recorded()
    lines = own.lines()
    assert record.both("log", "--json").splitlines() == lines
    assert record.both("log", "--json", "-n", "3").splitlines() == lines[-3:]
    of_first = [l for l in lines if f'"session":"{first}"' in l]
    assert record.both("log", "--json", "-s", first).splitlines() == of_first and len(of_first) >= 6
    assert record.both("log", "--json", "-s", first, "-n", "2").splitlines() == of_first[-2:]
    denied = [json.loads(l) for l in record.both("log", "--json", "--verdict", "deny").splitlines()]
    assert [e["unmapped"]["backstop"]["session"] for e in denied] == [second]
    assert record.both("log", "--json", "--signature", "test.d*").count("\n") == 1
    for pattern in ("test.[!x]eny", r"test\.deny", "test.[[:lower:]]eny"):
        assert record.both("log", "--json", "--signature", pattern).count("\n") == 1
    for pattern in ("other.*", "test.[!d]eny"):
        assert record.both("log", "--json", "--signature", pattern) == ""
    assert record.both("log", "--kind", "exec", "--program", "echo").count("echo a") == 1
    assert record.both("log", "--json", "--agent", "test").count("\n") == len([l for l in lines if '"agent":"test"' in l])
    assert record.both("log", "--json", "--since", "1h").splitlines() == lines
    assert record.both("log", "--json", "--until", "1h") == ""
    lab.record(own, "/bin/echo", "behind")  # the database does not have it yet
    assert record.both("log", "--json").splitlines() == own.lines()
    assert "is no time" in record.ask("log", "--since", "yesterday", status=2)


def test_tree(lab, own, record):
    session = lab.record(own, "sh", "-c", "/bin/true; sh -c '/bin/echo deep; exit 7'; victim-deny go; true")
    record.recorded()
    text = record.both("tree", session)
    assert f"session {session} of test" in text.splitlines()[0]
    rows = [json.loads(l) for l in record.both("tree", "--json", session).splitlines()]
    by_id = {r["id"]: r for r in rows}
    deep = next(r for r in rows if r["command"] == "/bin/echo deep")
    assert deep["depth"] == 2 and by_id[by_id[deep["parent"]]["parent"]]["depth"] == 0
    assert by_id[deep["parent"]]["status"] == 7
    denied = next(r for r in rows if r["outcome"] == "denied")
    assert denied["signature"] == "test.deny" and denied["status"] == 126
    assert re.search(r"├─ \[\d+\] /bin/true  \(status 0, 0\.\d+ s\)", text), text
    assert re.search(r"│  └─ \[\d+\] /bin/echo deep|   └─ \[\d+\] /bin/echo deep", text), text
    assert record.both("tree") == text, "the newest"
    assert "has no session" in record.ask("tree", "zzz", status=1)


@pytest.fixture(name="area")
def fixture_area():
    """Outside of scratch, where deletions are recorded."""
    with tempfile.TemporaryDirectory(prefix="backstop-e2e-", dir="/opt") as directory:
        yield pathlib.Path(directory)


def test_who(lab, net, own, record, area):
    victim = area / "dir" / "file"
    victim.parent.mkdir()
    victim.write_text("x")
    lab.record(own, "sh", "-c", f"rm {victim}; true", cwd=str(area))
    lab.record(own, f"{lab.build}/victims/connect", "tcp", HOST, str(PLAIN), net=net)
    record.recorded()
    entry = json.loads(record.both("who", "--json", str(victim)).splitlines()[0])
    assert entry["what"] == "unlink" and entry["path"] == str(victim) and entry["argv"][:1] == ["rm"], entry
    assert record.both("who", str(victim.parent)).count("unlink") == 1
    said = record.both("who", HOST)
    assert f"connect {HOST}:{PLAIN}" in said
    assert record.both("who", f"{HOST}:{PLAIN}") == said
    event = json.loads(record.both("who", "--json", HOST).splitlines()[0])
    assert event["dst_endpoint"] == {"ip": HOST, "port": PLAIN}
    process = json.loads(record.both("who", "--json", str(entry["pid"])).splitlines()[0])
    assert process["pid"] == entry["pid"] and process["command"].startswith("rm ") and process["status"] == 0
    assert process["ancestors"][0]["command"].startswith("sh -c")
    assert "knows of no process" in record.ask("who", "99999999", status=1)
    assert "knows of no connection" in record.ask("who", "192.0.2.1", status=1)


class Checker(html.parser.HTMLParser):
    """Elements are closed as they were opened, and nothing is loaded."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "img", "link", "iframe") and not {"src", "href"} & {n for n, _ in attrs}
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_report(lab, own, record, tmp_path):
    session = lab.record(own, "sh", "-c", "victim-deny go '<script>alert(1)</script>' '`*a*`'; /bin/true; true")
    record.recorded()
    checker = Checker()
    page = record.both("report", "--html", session)
    checker.feed(page)
    assert not checker.open and "<script>" in checker.text
    for part in ("What was prevented", "denied", "test.deny", "Is never right.", "/bin/true", "decided by: the policy"):
        assert part in checker.text, part
    text = record.both("report", session)
    assert "**denied**" in text and "## Processes" in text and "instead: victim-plain go" in text
    out = tmp_path / "report.html"
    assert record.ask("report", "--html", "-o", str(out), session) == ""
    assert out.read_text() == page
    link = tmp_path / "link"  # as /dev/stdout is one
    link.symlink_to(out)
    assert record.ask("report", "-o", str(link), session) == ""
    assert link.is_symlink() and out.read_text() == text


def test_stats(lab, own, record):
    lab.record(own, *lab.words("victim-deny"))
    record.recorded()
    stats = json.loads(record.both("stats", "--json"))
    assert sum(row["events"] for row in stats["events"]) == len(own.lines())
    assert stats["verdicts"] == [{"verdict": "deny", "findings": 1}]
    assert stats["signatures"][0]["signature"] == "test.deny" and stats["sessions"][0]["refused"] == 1
    assert "test.deny" in record.both("stats")


def test_replay(lab, own, record, tmp_path):
    lab.record(own, "sh", "-c", "victim-alert go; victim-deny go; for i in 1 2 3 4 5 6 7 8 9; do /bin/true $i; done; true")
    journal = f"{own.state}/journal"
    same = record.ask("replay", journal, "--policy", PACKS)
    assert " 0 new alarms, 0 gone, 0 with another verdict; 0 findings" in same, same
    pack = tmp_path / "packs" / "other.yaml"
    pack.parent.mkdir()
    pack.write_text("pack: other\ntitle: Another\nprograms:\n  victim-deny: {}\n  'true': {}\nsignatures:\n"
                    "  - id: t\n    command: 'true'\n    severity: low\n    verdict: hold\n    why: Is asked about.\n"
                    "    hits: ['true', 'true x']\n    misses: ['false', 'echo true']\n"
                    "  - id: v\n    command: victim-deny go\n    severity: low\n    verdict: alert\n    why: Less.\n"
                    "    hits: ['victim-deny go', 'victim-deny go x']\n    misses: ['victim-deny no', 'victim-deny']\n")
    rows = [json.loads(l) for l in record.ask("replay", journal, "--json", "--policy", str(pack.parent)).splitlines()]
    found = {(r["kind"], r["before"], r["now"], r["signature"]) for r in rows[:-1]}
    assert {("new", "allow", "hold", "other.t"), ("gone", "alert", "allow", None), ("other", "deny", "alert", "other.v")} == found
    assert [r["message"] for r in rows if r["kind"] == "new"] == [f"exec: /bin/true {i}" for i in range(1, 10)], rows
    assert rows[-1]["new"] == 9 and rows[-1]["gone"] == 1 and rows[-1]["other"] == 1


KEYWORDS, NUMBERS, LISTS, DATES = (
    {"event.id", "event.kind", "event.action", "event.outcome", "host.name", "host.id", "process.entity_id", "process.name",
     "process.executable", "process.command_line", "process.working_directory", "user.id", "user.name", "file.path",
     "rule.id", "destination.ip", "network.transport", "message", "ecs.version"},
    {"event.sequence", "event.severity", "process.pid", "process.parent.pid", "process.exit_code", "destination.port"},
    {"event.category", "event.type", "process.args", "threat.technique.id"}, {"@timestamp", "process.start"})


def test_ecs(lab, net, own, record, area):
    """Each event as the Elastic Common Schema has it, in fields of the schema's types."""
    (area / "file").write_text("x")
    lab.record(own, "sh", "-c", f"rm {area}/file; victim-deny go; (exit 3)", cwd=str(area))
    lab.record(own, f"{lab.build}/victims/connect", "tcp", HOST, str(PLAIN), net=net)
    record.recorded()
    events = [json.loads(line) for line in record.both("log", "--format", "ecs").splitlines()]
    assert [e["event.id"] for e in events] == [e["metadata"]["uid"] for e in own.journal()]
    for event in events:
        assert event["event.category"] and event["event.type"] and event["@timestamp"].endswith("Z"), event
        for field, value in event.items():
            right = (field in KEYWORDS and isinstance(value, str) or field in NUMBERS and type(value) is int
                     or field in LISTS and all(isinstance(v, str) for v in value)
                     or field in DATES and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value))
            assert right or field not in KEYWORDS | NUMBERS | LISTS | DATES, (field, value)
    kinds = {e["event.action"] for e in events}
    assert kinds >= {"exec", "exit", "connect", "delete", "guard"}, kinds
    assert {(e["event.kind"], e["event.outcome"]) for e in events} >= {("event", "success"), ("alert", "failure")}
    assert len(record.ask("log", "--format", "ecs", "--kind", "connect").splitlines()) == 1
    assert "--format cef is not ecs" in record.ask("log", "--format", "cef", status=2)


def test_what_retention_took(build, tmp_path):
    """What the database knows of and the journal has no more is told, once, not passed over in silence."""
    journal = Journal(f"{tmp_path}/journal").add(30)
    options = ["--dir", journal.path, "--database", f"{tmp_path}/record.db"]
    subprocess.run([f"{build}/backstop", "serve", "--once", *options], check=True, timeout=60)
    os.rename(f"{journal.path}/journal-{1:016}.jsonl", f"{tmp_path}/taken")
    with open(f"{journal.path}/journal-{2:016}.jsonl", "w", encoding="utf-8") as f:
        f.write(event(31) + "\n")

    def log(*argv):
        return subprocess.run([f"{build}/backstop", "log", "--json", *options, *argv], capture_output=True, text=True,
                              timeout=60, check=True)

    for argv, missing in (((), 30), (("-n", "5"), 30), (("--kind", "connect"), 12)):
        got = log(*argv)
        assert len(got.stdout.splitlines()) == (not argv or argv[0] == "-n"), got
        assert got.stderr.count("retention") == 1 and f" {missing} events of this kind, from 2026-" in got.stderr, got
    subprocess.run([f"{build}/backstop", "serve", "--once", *options], check=True, timeout=60)
    newest = log("-n", "1")
    assert json.loads(newest.stdout)["message"] == "event 31" and not newest.stderr, newest


TRAP = "a\u001b[31m\u009b1m\u007f\u202e\n\n</title><i>`"


def trapped():
    """Lines of a host that says what it likes: each text that there is room for is a trap."""
    for number, (kind, more) in enumerate([
            (1007, {}), (1001, {"file": {"path": "/srv/x" + TRAP}}), (2004, {"disposition_id": 2}),
            (4001, {"dst_endpoint": {"ip": TRAP, "port": 1, "hostname": TRAP}})], 1):
        details = {name: TRAP for name in ("session", "agent", "signature", "severity", "verdict", "why", "instead", "by",
                                           "reason", "context", "carrier", "deletion", "inner")}
        process = {"pid": 7, "uid": "p:7", "name": TRAP, "cmd_line": TRAP, "working_directory": TRAP,
                   "user": {"uid": TRAP, "name": TRAP}, "ancestry": [{"pid": 6, "cmd_line": TRAP}]}
        yield json.dumps({"class_uid": kind, "activity_id": 1, "time": 1795000000000 + number, "message": "denied: " + TRAP,
                          "device": {"hostname": TRAP, "uid": TRAP}, "disposition_id": 1, "process": process,
                          "actor": {"process": process, "user": process["user"]},
                          "unmapped": {"backstop": {"event": 1, "run": "r", "argv": ["rm", TRAP], **details}}, **more},
                         separators=(",", ":"))


@pytest.mark.parametrize("question", ["log", "log --format ecs", "log --fleet", "tree", "tree --json", "report", "report --html",
                                      "who /srv", "who /srv --json", "who 7", "who 7 --json", "stats", "stats --json",
                                      f"replay --policy {PACKS}", f"replay --json --policy {PACKS}"])
def test_traps(build, journal, question):
    """Nothing that a record says moves a cursor, bends a line, or is an element of a report."""
    journal.write(*trapped())
    where = [journal.path] if question.startswith("replay") else ["--dir", journal.path]
    done = subprocess.run([f"{build}/backstop", *question.split(), *where], capture_output=True, text=True, timeout=60, check=True)
    assert "31m" in done.stdout
    assert not re.search("[\u0000-\u0009\u000b-\u001f\u0080-\u009f\u202e]", done.stdout), done.stdout
    if "report" in question:
        assert not re.search("\n\n</title>|Session a.*</title><i>", done.stdout), done.stdout


@pytest.mark.parametrize("question", ["log --json", "who 192.0.2.7 --json"])
def test_json_on_a_terminal(lab, build, journal, question):
    """A program gets a line as it stands; a terminal gets none of what moves its cursor."""
    line = json.dumps({"class_uid": 4001, "activity_id": 1, "time": 1795000000000, "message": "\u009b1m\u202e",
                       "dst_endpoint": {"ip": "192.0.2.7", "port": 1}}, ensure_ascii=False, separators=(",", ":"))
    journal.write(line)
    argv = [f"{build}/backstop", *question.split(), "--dir", journal.path]
    assert subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout == line + "\n"
    asked = lab.plain(argv, terminal=True)
    assert asked.finish() == 0
    assert asked.out.isascii() and json.loads(asked.out) == json.loads(line)

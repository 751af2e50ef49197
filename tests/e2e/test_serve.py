"""The recorder: what the journal has, the database has, once."""
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile

import pytest

from feeds import Journal
from lab import until


def details(line):
    return line["unmapped"]["backstop"]


@pytest.fixture
def own(lab):
    return lab.new_guard()


class Recorder:
    """A recorder of a guard's journal, and its database."""

    def __init__(self, guard, directory):
        self.guard, self.path = guard, os.path.join(directory, "record.db")
        self.argv = [guard.backstop, "serve", "--dir", f"{guard.state}/journal", "--database", self.path]

    def once(self):
        done = subprocess.run([*self.argv, "--once"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def start(self):
        return subprocess.Popen(self.argv, stdin=subprocess.DEVNULL)

    def rows(self, sql):
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def expect_whole(self):
        """Each line once, in order, with the text it points to."""
        lines = self.guard.lines()
        rows = self.rows("SELECT id, segment, offset, length FROM events ORDER BY id")
        assert [r[0] for r in rows] == list(range(1, len(lines) + 1))
        for line, (_, segment, offset, length) in zip(lines, rows):
            with open(f"{self.guard.state}/journal/journal-{segment:016}.jsonl", "rb") as f:
                f.seek(offset)
                assert f.read(length).decode() == line


@pytest.fixture
def recorder(own, tmp_path):
    return Recorder(own, tmp_path)


def test_once(lab, own, recorder):
    lab.record(own, "sh", "-c", "/bin/true; (exit 3); /bin/echo 'a \"b\" \\ ü'")
    for program in ("victim-alert", "victim-deny"):
        lab.record(own, *lab.words(program))
    recorder.once()
    recorder.expect_whole()
    assert recorder.rows("SELECT count(*) FROM sessions") == [(3,)]
    assert recorder.rows("SELECT status FROM processes WHERE command LIKE '%echo%' AND status IS NOT NULL")
    # The subshell execs nothing: whether its command is known hangs on how long it lives.
    commands = [c for (c,) in recorder.rows("SELECT command FROM processes WHERE command IS NOT NULL")]
    assert any('a "b"' in c and "ü" in c for c in commands), commands
    found = recorder.rows("SELECT n.text, count(*) FROM findings f JOIN names n ON n.id = f.verdict GROUP BY 1 ORDER BY 1")
    assert [v for v, _ in found] == ["alert", "deny"], found


def test_killed_again_and_again(lab, own, recorder):
    agent = lab.run(["sh", "-c", "for i in $(seq 1 400); do /bin/true; victim-alert go; done"], guard=own)
    for n in range(10):
        process = recorder.start()
        until(lambda: agent.process.poll() is not None or os.path.exists(recorder.path), "it began")
        try:
            process.wait(0.05 * n)
        except subprocess.TimeoutExpired:
            pass
        process.kill()
        process.wait()
    agent.finish(120)
    own.settle()
    recorder.once()
    recorder.expect_whole()


def test_follows(lab, own, recorder):
    process = recorder.start()
    try:
        until(lambda: os.path.exists(recorder.path), "it began")
        lab.record(own, "/bin/true")
        count = len(own.lines())
        until(lambda: recorder.rows("SELECT count(*) FROM events") == [(count,)], "it has all")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    recorder.expect_whole()


USER_ID = 47110


@pytest.fixture
def as_user(build):
    """Runs `serve` on a host that has the user, and says with which words it ended."""
    with tempfile.TemporaryDirectory(prefix="backstop-serve-") as top:
        os.chmod(top, 0o755)
        journal = Journal(f"{top}/journal", 10)
        journal.add(10)
        for name, line in ("passwd", f"backstop:x:{USER_ID}:{USER_ID}::/:/bin/false"), ("group", f"backstop:x:{USER_ID}:"):
            with open(f"/etc/{name}", encoding="utf-8") as old, open(f"{top}/{name}", "w", encoding="utf-8") as new:
                new.writelines([*(x for x in old if not x.startswith("backstop:")), line + "\n"])
        mounts = f"mount --bind {top}/passwd /etc/passwd && mount --bind {top}/group /etc/group"

        def run(*words):
            return subprocess.run(["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh", f"{build}/backstop", "serve",
                                   "--once", "--dir", journal.path, *words], capture_output=True, text=True, timeout=60)

        run.top = top
        yield run


def test_only_what_it_made_is_given_away(as_user):
    theirs, made = f"{as_user.top}/theirs", f"{as_user.top}/made"
    os.mkdir(theirs)
    done = as_user("--database", f"{theirs}/record.db")
    assert done.returncode == 1 and f"the user backstop cannot write in {theirs}: chown it" in done.stderr, done
    assert os.stat(theirs).st_uid == 0 and not os.listdir(theirs)
    done = as_user("--database", f"{made}/record.db")
    assert done.returncode == 0 and done.stdout.startswith("10 events"), done
    assert os.stat(made).st_uid == USER_ID and os.stat(f"{made}/record.db").st_uid == USER_ID


@pytest.mark.parametrize("option", ["--fleet", "--approvals"])
def test_what_is_no_bus(build, option, tmp_path):
    """It is told before anything begins; what may be a password is not."""
    done = subprocess.run([f"{build}/backstop", "serve", "--database", f"{tmp_path}/record.db", option,
                           "https://me:secret@there"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "secret" not in done.stderr, done
    assert f"{option}: that is no nats://HOST:PORT" in done.stderr


def test_once_where_no_bus_is(build, tmp_path):
    """What it could not ask for is no record of all."""
    done = subprocess.run([f"{build}/backstop", "serve", "--once", "--dir", f"{tmp_path}/spool", "--database",
                           f"{tmp_path}/record.db", "--fleet", "nats://127.0.0.1:9"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and not done.stdout and "fleet: nats://127.0.0.1:9 cannot be read" in done.stderr, done


def test_what_is_no_database(build, tmp_path):
    """A file of somebody else's stays what it is."""
    theirs = tmp_path / "passwd"
    theirs.write_text("root:x:0:0:root:/root:/bin/bash\n")
    done = subprocess.run([f"{build}/backstop", "serve", "--once", "--dir", str(tmp_path), "--database", str(theirs)],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and f"--database: {theirs} is there and is no database" in done.stderr, done
    assert theirs.read_text().startswith("root:") and os.listdir(tmp_path) == ["passwd"]


def test_database_of_no_use(lab, own, recorder):
    lab.record(own, "/bin/true")
    recorder.once()
    with open(recorder.path, "r+b") as f:
        f.seek(16)
        f.write(b"no database at all" * 400)
    said = recorder.once()
    assert "is damaged: it is built anew from the journal" in said, said
    assert os.path.exists(recorder.path + ".bad")
    recorder.expect_whole()
    os.unlink(recorder.path)
    recorder.once()
    recorder.expect_whole()


def test_another_journal(lab, own, recorder):
    lab.record(own, "/bin/true")
    recorder.once()
    own.stop()
    shutil.rmtree(f"{own.state}/journal")
    shutil.rmtree(f"{own.state}/keys")
    own.start()
    lab.record(own, "/bin/echo")
    assert "is of another journal" in recorder.once()
    recorder.expect_whole()

"""A real systemd-journald gets what the journal has, in a mount namespace whose /run and /var/log are the test's."""
import json
import os
import signal
import subprocess

import pytest

from feeds import HOST, event, expect_at_least_once, expect_error, stop
from lab import until

JOURNALD = "/lib/systemd/systemd-journald"
pytestmark = pytest.mark.skipif(not os.path.exists(JOURNALD) or not os.path.exists("/etc/machine-id"),
                                reason="no systemd-journald, or no /etc/machine-id")


class Journald:
    """An instance of its own; its socket is seen from here."""

    def __init__(self, path):
        self.path, self.process = path, None
        self.socket = f"{path}/run/systemd/journal.test/socket"
        for directory in ("run/systemd/journal.test", "log/journal"):
            os.makedirs(f"{path}/{directory}")

    def start(self):
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c",
             'mount --bind "$1/run" /run && mount --bind "$1/log" /var/log && exec "$2" test', "sh", self.path, JOURNALD],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: os.path.exists(self.socket), "journald listens")
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def entries(self):
        with open("/etc/machine-id", encoding="ascii") as f:
            directory = f"{self.path}/log/journal/{f.read().strip()}.test"
        done = subprocess.run(["journalctl", "--directory", directory, "--all", "-o", "json",
                               "SYSLOG_IDENTIFIER=backstop"], capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def numbers(self):
        return [json.loads(e["BACKSTOP_EVENT"])["unmapped"]["backstop"]["line"] for e in self.entries()]


@pytest.fixture(name="journald")
def fixture_journald(tmp_path):
    made = Journald(str(tmp_path))
    yield made
    made.stop(signal.SIGKILL)


def wait_for(journald, number):
    until(lambda: journald.numbers()[-1:] == [number], lambda: f"{number} came: {journald.numbers()[-1:]}", 60)


def test_entries(journal, journald, serve):
    journald.start()
    journal.add(300)
    journal.write(event(301, 400_000))  # more than a datagram has
    journal.add(1)
    process = serve(f"journald:{journald.socket}")
    wait_for(journald, 302)
    entries = journald.entries()
    with open(f"{journal.path}/journal-{1:016}.jsonl", encoding="utf-8") as f:
        assert [e["BACKSTOP_EVENT"] for e in entries] == f.read().splitlines()
    assert [e["MESSAGE"] for e in entries] == [f"event {n}" for n in range(1, 303)]
    assert {e["BACKSTOP_HOST"] for e in entries} == {HOST}
    assert {(e["BACKSTOP_CLASS"], e["PRIORITY"]) for e in entries} == {
        (c, "6") for c in ("process", "network", "file", "finding", "application")}
    assert entries[0]["_TRANSPORT"] == "journal"
    assert "takes nothing" not in stop(process)


def test_it_is_away_at_first(journal, journald, serve):
    journal.add(50)
    process = serve(f"journald:{journald.socket}")
    expect_error(process, "does systemd-journald run?")
    journald.start()
    wait_for(journald, 50)
    assert "takes events again" in stop(process)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_restarted_while_it_gets_events(journal, journald, serve, how):
    journald.start()
    process = serve(f"journald:{journald.socket}")
    for _ in range(3):
        journal.add(3000)
        until(journald.entries, "the first came")
        journald.stop(how)
        journal.add(300)
        journald.start()
        wait_for(journald, journal.count)
    stop(process)
    expect_at_least_once(journald.numbers(), range(1, journal.count + 1))

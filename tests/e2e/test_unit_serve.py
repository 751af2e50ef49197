"""The recorder as packaging/backstop-serve.service runs it: as a user of its own, who has the group of the journal and no
rights, it keeps the database, exports, and is told the guard's figures; of the guard's files it reads the journal alone."""
import os
import subprocess
import sys
import urllib.request

import pytest

from feeds import free_ports
from lab import TOP, until

# It need not be known by a name; the group is one that each machine has, as the settings name it.
USER, GROUP_NAME = 61234, "nogroup"
UNIT = f"{TOP}/packaging/backstop-serve.service"


@pytest.fixture(name="group")
def fixture_group():
    import grp
    return grp.getgrnam(GROUP_NAME).gr_gid


@pytest.fixture
def own(lab, group):
    """A guard as its unit runs it: root, in the group, with its umask."""
    guard = lab.make_guard(settings={"approvers": GROUP_NAME})
    real = guard.backstop
    guard.backstop = lab.script("grouped", f'#!/bin/sh\numask 027\nexec setpriv --regid {group} --clear-groups {real} "$@"\n')
    guard.start()
    guard.backstop = real
    return guard


class Serve:
    def __init__(self, own, group, directory):
        self.dir = os.path.join(directory, "record")
        os.mkdir(self.dir, 0o750)
        os.chown(self.dir, USER, group)
        (self.port,), self.out, self.database = free_ports(1), f"{self.dir}/out.jsonl", f"{self.dir}/record.db"
        self.confined = [sys.executable, f"{TOP}/tests/e2e/confined.py", UNIT, "--as", f"{USER}:{group}", self.dir, "--"]
        self.process = subprocess.Popen(
            [*self.confined, own.backstop, "serve", "--dir", f"{own.state}/journal", "--database", self.database, "--socket",
             own.socket, "--listen", str(self.port), "--export", f"file:{self.out}"], stdin=subprocess.DEVNULL)

    def page(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def lines(self):
        try:
            with open(self.out, encoding="utf-8") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []


@pytest.fixture
def serve(own, group, tmp_path):
    for directory in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(directory, 0o755)
    started = Serve(own, group, str(tmp_path))
    yield started
    started.process.terminate()
    assert started.process.wait(20) == 0


def test_records_exports_and_answers(lab, own, serve):
    lab.run(["victim-alert", "go"], guard=own).finish()
    own.settle()
    until(lambda: serve.lines() == own.lines(), "the sink has all")
    until(lambda: "backstop_up 1" in serve.page(), "it is told the guard's figures")
    assert "backstop_recorder_lag_bytes 0" in serve.page()
    done = subprocess.run([own.backstop, "stats", "--dir", f"{own.state}/journal", "--database", serve.database],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "victim-alert" in subprocess.run(
        [own.backstop, "tree", "--dir", f"{own.state}/journal", "--database", serve.database], capture_output=True,
        text=True).stdout, done


def test_it_has_no_rights(own, serve):
    until(lambda: serve.lines(), "it runs")
    with open(f"/proc/{serve.process.pid}/status", encoding="utf-8") as f:
        status = dict(line.split(":\t", 1) for line in f.read().splitlines())
    assert status["NoNewPrivs"] == "1" and status["Uid"].split() == [str(USER)] * 4 and status["Groups"].strip() == ""
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}


def test_of_the_guards_files_it_reads_the_journal(own, serve, group):
    """What signs the journal, and what keeps other guards from it, is the guard's alone; nothing can be written."""
    until(lambda: serve.lines(), "it runs")
    script = """
import os, sys
for top, _, names in os.walk(sys.argv[1]):
    for path in [top, *(os.path.join(top, name) for name in names)]:
        print("rw"[os.access(path, os.W_OK)] if os.access(path, os.R_OK) else "-", os.path.relpath(path, sys.argv[1]))
"""
    words = ["setpriv", "--reuid", str(USER), "--regid", str(group), "--clear-groups", sys.executable, "-c", script, own.state]
    seen = dict(reversed(line.split(" ", 1)) for line in subprocess.run(
        words, capture_output=True, text=True, check=True).stdout.splitlines())
    read = {path for path, access in seen.items() if access == "r"}
    assert "w" not in seen.values(), seen
    assert {"journal", "keys/chain.key", "keys/sign.pub"} <= read, seen
    assert seen["keys/sign.key"] == seen["journal/lock"] == "-", seen
    assert {path.split("/")[0] for path in read} <= {".", "journal", "keys", "policy.image"}, seen

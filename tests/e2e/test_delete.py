"""Deletions: whatever program does it, and by whatever system call. Where the kernel can refuse one, it waits before
it happens; on the trace tier it has happened, and what can be stopped is its process."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from lab import KEEP, TOP, Guard, copy_readable, end_process, is_gone, until

LIMIT = 20  # of the burst in packs/del.yaml
CALLS = ["unlink", "unlinkat", "chdir", "rmdir", "removedir", "rename", "exchange", "truncate", "ftruncate", "open", "creat",
         "openat2", "punch", "zero", "collapse", "thread", "fork"]
OPS = {"unlink": "unlink", "unlinkat": "unlink", "chdir": "unlink", "thread": "unlink", "fork": "unlink", "rmdir": "rmdir",
       "removedir": "rmdir", "rename": "rename-over", "exchange": "exchange", "punch": "punch",
       "zero": "punch", "collapse": "punch"}


class Area:
    """A directory that is no scratch, with files to lose."""

    def __init__(self, directory):
        self.dir = directory

    def path(self, name):
        return os.path.join(self.dir, name)

    def file(self, name, text="content\n"):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def files(self, count, directory="tree"):
        return [self.file(f"{directory}/f{i:05}") for i in range(count)]

    def left(self, directory="tree"):
        return sum(len(names) for _, _, names in os.walk(self.path(directory)))


@pytest.fixture
def area():
    directory = tempfile.mkdtemp(prefix="backstop-e2e-", dir="/opt")
    os.chmod(directory, 0o755)
    yield Area(directory)
    shutil.rmtree(directory)


def can_refuse(guard):
    """Are deletions refused here, or only seen?"""
    tier = next(t["tier"] for t in guard.status()["tiers"] if t["use"] == "delete")
    return tier in ("lsm", "fmod_ret")


class Loss:
    """One try to lose a file, as a session."""

    def __init__(self, lab, area, argv, path, guard=None, **how):
        self.lab, self.area, self.path, self.guard = lab, area, path, guard or lab.guard
        self.refuses = can_refuse(self.guard)
        self.before = self.look()
        self.agent = lab.run([str(word) for word in argv], guard=self.guard, cwd=area.dir, **how)

    def look(self):
        """What tells whether the file is as it was."""
        try:
            st = os.stat(self.path)
            with open(self.path, "rb") if os.path.isfile(self.path) else open(os.devnull, "rb") as f:
                return st.st_ino, f.read()
        except FileNotFoundError:
            return None

    def hold(self, op="unlink", signature="del.hold"):
        hold = self.guard.wait_for_holds()[0]
        assert hold["action"] == "delete" and hold["signature"] == signature, hold
        assert hold["path"] == self.path and hold["deletion"] == op, hold
        assert hold["done"] == (not self.refuses), hold
        word = "held" if self.refuses else "stopped"
        self.agent.wait_for(f"backstop: {word}: ")
        self.agent.wait_for(f"backstop approve {hold['id']}")
        self.expect_kept()
        return hold

    def expect_kept(self):
        if self.refuses:
            assert self.look() == self.before, "it is not as it was"

    def expect_lost(self):
        assert self.look() != self.before, "it is still there"

    def finish(self, status):
        """A status of None where the trace tier ends its process."""
        found = self.agent.finish()
        assert found == (status if self.refuses or status == 0 else 137), (found, self.agent.all)


def victim(lab, area, call, name="a.precious"):
    """A call, and the path that it loses."""
    path = area.path(name)
    if call in ("rmdir", "removedir"):
        os.mkdir(path)
    else:
        area.file(name, "content\n" * 2000)
    other = area.file("other", "other\n")
    return [os.path.join(lab.build, "victims", "delete"), call, path, other], path


def seen_op(call, refuses):
    return OPS.get(call, "truncate") if refuses or call != "fork" else "unlink"


@pytest.mark.parametrize("call", CALLS)
def test_unguarded(bench, area, call):
    argv, path = victim(bench, area, call)
    before = os.stat(path)
    agent = bench.plain(argv)
    assert agent.finish() == 0 and agent.out == "OK\n", agent.all
    assert not os.path.exists(path) or call in ("exchange", "rename", "punch", "zero") or os.stat(path).st_size < before.st_size


@pytest.mark.parametrize("call", CALLS)
def test_hold_approve(lab, area, call):
    argv, path = victim(lab, area, call)
    loss = Loss(lab, area, argv, path)
    lab.guard.approve(loss.hold(seen_op(call, loss.refuses)))
    loss.finish(0)
    loss.expect_lost()
    assert loss.agent.out == "OK\n" and not lab.guard.holds()


@pytest.mark.parametrize("call", CALLS)
def test_hold_deny(lab, area, call):
    argv, path = victim(lab, area, call)
    loss = Loss(lab, area, argv, path)
    hold = loss.hold(seen_op(call, loss.refuses))
    lab.guard.deny(hold)
    if call == "fork" and not loss.refuses:  # its child alone has done it
        assert loss.agent.finish() == 1
    else:
        loss.finish(1)
    loss.expect_kept()
    if loss.refuses:
        assert loss.agent.out == "EPERM\n", loss.agent.all
    assert f"backstop: denied: hold {hold['id']}: by uid 0 (root)" in loss.agent.err


def test_deny(lab, area):
    argv, path = victim(lab, area, "unlink", "a.never")
    loss = Loss(lab, area, argv, path)
    loss.finish(1)
    loss.expect_kept()
    assert "denied" in loss.agent.err and "must stay (del.deny, high)" in loss.agent.err
    assert not lab.guard.holds()


def test_kill(lab, area):
    argv, path = victim(lab, area, "unlink", "a.fatal")
    loss = Loss(lab, area, argv, path)
    loss.finish(137)
    loss.expect_kept()
    assert "backstop: killed: " in loss.agent.err


def deletions(guard, path=None):
    return [e for e in guard.journal() if e["class_uid"] == 1001 and path in (None, e["file"]["path"])]


def findings(guard, signature):
    return [e for e in guard.journal() if e["class_uid"] == 2004 and
            e["unmapped"]["backstop"].get("signature") == signature]


def test_alert(lab, area):
    argv, path = victim(lab, area, "unlink", "a.watched")
    before = len(findings(lab.guard, "del.alert"))
    loss = Loss(lab, area, argv, path)
    loss.finish(0)
    loss.expect_lost()
    assert loss.agent.err == ""
    until(lambda: len(findings(lab.guard, "del.alert")) == before + 1, "the finding")


PROGRAMS = {
    "rm": ["rm", "{file}"],
    "rm -r": ["rm", "-rf", "{dir}"],
    "python rmtree": ["python3", "-c", "import shutil; shutil.rmtree('{dir}')"],
    "python open": ["python3", "-c", "open('{file}', 'w')"],
    "node rm": ["node", "-e", "require('fs').rmSync('{dir}', {{recursive: true}})"],
    "node promises": ["node", "-e", "require('fs').promises.rm('{dir}', {{recursive: true}})"],
    "node write": ["node", "-e", "require('fs').writeFileSync('{file}', '')"],
    "find": ["find", "{dir}", "-delete"],
    "perl": ["perl", "-e", "exit !unlink '{file}'"],
    "perl open": ["perl", "-e", "open(my $f, '>', '{file}') or exit 1"],
    "bash": ["bash", "-c", "> '{file}'"],
    "bash subshell": ["bash", "-c", "(echo x > '{file}') || exit 1; exit 0"],
    "truncate": ["truncate", "-s", "0", "{file}"],
    "mv over": ["mv", "-f", "{other}", "{file}"],
    "cp over": ["cp", "{other}", "{file}"],
    "dd": ["dd", "if=/dev/null", "of={file}"],
    "tee": ["tee", "{file}"],
    "fallocate": ["fallocate", "-p", "-o", "0", "-l", "4096", "{file}"],
    "git clean": ["git", "-C", "{work}", "clean", "-fdq", "sub"],
}
PROGRAM_OPS = {"mv over": "rename-over", "fallocate": "punch"}
EMPTIES = ["python open", "node write", "perl open", "bash", "bash subshell", "truncate", "cp over", "dd", "tee"]


def program_loss(lab, area, name):
    path = area.file("sub/a.precious", "content\n" * 2000)
    other = area.file("other", "")
    if name == "git clean":
        subprocess.run(["git", "init", "-q", area.dir], check=True, env=lab.env)
    argv = [word.format(file=path, dir=os.path.dirname(path), other=other, work=area.dir) for word in PROGRAMS[name]]
    return Loss(lab, area, argv, path), PROGRAM_OPS.get(name, "truncate" if name in EMPTIES else "unlink")


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_approved(lab, area, name):
    if not shutil.which(PROGRAMS[name][0]):
        pytest.skip(f"{PROGRAMS[name][0]} is not installed")
    loss, op = program_loss(lab, area, name)
    lab.guard.approve(loss.hold(op))
    assert loss.agent.finish() == 0, loss.agent.all
    loss.expect_lost()


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_denied(lab, area, name):
    if not shutil.which(PROGRAMS[name][0]):
        pytest.skip(f"{PROGRAMS[name][0]} is not installed")
    loss, op = program_loss(lab, area, name)
    lab.guard.deny(loss.hold(op))
    assert loss.agent.finish() != 0, loss.agent.all
    loss.expect_kept()


def test_said_at_once(lab, area):
    """What the agent reads."""
    argv, path = victim(lab, area, "unlink")
    loss = Loss(lab, area, argv, path)
    hold = loss.hold()
    first = (f"backstop: held: unlink {path} (by delete)\n" if loss.refuses else
             f"backstop: stopped: {path} is gone: this kernel cannot refuse a deletion ('backstop doctor' says what it "
             "needs)\n")
    assert loss.agent.err == (f"{first}backstop: why: is the only copy (del.hold, critical)\n"
                              "backstop: instead: cp a.precious copy\n"
                              f"backstop: a human can {'allow it once' if loss.refuses else 'let it go on'}: backstop "
                              f"approve {hold['id']}\n")
    assert f"unlink {path} by {argv[0]}" in lab.guard.cli("pending").stdout
    lab.guard.deny(hold)
    loss.agent.finish()


# --- bursts

def deleter(paths, wait=0.0):
    """A python program that unlinks them one by one, and says how far it came."""
    return ["python3", "-c", "import os, sys, time\nfor i, p in enumerate(sys.argv[2:]):\n    try:\n        os.unlink(p)\n"
            "    except PermissionError:\n        print('refused', i, flush=True)\n    time.sleep(float(sys.argv[1]))\n"
            "print('end', flush=True)", str(wait), *paths]


def burst_hold(loss, area, count):
    """The hold at the limit; how many files are left."""
    hold = loss.guard.wait_for_holds()[0]
    gone = LIMIT - 1 if loss.refuses else LIMIT
    assert hold["signature"] == "del.burst" and hold["burst"] == LIMIT, hold
    assert area.left() == count - gone, area.left()
    loss.agent.wait_for(f"backstop approve {hold['id']}")
    return hold


def test_burst_approved(lab, area):
    """The process goes on, and nobody is asked again."""
    paths = area.files(100)
    loss = Loss(lab, area, deleter(paths), paths[0])
    hold = burst_hold(loss, area, 100)
    gone = LIMIT - 1 if loss.refuses else LIMIT
    word = "held" if loss.refuses else "stopped"
    assert f"backstop: {word}: the {LIMIT}th deletion within 10 s: {paths[LIMIT - 1]}" in loss.agent.err
    session = lab.guard.status()["sessions"][0]["id"]
    assert (f"backstop: {gone} files are gone: {paths[0]}, f00001, f00002, f00003, f00004, … (backstop log --kind delete "
            f"--session {session})\n") in loss.agent.err, loss.agent.err
    lab.guard.approve(hold)
    loss.finish(0)
    assert loss.agent.out == "end\n" and area.left() == 0


def test_burst_denied(lab, area):
    """Nothing more of it goes, however long the human took."""
    paths = area.files(100)
    loss = Loss(lab, area, deleter(paths), paths[0])
    hold = burst_hold(loss, area, 100)
    time.sleep(0.5)
    lab.guard.deny(hold)
    if loss.refuses:
        loss.finish(0)
        assert loss.agent.out.count("refused") == 100 - LIMIT + 1
    else:
        loss.finish(0) if loss.refuses else None
        assert loss.agent.finish() == 137
    assert area.left() == 100 - (LIMIT - 1 if loss.refuses else LIMIT)


def test_one_less_than_a_burst(lab, area):
    paths = area.files(100)
    loss = Loss(lab, area, deleter(paths[:LIMIT - 1]), paths[0])
    loss.finish(0)
    assert loss.agent.err == "" and area.left() == 100 - LIMIT + 1


def test_burst_of_many_processes(lab, area):
    """The session counts, whoever does it."""
    paths = area.files(40)
    loss = Loss(lab, area, ["bash", "-c", "for f in tree/*; do rm $f || exit 1; done"], paths[0])
    hold = burst_hold(loss, area, 40)
    lab.guard.approve(hold)
    hold = lab.guard.wait_for_holds()[0]  # of another rm, at the limit again
    assert area.left() == 40 - 2 * (LIMIT - (1 if loss.refuses else 0)), area.left()
    lab.guard.deny(hold)
    assert loss.agent.finish() == 1


BURSTS = {
    "python rmtree": ["python3", "-c", "import shutil; shutil.rmtree('tree')"],
    "find": ["find", "tree", "-type", "f", "-delete"],
    "rm": ["rm", "-r", "tree"],
    "perl": ["perl", "-e", "unlink glob 'tree/*'"],
    "node": ["node", "-e", "require('fs').rmSync('tree', {recursive: true})"],
    "git clean": ["git", "clean", "-fdq"],
    "bash": ["bash", "-c", "for f in tree/*; do > $f; done"],
    "truncate": ["bash", "-c", "truncate -s 0 tree/*"],
    "compiled": ["{build}/victims/delete", "each", "tree"],
}


@pytest.mark.parametrize("name", BURSTS)
def test_bursts(lab, area, name):
    paths = area.files(100)
    if name == "git clean":
        subprocess.run(["git", "init", "-q", area.dir], check=True, env=lab.env)
    loss = Loss(lab, area, [word.replace("{build}", lab.build) for word in BURSTS[name]], paths[0])
    hold = lab.guard.wait_for_holds()[0]
    assert hold["signature"] == "del.burst" and hold["burst"] == LIMIT, hold
    kept = sum(os.path.exists(p) and os.path.getsize(p) > 0 for p in paths)
    assert kept == 100 - (LIMIT - 1 if loss.refuses else LIMIT)
    lab.guard.deny(hold)
    loss.agent.finish()
    assert kept == sum(os.path.exists(p) and os.path.getsize(p) > 0 for p in paths)


@pytest.mark.parametrize("where", ["node_modules/x", "target/debug", "app/__pycache__", ".venv/lib"])
def test_build_output_does_not_count(lab, area, where):
    area.files(100, where)
    loss = Loss(lab, area, ["rm", "-r", where.split("/")[0]], area.path("x"))
    loss.finish(0)
    assert loss.agent.err == ""


def test_one_file_again_and_again_is_one(lab, area):
    """A journal, a lock, a log."""
    loss = Loss(lab, area, ["bash", "-c", "for i in $(seq 60); do echo $i > log; done; for i in $(seq 60); do > lock; "
                            "rm lock; done"], area.path("x"))
    loss.finish(0)
    assert loss.agent.err == ""


def test_scratch_does_not_count(lab):
    scratch = tempfile.mkdtemp(prefix="backstop-e2e-", dir="/tmp")
    try:
        place = Area(scratch)
        place.files(100)
        loss = Loss(lab, place, ["rm", "-r", "tree"], place.path("x"))
        loss.finish(0)
        assert loss.agent.err == ""
    finally:
        shutil.rmtree(scratch)


# --- who decides, and when

def test_timeout(lab, short, area):
    argv, path = victim(lab, area, "unlink")
    loss = Loss(lab, area, argv, path, guard=short)
    loss.finish(1)
    loss.expect_kept()
    assert "nobody answered within 1 s" in loss.agent.err


def test_unattended(lab, area):
    argv, path = victim(lab, area, "unlink")
    before = lab.guard.status()["counters"]
    agent = lab.run(argv, "--unattended", cwd=area.dir)
    refuses = can_refuse(lab.guard)
    assert agent.finish() == (1 if refuses else 137), agent.all
    assert os.path.exists(path) == refuses
    assert "the session is unattended: nobody would answer" in agent.err and before


def test_grant_after_the_end(lab, area):
    """Approved too late, the same deletion of the session passes once; another one does not."""
    argv, path = victim(lab, area, "unlink")
    other = area.file("b.precious")
    script = f"""import os, time
for p in ['{path}', '{path}', '{other}']:
    try:
        os.unlink(p)
        print('gone', flush=True)
    except PermissionError:
        print('refused', flush=True)
    while not os.path.exists('{area.dir}/go'): time.sleep(0.01)"""
    loss = Loss(lab, area, ["python3", "-c", script], path)
    hold = loss.hold()
    lab.guard.deny(hold)
    if not loss.refuses:
        loss.finish(1)
        assert argv
        return
    loss.agent.wait_for("refused")
    lab.guard.approve(hold)
    area.file("go")
    lab.guard.deny(lab.guard.wait_for_holds()[0])
    loss.finish(0)
    assert loss.agent.out == "refused\ngone\nrefused\n", loss.agent.all
    assert not os.path.exists(path) and os.path.exists(other)


def test_an_approved_program_deletes_what_it_was_started_for(lab, area):
    """Nobody is asked twice: first for the exec, then for each file."""
    os.makedirs(area.path("bin"))
    program = area.path("bin/terraform")
    shutil.copy(os.path.join(lab.build, "victims", "delete"), program)
    path = area.file("destroy")  # the word that is held is the way too: it is none
    target = area.file("a.precious")
    script = area.file("bin/run", f"#!{program}\n")
    assert path and script
    agent = lab.run(["bash", "-c", f"exec -a terraform {program} destroy {target}"], cwd=area.dir)
    hold = lab.guard.wait_for_holds()[0]
    assert hold["signature"] == "test.destroy", hold
    lab.guard.approve(hold)
    assert agent.finish() == 2  # no such way: what counts is that it ran
    assert not lab.guard.holds()


def test_refused_again_without_a_question(lab, area):
    """Whoever removes a tree comes with its next file at once."""
    for i in range(5):
        area.file(f"d/{i}.precious")
    loss = Loss(lab, area, ["rm", "-r", "d"], area.path("d/0.precious"))
    hold = lab.guard.wait_for_holds()[0]
    before = len(findings(lab.guard, "del.hold"))
    lab.guard.deny(hold)
    assert loss.agent.finish() == (1 if loss.refuses else 137)
    assert area.left("d") == (5 if loss.refuses else 4)
    assert loss.agent.err.count("backstop: held: ") + loss.agent.err.count("backstop: stopped: ") == 1
    assert not lab.guard.holds() and len(findings(lab.guard, "del.hold")) == before + 1


def test_another_signature_is_asked_about(lab, area):
    area.file("a.precious"), area.file("b.dear")
    loss = Loss(lab, area, ["bash", "-c", "rm a.precious; rm b.dear"], area.path("a.precious"))
    lab.guard.deny(loss.hold())
    hold = lab.guard.wait_for_holds()[0]
    assert hold["signature"] == "del.other"
    lab.guard.deny(hold)
    loss.agent.finish()


@pytest.mark.parametrize("mode", ["shadow", "record"])
def test_modes_prevent_nothing(lab, area, mode):
    guard = lab.new_guard("--mode", mode)
    path = area.file("a.precious")
    script = f"import os, time; os.unlink('{path}'); time.sleep(0.5)"  # long enough to be told
    agent = lab.run(["python3", "-c", script], guard=guard, cwd=area.dir)
    assert agent.finish() == 0 and not os.path.exists(path)
    if mode == "shadow":
        until(lambda: "backstop: would be held: " in agent.err, lambda: agent.err)
    else:
        assert agent.err == ""
    until(lambda: findings(guard, "del.hold"), "a finding")
    found = findings(guard, "del.hold")[0]
    assert found["disposition_id"] == 19 and "nothing is prevented" in found["unmapped"]["backstop"]["reason"]
    paths = area.files(100)
    agent = lab.run(["rm", "-r", "tree"], guard=guard, cwd=area.dir)
    assert agent.finish() == 0 and not os.path.exists(paths[0])
    until(lambda: findings(guard, "del.burst"), "the burst")
    assert len(findings(guard, "del.burst")) == 1


def in_project(lab, area, argv, path, text, guard=None):
    """A loss in a workspace that has this file of its own, once that is in effect. Further lines start the next."""
    guard = guard or lab.guard
    area.file(".backstop.yaml", text)
    loss = Loss(lab, area, ["bash", "-c", 'read -r; "$@"', "-", *argv], path, guard=guard, stdin=subprocess.PIPE)
    return go_on(loss)


def go_on(loss):
    until(loss.guard.answers, loss.guard.log)
    until(lambda: [s["project"] for s in loss.guard.status()["sessions"] if s["workspace"] == loss.area.dir] == [True],
          "the project")
    loss.agent.process.stdin.write(b"\n")
    loss.agent.process.stdin.flush()
    return loss


def test_project_tightens(lab, area):
    """A workspace's own file may make a hold a refusal."""
    argv, path = victim(lab, area, "unlink")
    loss = Loss(lab, area, argv, path)
    lab.guard.deny(loss.hold())
    loss.finish(1)
    area.file("a.precious")
    loss = in_project(lab, area, argv, path, "verdicts: {del.hold: deny}\n")
    loss.agent.finish()
    loss.expect_kept()
    assert "backstop: denied: " in loss.agent.err and "(del.hold, critical)" in loss.agent.err
    assert not lab.guard.holds()


PRECIOUS = {"models/": "models/deep/a.bin", "*.parquet": "b/c.parquet", "release-*": "release-2", "data/*/x?": "data/a/x1",
            "*secret*": "a-secret-b", "/opt/**/only": "x/y/only"}


@pytest.mark.parametrize("glob", PRECIOUS)
def test_project_precious(lab, area, glob):
    """What it calls precious is asked about, and nothing else is held."""
    other, path = area.file("other/model"), area.file(PRECIOUS[glob])
    script = f"import os; os.unlink('{other}'); os.chdir(os.path.dirname('{path}')); os.unlink(os.path.basename('{path}'))"
    loss = in_project(lab, area, ["python3", "-c", script], path, f"precious: ['{glob}']\n")
    lab.guard.deny(loss.hold(signature="del.project"))
    loss.agent.finish()
    loss.expect_kept()
    assert not os.path.exists(other) and loss.agent.all.count("backstop: why:") == 1


def test_project_precious_is_kept_in_mind(lab, area):
    """By another policy, and by another guard."""
    guard = lab.new_guard()
    paths = [area.file(name + ".pq") for name in "abc"]
    loss = in_project(lab, area, ["bash", "-c", 'for f; do rm "$f"; read -r; done', "-", *paths], paths[0],
                      "precious: ['*.pq']\n", guard)
    for path, change in zip(paths, ("policy", "guard", "nothing")):
        hold = guard.wait_for_holds()[0]
        assert hold["signature"] == "del.project" and hold["path"] == path, hold
        guard.approve(hold)
        until(lambda gone=path: not os.path.exists(gone), "the deletion")
        if change == "policy":
            done = guard.cli("policy", "reload")
            assert done.returncode == 0 or "not answered within" in done.stderr, done
        elif change == "guard":
            guard.kill_child()
        go_on(loss)
    assert loss.agent.finish() == 0


# --- the guard comes and goes

def test_restart_with_a_deletion_held(lab, area):
    guard = lab.new_guard()
    argv, path = victim(lab, area, "unlink")
    loss = Loss(lab, area, argv, path, guard=guard)
    hold = loss.hold()
    guard.kill_child()
    again = guard.wait_for_holds()[0]
    for key in ("id", "path", "deletion", "pid", "since_ms", "signature", "argv", "done"):
        assert again[key] == hold[key], (key, again, hold)
    loss.expect_kept()
    guard.approve(again)
    loss.finish(0)
    loss.expect_lost()
    numbers = [e["unmapped"]["backstop"]["event"] for e in guard.journal(torn=1) if e["class_uid"] == 1001]
    assert len(numbers) == len(set(numbers)) == 1, numbers


def test_restart_with_another_name_held(lab, area):
    """The guard after this one knows it for a protected file too."""
    guard = lab.new_guard()
    if not can_refuse(guard):
        pytest.skip("no security hooks here: no link is seen")
    path = area.file("a.precious")
    script = f"import os; os.link('{path}', 'free'); os.truncate('free', 0)"
    loss = Loss(lab, area, ["python3", "-c", script], path, guard=guard)
    held = guard.wait_for_holds()[0]
    assert held["signature"] == "del.other-name" and held["path"] == area.path("free"), held
    guard.kill_child()
    again = guard.wait_for_holds()[0]
    assert (again["id"], again["signature"], again["path"]) == (held["id"], held["signature"], held["path"]), again
    guard.deny(again)
    loss.finish(1)
    loss.expect_kept()


def test_restart_and_deny(lab, area):
    guard = lab.new_guard()
    argv, path = victim(lab, area, "truncate")
    loss = Loss(lab, area, argv, path, guard=guard)
    hold = loss.hold("truncate")
    guard.kill_child()
    again = guard.wait_for_holds()[0]
    assert again["id"] == hold["id"]
    guard.deny(again)
    loss.finish(1)
    loss.expect_kept()


def test_restart_with_a_burst_held(lab, area):
    guard = lab.new_guard()
    paths = area.files(100)
    loss = Loss(lab, area, deleter(paths), paths[0], guard=guard)
    hold = burst_hold(loss, area, 100)
    guard.kill_child()
    again = guard.wait_for_holds()[0]
    assert again["id"] == hold["id"] and again["burst"] == LIMIT and again["signature"] == "del.burst", again
    guard.approve(again)
    loss.finish(0)
    assert area.left() == 0, (loss.agent.all, guard.log())


def waiting_loss(lab, area, guard, argv, path):
    """One that begins when the file `go` is there. Its own exec has been judged."""
    script = f": >>here; until [ -e go ]; do read -t 0.02 < <(:); done; {' '.join(argv)}"
    loss = Loss(lab, area, ["bash", "-c", script], path, guard=guard)
    until(lambda: os.path.exists(area.path("here")), "it runs")
    return loss


def test_waits_while_no_guard_runs(lab, area):
    guard = lab.new_guard()
    argv, path = victim(lab, area, "unlink")
    loss = waiting_loss(lab, area, guard, argv, path)
    child = guard.child
    os.kill(guard.pid, signal.SIGSTOP)  # the keeper: no next guard comes
    end_process(child)
    until(lambda: is_gone(child), "the guard is dead")
    area.file("go")
    time.sleep(0.5)
    assert loss.agent.process.poll() is None
    loss.expect_kept()
    os.kill(guard.pid, signal.SIGCONT)
    guard.approve(loss.hold())
    loss.finish(0)
    loss.expect_lost()


@pytest.mark.parametrize("policy", ["allow", "kill"])
def test_when_down(lab, area, policy):
    """What the owner wants instead. The next guard cannot start: its state is in no directory."""
    guard = lab.new_guard(settings={"when_down": policy})
    argv, path = victim(lab, area, "unlink")
    loss = waiting_loss(lab, area, guard, argv, path)
    os.rename(guard.state, guard.state + ".away")
    open(guard.state, "w", encoding="utf-8").close()
    guard.kill_child()
    time.sleep(0.2)
    area.file("go")
    status = loss.agent.finish()
    os.unlink(guard.state)
    os.rename(guard.state + ".away", guard.state)
    until(guard.answers, guard.log)
    if policy == "allow":
        assert status == 0 and not os.path.exists(path)
    else:
        assert status == (1 if loss.refuses else 137), loss.agent.all
        loss.expect_kept()
    until(lambda: deletions(guard, path), "its event")
    found = deletions(guard, path)[0]
    assert found["disposition_id"] == (19 if policy == "allow" else 2), found


def test_stop_refuses_what_is_held(lab, area):
    guard = lab.new_guard()
    argv, path = victim(lab, area, "unlink")
    loss = Loss(lab, area, argv, path, guard=guard)
    loss.hold()
    assert guard.stop() == 0
    loss.finish(1)
    loss.expect_kept()


# --- threads

def threads(lab, area, name, count):
    paths = [area.file(f"t{i}.{name}") for i in range(8)]
    return [os.path.join(lab.build, "victims", "delete"), "threads", count, *paths], paths


def test_threads_each_with_a_hold(lab, area):
    argv, paths = threads(lab, area, "precious", 1)
    loss = Loss(lab, area, argv, paths[0])
    holds = lab.guard.wait_for_holds(8)
    assert sorted(h["path"] for h in holds) == paths
    for hold in holds[:4]:
        lab.guard.approve(hold)
    if not loss.refuses:
        lab.guard.deny(holds[4])
        loss.finish(1)
        return
    for hold in holds[4:]:
        lab.guard.deny(hold)
    loss.finish(0)
    assert loss.agent.out == "ok 4 refused 4 odd 0\n", loss.agent.out
    assert sorted(h["path"] for h in holds[4:]) == [p for p in paths if os.path.exists(p)]


def test_threads_that_are_refused(lab, area):
    """However often, and all at once: no odd error, nothing lost."""
    argv, paths = threads(lab, area, "never", 200)
    loss = Loss(lab, area, argv, paths[0])
    if not loss.refuses:
        loss.finish(1)
        return
    loss.agent.finish(120)
    assert loss.agent.out == "ok 0 refused 1600 odd 0\n", loss.agent.out
    assert all(os.path.exists(p) for p in paths) and loss.agent.err.count("backstop: denied: ") == 1
    until(lambda: len([e for e in deletions(lab.guard) if e["file"]["path"] in paths]) == 1600, "all are recorded")


# --- the record

VALIDATOR = os.path.join(os.path.dirname(TOP), "shared/ocsf/validate.py")


def who(guard, *words, **options):
    return guard.cli_alone("who", "--dir", os.path.join(guard.state, "journal"), *words, **options)


def told(guard, *words, **options):
    """What `who --json` says."""
    done = who(guard, "--json", *words, **options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def recorded(guard, path):
    until(lambda: deletions(guard, path), lambda: f"a record of {path}")


def test_who_a_file(lab, area):
    """Which session, agent, script and command, through which programs."""
    path = area.file("src/main.c")
    script = lab.script("tidy.py", f"#!/usr/bin/python3\nimport os\nos.unlink('{path}')\n", area.dir)
    agent = lab.run(["bash", "-c", f"{script} now; exit 0"], agent="claude", cwd=area.dir)
    assert agent.finish() == 0
    recorded(lab.guard, path)
    found = told(lab.guard, path)
    assert len(found) == 1, found
    entry = found[0]
    assert entry["what"] == "unlink" and entry["outcome"] == "allowed" and entry["agent"] == "claude"
    assert entry["argv"] == ["/usr/bin/python3", script, "now"], entry
    assert entry["ancestors"][0]["cmd_line"].startswith("bash -c "), entry
    done = who(lab.guard, "src/main.c", cwd=area.dir)
    assert done.returncode == 0 and f"unlink {path}\n" in done.stdout and "of claude, user root" in done.stdout
    assert f"/usr/bin/python3 {script} now, in {area.dir}\n" in done.stdout and "child of [" in done.stdout, done.stdout
    done = who(lab.guard, path + ".other")
    assert done.returncode == 1 and "knows of nothing" in done.stderr and not done.stdout
    assert who(lab.guard).returncode == 2


def test_who_a_directory(lab, area):
    paths = area.files(15)
    agent = lab.run(["rm", "-r", area.path("tree")], cwd=area.dir)
    assert agent.finish() == 0
    recorded(lab.guard, area.path("tree"))
    below = [e for e in told(lab.guard, area.dir) if e["what"] != "command"]
    assert len(below) == 1 and below[0]["count"] == 16, below
    assert below[0]["argv"] == ["rm", "-r", area.path("tree")]
    inside = told(lab.guard, paths[3])
    assert [e["what"] for e in inside] == ["rmdir", "unlink"], inside
    assert told(lab.guard, "--limit", 1, paths[3])[0]["what"] == "rmdir"
    assert "and 15 more below it since" in who(lab.guard, area.dir).stdout


def test_who_decided(lab, area):
    argv, path = victim(lab, area, "truncate")
    loss = Loss(lab, area, argv, path)
    hold = loss.hold("truncate")
    recorded(lab.guard, path)
    assert told(lab.guard, path)[0]["outcome"] == "held"
    lab.guard.deny(hold, "--reason", "not that one")
    loss.agent.finish()
    entry = told(lab.guard, path)[0]
    assert entry["outcome"] == "rejected" and entry["by"] == "uid 0 (root)" and entry["hold"] == hold["id"], entry
    assert entry["reason"] == "not that one" and entry["signature"] == "del.hold"
    text = who(lab.guard, path).stdout
    assert f"rejected (del.hold, critical, hold {hold['id']}, by uid 0 (root): not that one)" in text, text


def test_who_of_a_fork(lab, area):
    """A subshell that has exec'ed nothing runs its parent's program."""
    path = area.file("a.txt")
    agent = lab.run(["bash", "-c", f"(cd /; > '{path}'; exit 0); exit 0"], cwd=area.dir)
    assert agent.finish() == 0
    recorded(lab.guard, path)
    entry = told(lab.guard, path)[0]
    assert entry["what"] == "truncate" and entry["argv"][:2] == ["bash", "-c"], entry


def test_log_and_status(lab, area):
    paths = area.files(3)
    agent = lab.run(["bash", "-c", f"rm {' '.join(paths)}; read"], cwd=area.dir, stdin=subprocess.PIPE)
    recorded(lab.guard, paths[2])
    session = next(s for s in lab.guard.status()["sessions"])
    assert session["deletes"] == 3
    log = lab.guard.cli_alone("log", "--dir", os.path.join(lab.guard.state, "journal"), "--kind", "delete", "--session",
                              session["id"]).stdout.splitlines()
    assert len(log) == 3 and all(f"allowed  unlink {p} by rm" in line for p, line in zip(paths, log)), log
    table = lab.guard.cli("status").stdout
    assert "DELETES" in table, table
    agent.process.stdin.close()
    agent.finish()


def test_schema(lab, area):
    if not os.path.exists(VALIDATOR):
        pytest.skip("the OCSF schema is not here")
    for call in ("unlink", "rmdir", "rename", "exchange", "truncate"):
        argv, path = victim(lab, area, call, f"{call}.watched")
        assert lab.run(argv, cwd=area.dir).finish() == 0 and path
    until(lambda: len([e for e in deletions(lab.guard) if area.dir in e["file"]["path"]]) >= 5, "all are recorded")
    lines = "\n".join(line for line in lab.guard.lines() if area.dir in line)
    done = subprocess.run([VALIDATOR], input=lines, capture_output=True, text=True)
    assert done.returncode == 0 and ", 0 faults" in done.stdout, done.stdout


FLOOD = 30000


def test_flood(lab, area):
    """A tree of many files: each of them is recorded once, or counted as lost; none is, here."""
    guard = lab.new_guard("--mode", "record")
    for i in range(FLOOD // 1000):
        os.makedirs(area.path(f"big/d{i}"))
        for j in range(1000):
            os.close(os.open(area.path(f"big/d{i}/file{j}"), os.O_CREAT, 0o644))
    began = time.monotonic()
    agent = lab.run(["rm", "-r", "big"], guard=guard, cwd=area.dir)
    agent.finish(120)
    took = time.monotonic() - began
    until(lambda: not guard.status()["sessions"], "the end is recorded", 60)
    status = guard.status()
    events = deletions(guard)
    numbers = [e["unmapped"]["backstop"]["event"] for e in events]
    print(f"{FLOOD} files in {took:.2f} s; {len(events)} lines, lost {status['events']['lost']}")
    assert len(numbers) == len(set(numbers)), "one was recorded twice"
    counts = status["events"]
    assert counts["made"] == counts["recorded"] + counts["lost"], counts
    assert len(events) + counts["lost"] >= FLOOD + FLOOD // 1000 + 1, (len(events), counts)
    assert counts["lost"] == 0, counts


def test_flood_with_guards_that_die(lab, area):
    """Exactly once, whatever happens to the guard: not one goes by while the next takes over."""
    guard = lab.new_guard("--mode", "record")
    paths = area.files(12000, "big")
    agent = lab.run(deleter(["big/" + os.path.basename(p) for p in paths], 0.0001), guard=guard, cwd=area.dir)
    for _ in range(3):
        time.sleep(0.5)
        guard.kill_child()
    agent.finish(60)
    until(guard.answers, guard.log)
    until(lambda: not guard.status()["sessions"], "the end is recorded", 60)
    numbers = [e["unmapped"]["backstop"]["event"] for e in guard.journal(torn=4) if e["class_uid"] == 1001]
    counts = guard.status()["events"]
    assert len(numbers) == len(set(numbers)), "one was recorded twice"
    assert counts["made"] == counts["recorded"] + counts["lost"], counts
    assert len(numbers) + counts["lost"] >= 12000, (len(numbers), counts)


# --- everyday work, under the policy that people get

@pytest.fixture(scope="module")
def everyday(build, session_dir, no_program_left):
    directory = os.path.join(session_dir, "everyday")
    os.mkdir(directory)
    os.chmod(directory, 0o755)
    packs = copy_readable(os.path.join(TOP, "signatures"), f"{directory}/signatures")
    guard = Guard(build, directory, settings={"packs": {"from": [packs]}}).start()
    KEEP.add(guard.process.pid)
    yield guard
    KEEP.discard(guard.process.pid)
    assert guard.stop() == 0, guard.log()


DEFAULTS = ["terraform.tfstate", "data/app.db", ".git/HEAD", ".git/objects/3f/5a", "backups/monday.tar.gz", "~/.ssh/id_ed25519",
            "~/.aws/credentials"]


@pytest.fixture
def home():
    """Of nobody: what counts is its place, as a variable is easily set."""
    directory = tempfile.mkdtemp(prefix="backstop-e2e-", dir="/home")
    yield Area(directory)
    shutil.rmtree(directory)


@pytest.mark.parametrize("name", DEFAULTS)
def test_what_must_stay_unless_told_otherwise(lab, everyday, area, home, name):
    path = home.file(name[2:]) if name[0] == "~" else area.file(name)
    loss = Loss(lab, area, [f"{lab.build}/victims/delete", "unlink", path], path, guard=everyday)
    hold = everyday.wait_for_holds()[0]
    assert hold["action"] == "delete" and hold["path"] == path and hold["signature"].startswith("deletions."), hold
    loss.expect_kept()
    everyday.deny(hold)
    loss.finish(1)


def test_a_burst_unless_told_otherwise(lab, everyday, area):
    """200 files in 10 s; what is scratch or build output is in none."""
    paths = area.files(250)
    for where in ("node_modules/x", "target/debug"):
        area.files(250, where)
    agent = lab.run(["bash", "-c", f"for d in node_modules/x target/debug tree; do {lab.build}/victims/delete each $d || exit; done"],
                    guard=everyday, cwd=area.dir)
    hold = everyday.wait_for_holds()[0]
    gone = 199 if can_refuse(everyday) else 200
    assert hold["signature"] == "deletions.burst" and hold["burst"] == 200 and area.left() == 250 - gone, hold
    assert not area.left("node_modules") and not area.left("target")
    agent.wait_for(f"backstop approve {hold['id']}")
    told = next(line for line in agent.err.splitlines() if " files are gone: " in line)
    first = told.partition(" files are gone: ")[2].split(",")[0]
    assert told.startswith(f"backstop: {gone} files") and first in paths and not os.path.exists(first), agent.err
    everyday.deny(hold)
    assert agent.finish() and area.left() == 250 - gone


COMMIT = "git add -A && git commit -qm x"
EVERYDAY = {
    "git": f"""
        git init -q -b main repo && cd repo
        for i in $(seq 300); do echo $i > f$i; done; {COMMIT}
        git checkout -qb side; git rm -q f*; echo x > only; {COMMIT}
        git checkout -q main; git checkout -q side; git checkout -q main
        echo more > new; {COMMIT}; git rebase -q main side; git checkout -q main
        git merge -q side -m merge; git stash -q || true; git gc -q; git repack -qad; git pack-refs --all
        git clone -q . ../clone; cd ../clone; git pull -q; git worktree add -q ../tree; git worktree remove ../tree""",
    "make clean": """
        for i in $(seq 250); do echo "int f$i(void) { return $i; }" > f$i.c; done
        printf 'all: $(patsubst %%.c,%%.o,$(wildcard *.c))\\n%%.o: %%.c\\n\\t@cp $< $@\\nclean:\\n\\trm -f *.o *.d core\\n' > Makefile
        make -s -j4; make -s clean; test ! -e f1.o; test -e f1.c""",
    "atomic saves": """
        python3 -c "
import os, sqlite3
for i in range(300):
    with open('notes.tmp', 'w') as f:
        f.write(str(i))
    os.replace('notes.tmp', 'notes.txt')
db = sqlite3.connect('app.db')
db.execute('create table t (x)')
for i in range(250):
    db.execute('insert into t values (?)', (i,)); db.commit()
db.execute('pragma journal_mode=wal'); db.execute('insert into t values (0)'); db.commit(); db.close()"
        for i in $(seq 250); do echo $i > l$i.txt; done; sed -i 's/1/2/' l*.txt""",
    "logs and locks": """
        for i in $(seq 60); do echo x > app.log; echo x > run.lock; rm run.lock; done""",
    "npm install": """
        mkdir lib app; cd lib; for i in $(seq 250); do echo "exports.x=$i" > m$i.js; done
        echo '{"name":"lib","version":"1.0.0"}' > package.json; npm pack --silent > /dev/null; cd ../app
        echo '{"name":"app","version":"1.0.0","dependencies":{"lib":"file:../lib/lib-1.0.0.tgz"}}' > package.json
        npm install --silent --offline --no-audit --no-fund; test -e node_modules/lib/m1.js
        npm ci --silent --offline --no-audit --no-fund; npm uninstall --silent --offline lib; test ! -e node_modules/lib""",
    "cargo": """
        cargo init --quiet --offline --name app . && cargo build --quiet --offline && cargo clean --quiet --offline
        cargo build --quiet --offline""",
    "python": """
        python3 -m venv --without-pip .venv; mkdir pkg
        for i in $(seq 250); do echo "x = $i" > pkg/m$i.py; done; python3 -m compileall -q pkg
        rm -rf pkg/__pycache__ .venv""",
    "unpacking": """
        mkdir d; for i in $(seq 300); do echo $i > d/$i; done; tar cf d.tar d; tar xf d.tar; tar xf d.tar
        cp -r d e; cp -r d/. e/; rsync -a d/ f/; touch d/*; rsync -a d/ f/""",
}


@pytest.mark.parametrize("name", EVERYDAY)
def test_everyday_work_is_not_held(lab, everyday, area, name):
    tool = {"npm install": "npm", "cargo": "cargo", "git": "git"}.get(name, "python3")
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    home = os.path.join(area.dir, "home")
    os.mkdir(home)
    env = {**lab.env, "HOME": home, "CARGO_HOME": os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo")),
           "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", os.path.expanduser("~/.rustup")), "npm_config_cache": f"{home}/.npm",
           "PATH": lab.env["PATH"] + ":" + os.path.expanduser("~/.cargo/bin")}
    os.mkdir(area.path("work"))
    before = everyday.status()["counters"]
    agent = lab.run(["bash", "-ec", EVERYDAY[name]], guard=everyday, cwd=area.path("work"), env=env)
    try:
        until(lambda: agent.process.poll() is not None or everyday.holds(), "it ends", 120)
        assert not everyday.holds(), everyday.holds()
    finally:
        for hold in everyday.holds():
            everyday.deny(hold)
    assert agent.finish() == 0, agent.all
    assert "backstop: " not in agent.err, agent.err
    counts = everyday.status()["counters"]
    print(f"{name}: {[f'{k} {counts[k] - before[k]}' for k in ('deletes', 'uncounted', 'candidates', 'stopped')]}")

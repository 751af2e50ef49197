"""Deletions: whatever program does it, and by whatever system call. Where the kernel can refuse one, it waits before
it happens; on the trace tier it has happened, and what can be stopped is its process."""
import os
import shutil
import signal
import subprocess
import time

import pytest

from lab import end_process, is_gone, until
from losses import LIMIT, Loss, burst_hold, can_refuse, deleter, deletions, victim

CALLS = ["unlink", "unlinkat", "chdir", "rmdir", "removedir", "rename", "exchange", "truncate", "ftruncate", "open", "creat",
         "openat2", "punch", "zero", "collapse", "thread", "fork"]
OPS = {"unlink": "unlink", "unlinkat": "unlink", "chdir": "unlink", "thread": "unlink", "fork": "unlink", "rmdir": "rmdir",
       "removedir": "rmdir", "rename": "rename-over", "exchange": "exchange", "punch": "punch",
       "zero": "punch", "collapse": "punch"}


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

"""Many deletions of one session within a short time."""
import os
import shutil
import subprocess
import tempfile
import time

import pytest

from losses import LIMIT, Area, Loss, burst_hold, deleter


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

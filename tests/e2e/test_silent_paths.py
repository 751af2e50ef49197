"""Commands that name paths where nobody answers: each waits alone, for a second, and counts as the worst that it could be."""
import os
import subprocess
import tempfile
import time

import pytest

import fuse
from lab import TOP, copy_readable, until
from test_silent import place, seen_at, until_asked  # noqa: F401  # pylint: disable=unused-import

RM = ["rm", "-rf"]


@pytest.fixture
def guard(lab):
    return lab.new_guard("--hold-timeout", 60, settings={"packs": {"from": [copy_readable(f"{TOP}/signatures", f"{lab.dir}/signatures")]}})


@pytest.mark.parametrize("how", ["plain", "overlay"])
def test_others_are_decided(lab, guard, place, how):
    """While one command waits for a directory, those of other sessions do not."""
    with fuse.mounted(place, "dir") as mount, seen_at(place, how, mount) as where:
        silent = lab.run([*RM, f"{where}/dir/x"], guard=guard)
        until_asked(mount, "dir")
        began = time.monotonic()
        assert lab.run([*RM, "/usr"], guard=guard).finish() == 126
        assert lab.run([*RM, f"{lab.dir}/none"], guard=guard).finish() == 0
        took = time.monotonic() - began
        assert silent.finish() == 126, silent.all
        assert "who serves a path in it does not answer" in silent.all, silent.all
        assert lab.run([*RM, f"{lab.dir}/none"], guard=guard).finish() == 0
    assert took < 0.9, "they waited as well"


def test_answers(lab, guard, place):
    """Who answers is waited for: what it says counts."""
    with fuse.mounted(place) as mount:
        agent = lab.run([*RM, f"{place}/other/x"], guard=guard)
        until_asked(mount, "other")
        assert agent.finish() == 0, agent.all


def test_many(lab, guard, place):
    """A session that has it wait again and again is not waited for beyond its share, and the guard ends all the same."""
    os.symlink(f"{lab.dir}/none", f"{lab.dir}/link")  # the kernel cannot tell where it leads
    with fuse.mounted(place, "dir"):
        many = lab.run(["sh", "-c", f"for i in $(seq 12); do rm -rf {place}/dir/x & done; wait"], guard=guard)
        again = lab.run(["sh", "-c", f"sleep 0.5; rm -rf {lab.dir}/link/x"], guard=guard)
        assert lab.run([*RM, "/usr"], guard=guard).finish() == 126
        assert again.finish() == 0, again.all
        assert many.finish() == 0, many.all
        assert many.all.count("does not answer") >= 12, many.all
        guard.kill_child()
        until(guard.answers, guard.log)


def test_links_at_once(lab, guard):
    """More of them than one session may have looked up at a time wait for their turn."""
    os.symlink(f"{lab.dir}/none", f"{lab.dir}/link")  # the kernel cannot tell where it leads
    agent = lab.run(["sh", "-c", f"for i in $(seq 60); do rm -rf {lab.dir}/link/x & done; wait"], guard=guard)
    assert (agent.finish(), agent.all) == (0, "")


@pytest.mark.parametrize("where", ["tmpfs", "disk"])
def test_links(lab, guard, where):
    """A link is followed where its text is not at hand, too."""
    with tempfile.TemporaryDirectory(prefix="backstop-e2e-", dir="/srv") as target:
        directory = os.path.join(lab.dir, where)
        os.mkdir(directory)
        if where == "tmpfs":
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", directory], check=True)
        try:
            os.symlink(target, f"{directory}/link")
            agent = lab.run([*RM, f"{directory}/link/x"], guard=guard)
            (hold,) = guard.wait_for_holds()
            assert hold["signature"] == "files.rm-recursive", hold
            guard.deny(hold)
            assert agent.finish() == 126
            assert lab.run([*RM, f"{directory}/none/x"], guard=guard).finish() == 0
        finally:
            if where == "tmpfs":
                subprocess.run(["umount", directory], check=True)

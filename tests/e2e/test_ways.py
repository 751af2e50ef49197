"""However a program is started: held before it ran, and what its parents see is as if it had run."""
import os
import platform
import signal
import subprocess

import pytest

from lab import is_gone, until
from ways import WAYS

EACH = pytest.mark.parametrize("name", WAYS)


@EACH
@pytest.mark.parametrize("status", [5, 126])
def test_unguarded(bench, tester, name, status):
    """The harness: each victim does run, and its status arrives as the way says."""
    way = WAYS[name]
    agent = bench.plain(way["make"](bench, bench.words(exit=status)))
    assert agent.finish() == way["status"](status), agent.all
    until(bench.ran, "the victim's marker")
    assert bench.ran() == 1


def hold_of(lab, agent, late=False):
    """The one hold of an agent, with what must be true while it lasts."""
    hold = lab.guard.wait_for_holds()[0]
    if not late:
        agent.wait_for("backstop: held: ")
    assert not lab.ran()
    lab.expect_no_stop(agent)
    assert hold["signature"] == "test.destroy", hold
    assert any("marker=" + lab.marker in word for word in hold["argv"]), hold["argv"][-3:]
    return hold


@EACH
def test_denied(lab, tester, name):
    way = WAYS[name]
    agent = lab.run(way["make"](lab, lab.words()))
    hold = hold_of(lab, agent, way.get("late"))
    lab.guard.deny(hold)
    assert agent.finish() == way["status"](126), agent.all
    until(lambda: is_gone(hold["pid"]), "the held process is gone")
    assert not lab.ran()
    lab.expect_no_stop(agent)
    assert f"backstop: denied: hold {hold['id']}: by uid 0 (root)" in agent.all.replace("\r", "")
    assert not lab.guard.holds()


@EACH
def test_approved(lab, tester, name):
    way = WAYS[name]
    agent = lab.run(way["make"](lab, lab.words(exit=5)))
    hold = hold_of(lab, agent, way.get("late"))
    lab.guard.approve(hold)
    assert agent.finish() == way["status"](5), agent.all
    until(lab.ran, "the victim's marker")
    assert lab.ran() == 1, "it was let go once"
    lab.expect_no_stop(agent)
    assert "denied" not in agent.all
    assert not lab.guard.holds()


@pytest.mark.parametrize("name", ["double-fork", "orphan"])
def test_detached_stays_held(lab, name):
    """Its agent is gone, the hold is not: neither SIGHUP nor SIGCONT of the kernel lets it run."""
    agent = lab.run(WAYS[name]["make"](lab, lab.words()))
    hold = hold_of(lab, agent)
    assert agent.process.wait(10) == 0
    until(lambda: os.path.exists(f"/proc/{hold['pid']}"), "held")
    assert not lab.ran()
    lab.guard.deny(hold)
    until(lambda: is_gone(hold["pid"]), "the held process is gone")
    assert not lab.ran()


def test_busybox_applet(lab):
    """The applet is the program."""
    agent = lab.run(["busybox", "touch", lab.marker])
    hold = lab.guard.wait_for_holds()[0]
    assert hold["signature"] == "test.applet" and not lab.ran()
    lab.guard.deny(hold)
    assert agent.finish() == 126
    assert not lab.ran()


def test_setuid(lab, tester):
    """A program with another's rights is held like any, and keeps them when it is let go."""
    os.chmod(os.path.join(lab.bin, "terraform"), 0o4755)
    agent = lab.run(["runuser", "-u", tester, "--", *lab.words()])
    hold = hold_of(lab, agent)
    lab.guard.approve(hold)
    assert agent.finish() == 0
    with open(lab.marker, encoding="utf-8") as f:
        assert f.read() == "ran as uid 0\n"


def test_traced_candidate_is_refused(lab):
    """What is already traced cannot be held: its tracer would let it go."""
    agent = lab.run([lab.launch, "traced", *lab.words()])
    assert agent.finish() in (126, 137), agent.all
    assert not lab.ran()
    assert not lab.guard.holds()


def test_traced_innocent_runs(lab):
    agent = lab.run([lab.launch, "traced", *lab.words("victim-plain", exit=5)])
    assert agent.finish() == 5, agent.all
    assert lab.ran() == 1


def test_sigcont_storm(lab):
    """A parent that sends SIGCONT without pause, from fork on."""
    agent = lab.run([lab.launch, "storm", "40", *lab.words()])
    assert agent.finish(60) == 0, agent.all
    assert not lab.ran()
    until(lambda: not lab.guard.holds(), "no hold is left")


FIRST = """.globl _start
_start:	mov $87, %eax
	lea name(%rip), %rdi
	syscall
	mov $60, %eax
	xor %edi, %edi
	syscall
name:	.asciz "precious"
"""


@pytest.fixture
def first_instruction(lab):
    """A victim whose very first system call is the damage: it removes `precious`."""
    if platform.machine() != "x86_64":
        pytest.skip("its machine code is x86-64's")
    source = lab.script("first.S", FIRST)
    subprocess.run(["cc", "-static", "-nostdlib", "-o", os.path.join(lab.bin, "terraform"), source], check=True)
    precious = os.path.join(lab.work, "precious")
    with open(precious, "w", encoding="utf-8"):
        return precious


def test_not_one_instruction_runs(lab, first_instruction):
    agent = lab.run(lab.words())
    hold = lab.guard.wait_for_holds()[0]
    os.kill(hold["pid"], signal.SIGCONT)
    lab.guard.deny(hold)
    assert agent.finish() == 126
    assert os.path.exists(first_instruction)


def test_approved_from_the_first_instruction_on(lab, first_instruction):
    agent = lab.run(lab.words())
    lab.guard.approve(lab.guard.wait_for_holds()[0])
    assert agent.finish() == 0
    assert not os.path.exists(first_instruction)


def test_many_at_once(lab):
    """200 at once, all denied: every single one is held."""
    agent = lab.run([lab.launch, "many", "200", *lab.words()])
    holds = lab.guard.wait_for_holds(200, 60)
    assert not lab.ran()
    for hold in holds:
        assert lab.guard.request({"op": "deny", "id": hold["id"]})["ok"]
    assert agent.finish(60) == 0, agent.all[-2000:]
    assert not lab.ran()

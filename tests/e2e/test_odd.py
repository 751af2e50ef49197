"""Odd programs, odd names, odd moments."""
import os
import platform
import shutil
import subprocess
import threading

import pytest

from lab import is_gone, until

COMPAT = """.globl _start
_start:	mov $8, %eax
	mov $name, %ebx
	mov $0644, %ecx
	int $0x80
	mov $1, %eax
	mov $5, %ebx
	int $0x80
name:	.asciz "e2e-marker"
"""


@pytest.fixture
def compat(lab):
    """A 32-bit victim, without a library: it makes the marker and ends with 5."""
    if platform.machine() != "x86_64":
        pytest.skip("32-bit programs here are x86's")
    source, target = lab.script("compat.S", COMPAT), os.path.join(lab.bin, "terraform")
    subprocess.run(["as", "--32", "-o", f"{source}.o", source], check=True)
    subprocess.run(["ld", "-m", "elf_i386", "-o", target, f"{source}.o"], check=True)
    try:
        works = subprocess.run([target], cwd=lab.bin).returncode == 5
    except OSError:
        works = False
    if not works:
        pytest.skip("this kernel runs no 32-bit programs")


@pytest.mark.parametrize("approved", [True, False])
def test_32_bit(lab, compat, approved):
    agent = lab.run(lab.words())
    hold = lab.guard.wait_for_holds()[0]
    (lab.guard.approve if approved else lab.guard.deny)(hold)
    assert agent.finish() == (5 if approved else 126)
    assert bool(lab.ran()) == approved


@pytest.mark.parametrize("name", ["with blank", "new\nline", "esc\x1b[31m", "bytes\udcff", "Ünïcödé", "-rf"])
def test_odd_directory(lab, name):
    """Where the program lies and where it runs is shown, on one line, and decides nothing."""
    there = os.path.join(lab.work, name)
    os.mkdir(there)
    shutil.copy(os.path.join(lab.bin, "terraform"), there)
    agent = lab.run([os.path.join(there, "terraform"), *lab.words()[1:]], cwd=there)
    hold = lab.guard.wait_for_holds()[0]
    agent.wait_for("backstop approve")
    lab.guard.deny(hold)
    assert agent.finish() == 126
    lines = agent.err.splitlines()
    assert len(lines) == 5 and all(line.startswith("backstop: ") for line in lines), agent.err
    assert "\x1b" not in agent.err and not lab.ran()


def test_deep_directory(lab):
    """Deeper than the kernel's event can say: the guard still knows where."""
    deep = os.path.join(lab.work, *["d" * 30] * 60)
    os.makedirs(deep)
    agent = lab.run(lab.words(), cwd=deep)
    hold = lab.guard.wait_for_holds()[0]
    assert hold["cwd"] == deep
    lab.guard.deny(hold)
    assert agent.finish() == 126


def test_directory_is_gone(lab):
    agent = lab.run(["bash", "-c", f"mkdir gone; cd gone; rmdir ../gone; {' '.join(lab.words())}; exit $?"])
    lab.guard.deny(lab.guard.wait_for_holds()[0])
    assert agent.finish() == 126
    assert not lab.ran()


@pytest.mark.parametrize("word", [b"-var=\xff\xfe\x80", b"-var=\xc3", b"-var=\xed\xa0\x80", b"-var=\n\n"])
def test_bytes_in_argv(lab, word):
    """What is no text is held, shown and recorded all the same."""
    agent = lab.run([*lab.words(), word])
    hold = lab.guard.wait_for_holds()[0]
    assert lab.guard.cli("pending").returncode == 0
    lab.guard.deny(hold)
    assert agent.finish() == 126
    assert not lab.ran()
    assert all(lab.guard.journal())


def test_no_words_at_all(lab):
    """An exec without argv."""
    code = """import ctypes, os, sys
ctypes.CDLL(None).execve(sys.argv[1].encode(), (ctypes.c_char_p * 1)(None), (ctypes.c_char_p * 1)(None))"""
    agent = lab.run(["/usr/bin/python3", "-c", code, os.path.join(lab.bin, "victim-plain")])
    assert agent.finish() == 0, agent.err


def test_decided_once(lab):
    """Two humans, one hold: it is let go once, and the second is told."""
    agent = lab.run(lab.words())
    hold = lab.guard.wait_for_holds()[0]
    answers = []
    both = [threading.Thread(target=lambda op=op: answers.append(lab.guard.request({"op": op, "id": hold["id"]})))
            for op in ("approve", "approve", "deny", "deny")]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    status = agent.finish()
    assert sum(a["ok"] for a in answers) >= 1
    assert (status, lab.ran()) in ((0, 1), (126, 0))
    assert all(a["ok"] or a["error"] for a in answers)


def test_deny_after_the_end(lab):
    agent = lab.run(lab.words())
    hold = lab.guard.wait_for_holds()[0]
    lab.guard.approve(hold)
    assert agent.finish() == 0
    done = lab.guard.cli("deny", hold["id"])
    assert done.returncode == 1 and str(hold["id"]) in done.stderr, done


def test_members_of_the_group_approve(lab, tester):
    made = subprocess.run(["groupadd", "backstop"], capture_output=True)
    if made.returncode != 0:
        pytest.skip("there is a group backstop, which is left alone")
    try:
        subprocess.run(["usermod", "-aG", "backstop", tester], check=True)
        guard = lab.new_guard()
        agent = lab.run(lab.words(), guard=guard)
        hold = guard.wait_for_holds()[0]
        done = subprocess.run(["runuser", "-u", tester, "--", lab.backstop, "approve", "--socket", guard.socket,
                               str(hold["id"])], capture_output=True, text=True, cwd="/")
        assert done.returncode == 0, done
        assert agent.finish() == 0
    finally:
        subprocess.run(["gpasswd", "-d", tester, "backstop"], check=True, capture_output=True)
        subprocess.run(["groupdel", "backstop"], check=True)


def test_the_whole_tree_is_killed(lab):
    """An agent that is killed with all that it started leaves no hold."""
    agent = lab.run(["bash", "-c", " & ".join([" ".join(lab.words())] * 5) + " & wait"])
    holds = lab.guard.wait_for_holds(5)
    os.killpg(agent.pid, 9)
    agent.finish()
    for hold in holds:
        until(lambda pid=hold["pid"]: is_gone(pid), "the held process is gone")
    until(lambda: not lab.guard.holds(), "no hold is left")
    assert not lab.ran()


def test_places_are_given_back(lab):
    """More candidates than there are places for holds, one after another; no descriptor is kept either."""
    count, losses = 4200, lab.guard.status()["losses"]
    agent = lab.run(["bash", "-c", f"for ((i = 0; i < {count}; i++)); do /bin/true terraform destroy; done"])

    def descriptors():
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in (lab.guard.pid, lab.guard.child))

    before = descriptors()
    assert agent.finish(60) == 0
    until(lambda: not lab.guard.status()["sessions"], "the session has ended")
    assert descriptors() <= before
    assert lab.guard.status()["losses"] == losses
    assert lab.run(lab.words("victim-deny")).finish() == 126


def test_a_label_is_inherited_for_ever(lab):
    """A thousand generations, each the child of the one before."""
    code = """import os, sys
n = int(sys.argv[1])
for _ in range(n):
    if os.fork():
        os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
os.execv(sys.argv[2], sys.argv[2:])"""
    agent = lab.run(["/usr/bin/python3", "-c", code, "300", *lab.words("victim-deny")])
    assert agent.finish() == 126
    assert not lab.ran()


REWRITE = """import subprocess, sys, time
p = subprocess.Popen(sys.argv[1:])
while "terraform" not in open(f"/proc/{p.pid}/cmdline").read():
    time.sleep(0.01)
time.sleep(0.2)
stack = next(line for line in open(f"/proc/{p.pid}/maps") if "[stack]" in line).split()[0]
first, last = (int(x, 16) for x in stack.split("-"))
with open(f"/proc/{p.pid}/mem", "r+b", 0) as memory:
    memory.seek(first)
    at = memory.read(last - first).index(b"exit=3")
    memory.seek(first + at)
    memory.write(b"exit=4")
print("rewritten", flush=True)
sys.exit(p.wait())"""


def test_what_was_shown_is_what_runs(lab):
    """An argv that was rewritten while a human looked at it is not what was approved."""
    agent = lab.run(["/usr/bin/python3", "-c", REWRITE, *lab.words(exit=3)])
    hold = lab.guard.wait_for_holds()[0]
    agent.wait_for("rewritten")
    lab.guard.cli("approve", hold["id"])
    assert agent.finish() in (126, 137), agent.all
    assert not lab.ran()

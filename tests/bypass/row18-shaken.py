"""Ways to continue what is held."""
import os
import signal
import time

from bypass import Cgroup, Open, Skip, case, each, expect_not_run, held_way, is_gone, python, quote, until


@case("SIGCONT without pause")
def _(lab):
    agent = lab.run([lab.launch, "storm", "30", *lab.words()])
    assert agent.finish(120) == 0, agent.all
    expect_not_run(lab)


@case("SIGCONT to what is held")
def _(lab):
    agent = lab.run(["bash", "-c", f"{quote(lab.words())} & p=$!; until [ -e go ]; do sleep 0.1; done; "
                     "for i in {1..200}; do kill -CONT $p; kill -STOP $p; kill -CONT $p; done; echo shaken; wait $p"])
    hold = lab.guard.wait_for_holds()[0]
    open(f"{lab.work}/go", "w", encoding="utf-8").close()
    until(lambda: "shaken" in agent.out, lambda: agent.all)
    time.sleep(0.2)
    expect_not_run(lab)
    assert [h["id"] for h in lab.guard.holds()] == [hold["id"]], lab.guard.holds()
    lab.guard.deny(hold)
    agent.finish()
    expect_not_run(lab)


@case("an orphaned process group, deaf to SIGHUP")
def _(lab):
    held_way(lab, "orphan")


@case("a tracer that swallows the stop")
def _(lab):
    agent = lab.run([lab.launch, "traced", *lab.words()])
    assert agent.finish() in (126, 137), agent.all
    expect_not_run(lab)


@case("timeout(1), which continues what it ends")
def _(lab):
    agent = lab.run(["timeout", "-k", "3", "1", "bash", "-c", f"trap '' TERM; exec {quote(lab.words())}"])
    lab.guard.wait_for_holds()
    agent.finish(60)
    expect_not_run(lab)


@case("a frozen cgroup that is thawed")
def _(lab):
    group = Cgroup(lab, "freezer")
    agent = lab.run(["bash", "-c", f"echo $$ >{group.dir}/cgroup.procs; exec {quote(lab.words())}"])
    hold = lab.guard.wait_for_holds()[0]
    for _ in range(3):
        group.freeze(True)
        time.sleep(0.2)
        group.freeze(False)
        time.sleep(0.2)
    expect_not_run(lab)
    lab.guard.deny(hold)
    until(lambda: is_gone(hold["pid"]), "the held process is gone")
    agent.finish()
    expect_not_run(lab)


# A checkpoint tool seizes and interrupts what it writes down, and lets go of it then.
CHECKPOINT = """import ctypes
libc, p = ctypes.CDLL(None, use_errno=True), subprocess.Popen(args)
while b"terraform" not in open(f"/proc/{p.pid}/cmdline", "rb").read(): time.sleep(0.01)
time.sleep(0.5)
for request in (0x4206, 0x4207, 17): # seize, interrupt, detach
    if libc.ptrace(request, p.pid, 0, 0): print(os.strerror(ctypes.get_errno()), flush=True)
print("shaken", flush=True)
p.wait()"""


@case("a checkpoint tool")
def _(lab):
    agent = lab.run(python(CHECKPOINT, *lab.words()))
    hold = lab.guard.wait_for_holds()[0]
    agent.wait_for("shaken")
    time.sleep(0.2)
    expect_not_run(lab)
    assert is_gone(hold["pid"]) or [h["id"] for h in lab.guard.holds()] == [hold["id"]], agent.all
    for hold in lab.guard.holds():
        lab.guard.deny(hold)
    agent.finish()
    expect_not_run(lab)


def thaw(lab, pid):
    group = Cgroup(lab, "freezer")
    group.write("cgroup.procs", str(pid))
    for on in (True, False) * 3:
        group.freeze(on)
        time.sleep(0.1)


def send(pid, number):
    try:
        os.kill(pid, number)
    except (PermissionError, ProcessLookupError):  # what security hooks refuse, or it has ended
        pass


def shake(_, pid):
    for number in (signal.SIGCONT, signal.SIGSTOP, signal.SIGCONT) * 100:
        send(pid, number)


SHAKEN = {"SIGCONT": shake, "a frozen cgroup that is thawed": thaw}
LOSE = """try: os.unlink(args[0])
except OSError as e: print(e.strerror, flush=True)
else: open(args[1], "w")"""

EXEC = """
threading.Thread(target=lose).start()
time.sleep(1)
os.execv('/bin/sh', ['sh', '-c', 'echo instead; sleep 1'])"""


def expect_waiting(lab, path, after):
    time.sleep(0.3)
    if lab.tier != "trace" and not os.path.exists(path):
        raise Open("the file is gone")
    if os.path.exists(after):
        raise Open("the program goes on")


@each(SHAKEN, "a deletion that is held")
def _(lab, way):
    path, after = lab.area.file("a.precious"), lab.area.path("after")
    agent = lab.run(python(LOSE, path, after))
    hold = lab.guard.wait_for_holds()[0]
    SHAKEN[way](lab, hold["pid"])
    expect_waiting(lab, path, after)
    assert [h["id"] for h in lab.guard.holds()] == [hold["id"]], lab.guard.holds()
    lab.guard.deny(hold)
    agent.finish()
    expect_waiting(lab, path, after)


@case("an exec from another thread while a deletion is held")
def _(lab):
    """It ends the thread that waits, and with it what that would have done."""
    path, after = lab.area.file("a.precious"), lab.area.path("after")
    agent = lab.run(python("import threading\ndef lose():\n    " + LOSE.replace("\n", "\n    ") + EXEC, path, after))
    hold = lab.guard.wait_for_holds()[0]
    end = time.monotonic() + 3
    while not is_gone(hold["pid"]) and "instead" not in agent.out and time.monotonic() < end:
        send(hold["pid"], signal.SIGCONT)
        time.sleep(0.02)
    expect_waiting(lab, path, after)
    for hold in lab.guard.holds():
        lab.guard.deny(hold)
    agent.finish()
    expect_waiting(lab, path, after)


@case("traced since before its session")
def _(lab):
    if not os.path.exists("/usr/bin/strace"):
        raise Skip("strace is not installed")
    later = f"until [ -e go ]; do sleep 0.1; done; exec {quote(lab.words())}"
    tracer = lab.plain(["strace", "-f", "-e", "trace=none", "-o", "/dev/null", "bash", "-c", later])
    pid = until(lambda: [p for p in children_of(tracer.pid) if command(p).startswith(b"bash")], "the traced shell")[0]
    done = lab.guard.cli("attach", "--pid", pid)
    assert done.returncode == 0, done
    open(f"{lab.work}/go", "w", encoding="utf-8").close()
    assert tracer.finish() in (126, 137), tracer.all
    expect_not_run(lab)


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


def command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read()
    except OSError:  # gone meanwhile
        return b""

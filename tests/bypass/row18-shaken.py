"""Ways to continue what is held."""
import os
import time

from bypass import Cgroup, Skip, case, expect_not_run, held_way, is_gone, quote, until


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

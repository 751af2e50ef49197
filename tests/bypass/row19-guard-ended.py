"""Signals to the guard and its keeper, by root in a session. What was to be judged waits all the same."""
import os
import signal
import time

from bypass import Open, case, expect_not_run, quote, until
from lab import bpf_programs, programs_of

ROOT = "root in a session can end what watches it: only security hooks refuse that"


def holds_of(guard):
    try:
        return guard.holds()
    except (OSError, ValueError):  # it has been killed in this moment
        return []


def end_hold(lab, guard, agent):
    hold = until(lambda: holds_of(guard), lambda: f"a hold: {guard.log()}", 60)[0]
    expect_not_run(lab)
    guard.deny(hold)
    agent.finish()
    expect_not_run(lab)


@case("the guard is killed: what comes then waits for the next one")
def _(lab):
    guard = lab.new_guard()
    agent = lab.run(["bash", "-c", f"kill -9 {guard.child}; exec {quote(lab.words())}"], guard=guard)
    end_hold(lab, guard, agent)


@case("guard and keeper are stopped: what comes then waits")
def _(lab):
    guard = lab.new_guard()
    pids = [guard.pid, guard.child]
    agent = lab.run(["bash", "-c", f"kill -STOP {pids[0]}; kill -STOP {pids[1]}; touch tried; exec {quote(lab.words())}"], guard=guard)
    until(lambda: os.path.exists(f"{lab.work}/tried"), "it was tried")
    time.sleep(1)
    expect_not_run(lab)
    guard.send_signal(signal.SIGCONT)
    end_hold(lab, guard, agent)


@case("the keeper is killed as well: what comes then waits for systemd's next one")
def _(lab):
    guard = lab.new_guard()
    agent = lab.run(["bash", "-c", f"kill -9 {guard.pid} {guard.child}; sleep 1; touch tried; exec {quote(lab.words())}"], guard=guard)
    until(lambda: os.path.exists(f"{lab.work}/tried"), "it was tried")
    time.sleep(0.5)
    expect_not_run(lab)
    if guard.process.poll() is not None:
        guard.start()
    end_hold(lab, guard, agent)


@case("both are killed, and what attaches their programs is removed", limit={"trace": ROOT})
def _(lab):
    """Not all pins: where this can be done their number is a burst, of which nobody knows how much the kernel still sees."""
    guard = lab.new_guard()
    loaded = programs_of(guard.child)
    agent = lab.run(["bash", "-c", f"kill -9 {guard.pid} {guard.child}; sleep 0.5; rm -f {guard.pins}/v*/g*; echo tried; "
                     f"until [ -e go ]; do sleep 0.1; done; {quote(lab.words('victim-deny'))}; exit $?"], guard=guard)
    agent.wait_for("tried")
    until(lambda: guard.answers() or not loaded & set(bpf_programs()), "it goes on, or its programs are gone")
    open(f"{lab.work}/go", "w", encoding="utf-8").close()
    agent.finish(60)
    expect_not_run(lab)
    assert guard.answers(), guard.log()


@case("the guard is the first to be killed when memory is out", limit={"trace": ROOT})
def _(lab):
    guard = lab.new_guard()
    agent = lab.run([f"{lab.build}/victims/tamper", "proc", str(guard.pid), "oom_score_adj", "proc", str(guard.child), "oom_score_adj"],
                    guard=guard)
    agent.finish()
    if ": OK" in agent.out:
        raise Open(agent.out)
    assert agent.out.count("EPERM") == 2, agent.all


@case("a tracer attaches to guard and keeper, or writes into them", limit={"trace": ROOT})
def _(lab):
    guard = lab.new_guard()
    ways = [word for pid in (guard.pid, guard.child) for way in ("seize", "vmwrite", "mem") for word in (way, str(pid))]
    agent = lab.run([f"{lab.build}/victims/tamper", *ways], guard=guard)
    agent.finish()
    assert guard.answers(), guard.log()
    if ": OK" in agent.out:
        raise Open(agent.out)
    assert agent.out.count(": E") == 6, agent.all

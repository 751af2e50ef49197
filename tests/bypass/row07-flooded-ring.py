"""So many events that the ring overflows: the candidate waits all the same, and losses are counted."""
import os
import signal
import subprocess

from bypass import case, expect_not_run, python, until

FLOOD = """big = ["/bin/true", "x" * 100000]
for _ in range(100):
    os.waitpid(os.posix_spawn(big[0], big, os.environ), 0)
print("flooded", flush=True)
os.execv(args[0], args)"""


@case("while the guard stands still")
def _(lab):
    guard = lab.new_guard()
    agent = lab.run(python("input()\n" + FLOOD, *lab.words()), guard=guard, stdin=subprocess.PIPE)
    until(lambda: guard.status()["sessions"], "the session")
    child = guard.child
    os.kill(child, signal.SIGSTOP)
    os.kill(guard.pid, signal.SIGSTOP)
    agent.process.stdin.write(b"\n")
    agent.process.stdin.close()
    until(lambda: "flooded" in agent.out, "the flood", 300)
    os.kill(guard.pid, signal.SIGCONT)
    os.kill(child, signal.SIGCONT)
    hold = guard.wait_for_holds(timeout=60)[0]
    expect_not_run(lab)
    losses = guard.status()["losses"]
    assert losses["event"] + losses["args"] > 0, losses
    guard.deny(hold)
    agent.finish()
    expect_not_run(lab)

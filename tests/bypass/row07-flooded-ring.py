"""So many events that the ring overflows: the candidate waits all the same, and losses are counted."""
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
    agent = lab.run(python("print('here', flush=True)\ninput()\n" + FLOOD, *lab.words()), guard=guard, stdin=subprocess.PIPE)
    agent.wait_for("here")  # its own exec, whose words are a candidate's, has been judged
    guard.send_signal(signal.SIGSTOP)
    agent.process.stdin.write(b"\n")
    agent.process.stdin.close()
    until(lambda: "flooded" in agent.out, "the flood", 300)
    guard.send_signal(signal.SIGCONT)
    hold = guard.wait_for_holds(timeout=60)[0]
    expect_not_run(lab)
    losses = guard.status()["losses"]
    assert losses["event"] + losses["args"] > 0, losses
    guard.deny(hold)
    agent.finish()
    expect_not_run(lab)

"""So many events that the ring overflows: the candidate waits all the same, and losses are counted."""
import os
import signal
import subprocess
import time

from bypass import AFTER, Open, case, deny_words, expect_not_run, python, until

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


DELETE_IN_FLOOD = """own, few, words = args[0], args[1:41], [*args[41:], "x" * 3500]
err = os.open("/dev/null", os.O_WRONLY)
for i in range(240):
    if not os.fork():
        os.dup2(err, 2)
        if i < 200:
            os.execv(words[0], words)
        time.sleep(0.5)
        os.unlink(few[i - 200])
        os._exit(0)
time.sleep(1)
print("deletes", flush=True)
try: os.unlink(own)
except OSError as e: print(e.strerror, flush=True)
else: print("went on", flush=True)"""


@case("a deletion whose decision is lost", limit={"trace": AFTER})
def _(lab):
    """Others, large and small, fill the ring of decisions before: nobody can say what was deleted, and so it does not go on."""
    guard, path = lab.new_guard(), lab.area.file()
    code = python("print('here', flush=True)\ninput()\n" + DELETE_IN_FLOOD, path, *lab.area.files(40, suffix=".never"),
                  *deny_words(lab))
    agent = lab.run(code, guard=guard, stdin=subprocess.PIPE)
    agent.wait_for("here")
    guard.send_signal(signal.SIGSTOP)
    agent.process.stdin.write(b"\n")
    agent.process.stdin.close()
    until(lambda: "deletes" in agent.out, "the flood", 300)
    time.sleep(0.5)
    guard.send_signal(signal.SIGCONT)
    until(lambda: agent.process.poll() is not None or agent.pid in [hold["pid"] for hold in guard.holds()], "it is decided", 300)
    assert guard.status()["losses"]["decision"] > 0, guard.status()
    for hold in guard.holds():
        assert hold["signature"] == "self.unknown", hold
        guard.deny(hold)
    agent.finish(120)
    if "went on" in agent.out:
        raise Open("it went on", passed=guard.status()["losses"]["hook"])
    expect_not_run(lab)
    if not os.path.exists(path):
        raise Open("the file is gone", "a file that is not known is gone" in agent.err)

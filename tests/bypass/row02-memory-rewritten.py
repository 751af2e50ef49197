"""A tracer, or who writes into the memory of what is held."""
import os

from bypass import Open, case, events, expect_not_run, is_gone, python, until

SAME_USER = "a process of the same user can write into a held one's memory: only security hooks see that"
ANY_USER = "root in a session can do that: only security hooks refuse it"
REWRITE = """p = subprocess.Popen(args[1:])
while b"terraform" not in open(f"/proc/{p.pid}/cmdline", "rb").read():
    time.sleep(0.01)
time.sleep(0.3)
what, new = args[0].encode().split(b"=>")
done, place = False, "[stack]" if what.startswith(b"exit") else "terraform"
for line in open(f"/proc/{p.pid}/maps").readlines():
    first, last = (int(x, 16) for x in line.split()[0].split("-"))
    if not line.rstrip().endswith(place):
        continue
    try:
        with open(f"/proc/{p.pid}/mem", "r+b", 0) as memory:
            memory.seek(first)
            at = memory.read(last - first).find(what)
            if at >= 0:
                memory.seek(first + at)
                memory.write(new)
                done = True
    except OSError as e:
        print("not rewritten", e, flush=True)
if done:
    print("rewritten", flush=True)
sys.exit(p.wait())"""


def approve_what_is_rewritten(lab, change):
    agent = lab.run(python(REWRITE, change, *lab.words(exit=3)))
    hold = lab.guard.wait_for_holds()[0]
    agent.wait_for("rewritten")
    lab.guard.cli("approve", hold["id"])
    agent.finish()
    return agent


@case("argv of a held command, which is approved then")
def _(lab):
    agent = approve_what_is_rewritten(lab, "exit=3=>exit=4")
    if agent.process.returncode == 4:
        raise Open("it ran with what nobody approved")


@case("code and data of a held command, which is approved then", limit={"trace": SAME_USER})
def _(lab):
    approve_what_is_rewritten(lab, "ran as=>pwn as")
    until(lab.ran, "the approved program")
    with open(lab.marker, encoding="utf-8") as f:
        if f.read().startswith("pwn"):
            raise Open("what was approved is not what ran")


@case("a candidate that is traced is not held but killed")
def _(lab):
    agent = lab.run([lab.launch, "traced", *lab.words()])
    assert agent.finish() in (126, 137), agent.all
    expect_not_run(lab)
    until(lambda: events(lab, 2004, lab.marker) or events(lab, 1007, lab.marker), "its record")


@case("a tracer attaches to what is held")
def _(lab):
    agent = lab.run(["bash", "-c", f"{' '.join(lab.words())} & until [ -e go ]; do sleep 0.1; done; "
                     f"{lab.build}/victims/tamper seize $(cat go) attach $(cat go); wait $!"])
    hold = lab.guard.wait_for_holds()[0]
    lab.script("new", str(hold["pid"]))
    os.rename(f"{lab.work}/new", f"{lab.work}/go")
    until(lambda: agent.out.count(": E") == 2, lambda: agent.all)
    expect_not_run(lab)
    lab.guard.deny(hold)
    agent.finish()
    expect_not_run(lab)


def tamper(lab, pid, *ways):
    agent = lab.run([f"{lab.build}/victims/tamper", *[word for way in ways for word in [*way.split(), str(pid)]]])
    agent.finish()
    if ": OK" in agent.out:
        raise Open(agent.out)
    assert agent.out.count(": E") == len(ways), agent.all


@case("process_vm_writev and /proc/PID/mem, to what is held", limit={"trace": SAME_USER})
def _(lab):
    lab.run(lab.words())
    hold = lab.guard.wait_for_holds()[0]
    try:
        tamper(lab, hold["pid"], "vmwrite", "mem")
    finally:
        lab.guard.deny(hold)
    until(lambda: is_gone(hold["pid"]), "it ends")
    expect_not_run(lab)


@case("a tracer attaches to who is not of its session", limit={"trace": ANY_USER})
def _(lab):
    tamper(lab, lab.plain(["sleep", "600"]).pid, "seize", "vmwrite", "mem")

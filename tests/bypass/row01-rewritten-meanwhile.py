"""Another thread rewrites argv, or the address, after it was read."""
import os

from bypass import DENY, HOST, PLAIN, Open, around, case, expect_not_run

TRIALS = 100 if "VMTEST" in os.environ else 400


def expect_race(agent):
    """It was tried, and both versions were seen."""
    agent.finish(180)
    assert 0 < int(agent.out.split()[0]), agent.all[-2000:]


@case("argv, by a vfork child's parent")
def _(lab):
    program = lab.copy_victim("victim-deny")
    with open(f"{lab.build}/victims/around", "rb") as source, open(program, "wb") as target:
        target.write(source.read())
    agent = lab.run(around(lab, "exec-race", TRIALS, program, lab.marker))
    expect_race(agent)
    expect_not_run(lab)


@case("the port of a connection")
def _(lab):
    lab.net.clear()
    agent = lab.run(around(lab, "connect-race", TRIALS, HOST, PLAIN, DENY), net=lab.net)
    expect_race(agent)
    if lab.net.got(DENY):
        raise Open("a refused connection arrived")

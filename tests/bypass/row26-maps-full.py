"""More at once than there are places for: what has no place is killed, and counted."""
import os

from bypass import Skip, case, expect_not_run, until
from lab import command_of, descendants

MORE_THAN_SLOTS = 4300


def yet_to_exec(lab, agent):
    """How many of them would find no guard once it ends."""
    return sum(command_of(pid).startswith(lab.launch) for pid in descendants(agent.pid))


@case("holds")
def _(lab):
    if "VMTEST" in os.environ:
        raise Skip("an emulated machine has no memory and no time for so many processes")
    guard = lab.new_guard()
    agent = lab.run([lab.launch, "many", str(MORE_THAN_SLOTS), *lab.words()], guard=guard)
    until(lambda: guard.status()["losses"]["slot"] > 0, lambda: guard.status()["losses"], 120)
    expect_not_run(lab)
    until(lambda: len(guard.holds()) > 1000, lambda: f"{len(guard.holds())} holds", 120)
    until(lambda: yet_to_exec(lab, agent) == 0, lambda: f"{yet_to_exec(lab, agent)} have not come to their exec", 120)
    guard.stop()
    agent.finish(120)
    expect_not_run(lab)

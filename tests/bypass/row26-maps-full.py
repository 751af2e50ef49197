"""More at once than there are places for: what has no place is killed, and counted."""
import os

from bypass import Skip, case, expect_not_run, until

MORE_THAN_SLOTS = 4300


def execs(guard):
    """How many were seen; the others would find no guard once it ends."""
    return guard.status()["counters"]["candidates"]


@case("holds")
def _(lab):
    if "VMTEST" in os.environ:
        raise Skip("an emulated machine has no memory and no time for so many processes")
    guard = lab.new_guard()
    agent = lab.run([lab.launch, "many", str(MORE_THAN_SLOTS), *lab.words()], guard=guard)
    until(lambda: guard.status()["losses"]["slot"] > 0, lambda: guard.status()["losses"], 120)
    expect_not_run(lab)
    until(lambda: len(guard.holds()) > 1000, lambda: f"{len(guard.holds())} holds", 120)
    until(lambda: execs(guard) == MORE_THAN_SLOTS, lambda: f"{execs(guard)} have come to their exec", 120)
    guard.stop()
    agent.finish(120)
    expect_not_run(lab)

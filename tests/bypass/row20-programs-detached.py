"""bpf(), pins and mounts, by root in a session."""
from bypass import HOOKS, Open, case, each

ROOT = "root in a session can do that: only security hooks refuse it"


def tamper(lab, *words, guard=None):
    agent = lab.run([f"{lab.build}/victims/tamper", *words], guard=guard)
    agent.finish()
    if ": OK" in agent.out:
        raise Open(agent.out)
    assert "EPERM" in agent.out, agent.all


@case("a pinned map is opened", limit={"trace": ROOT})
def _(lab):
    tamper(lab, "bpf-get", next(p for p in lab.guard.pinned() if "session" in p))


@case("programs are listed", limit={"trace": ROOT})
def _(lab):
    tamper(lab, "bpf-next")


@case("the bpffs is taken away", tiers=HOOKS)
def _(lab):
    tamper(lab, "umount-lazily", lab.guard.pins.rsplit("/", 1)[0])


@each(["init-module", "finit-module"], "modules", tiers=HOOKS)
def _(lab, way):
    tamper(lab, way)


@case("a pin is removed", limit={"trace": ROOT})
def _(lab):
    guard = lab.new_guard()
    tamper(lab, "unlink", next(p for p in guard.pinned() if "exec_loaded" in p), guard=guard)

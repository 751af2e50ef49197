"""Libraries and code that the environment loads into a tool: the record names the variable."""
from bypass import Open, case, events, until

LOADERS = ["LD_PRELOAD", "LD_AUDIT", "BASH_ENV"]
INNOCENT = "the environment is read of what a signature matches alone: to read it of every exec costs too much"


def environments(lab, kind):
    return [e["unmapped"]["backstop"].get("environment", []) for e in events(lab, kind, lab.marker)]


def run(lab, program):
    lab.run(["env", *(f"{name}=/nonexistent/{name}" for name in LOADERS), *lab.words(program)]).finish()


@case("LD_PRELOAD, LD_AUDIT into what is reported", seen=True)
def _(lab):
    run(lab, "victim-alert")
    until(lambda: LOADERS in environments(lab, 2004), "a finding that names them", 5)


@case("LD_PRELOAD, LD_AUDIT into what is refused", seen=True)
def _(lab):
    run(lab, "victim-deny")
    until(lambda: LOADERS in environments(lab, 2004), "a finding that names them", 5)


@case("LD_PRELOAD, LD_AUDIT into what no signature matches", limit=INNOCENT)
def _(lab):
    run(lab, "victim-plain")
    until(lambda: environments(lab, 1007), "its event", 5)
    if not any(environments(lab, 1007)):
        raise Open("nothing is said of it")

"""Settings, project files and variables that would switch the guard off."""
import os
import shutil
import tempfile

from bypass import case, expect_not_run, quote, refused

ROOT = "root in a session can write the settings of the machine and have them read: only security hooks refuse that"
NAMES = ["BACKSTOP", "BACKSTOP_MODE", "BACKSTOP_OFF", "BACKSTOP_DISABLE", "BACKSTOP_POLICY", "BACKSTOP_SOCKET", "BACKSTOP_SETTINGS"]


@case("a project file that loosens")
def _(lab):
    with tempfile.TemporaryDirectory(prefix="backstop-e2e-", dir="/srv") as work:
        with open(f"{work}/.backstop.yaml", "w", encoding="utf-8") as f:
            f.write("verdicts: {test.deny: allow}\n")
        refused(lab, lab.words("victim-deny"), (126,), cwd=work)


@case("variables of the environment")
def _(lab):
    for value in ("0", "off", "allow", "record", "/dev/null"):
        refused(lab, ["env", *[f"{name}={value}" for name in NAMES], *lab.words("victim-deny")], (126,))


@case("a reload that the session asks for")
def _(lab):
    agent = lab.run([lab.backstop, "policy", "reload", *lab.guard.common])
    assert agent.finish() != 0 and "belongs to session" in agent.all, agent.all


@case("the settings are rewritten, and the keeper is told to read them", limit={"trace": ROOT})
def _(lab):
    guard = lab.new_guard()
    before, new = guard.settings_file, os.path.join(lab.work, "new.yaml")
    shutil.copy(before, new)
    with open(new, encoding="utf-8") as f:
        text = f.read().replace('"pins"', '"mode": "record", "pins"', 1)
    with open(new, "w", encoding="utf-8") as f:
        f.write(text)
    agent = lab.run(["bash", "-c", f"cat {new} >{before}; kill -HUP {guard.pid}; sleep 5; {quote(lab.words('victim-deny'))}; exit $?"],
                    guard=guard)
    agent.finish(60)
    expect_not_run(lab)

"""Scripts, traps, hooks, aliases, sub-shells: what counts is the exec of the real program."""
import json
import os
import shutil

from bypass import Skip, case, each, held, held_way, quote

NAMES = ["#! script", "bash script", "stdin script", "trap", "make", "git alias", "git hook", "sub-shell and variable",
         "eval", "here document", "xargs", "find -exec", "perl system", "python os.system", "env"]


@each(NAMES, "by")
def _(lab, way):
    held_way(lab, way)


@case("by npm run")
def _(lab):
    if not shutil.which("npm"):
        raise Skip("npm is not installed")
    if "VMTEST" in os.environ:
        raise Skip("an emulated machine takes minutes for npm")
    lab.script("package.json", json.dumps({"scripts": {"drop": quote(lab.words())}}))
    held(lab, ["npm", "run", "drop"])

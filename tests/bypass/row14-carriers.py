"""Programs that run what they are given: the loader, busybox, interpreters, binfmt_misc."""
import os

from bypass import Skip, case, deny_words, each, held, held_way, refused, run_plain

FORMATS = "/proc/sys/fs/binfmt_misc"


@each(["ld.so", "busybox env", "busybox sh", "node spawnSync"], "by")
def _(lab, way):
    held_way(lab, way)


@case("an applet of busybox")
def _(lab):
    assert held(lab, ["busybox", "touch", lab.marker])["signature"] == "test.applet"


@case("python -m")
def _(lab):
    lab.script("shipit.py", "import os, sys\nos.execv(sys.argv[1], sys.argv[1:])\n")
    refused(lab, ["/usr/bin/python3", "-m", "shipit", *deny_words(lab)], (126,))


@case("a handler of binfmt_misc")
def _(lab):
    if not os.path.exists(f"{FORMATS}/register"):
        mounted = run_plain("mount", "-t", "binfmt_misc", "none", FORMATS)
        if mounted.returncode:
            raise Skip("this kernel has no binfmt_misc")
        lab.undo.append(lambda: run_plain("umount", FORMATS))
    name = f"backstop-e2e-{os.getpid()}"
    handler = lab.script("handler", f"#!/bin/sh\nexec {' '.join(deny_words(lab))}\n")
    with open(f"{FORMATS}/register", "w", encoding="ascii") as f:
        f.write(f":{name}:E::e2e{os.getpid()}::{handler}:")
    lab.undo.append(lambda: open(f"{FORMATS}/{name}", "w", encoding="ascii").write("-1"))
    refused(lab, ["bash", "-c", f"{lab.script(f'x.e2e{os.getpid()}', 'anything')}; exit $?"], (126,))

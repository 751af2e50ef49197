"""An agent that runs before the guard does, and what it has started."""
import os

from bypass import case, expect_not_run, quote, until

PROFILE = """agent: e2e-bot
title: A stub
names: [e2estubbot]
hits: [e2estubbot --now]
misses: [vim e2estubbot.md]
"""


@case("found by its profile, with its descendants")
def _(lab):
    profiles = f"{lab.dir}/profiles"
    os.mkdir(profiles)
    lab.script("e2e-bot.yaml", PROFILE, profiles)
    later = f"until [ -e go ]; do sleep 0.1; done; {quote(lab.words())}"
    agent = lab.plain([lab.script("e2estubbot", f"#!/bin/bash\nsetsid bash -c '{later}' &\nwait\n", lab.bin)])
    until(lambda: os.path.exists(f"/proc/{agent.pid}/task/{agent.pid}/children") and
          open(f"/proc/{agent.pid}/task/{agent.pid}/children", encoding="ascii").read(), "its child")
    guard = lab.new_guard(settings={"agents": {"from": [profiles], "follow": True}})
    until(lambda: guard.status()["sessions"], "its session")
    open(f"{lab.work}/go", "w", encoding="utf-8").close()
    hold = guard.wait_for_holds()[0]
    expect_not_run(lab)
    guard.deny(hold)
    agent.finish()
    expect_not_run(lab)

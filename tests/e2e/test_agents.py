"""Agents that start by themselves, or run already, or are attached; and their sub-agents."""
import os
import shutil
import subprocess
import sys
import time

import pytest

from lab import children, descendants, end_process, is_gone, stat_of, until

CGROUPS = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
PROFILES = {"e2e-bot": """agent: e2e-bot
title: A stub
names: [e2estubbot]
scripts: ["@e2e-stub/bot-cli/main.js", "-m e2e_stub_bot"]
hits:
  - e2estubbot --now
  - node /usr/lib/node_modules/@e2e-stub/bot-cli/main.js
  - python3 -m e2e_stub_bot
misses:
  - vim e2estubbot.md
  - node /home/dev/main.js
""", "e2e-helper": """agent: e2e-helper
title: Another stub
names: [e2estubhelper]
hits: [e2estubhelper]
misses: ["echo e2estubhelper"]
"""}


@pytest.fixture
def profiles(lab):
    directory = os.path.join(lab.dir, "profiles")
    os.mkdir(directory)
    for name, text in PROFILES.items():
        lab.script(f"{name}.yaml", text, directory)
    return directory


@pytest.fixture
def own(lab, profiles):
    """A guard that follows the stubs and nothing else, not started yet."""
    return lab.make_guard(settings={"agents": {"from": [profiles], "follow": True}})


def install(lab, name, text):
    return lab.script(name, text, lab.bin)


def stub(lab, name="e2estubbot", more="sleep 60 & wait $!"):
    """An agent that is a script with #!, as most are."""
    return install(lab, name, f"#!/bin/bash\n{more}\n")


def binary(lab, name):
    path = os.path.join(lab.bin, name)
    shutil.copy("/bin/sleep", path)
    return [path, "60"]


def sessions(guard, agent=None):
    return [s for s in guard.status()["sessions"] if agent in (None, s["agent"])]


def one_session(guard, agent="e2e-bot", pid=None):
    found = until(lambda: sessions(guard, agent), lambda: guard.status()["sessions"])
    assert len(found) == 1 and pid in (None, found[0]["pid"]), found
    return found[0]


def module(lab):
    return lab.script("e2e_stub_bot.py", "import time\ntime.sleep(60)\n")


def package(lab):
    directory = os.path.join(lab.work, "node_modules/@e2e-stub/bot-cli")
    os.makedirs(directory)
    return lab.script("main.js", "#!/usr/bin/env node\nsetTimeout(() => {}, 60000)\n", directory)


def linked_package(lab):
    """As npm installs a command: a link in a directory of PATH."""
    link = os.path.join(lab.bin, "e2estubbot")
    os.symlink(package(lab), link)
    return [link]


STARTS = {
    "a program": lambda lab: binary(lab, "e2estubbot"),
    "a script": lambda lab: [stub(lab)],
    "found in PATH": lambda lab: ["env", os.path.basename(stub(lab))],
    "node SCRIPT": lambda lab: ["node", package(lab)],
    "node, options": lambda lab: ["node", "--max-old-space-size=512", package(lab), "--resume"],
    "a link to a package": linked_package,
    "python -m": lambda lab: module(lab) and [sys.executable, "-m", "e2e_stub_bot"],
    "by a shell": lambda lab: ["bash", "-c", f"{stub(lab)}; true"],
    "argv[0] and link": lambda lab: ["bash", "-c", f"exec -a anything {binary(lab, 'e2estubbot')[0]} 60"],
}


@pytest.mark.parametrize("how", STARTS)
def test_found_at_exec(lab, own, how):
    own.start()
    lab.plain(STARTS[how](lab))
    session = one_session(own)
    assert session["user"] == "root" and session["workspace"] in (lab.work, None), session
    end_stubs(lab)
    until(lambda: not sessions(own), "the session has ended")


def stubs(lab):
    """What runs in the lab's directory."""
    found = []
    for pid in descendants():
        try:
            if os.readlink(f"/proc/{pid}/cwd") == lab.work:
                found.append(pid)
        except OSError:
            pass  # gone meanwhile
    return found


def end_stubs(lab):
    """The agent and what it started, and what that starts meanwhile."""
    for agent in lab.agents:
        agent.end()
    until(lambda: not [end_process(pid) for pid in stubs(lab)], "all stubs are gone")


@pytest.mark.parametrize("how", STARTS)
def test_found_running(lab, own, how):
    """Agents that were there before the guard, with what they had started."""
    lab.plain(STARTS[how](lab))
    time.sleep(0.4)
    own.start()
    one_session(own)
    end_stubs(lab)


def test_its_commands_are_held(lab, own):
    own.start()
    agent = lab.plain([stub(lab, more=" ".join(lab.words(exit=5)) + "; exit $?")])
    hold = own.wait_for_holds()[0]
    assert hold["agent"] == "e2e-bot" and not lab.ran(), hold
    own.deny(hold)
    assert agent.finish() == 126 and not lab.ran()


def test_its_first_command_is_held(lab, own):
    """The session is there before the agent's first instruction: nothing of it is missed."""
    own.start()
    for _ in range(20):
        agent = lab.plain([stub(lab, more="exec " + " ".join(lab.words("victim-deny")))])
        assert agent.finish() == 126
    assert not lab.ran()


def lines_of(path):
    try:
        with open(path, encoding="utf-8") as f:
            return len(f.readlines())
    except FileNotFoundError:
        return 0


def test_descendants_of_a_running_agent(lab, own):
    """Children, and those with a process group and terminal session of their own."""
    victim = " ".join(lab.words("victim-deny"))
    late = f"echo >> ready; until [ -e go ]; do sleep 0.05; done; {victim}; echo $? >> out"
    agent = lab.plain([stub(lab, more=f"({late}) &\n(setsid -w setsid -w bash -c '{late}') &\nwait")])
    until(lambda: lines_of(f"{lab.work}/ready") == 2, "both run")
    own.start()
    one_session(own, pid=agent.pid)
    open(f"{lab.work}/go", "w", encoding="utf-8").close()
    agent.finish()
    with open(f"{lab.work}/out", encoding="utf-8") as f:
        assert f.read().split() == ["126", "126"]
    assert not lab.ran()


@pytest.mark.parametrize("argv", [
    ["bash", "-c", "sleep 1 # e2estubbot"], ["env", "echo", "e2estubbot"], "e2estubbotx", "xe2estubbot", "e2estubb",
    ["node", "-e", "setTimeout(() => {}, 500)", "@e2e-stub/bot-cli/main.js"]])
def test_similar_names_are_nothing(lab, own, argv):
    own.start()
    agent = lab.plain(binary(lab, argv)[:1] + ["0.5"] if isinstance(argv, str) else argv)
    agent.finish()
    assert not sessions(own)
    assert not [line for line in own.lines() if "e2e-bot" in line]


def test_sub_agent_is_named(lab, own):
    own.start()
    helper = binary(lab, "e2estubhelper")
    lab.plain([stub(lab, more=f"{helper[0]} 60 & wait $!")])
    session = until(lambda: next((s for s in sessions(own, "e2e-bot") if s.get("subagents")), None), lambda: sessions(own))
    assert session["subagents"] == "e2e-helper" and len(sessions(own)) == 1
    assert "e2e-helper" in own.cli("status").stdout
    end_stubs(lab)


def test_agent_by_run_is_one_session(lab, own):
    own.start()
    agent = lab.run(binary(lab, "e2estubbot"), guard=own)
    until(lambda: sessions(own), "a session")
    assert len(sessions(own)) == 1
    agent.end()


def test_follow_off(lab, profiles):
    guard = lab.new_guard(settings={"agents": {"from": [profiles], "follow": False}})
    agent = lab.plain([stub(lab, more=" ".join(lab.words("victim-deny", exit=5)) + "; exit $?")])
    assert agent.finish() == 5 and lab.ran() == 1
    assert not sessions(guard)


def test_profile_off(lab, profiles):
    guard = lab.new_guard(settings={"agents": {"from": [profiles], "follow": True, "off": ["e2e-bot"]}})
    lab.plain(binary(lab, "e2estubbot"))
    lab.plain(binary(lab, "e2estubhelper"))
    one_session(guard, "e2e-helper")
    assert not sessions(guard, "e2e-bot")


# --- attach

def test_attach_pid(lab):
    guard = lab.new_guard()
    agent = lab.plain(["bash"], stdin=subprocess.PIPE)
    done = guard.cli("attach", "--pid", agent.pid, "--agent", "late")
    assert done.returncode == 0, done
    assert one_session(guard, "late")["pid"] == agent.pid
    agent.process.stdin.write((" ".join(lab.words("victim-deny")) + "; exit $?\n").encode())
    agent.process.stdin.close()
    assert agent.finish() == 126 and not lab.ran()
    until(lambda: not sessions(guard), "the session has ended")


def test_attach_descendants(lab):
    """All that the process has started belongs to it, threads as well."""
    guard = lab.new_guard()
    agent = lab.plain(["bash", "-c", "for i in 1 2 3; do (echo >> ready; until [ -e go ]; do sleep 0.05; done; "
                       "%s; echo $? >> out) & done; wait" % " ".join(lab.words("victim-deny"))])
    until(lambda: lines_of(f"{lab.work}/ready") == 3, "all run")
    assert guard.cli("attach", "--pid", agent.pid).returncode == 0
    open(f"{lab.work}/go", "w", encoding="utf-8").close()
    agent.finish()
    with open(f"{lab.work}/out", encoding="utf-8") as f:
        assert f.read().split() == ["126"] * 3
    assert not lab.ran()


def test_attach_with_zombies(lab):
    """What is dead already belongs to nothing: a child that nobody reaps, a first thread that ended before its others."""
    guard = lab.new_guard()
    code = ("import ctypes, os, sys, threading\n"
            "os.fork() or os._exit(0)\n"
            "if not os.fork():\n"
            " threading.Thread(target=sys.stdin.readline).start()\n"
            " ctypes.CDLL(None).syscall(60, 0)\n"
            "os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)\n"
            "print('ready', flush=True)\nsys.stdin.readline()\n")
    agent = lab.plain([sys.executable, "-c", code], stdin=subprocess.PIPE)
    agent.wait_for("ready")
    until(lambda: sorted(stat_of(p)[0] for p in children(agent.pid)) == ["Z", "Z"], "two are zombies")
    assert guard.cli("attach", "--pid", agent.pid).returncode == 0
    assert len(guard.status()["sessions"]) == 1
    for pid in (agent.pid, *children(agent.pid)):
        end_process(pid)
    until(lambda: not guard.status()["sessions"], lambda: f"the session has ended: {guard.status()['sessions']}")


def test_attach_threads_connect(lab, net):
    """A thread that was there before the session is refused as well."""
    guard = lab.new_guard()
    code = ("import socket, sys, threading, time\n"
            "def go():\n sys.stdin.readline()\n"
            " try:\n  socket.create_connection(('10.20.0.5', 7004)); print('connected')\n"
            " except OSError as e: print(e.errno)\n"
            "t = threading.Thread(target=go); t.start(); print('ready', flush=True); t.join()\n")
    agent = lab.plain([*net.inside, sys.executable, "-c", code], stdin=subprocess.PIPE)
    agent.wait_for("ready")
    assert guard.cli("attach", "--pid", agent.pid).returncode == 0
    agent.process.stdin.write(b"\n")
    agent.process.stdin.close()
    assert agent.finish() == 0 and agent.out == "ready\n1\n", agent.all
    assert not net.got(7004)


@pytest.fixture
def cgroup(lab):
    top = next((c for c in CGROUPS if os.path.exists(f"{c}/cgroup.procs") and os.path.exists(f"{c}/cgroup.controllers")), None)
    if not top:
        pytest.skip("no cgroup2 hierarchy is mounted")
    path = os.path.join(top, f"backstop-e2e-{os.getpid()}")
    os.mkdir(path)
    yield path
    for agent in lab.agents:
        agent.end()
    until(lambda: not open(f"{path}/cgroup.procs", encoding="utf-8").read(), "nothing lives there")
    os.rmdir(path)


@pytest.mark.parametrize("absolute", [True, False])
def test_attach_cgroup(lab, cgroup, absolute):
    guard = lab.new_guard()
    inside = [lab.plain(["bash", "-c", f"echo $$ > {cgroup}/cgroup.procs; echo in; read x; {' '.join(lab.words('victim-deny'))}; exit $?"],
                        stdin=subprocess.PIPE) for _ in range(2)]
    outside = lab.plain(["bash", "-c", f"read x; {' '.join(lab.words('victim-deny', exit=3))}; exit $?"], stdin=subprocess.PIPE)
    for agent in inside:
        agent.wait_for("in")
    done = guard.cli("attach", "--cgroup", cgroup if absolute else "/" + os.path.basename(cgroup), "--agent", "ci")
    assert done.returncode == 0, done
    assert len(sessions(guard, "ci")) == 1
    for agent in [*inside, outside]:
        agent.process.stdin.write(b"\n")
        agent.process.stdin.close()
    assert [a.finish() for a in inside] == [126, 126] and outside.finish() == 3
    assert lab.ran() == 1


@pytest.mark.parametrize("words", [["--pid", "0"], ["--pid", "99999999"], ["--pid", "x"], ["--cgroup", "/nonexistent"], [],
                                   ["--pid", "1", "--cgroup", "/"]])
def test_attach_what_is_not_there(lab, words):
    done = lab.guard.cli("attach", *words)
    assert done.returncode != 0 and done.stderr.strip(), done
    assert not sessions(lab.guard)


def test_attach_twice(lab):
    """What is in a session stays in it."""
    agent = lab.run(["sleep", "60"])
    session = one_session(lab.guard, "test")
    done = lab.guard.cli("attach", "--pid", session["pid"])
    assert done.returncode != 0 and "session" in done.stderr, done
    assert len(sessions(lab.guard)) == 1
    agent.end()


def test_session_cannot_attach(lab):
    other = lab.plain(["sleep", "60"])
    agent = lab.run([lab.backstop, "attach", *lab.guard.common, "--pid", str(other.pid)])
    assert agent.finish() != 0 and "session" in agent.err, agent.all
    assert not is_gone(other.pid)
    other.end()

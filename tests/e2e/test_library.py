"""The signatures as they are shipped, on this kernel: of each that holds or refuses, the first example is
really exec'ed in a session, and must not run."""
import glob
import json
import os
import shlex
import shutil
import sys

import pytest

from lab import KEEP, TOP, Agent, Guard, copy_readable

yaml = pytest.importorskip("yaml", reason="Debian's python3-yaml is not installed")

STATUS = {"hold": 126, "deny": 126, "kill": 137}

# Runs as the agent, with /home a file system of its own: the examples' paths mean nothing real there, and the stubs
# touch nothing anyway. In: [[stub, argv, cwd, the files that exist there, variables]…], out: [[status, how often a stub ran]…].
AGENT = """
import json, os, sys

def ran():
    try:
        with open(os.environ["MARKER"], "rb") as f:
            return f.read().count(b"\\n")
    except FileNotFoundError:
        return 0

def run(stub, argv, cwd, files, env):
    os.makedirs(cwd, exist_ok=True)
    os.chdir(cwd)
    for name in files:
        os.makedirs(os.path.dirname(os.path.abspath(name)), exist_ok=True)
        if name.endswith("/"):
            os.makedirs(name, exist_ok=True)
        elif not os.path.isdir(name):
            open(name, "a").close()
    before = ran()
    status = os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn(stub, argv, {**os.environ, **env}), 0)[1])
    return [status if status >= 0 else 128 - status, ran() - before]

with open(sys.argv[1]) as f:
    execs = json.load(f)
with open(sys.argv[2], "w") as out:
    json.dump([run(*e) for e in execs], out)
"""
PRIVATE_HOME = "mount -t tmpfs none /home && mkdir -p /home/dev/app && cd /home/dev/app && exec \"$@\""


def read_packs():
    for path in sorted(glob.glob(f"{TOP}/signatures/*.yaml")):
        with open(path, encoding="utf-8") as f:
            yield yaml.load(f, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def sample():
    """[(signature, verdict, argv, cwd, files, variables)…]: the first example of every signature that is more than an alert."""
    for pack in read_packs():
        for s in pack["signatures"]:
            if s["verdict"] == "alert" or "command" not in s:
                continue
            hit = s["hits"][0] if isinstance(s["hits"][0], dict) else {"run": s["hits"][0]}
            argv = shlex.split(hit["run"])
            yield (f"{pack['pack']}.{s['id']}", s["verdict"], argv, hit.get("cwd", "/home/dev/app"),
                   hit.get("files", []), hit.get("env", {}))


@pytest.fixture(scope="module")
def library(build, session_dir, no_program_left):
    """A guard with the packs that are shipped, and no profile of an agent."""
    directory = os.path.join(session_dir, "library")
    os.mkdir(directory)
    os.chmod(directory, 0o755)
    packs = copy_readable(f"{TOP}/signatures", f"{directory}/signatures")
    guard = Guard(build, directory, None, settings={"packs": {"from": [packs]}}).start()
    KEEP.add(guard.pid)
    yield guard
    KEEP.discard(guard.pid)
    assert guard.stop() == 0, guard.log()


def link_stub(build, directory, argv):
    """A stub of the program's name. Its argv may say another path: that is how it is called, not what is loaded."""
    path = os.path.join(directory, os.path.basename(argv[0]))
    if not os.path.exists(path):
        os.link(directory + "/.stub", path)
    return path


def run_in_session(lab, guard, execs):
    """The results of all execs in one unattended session: what would be held is denied at once."""
    asked, answered = f"{lab.dir}/execs.json", f"{lab.dir}/results.json"
    with open(asked, "w", encoding="utf-8") as f:
        json.dump(execs, f)
    agent = Agent(["unshare", "-m", "sh", "-c", PRIVATE_HOME, "sh", lab.backstop, "run", *guard.common, "--agent", "test",
                   "--unattended", "--", sys.executable, lab.script("agent.py", AGENT, lab.dir), asked, answered],
                  cwd="/", env={**lab.env, "MARKER": lab.marker})
    lab.agents.append(agent)
    assert agent.finish(120) == 0, agent.all[-3000:]
    with open(answered, encoding="utf-8") as f:
        return json.load(f), agent.err


def test_library(bench, library):
    """Nothing of the sample runs, each ends with the status of its verdict, and says its signature."""
    wanted = list(sample())
    stubs = os.path.join(bench.dir, "stubs")
    os.mkdir(stubs)
    shutil.copy(f"{bench.build}/victims/mark", f"{stubs}/.stub")
    execs = [[link_stub(bench.build, stubs, argv), argv, *more] for _, _, argv, *more in wanted]
    plain = [[link_stub(bench.build, stubs, ["true"]), ["true"], "/home/dev/app", [], {}]]
    results, told = run_in_session(bench, library, plain + execs)
    assert results[0] == [0, 1], "a stub does not run where nothing holds it"
    wrong = [(name, argv, got) for (name, verdict, argv, *_), got in zip(wanted, results[1:])
             if got != [STATUS[verdict], 0]]
    assert len(results) == len(execs) + 1 and wrong == []
    assert len(wanted) >= 100 and told.count("backstop: why: ") >= len(wanted)
    assert len({name.partition(".")[0] for name, *_ in wanted}) >= 80

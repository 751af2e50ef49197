"""The agents' profiles against their programs as package managers install them.

What the registry says today is asked for only where BACKSTOP_REGISTRY names packages ("@openai/codex
cline"): tests give the same result every day."""
import glob
import json
import os
import shutil
import subprocess

import pytest

from conftest import TOP

MODULES = "/usr/local/lib/node_modules"
ENV = "/usr/bin/env"
NODE = "/usr/bin/node"
PYTHON = "/usr/bin/python3.12"

# package: its agent, its bin as the registry had it, and the programs that these start
NPM = {
    "@agentclientprotocol/claude-agent-acp": ("claude", {"claude-agent-acp": "dist/index.js"}, []),
    "@agentclientprotocol/codex-acp": ("codex", {"codex-acp": "dist/index.js"}, []),
    "@anthropic-ai/claude-code": ("claude", {"claude": "bin/claude.exe"}, []),
    "@augmentcode/auggie": ("auggie", {"auggie": "augment.mjs"}, []),
    "@charmland/crush": ("crush", {"crush": "run-crush.js"}, ["@charmland/crush/bin/crush"]),
    "@continuedev/cli": ("continue", {"cn": "dist/cn.js"}, []),
    "@github/copilot": ("copilot", {"copilot": "npm-loader.js"},
                        ["@github/copilot/node_modules/@github/copilot-linux-x64/copilot"]),
    "@google/gemini-cli": ("gemini", {"gemini": "bundle/gemini.js"}, []),
    "@google/jules": ("jules", {"jules": "run.cjs"}, []),
    "@jetbrains/junie": ("junie", {"junie": "bin/index.js"}, []),
    "@kilocode/cli": ("kilo", {"kilo": "bin/kilo", "kilocode": "bin/kilo"},
                      ["@kilocode/cli/bin/.kilo", "@kilocode/cli/node_modules/@kilocode/cli-linux-x64/bin/kilo"]),
    "@modelcontextprotocol/server-filesystem": ("mcp", {"mcp-server-filesystem": "dist/index.js"}, []),
    "@moonshot-ai/kimi-code": ("kimi", {"kimi": "dist/main.mjs"}, []),
    "@openai/codex": ("codex", {"codex": "bin/codex.js"},
                      ["@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"]),
    "@playwright/mcp": ("mcp", {"playwright-mcp": "cli.js"}, []),
    "@qwen-code/qwen-code": ("qwen", {"qwen": "cli-entry.js"}, []),
    "@sourcegraph/amp": ("amp", {"amp": "node_modules/@ampcode/cli/bin/amp.exe"}, []),
    "@vibe-kit/grok-cli": ("grok", {"grok": "dist/index.js"}, []),
    "@xai-official/grok": ("grok", {"grok": "bin/grok"}, ["@xai-official/grok-linux-x64/bin/grok"]),
    "@zed-industries/codex-acp": ("codex", {"codex-acp": "bin/codex-acp.js"}, []),
    "cline": ("cline", {"cline": "bin/cline"},
              ["cline/bin/.cline", "cline/node_modules/@cline/cli-linux-x64/bin/cline"]),
    "codebuff": ("codebuff", {"codebuff": "index.js"}, []),
    "droid": ("droid", {"droid": "bin/droid"}, ["droid/node_modules/@factory/cli-linux-x64/bin/droid"]),
    "mcp-remote": ("mcp", {"mcp-remote": "dist/proxy.js"}, []),
    "openclaw": ("openclaw", {"openclaw": "openclaw.mjs"}, []),
    "opencode-ai": ("opencode", {"opencode": "bin/opencode.exe"},
                    ["opencode-ai/node_modules/opencode-linux-x64/bin/opencode"]),
}
# names of a package that start no agent: a short one for a program that is found by its own, and a test client
OTHER = {"cb", "mcp-remote-client"}
# the script that npm's installation replaces by a native program
REPLACED = {"droid"}

# console script of a Python package: its agent, and the module that it calls
CONSOLE = {
    "aider": ("aider", "aider.main"),
    "gptme": ("gptme", "gptme.cli.main"),
    "gptme-server": ("gptme", "gptme.server.cli"),
    "hermes": ("hermes", "hermes_cli.main"),
    "interpreter": ("open-interpreter", "interpreter.terminal_interface.start_terminal_interface"),
    "kimi": ("kimi", "kimi_cli.cli"),
    "kimi-cli": ("kimi", "kimi_cli.cli"),
    "mcp-server-git": ("mcp", "mcp_server_git"),
    "mini": ("mini-swe-agent", "minisweagent.run.mini"),
    "mini-swe-agent": ("mini-swe-agent", "minisweagent.run.mini"),
    "openhands": ("openhands", "openhands_cli.entrypoint"),
    "openhands-acp": ("openhands", "openhands_cli.acp"),
    "sweagent": ("swe-agent", "sweagent.run.run"),
    "trae-cli": ("trae", "trae_agent.cli"),
}

INNOCENT = """
    ls /home/dev/.claude | vim claude.md | cat CLAUDE.md | git clone https://github.com/openai/codex | npm run build
    node server.js | node /srv/app/dist/index.js | node /srv/app/cli.js | node /usr/local/bin/npm install | bun run dev
    python3 manage.py migrate | python3 -m http.server | python3 -m venv .venv | python3 -m pip install aider-chat
    python3 /usr/bin/unattended-upgrade | deno run main.ts | ssh-agent -D | agent start | amp src/main.rs | pi 1000
    goose postgres up | grok -f patterns | kilo kilo.c | mini notes.txt | warp-cli connect | warp-terminal | q doctor
    kiro-cli init zsh | kiro-cli-term | qterm | cn | interpreter | hermes app.js | code . | cursor . | emacs codex.el
    npx -y @openai/codex | uvx aider-chat | pip install open-interpreter | docker compose up | acli jira project list
    tar xf goose.tar.gz | node /srv/claude/dist/index.js | python3 /srv/gemini/main.py | sh /srv/opencode/build.sh
"""


def ask(tool, execs):
    """The agent that each exec starts, None for none; no links are followed."""
    lines = "".join(json.dumps({"cwd": "/home/dev/app", "home": "/home/dev", **e}) + "\n" for e in execs)
    done = tool("explain", "--policy", tool.image, "--stdin", input=lines)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line)["agent"] for line in done.stdout.splitlines()]


def ask_here(tool, *argv):
    """The agent that a command starts, with links followed."""
    done = tool("explain", "--policy", tool.image, "--json", "--", *argv)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)["agent"]


def install(prefix, package, bins):
    """A package's entry points as npm installs them: the files, and a link to each from bin. Their paths."""
    for name, target in bins.items():
        file = os.path.normpath(f"{prefix}/lib/node_modules/{package}/{target}")
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "w") as f:
            f.write("#!/usr/bin/env node\n")
        for directory in ("bin", "node_modules/.bin"):
            link = f"{prefix}/{directory}/{name}"
            os.makedirs(os.path.dirname(link), exist_ok=True)
            os.symlink(os.path.relpath(file, os.path.dirname(link)), link)
            yield link, file


def npm_commands(prefix, package, bins):
    """What starts an agent in a global and in a local installation of a package."""
    for link, file in install(prefix, package, bins):
        yield [link, "--version"]
        if not file.endswith(".exe") and package not in REPLACED:
            yield ["node", link, "--version"]
            yield [NODE, "--max-old-space-size=8192", link]
            yield ["node", file]


def console_execs(name, module):
    """What starts a Python program: its script, by the #! in it, and by the interpreter, and its module."""
    link = f"/home/dev/.local/bin/{name}"
    python = f"/home/dev/.local/share/uv/tools/{name}/bin/python"
    yield {"argv": [python, link, "--help"], "name": link, "file": PYTHON}
    yield {"argv": [python, link, "--help"], "name": python, "file": PYTHON}
    yield {"argv": ["python3", "-m", module, "--help"], "name": "/usr/bin/python3", "file": PYTHON}


@pytest.mark.parametrize("package", NPM)
def test_npm(tool, package):
    agent, bins, programs = NPM[package]
    commands = [*npm_commands(tool.directory, package, bins), *([f"{MODULES}/{p}"] for p in programs)]
    assert [c for c in commands if ask_here(tool, *c) != agent] == []


@pytest.mark.parametrize("name", CONSOLE)
def test_console_script(tool, name):
    agent, module = CONSOLE[name]
    execs = list(console_execs(name, module))
    assert [e for e, a in zip(execs, ask(tool, execs)) if a != agent] == []


def test_env_script(tool):
    """`#!/usr/bin/env node`: env's exec has the script's name already, and is the agent's start."""
    execs = [{"argv": [ENV, "node", f"/usr/local/bin/{n}"], "name": f"/usr/local/bin/{n}", "file": ENV}
             for n in ("codex", "gemini", "copilot", "qwen")]
    assert ask(tool, execs) == ["codex", "gemini", "copilot", "qwen"]


def test_innocent(tool):
    commands = [c.split() for line in INNOCENT.splitlines() for c in line.split("|") if c.strip()]
    answers = ask(tool, [{"argv": c} for c in commands])
    assert {" ".join(c): a for c, a in zip(commands, answers) if a} == {}


def test_programs_of_this_host(tool):
    """No program that Debian installs is taken for an agent."""
    paths = [p for d in ("/usr/bin", "/usr/sbin", "/usr/games") for p in glob.glob(d + "/*")]
    answers = ask(tool, [{"argv": [p], "name": p, "file": os.path.realpath(p)} for p in paths])
    assert len(paths) > 100 and {p: a for p, a in zip(paths, answers) if a} == {}


def test_each_profile_is_of_an_agent_of_its_own(tool):
    names = [os.path.basename(p)[:-len(".yaml")] for p in glob.glob(f"{TOP}/agents/*.yaml")]
    for name in names:
        with open(f"{TOP}/agents/{name}.yaml") as f:
            assert f"agent: {name}\n" in f.read()
    assert {a for a, *_ in NPM.values()} | {a for a, _ in CONSOLE.values()} <= set(names)


def test_registry(tool):
    """The entry points that the registry has today, of the packages that are asked for."""
    packages = os.environ.get("BACKSTOP_REGISTRY", "").split()
    if not packages:
        pytest.skip("asks the npm registry, for the packages in BACKSTOP_REGISTRY only")
    if not shutil.which("npm"):
        pytest.skip("npm is missing")
    for package in packages:
        done = subprocess.run(["npm", "view", package, "bin", "--json"], cwd=tool.directory, capture_output=True,
                              text=True, timeout=60)
        assert "E404" not in done.stderr, f"{package} is no longer published"
        if done.returncode:
            pytest.skip(f"the npm registry does not answer for {package}: {done.stderr.strip()[:200]}")
        bins = {n: t for n, t in json.loads(done.stdout).items() if n not in OTHER}
        commands = list(npm_commands(tool.directory, package, bins))
        assert bins and [c for c in commands if ask_here(tool, *c) != NPM[package][0]] == []

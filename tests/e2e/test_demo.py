"""The demonstration that the README promises."""
import glob
import os
import signal
import subprocess

import pytest

from lab import TOP, until


def test_demo(build, shared):
    done = subprocess.run([f"{TOP}/tests/demo/demo", build], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def directories():
    return set(glob.glob("/tmp/backstop-demo.*"))


def processes_of(name):
    """Those whose command or open files name it; whether one is frozen does not matter here."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().decode(errors="replace")
            links = [os.readlink(f"/proc/{pid}/{link}") for link in ("root", "cwd", "fd/2")]
        except OSError:
            continue
        if any(name in text for text in [words, *links]):
            found.append(int(pid))
    return found


@pytest.mark.parametrize("mark", ["", "== An agent deploys", "pending", "== It looks"])
def test_interrupted(build, shared, mark):
    """Ctrl-C on the terminal, at once or behind that line: nothing is left running, frozen, mounted or pinned."""
    before = directories()
    process = subprocess.Popen([f"{TOP}/tests/demo/demo", build], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, start_new_session=True)
    until(lambda: directories() - before, "it has begun")
    mine = directories() - before
    said = ""
    while mark not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    os.killpg(process.pid, signal.SIGINT)
    said += process.communicate(timeout=30)[0]
    assert process.returncode == 130, (process.returncode, said)
    assert not mine & directories()
    assert not [pid for name in mine for pid in processes_of(name)]

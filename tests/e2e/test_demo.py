"""The demonstration that the README promises."""
import subprocess

from lab import TOP


def test_demo(build, shared):
    done = subprocess.run([f"{TOP}/tests/demo/demo", build], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr

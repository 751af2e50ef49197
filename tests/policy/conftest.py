"""Fixtures: the build and the policy that it ships."""
import os
import shutil
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def pytest_addoption(parser):
    parser.addoption("--build", default="build", help="the build directory")


class Tool:
    """The binary, called in a directory of the test's own."""

    def __init__(self, build, directory):
        self.binary = os.path.join(TOP, build, "backstop")
        self.image = os.path.join(TOP, build, "policy.image")
        self.signatures = os.path.join(TOP, "signatures")
        self.directory = str(directory)

    def __call__(self, *words, **more):
        return subprocess.run([self.binary, *words], cwd=self.directory, capture_output=True, text=True,
                              timeout=60, **more)

    def installed(self):
        """A copy that finds packs and profiles where they are installed, wherever the build directory is."""
        os.makedirs(f"{self.directory}/bin")
        os.makedirs(f"{self.directory}/share/backstop")
        self.binary = shutil.copy(self.binary, f"{self.directory}/bin")
        for name in ("signatures", "agents"):
            os.symlink(os.path.join(TOP, name), f"{self.directory}/share/backstop/{name}")
        return self

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as f:
            f.write(text)
        return path


@pytest.fixture
def tool(request, tmp_path):
    return Tool(request.config.getoption("--build"), tmp_path)

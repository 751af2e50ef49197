"""Fixtures: the build, the policy, a guard for most tests, and a lab for each test."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as laboratory  # noqa: E402
from feeds import Journal, serves  # noqa: E402
from losses import Area  # noqa: E402
from net import Net  # noqa: E402
from lab import PACKS, TESTER, TOP, Guard, Lab, bpf_programs, command_of, end_process, leftovers, until  # noqa: E402
from wire import (drops_packets, holds_sends, mariadb, mariadb_server, postgres, redis, redis_server, users,  # noqa: E402,F401
                  wire, wire_dir, wire_guard)  # pylint: disable=unused-import


def pytest_addoption(parser):
    parser.addoption("--build", default="build", help="the build directory")


@pytest.fixture(scope="session")
def build(request):
    return os.path.join(TOP, request.config.getoption("--build"))


@pytest.fixture(scope="session", autouse=True)
def one_reaper():
    laboratory.adopt_orphans()
    os.umask(0o022)


@pytest.fixture(scope="session")
def session_dir():
    with tempfile.TemporaryDirectory(prefix="backstop-e2e-guard-") as directory:
        os.chmod(directory, 0o755)
        laboratory.mount_bpffs(directory)
        yield directory
        laboratory.unmount_bpffs()


@pytest.fixture(scope="session")
def policy(build, session_dir):
    """The tests' own policy, compiled."""
    image, settings = os.path.join(session_dir, "policy.image"), os.path.join(session_dir, "image.yaml")
    with open(settings, "w", encoding="utf-8") as f:
        json.dump({"pins": f"{laboratory.BPFFS}/image", "agents": {"follow": False}}, f)
    done = subprocess.run([f"{build}/backstop", "policy", "compile", "--settings", settings, "--output", image, PACKS],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return image


@pytest.fixture(scope="session")
def no_program_left():
    """After all guards have ended nothing of them is loaded: not even a program that nobody holds."""
    yield

    def left():
        return {i: p["name"] for i, p in bpf_programs().items() if i in Guard.programs}

    until(lambda: not left(), lambda: f"BPF programs left loaded: {left()}", 10)


class SharedGuard:
    """The guard that most tests share; a test that ends it does not spoil the next one."""

    def __init__(self, make):
        self.make, self.guard = make, None

    def get(self):
        if self.guard is None or self.guard.process.poll() is not None:
            self.guard = self.make().start()
            laboratory.KEEP.add(self.guard.process.pid)
        return self.guard


@pytest.fixture(scope="session")
def shared(build, session_dir, no_program_left):
    guard = Guard(build, session_dir, None, "--hold-timeout", 60)
    holder = SharedGuard(lambda: guard)
    yield holder
    if holder.guard:
        assert holder.guard.stop() == 0, holder.guard.log()


@pytest.fixture(scope="session")
def the_net(session_dir):
    net = Net(session_dir)
    laboratory.KEEP.add(net.process.pid)
    yield net
    net.close()


@pytest.fixture
def net(the_net):
    """The network, with nothing come yet."""
    the_net.clear()
    return the_net


def check_nothing_left():
    left = {}

    def gone():
        left.clear()
        left.update(leftovers(laboratory.KEEP))
        return not left

    try:
        until(gone, "all ended", 5)
    except AssertionError:
        told = {f"{pid} {state} {command_of(pid)}" for pid, state in left.items()}
        for pid in left:
            end_process(pid)
        raise AssertionError(f"processes left behind: {told}") from None


@pytest.fixture
def bench(build):
    """A lab without a guard."""
    made = Lab(build, None)
    yield made
    made.close()
    try:
        check_nothing_left()
    finally:
        made.remove()


@pytest.fixture
def lab(build, shared, policy):
    """A lab under the shared guard, and the proof that the test left nothing behind."""
    made = Lab(build, shared.get(), policy)
    yield made
    for hold in made.guard.holds() if made.guard.process.poll() is None else []:
        made.guard.deny(hold)
    made.close()
    try:
        check_nothing_left()
        if made.guard.process.poll() is None:
            until(lambda: not made.guard.status()["sessions"], lambda: made.guard.status()["sessions"], 5)
    finally:
        made.remove()


@pytest.fixture(scope="session")
def short_holds(build, session_dir, no_program_left):
    """A guard that does not wait long."""
    directory = os.path.join(session_dir, "short")
    os.mkdir(directory)
    os.chmod(directory, 0o755)
    guard = Guard(build, directory, None, "--hold-timeout", 1)
    yield guard
    if guard.process:
        laboratory.KEEP.discard(guard.process.pid)
        assert guard.stop() == 0, guard.log()


@pytest.fixture
def short(short_holds):
    if short_holds.process is None:
        short_holds.start()
        laboratory.KEEP.add(short_holds.process.pid)
    return short_holds


@pytest.fixture(scope="session")
def tester():
    """A user who is nobody else."""
    made = subprocess.run(["useradd", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/bash", TESTER],
                          capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    yield TESTER
    subprocess.run(["userdel", TESTER], check=True, capture_output=True)


@pytest.fixture
def journal(tmp_path):
    """A journal that needs no guard."""
    return Journal(str(tmp_path / "journal"), 200)


@pytest.fixture
def serve(build, journal, tmp_path):
    yield from serves(build, journal.path, tmp_path)


@pytest.fixture
def area():
    """A directory that is no scratch."""
    directory = tempfile.mkdtemp(prefix="backstop-e2e-", dir="/opt")
    os.chmod(directory, 0o755)
    yield Area(directory)
    shutil.rmtree(directory)

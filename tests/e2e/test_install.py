"""What `make install` puts where, and that it works from there and goes away again."""
import os
import shutil
import subprocess

import pytest

from lab import TOP


def make(build, target, root, **variables):
    words = [f"{name}={value}" for name, value in {"DESTDIR": root, **variables}.items()]
    done = subprocess.run(["make", "-s", "-C", TOP, target, f"BUILD={os.path.relpath(build, TOP)}", *words],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_in(root):
    return {os.path.relpath(os.path.join(d, f), root) for d, _, names in os.walk(root) for f in names}


@pytest.fixture
def root(tmp_path):
    return str(tmp_path / "root")


def test_install_and_uninstall(build, root):
    make(build, "install", root)
    found = files_in(root)
    packs = {f for f in os.listdir(f"{TOP}/signatures") if f.endswith(".yaml")}
    agents = {f for f in os.listdir(f"{TOP}/agents") if f.endswith(".yaml")}
    assert found >= {"usr/local/bin/backstop", "usr/local/share/backstop/policy.image",
                     "usr/local/lib/systemd/system/backstop.service", "usr/local/lib/sysusers.d/backstop.conf",
                     "etc/backstop/backstop.yaml", "usr/local/share/doc/backstop/README.md"}
    assert found >= {f"usr/local/share/backstop/signatures/{f}" for f in packs}
    assert found >= {f"usr/local/share/backstop/agents/{f}" for f in agents}
    make(build, "uninstall", root)
    assert files_in(root) == set()


def test_the_prefix_is_in_the_unit(build, root):
    make(build, "install", root, PREFIX="/usr")
    with open(f"{root}/usr/lib/systemd/system/backstop.service", encoding="utf-8") as f:
        text = f.read()
    assert "ExecStart=/usr/bin/backstop guard\n" in text
    assert "/usr/local" not in text


def test_the_owners_settings_stay(build, root):
    make(build, "install", root)
    with open(f"{root}/etc/backstop/backstop.yaml", "a", encoding="utf-8") as f:
        f.write("\nmode: shadow\n")
    make(build, "install", root)
    said = make(build, "uninstall", root)
    assert "was changed, and is left" in said
    assert files_in(root) == {"etc/backstop/backstop.yaml"}


def test_what_a_former_release_had_is_gone(build, root):
    make(build, "install", root)
    stale = f"{root}/usr/local/share/backstop/signatures/former.yaml"
    shutil.copy(f"{TOP}/signatures/git.yaml", stale)
    make(build, "install", root)
    assert not os.path.exists(stale)


def test_it_works_from_where_it_is(build, root):
    """The installed program finds the installed policy."""
    make(build, "install", root)
    done = subprocess.run([f"{root}/usr/local/bin/backstop", "explain", "--", "terraform", "destroy"], cwd="/",
                          capture_output=True, text=True)
    assert done.returncode == 11, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
def test_systemd_takes_the_unit(build, tmp_path):
    """Every line is known to it, and the exposure is what a root service of this kind can have."""
    root = str(tmp_path / "root")
    make(build, "install", root)
    unit = str(tmp_path / "backstop.service")
    with open(f"{root}/usr/local/lib/systemd/system/backstop.service", encoding="utf-8") as f:
        text = f.read().replace("/usr/local/bin/backstop", f"{root}/usr/local/bin/backstop")
    with open(unit, "w", encoding="utf-8") as f:
        f.write(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=35", unit],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-300:]

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
                     "usr/local/lib/systemd/system/backstop-serve.service", "usr/local/lib/tmpfiles.d/backstop.conf",
                     "usr/local/libexec/backstop/backstop-serve", "usr/local/libexec/backstop/backstop-context",
                     "usr/local/share/backstop/grafana/backstop.json",
                     "usr/local/share/backstop/prometheus/backstop.rules.yml",
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


def serve(prefix, *before):
    return subprocess.run([*before, f"{prefix}/bin/backstop", "serve", "--help"], capture_output=True, text=True)


def test_serve_is_a_program_of_its_own(build, root):
    """Where it, or a library of it alone, is not there, that is told, and the rest of backstop runs."""
    make(build, "install", root)
    prefix = f"{root}/usr/local"
    assert serve(prefix).stdout.startswith("Usage: backstop serve [OPTION")
    libraries = subprocess.run(["ldd", f"{prefix}/libexec/backstop/backstop-serve"], capture_output=True, text=True).stdout
    nats = next(line.split()[2] for line in libraries.splitlines() if "libnats" in line)
    without = ["unshare", "-m", "sh", "-c", f'mount --bind /dev/null {os.path.realpath(nats)} && exec "$@"', "-"]
    done = serve(prefix, *without)
    assert done.returncode == 127 and "error while loading shared libraries" in done.stderr and "libnats" in done.stderr
    assert subprocess.run([*without, f"{prefix}/bin/backstop", "--version"], capture_output=True).returncode == 0
    os.unlink(f"{prefix}/libexec/backstop/backstop-serve")
    done = serve(prefix)
    assert done.returncode == 1
    assert done.stderr == ("backstop: serve: cannot run backstop-serve, which is installed with backstop: "
                           "No such file or directory\n")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
@pytest.mark.parametrize("name, exposure", [("backstop.service", 35), ("backstop-serve.service", 15)])
def test_systemd_takes_the_unit(build, tmp_path, name, exposure):
    """Every line is known to it, and the exposure is what a root service of this kind can have."""
    root = str(tmp_path / "root")
    make(build, "install", root)
    unit = str(tmp_path / name)
    with open(f"{root}/usr/local/lib/systemd/system/{name}", encoding="utf-8") as f:
        text = f.read().replace("/usr/local/bin/backstop", f"{root}/usr/local/bin/backstop")
    with open(unit, "w", encoding="utf-8") as f:
        f.write(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", f"--threshold={exposure}", unit],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-300:]


# In a root of its own as far as anything is written: nothing is left of what it installs and starts. Its only agent is
# the test's, which stands for one that is found by itself.
FROM_NOTHING = r"""
set -u
mount -t tmpfs none "$DIR"
for d in etc usr/local var/lib; do
    mkdir -p "$DIR/upper/$d" "$DIR/work/$d"
    mount -t overlay -o "lowerdir=/$d,upperdir=$DIR/upper/$d,workdir=$DIR/work/$d" none /$d || exit 77
done
mount -t tmpfs -o mode=755 none /run
mount -t bpf none /sys/fs/bpf
answers() { for i in $(seq 200); do backstop status >/dev/null 2>&1 && return; sleep 0.1; done; }
holds() { for i in $(seq 200); do backstop pending | grep -q "$1" && return; sleep 0.1; done; }

make -s -C "$TOP" install BUILD="$BUILD"
mkdir -p /etc/backstop/packs /etc/backstop/agents
cat > /etc/backstop/agents/installbot.yaml <<EOF
agent: installbot
title: Install Bot
names: [e2einstallbot]
hits: [e2einstallbot]
misses: [ls]
EOF
echo "agents: {from: [agents]}" >> /etc/backstop/backstop.yaml
setpriv --pdeathsig TERM backstop guard > "$DIR/log" 2>&1 &
guard=$!
answers
backstop doctor | grep ' guard '
printf '#!/bin/bash\nterraform destroy\necho "status $?"\nexec 3<>/dev/tcp/127.0.0.1/7999\n' > /usr/local/bin/e2einstallbot
printf '#!/bin/sh\necho destroyed\n' > /usr/local/bin/terraform
chmod 755 /usr/local/bin/e2einstallbot /usr/local/bin/terraform
cat > /etc/backstop/packs/production.yaml <<EOF
pack: production
title: The production network
signatures:
  - id: database
    connect: 127.0.0.1:7999
    severity: critical
    verdict: hold
    why: This is production.
    hits: ["127.0.0.1:7999", "tcp:127.0.0.1:7999"]
    misses: ["127.0.0.1:7998", "10.0.0.1:7999"]
EOF
backstop policy reload
setpriv --reuid nobody --regid nogroup --clear-groups e2einstallbot > "$DIR/agent" 2>&1 &
agent=$!
holds terraform.destroy
setpriv --reuid nobody --regid nogroup --groups "$(getent group backstop | cut -d: -f3)" backstop deny 1
holds production.database
make -s -C "$TOP" install BUILD="$BUILD"
kill -HUP $guard
holds production.database
backstop deny 2
wait $agent
cat "$DIR/agent"
backstop log
kill $guard
wait $guard
echo "the guard ended with $?"
cat "$DIR/log"
make -s -C "$TOP" uninstall
ls /usr/local/bin/backstop
"""


def test_from_nothing_to_a_held_agent(build, tmp_path):
    """As the README has it, with all defaults: install, an agent that is found, a hold, a pack, a member of the group, an
    upgrade while something is held, and the end."""
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", "bash", "-c", FROM_NOTHING], cwd="/",
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200,
                          env={**os.environ, "DIR": str(tmp_path), "TOP": TOP, "BUILD": os.path.relpath(build, TOP)})
    said = done.stdout + done.stderr
    if done.returncode == 77:
        pytest.skip("no overlay can be mounted here")
    for text in ("backstop guard (after an upgrade", "/run/backstop/guard.sock: pid ", "in force: version ", "hold 1: denied",
                 "hold 2: denied", "backstop: held: ", "terraform.destroy, critical", "status 126",
                 "backstop: held: connect 127.0.0.1:7999", "Operation not permitted", "agent installbot found",
                 "another backstop takes over", "ready again", "the guard ended with 0",
                 "cannot access '/usr/local/bin/backstop'"):
        assert text in said, (text, said)
    assert "destroyed" not in said

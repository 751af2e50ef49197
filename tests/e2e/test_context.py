"""What is around a command that waits: real repositories, plans and environments, on this kernel."""
import os
import pwd
import shutil
import subprocess
import time

import pytest

import fuse
from lab import KEEP, TOP, Guard, children, copy_readable, stat_of, until


ALLOWED, BLOCKED, DELAYED = 1, 2, 14  # dispositions


@pytest.fixture(scope="module")
def packs(build, session_dir, no_program_left):
    """A guard with the packs that are shipped, and no profile of an agent."""
    directory = os.path.join(session_dir, "context")
    os.mkdir(directory)
    os.chmod(directory, 0o755)
    from_ = copy_readable(f"{TOP}/signatures", f"{directory}/signatures")
    guard = Guard(build, directory, None, settings={"packs": {"from": [from_]}}).start()
    KEEP.add(guard.pid)
    yield guard
    KEEP.discard(guard.pid)
    assert guard.stop() == 0, guard.log()


def git(lab, path, *words, user=None):
    subprocess.run(["git", *words], cwd=path, env=lab.env, check=True, capture_output=True, user=user)


def make_repository(lab, name="repo", files=2):
    path = f"{lab.work}/{name}"
    os.makedirs(path + "/src")
    git(lab, path, "init", "-q", "-b", "main")
    git(lab, path, "config", "gc.auto", "0")
    for n in range(files):
        with open(f"{path}/src/{n}", "w") as f:
            f.write(f"{n}\n")
    git(lab, path, "add", "-A")
    git(lab, path, "commit", "-q", "-m", "one")
    return path


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def run(lab, guard, argv, cwd, **env):
    return lab.run(argv, guard=guard, cwd=cwd, env={**lab.env, **env})


def expect_held(lab, guard, argv, cwd, told, **env):
    """It is held, says why, and is denied: nothing of it has run."""
    agent = run(lab, guard, argv, cwd, **env)
    hold = guard.wait_for_holds()[0]
    assert hold["context"].startswith(told), hold
    table = guard.cli("pending").stdout
    assert "CONTEXT" in table, table
    guard.deny(hold)
    assert agent.finish() == 126
    assert f"backstop: context: {told}" in agent.err, agent.err
    return agent


def no_reader_left():
    done = subprocess.run(["ps", "-e", "-o", "stat=,comm="], capture_output=True, text=True)
    return not [line for line in done.stdout.splitlines() if "backstop-contex" in line and line[0] != "Z"]


def told(guard, command):
    """Disposition and reason of each line on the command itself."""
    events = [e for e in guard.journal() if e["class_uid"] == 1007 and e["activity_id"] == 1
              and e["process"]["cmd_line"] == command]
    return [(e["disposition_id"], e["unmapped"]["backstop"].get("reason")) for e in events]


def test_dirty_is_held_and_clean_is_not(bench, packs):
    repo = make_repository(bench)
    before = len(told(packs, "git reset --hard"))
    for n in range(2):
        write(f"{repo}/src/{n}", "changed\n")
    expect_held(bench, packs, ["git", "reset", "--hard"], repo,
                "2 files with uncommitted changes would be lost: src/0, src/1")
    assert open(f"{repo}/src/0").read() == "changed\n"
    git(bench, repo, "stash")
    git(bench, repo, "stash", "clear")
    agent = run(bench, packs, ["git", "reset", "--hard"], repo)
    assert agent.finish() == 0 and "backstop" not in agent.err
    assert agent.out.startswith("HEAD is now at")
    assert not packs.holds() and no_reader_left()
    bench.expect_no_stop(agent)
    assert told(packs, "git reset --hard")[before:] == [(DELAYED, None), (ALLOWED, None)]


def test_in_the_journal(bench, packs):
    repo = make_repository(bench)
    write(f"{repo}/new", "x")
    expect_held(bench, packs, ["git", "clean", "-fd"], repo, "1 untracked file would be lost: new")
    found = [e for e in packs.journal() if e["class_uid"] == 2004 and "git.clean" in str(e)]
    assert found[-1]["unmapped"]["backstop"]["context"] == "1 untracked file would be lost: new"


def test_from_a_script(bench, packs):
    """Several in a row, in a pipeline and in the background: nobody sees a stop, each has its own answer."""
    repo = make_repository(bench)
    script = bench.script("many.sh", "#!/bin/sh\nfor i in 1 2 3 4 5; do git reset -q --hard || exit 1; done\n"
                          "git checkout -- . | cat; git stash clear & git clean -fd & wait; echo done\n", bench.dir)
    agent = run(bench, packs, [script], repo)
    assert agent.finish() == 0 and agent.out == "done\n" and not agent.err, agent.all


def test_approved(bench, packs):
    repo = make_repository(bench)
    write(f"{repo}/src/0", "changed\n")
    agent = run(bench, packs, ["git", "reset", "--hard"], repo)
    packs.wait_for_holds()
    packs.approve(packs.holds()[0])
    assert agent.finish() == 0 and open(f"{repo}/src/0").read() == "0\n"


CONTAINER = """mount -t tmpfs none "$1/root"
for d in bin sbin lib lib64 usr etc dev proc; do
    [ -e /$d ] || continue
    mkdir "$1/root/$d"; mount --rbind /$d "$1/root/$d"
done
mkdir -p "$1/root/srv/app"; cp -a "$1/repo/." "$1/root/srv/app/"
[ -z "$2" ] || echo changed > "$1/root/srv/app/src/1"
cd /
exec chroot "$1/root" sh -c 'cd /srv/app && exec git reset --hard'
"""


@pytest.mark.parametrize("dirty", ["", "dirty"])
def test_in_a_container(bench, packs, dirty):
    """Another mount namespace and another root: the host has nothing at that path."""
    make_repository(bench)
    os.mkdir(f"{bench.work}/root")
    assert not os.path.exists("/srv/app")
    script = bench.script("container.sh", CONTAINER, bench.dir)
    argv = ["unshare", "-m", "sh", script, bench.work, dirty]
    if dirty:
        expect_held(bench, packs, argv, "/", "1 file with uncommitted changes would be lost: src/1")
    else:
        agent = run(bench, packs, argv, "/")
        assert agent.finish() == 0 and "HEAD is now at" in agent.out, agent.all


def test_of_another_user(bench, packs, tester):
    """The reader sees what the task sees, and no more: here nothing."""
    repo = make_repository(bench)
    user = pwd.getpwnam(tester)
    argv = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "git", "-C", repo, "reset",
            "--hard"]
    os.chmod(repo, 0o755)
    agent = run(bench, packs, argv, "/")
    assert agent.finish() != 126 and "dubious ownership" in agent.err  # clean, and left to git
    os.chmod(repo, 0o700)
    expect_held(bench, packs, argv, "/", "what would be lost could not be found out")


def test_large(bench, packs):
    """50,000 files: an answer, or the limit of time, and the guard decides others meanwhile."""
    repo = make_repository(bench, files=50000)
    write(f"{repo}/src/77", "changed\n")
    start = time.monotonic()
    agent = run(bench, packs, ["git", "reset", "--hard"], repo)
    quick = run(bench, packs, ["git", "push", "--force-with-lease", "nowhere"], repo)
    assert quick.finish() == 128
    packs.wait_for_holds()
    assert time.monotonic() - start < 4
    packs.deny(packs.holds()[0])
    agent.finish()
    assert "1 file with uncommitted changes would be lost: src/77" in agent.err or "not be found out" in agent.err


def test_time_is_out(bench, packs):
    """Something that never answers: held after a second, and the reader is gone."""
    repo = make_repository(bench)
    os.unlink(f"{repo}/.git/index")
    os.mkfifo(f"{repo}/.git/index")
    start = time.monotonic()
    expect_held(bench, packs, ["git", "reset", "--hard"], repo, "what would be lost could not be found out")
    assert 0.9 < time.monotonic() - start < 5 and no_reader_left()


def test_reader_that_cannot_die(bench, packs):
    """It waits for a file system that does not answer, SIGKILL or not: the guard does not."""
    work = f"{bench.work}/silent"
    os.mkdir(work)
    with fuse.mounted(work, ".git"):
        agent = run(bench, packs, ["git", "reset", "--hard"], work)
        hold = packs.wait_for_holds()[0]
        guard = packs.child
        packs.deny(hold)
        assert agent.finish() == 126
        assert packs.child == guard and "does not answer" not in packs.log()
    until(lambda: not [p for p in children(guard) if stat_of(p)], lambda: f"all are collected: {children(guard)}")


def test_hostile(bench, packs):
    """What git itself would run is not run."""
    repo = make_repository(bench)
    trap = bench.script("trap", f"#!/bin/sh\nid -u >> {bench.work}/ran\ncat\n")
    for name in ("core.fsmonitor", "filter.x.clean", "filter.x.process", "diff.external", "core.sshCommand"):
        git(bench, repo, "config", name, trap)
    write(f"{repo}/.gitattributes", "* filter=x\n")
    write(f"{repo}/src/0", "changed\n")
    agent = run(bench, packs, ["git", "reset", "--hard"], repo)
    packs.wait_for_holds()
    assert not os.path.exists(f"{bench.work}/ran")
    packs.deny(packs.holds()[0])
    assert agent.finish() == 126
    assert not os.path.exists(f"{bench.work}/ran")


def test_killed_while_it_is_asked(bench, packs):
    repo = make_repository(bench)
    os.unlink(f"{repo}/.git/index")
    os.mkfifo(f"{repo}/.git/index")
    agent = run(bench, packs, ["timeout", "-s", "KILL", "0.3", "git", "reset", "--hard"], repo)
    agent.finish()
    until(lambda: no_reader_left(), "the reader is gone")
    until(lambda: not packs.holds(), "no hold")
    assert told(packs, "git reset --hard")[-1] == (BLOCKED, "the process was killed")


def test_guard_ends_while_it_is_asked(bench, build):
    guard = bench.new_guard(settings={"packs": {"from": [copy_readable(f"{TOP}/signatures", f"{bench.dir}/signatures")]}})
    repo = make_repository(bench)
    os.unlink(f"{repo}/.git/index")
    os.mkfifo(f"{repo}/.git/index")
    agent = run(bench, guard, ["git", "reset", "--hard"], repo)
    until(lambda: not no_reader_left(), "it is asked")
    assert guard.stop() == 0
    assert agent.finish() == 126 and no_reader_left()


def test_guard_dies_while_it_is_asked(bench, build):
    """The next guard holds what the keeper has kept."""
    guard = bench.new_guard(settings={"packs": {"from": [copy_readable(f"{TOP}/signatures", f"{bench.dir}/signatures")]}})
    repo = make_repository(bench)
    os.unlink(f"{repo}/.git/index")
    os.mkfifo(f"{repo}/.git/index")
    agent = run(bench, guard, ["git", "reset", "--hard"], repo)
    until(lambda: not no_reader_left(), "it is asked")
    guard.kill_child()
    guard.wait_for_holds()
    guard.deny(guard.holds()[0])
    assert agent.finish() == 126
    until(lambda: no_reader_left(), "the readers are gone")
    assert told(guard, "git reset --hard") == [(DELAYED, None)]


@pytest.mark.parametrize("words", [[], ["-u"], ["-k"], ["--", "src/0"]])
def test_stash_is_no_loss(bench, packs, words):
    """It runs reset --hard and clean -fd by itself, once all is put away."""
    repo = make_repository(bench)
    write(f"{repo}/src/0", "changed\n")
    write(f"{repo}/new", "x")
    agent = run(bench, packs, ["git", "stash", "push", *words], repo)
    assert agent.finish() == 0 and not agent.err and open(f"{repo}/src/0").read() == "0\n", agent.all


def test_worktree_add(bench, packs):
    repo = make_repository(bench)
    agent = run(bench, packs, ["git", "worktree", "add", "-q", "../tree"], repo)
    assert agent.finish() == 0 and not agent.err and os.path.exists(f"{bench.work}/tree/src/1"), agent.all


def stub(lab, name):
    path = f"{lab.bin}/{name}"
    shutil.copy(f"{lab.build}/victims/stub", path)
    return path


def test_state_that_is_gone(bench, packs):
    """How the incident began: earlier work, and no state."""
    infra = f"{bench.work}/infra"
    os.makedirs(infra + "/.terraform")
    stub(bench, "terraform")
    agent = run(bench, packs, ["terraform", "apply", f"marker={bench.marker}"], infra)
    packs.wait_for_holds()
    packs.deny(packs.holds()[0])
    assert agent.finish() == 126 and "terraform.state-gone" in agent.err and not bench.ran()
    write(infra + "/terraform.tfstate", "{}")
    agent = run(bench, packs, ["terraform", "apply"], infra)
    assert agent.finish() == 0


def test_environment(bench, packs):
    stub(bench, "kubectl")
    home = f"{bench.work}/home"
    os.makedirs(home + "/.kube")
    write(home + "/.kube/config", "current-context: kind-dev\n")
    agent = run(bench, packs, ["kubectl", "apply", "-f", "x"], bench.work, HOME=home)
    assert agent.finish() == 0 and not agent.err
    write(home + "/.kube/config", "current-context: eks-prod\n")
    expect_held(bench, packs, ["kubectl", "apply", "-f", "x"], bench.work,
                "points at production: the current context eks-prod", HOME=home)
    expect_held(bench, packs, ["kubectl", "delete", "ns", "x"], bench.work,
                "points at production: AWS_PROFILE=acme-prod", AWS_PROFILE="acme-prod", HOME="/nowhere")


def test_latency(bench, packs):
    """A clean repository: what the hold costs."""
    repo = make_repository(bench, files=200)
    loop = ("import os,sys,time\nt=[]\nfor i in range(30):\n s=time.monotonic()\n"
            " os.spawnlp(os.P_WAIT,'git','git',*sys.argv[1:])\n t.append(time.monotonic()-s)\n"
            "print(sorted(t)[15]*1000)\n")
    script = bench.script("loop.py", loop, bench.dir)

    def median(*words):
        agent = run(bench, packs, ["/usr/bin/python3", script, *words], repo)
        assert agent.finish(60) == 0, agent.all
        return float(agent.out.splitlines()[-1])

    plain, asked = median("reset", "-q", "--soft"), median("reset", "-q", "--hard")
    print(f"git reset --soft {plain:.2f} ms, --hard with a clean repository {asked:.2f} ms")
    assert asked < plain + 60

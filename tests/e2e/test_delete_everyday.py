"""Deletions of everyday work, under the policy that people get."""
import os
import shutil
import tempfile

import pytest

from lab import KEEP, TOP, Guard, copy_readable, until
from losses import Area, Loss, can_refuse


@pytest.fixture(scope="module")
def everyday(build, session_dir, no_program_left):
    directory = os.path.join(session_dir, "everyday")
    os.mkdir(directory)
    os.chmod(directory, 0o755)
    packs = copy_readable(os.path.join(TOP, "signatures"), f"{directory}/signatures")
    guard = Guard(build, directory, settings={"packs": {"from": [packs]}}).start()
    KEEP.add(guard.process.pid)
    yield guard
    KEEP.discard(guard.process.pid)
    assert guard.stop() == 0, guard.log()


DEFAULTS = ["terraform.tfstate", "data/app.db", ".git/HEAD", ".git/objects/3f/5a", "backups/monday.tar.gz", "~/.ssh/id_ed25519",
            "~/.aws/credentials"]


@pytest.fixture
def home():
    """Of nobody: what counts is its place, as a variable is easily set."""
    directory = tempfile.mkdtemp(prefix="backstop-e2e-", dir="/home")
    yield Area(directory)
    shutil.rmtree(directory)


@pytest.mark.parametrize("name", DEFAULTS)
def test_what_must_stay_unless_told_otherwise(lab, everyday, area, home, name):
    path = home.file(name[2:]) if name[0] == "~" else area.file(name)
    loss = Loss(lab, area, [f"{lab.build}/victims/delete", "unlink", path], path, guard=everyday)
    hold = everyday.wait_for_holds()[0]
    assert hold["action"] == "delete" and hold["path"] == path and hold["signature"].startswith("deletions."), hold
    loss.expect_kept()
    everyday.deny(hold)
    loss.finish(1)


def test_a_burst_unless_told_otherwise(lab, everyday, area):
    """200 files in 10 s; what is scratch or build output is in none."""
    paths = area.files(250)
    for where in ("node_modules/x", "target/debug"):
        area.files(250, where)
    agent = lab.run(["bash", "-c", f"for d in node_modules/x target/debug tree; do {lab.build}/victims/delete each $d || exit; done"],
                    guard=everyday, cwd=area.dir)
    hold = everyday.wait_for_holds()[0]
    gone = 199 if can_refuse(everyday) else 200
    assert hold["signature"] == "deletions.burst" and hold["burst"] == 200 and area.left() == 250 - gone, hold
    assert not area.left("node_modules") and not area.left("target")
    agent.wait_for(f"backstop approve {hold['id']}")
    told = next(line for line in agent.err.splitlines() if " files are gone: " in line)
    first = told.partition(" files are gone: ")[2].split(",")[0]
    assert told.startswith(f"backstop: {gone} files") and first in paths and not os.path.exists(first), agent.err
    everyday.deny(hold)
    assert agent.finish() and area.left() == 250 - gone


COMMIT = "git add -A && git commit -qm x"
EVERYDAY = {
    "git": f"""
        git init -q -b main repo && cd repo
        for i in $(seq 300); do echo $i > f$i; done; {COMMIT}
        git checkout -qb side; git rm -q f*; echo x > only; {COMMIT}
        git checkout -q main; git checkout -q side; git checkout -q main
        echo more > new; {COMMIT}; git rebase -q main side; git checkout -q main
        git merge -q side -m merge; git stash -q || true; git gc -q; git repack -qad; git pack-refs --all
        git clone -q . ../clone; cd ../clone; git pull -q; git worktree add -q ../tree; git worktree remove ../tree""",
    "make clean": """
        for i in $(seq 250); do echo "int f$i(void) { return $i; }" > f$i.c; done
        printf 'all: $(patsubst %%.c,%%.o,$(wildcard *.c))\\n%%.o: %%.c\\n\\t@cp $< $@\\nclean:\\n\\trm -f *.o *.d core\\n' > Makefile
        make -s -j4; make -s clean; test ! -e f1.o; test -e f1.c""",
    "atomic saves": """
        python3 -c "
import os, sqlite3
for i in range(300):
    with open('notes.tmp', 'w') as f:
        f.write(str(i))
    os.replace('notes.tmp', 'notes.txt')
db = sqlite3.connect('app.db')
db.execute('create table t (x)')
for i in range(250):
    db.execute('insert into t values (?)', (i,)); db.commit()
db.execute('pragma journal_mode=wal'); db.execute('insert into t values (0)'); db.commit(); db.close()"
        for i in $(seq 250); do echo $i > l$i.txt; done; sed -i 's/1/2/' l*.txt""",
    "logs and locks": """
        for i in $(seq 60); do echo x > app.log; echo x > run.lock; rm run.lock; done""",
    "npm install": """
        mkdir lib app; cd lib; for i in $(seq 250); do echo "exports.x=$i" > m$i.js; done
        echo '{"name":"lib","version":"1.0.0"}' > package.json; npm pack --silent > /dev/null; cd ../app
        echo '{"name":"app","version":"1.0.0","dependencies":{"lib":"file:../lib/lib-1.0.0.tgz"}}' > package.json
        npm install --silent --offline --no-audit --no-fund; test -e node_modules/lib/m1.js
        npm ci --silent --offline --no-audit --no-fund; npm uninstall --silent --offline lib; test ! -e node_modules/lib""",
    "cargo": """
        cargo init --quiet --offline --name app . && cargo build --quiet --offline && cargo clean --quiet --offline
        cargo build --quiet --offline""",
    "python": """
        python3 -m venv --without-pip .venv; mkdir pkg
        for i in $(seq 250); do echo "x = $i" > pkg/m$i.py; done; python3 -m compileall -q pkg
        rm -rf pkg/__pycache__ .venv""",
    "unpacking": """
        mkdir d; for i in $(seq 300); do echo $i > d/$i; done; tar cf d.tar d; tar xf d.tar; tar xf d.tar
        cp -r d e; cp -r d/. e/; rsync -a d/ f/; touch d/*; rsync -a d/ f/""",
}


@pytest.mark.parametrize("name", EVERYDAY)
def test_everyday_work_is_not_held(lab, everyday, area, name):
    tool = {"npm install": "npm", "cargo": "cargo", "git": "git"}.get(name, "python3")
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    home = os.path.join(area.dir, "home")
    os.mkdir(home)
    env = {**lab.env, "HOME": home, "CARGO_HOME": os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo")),
           "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", os.path.expanduser("~/.rustup")), "npm_config_cache": f"{home}/.npm",
           "PATH": lab.env["PATH"] + ":" + os.path.expanduser("~/.cargo/bin")}
    os.mkdir(area.path("work"))
    before = everyday.status()["counters"]
    agent = lab.run(["bash", "-ec", EVERYDAY[name]], guard=everyday, cwd=area.path("work"), env=env)
    try:
        until(lambda: agent.process.poll() is not None or everyday.holds(), "it ends", 120)
        assert not everyday.holds(), everyday.holds()
    finally:
        for hold in everyday.holds():
            everyday.deny(hold)
    assert agent.finish() == 0, agent.all
    assert "backstop: " not in agent.err, agent.err
    counts = everyday.status()["counters"]
    print(f"{name}: {[f'{k} {counts[k] - before[k]}' for k in ('deletes', 'uncounted', 'candidates', 'stopped')]}")

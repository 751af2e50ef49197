"""What is around a command: what git would lose, what a saved plan deletes, where the environment points."""
import json
import os
import struct
import subprocess
import time
import zipfile

import pytest

CLEAN = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


class Repository:
    """A real one, with one commit: a, src/b, and ignored names."""

    def __init__(self, path):
        self.path = str(path)
        os.makedirs(self.path + "/src")
        self.git("init", "-q", "-b", "main")
        self.write(".gitignore", "node_modules/\ndata/\n")
        self.write("a", "a\n")
        self.write("src/b", "b\n")
        self.commit("one")

    def git(self, *words):
        env = dict(CLEAN, HOME=self.path, GIT_AUTHOR_NAME="x", GIT_AUTHOR_EMAIL="x@x", GIT_COMMITTER_NAME="x",
                   GIT_COMMITTER_EMAIL="x@x")
        return subprocess.run(["git", *words], cwd=self.path, env=env, check=True, capture_output=True, text=True)

    def write(self, name, text):
        os.makedirs(os.path.dirname(f"{self.path}/{name}"), exist_ok=True)
        with open(f"{self.path}/{name}", "w") as f:
            f.write(text)

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)


class Explain:
    """explain in a directory, with an environment; (verdict, context)."""

    def __init__(self, tool, directory):
        self.tool, self.directory, self.env = tool, str(directory), dict(CLEAN, HOME=str(directory))

    def full(self, command, **env):
        words = command.split() if isinstance(command, str) else command
        done = self.tool("explain", "--json", "--cwd", self.directory, "--", *words, env=dict(self.env, **env))
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def __call__(self, command, **env):
        found = self.full(command, **env)
        return found["verdict"], found["context"]


@pytest.fixture
def repo(tmp_path):
    return Repository(tmp_path / "repo")


@pytest.fixture
def explain(tool, repo):
    return Explain(tool, repo.path)


LOSERS = """git reset --hard
git checkout -- .
git checkout .
git checkout HEAD -- a
git checkout -f
git restore .
git restore a
git restore -SW .
git switch -f main
git rm -rf .
git clean -fd
git clean -fdx
git stash drop
git stash clear
git branch -D topic
git worktree remove --force ../tree""".splitlines()


@pytest.mark.parametrize("command", LOSERS)
def test_nothing_to_lose(repo, explain, command):
    repo.git("branch", "topic")
    repo.git("worktree", "add", "../tree", "topic")
    if "branch" in command:
        repo.git("worktree", "remove", "../tree")
    repo.write("node_modules/x/index.js", "x")  # a build makes it again
    os.unlink(repo.path + "/src/b")  # what is missing comes back
    verdict, _ = explain(command)
    assert verdict in ("allow", "alert"), explain(command)


def test_modified(repo, explain):
    repo.write("a", "changed\n")
    repo.write("new", "staged\n")
    repo.git("add", "new")
    lost = "2 files with uncommitted changes would be lost: a, new"
    assert explain("git reset --hard") == ("hold", lost)
    assert explain("git switch -f main") == ("hold", lost)
    assert explain("git checkout -f") == ("hold", lost)
    # the index keeps what is staged
    assert explain("git checkout -- .") == ("hold", "1 file with uncommitted changes would be lost: a")
    assert explain("git restore .") == ("hold", "1 file with unstaged changes would be lost: a")
    assert explain("git restore new")[0] == "allow"
    assert explain("git restore -SW .") == ("hold", lost)


def test_only_the_named_files(repo, explain):
    repo.write("src/b", "changed\n")
    for command in ("git checkout -- a", "git restore a", "git checkout HEAD -- a", "git restore ./a"):
        assert explain(command)[0] == "allow", command
    for command in ("git checkout -- src", "git restore src/b", "git checkout HEAD -- src", "git restore *",
                    "git restore :/", "git rm -rf src"):
        verdict, context = explain(command)
        assert verdict == "hold" and "src/b" in context, (command, context)
    explain.directory += "/src"
    assert explain("git restore ../a")[0] == "allow"
    assert explain("git restore .")[0] == "hold"
    assert explain("git restore b")[0] == "hold"
    assert explain("git -C .. restore a")[0] == "allow"
    assert explain("git -C .. reset --hard")[0] == "hold"


def test_other_places(repo, explain, tmp_path):
    repo.write("a", "changed\n")
    explain.directory = str(tmp_path)
    assert explain("git -C repo reset --hard")[1].endswith("lost: a")
    assert explain("git --git-dir=repo/.git --work-tree=repo reset --hard")[1].endswith("lost: a")
    assert explain("git reset --hard", GIT_DIR="repo/.git", GIT_WORK_TREE="repo")[1].endswith("lost: a")


UNKNOWN = "what would be lost could not be found out"


@pytest.mark.parametrize("command,env", [
    ("git -C nowhere reset --hard", {}),
    ("git reset --hard nosuchcommit", {}),
    ("git checkout -f -", {}),
    ("git checkout -- nosuchfile", {}),
    ("git -c core.worktree=/elsewhere reset --hard", {}),
    ("git -c include.path=/elsewhere clean -fd", {}),
    ("git reset --hard", {"GIT_INDEX_FILE": "other"}),
    ("git clean -fd", {"GIT_CONFIG_SYSTEM": "/elsewhere"}),
    ("git clean -fd", {"GIT_CONFIG_NOSYSTEM": "1"}),
    ("git branch -D nosuchbranch", {}),
    ("git worktree remove --force nosuchtree", {}),
])
def test_what_is_not_known_is_held(explain, command, env):
    assert explain(command, **env) == ("hold", UNKNOWN)


def test_no_repository(explain, tmp_path):
    os.mkdir(tmp_path / "empty")
    explain.directory = str(tmp_path / "empty")
    assert explain("git reset --hard") == ("hold", UNKNOWN)


def test_nowhere(tool):
    """The reader does not even start."""
    for _ in range(20):
        done = tool("explain", "--cwd", "/nowhere", "--", "git", "clean", "-fd")
        assert done.returncode == 11 and UNKNOWN in done.stdout


def test_hidden_changes_are_not_overlooked(repo, explain):
    repo.write("a", "changed\n")
    repo.git("update-index", "--assume-unchanged", "a")
    assert explain("git reset --hard") == ("hold", UNKNOWN)


def test_files_that_a_commit_overwrites(repo, explain):
    repo.write("late", "committed\n")
    repo.commit("two")
    repo.git("reset", "-q", "--hard", "HEAD~1")
    assert explain("git reset --hard HEAD@{1}")[0] == "alert"
    repo.write("late", "mine\n")  # untracked here
    assert explain("git reset --hard HEAD@{1}") == ("hold", "1 file with uncommitted changes would be lost: late")


def test_untracked_and_ignored(repo, explain):
    repo.write("new/x", "x")
    repo.write("new/y", "y")
    repo.write("data/z", "z")
    repo.write("node_modules/z", "z")
    assert explain("git clean -fd") == ("hold", "2 untracked files would be lost: new/x, new/y")
    assert explain("git clean -fd src")[0] == "allow"
    assert explain("git clean -fdX") == ("hold", "1 ignored file would be lost: data/")


def test_stashes(repo, explain):
    for n in ("one", "two"):
        repo.write("a", n)
        repo.git("stash", "push", "-m", n)
    assert explain("git stash clear") == ("hold", "2 stashes would be lost: On main: two, On main: one")
    assert explain("git stash drop stash@{1}") == ("hold", "1 stash would be lost: On main: one")
    for time_ in ("stash@{10.minutes.ago}", "stash@{2026-11-23}", "stash@{7}x"):
        assert explain(["git", "stash", "drop", time_])[1].startswith("2 stashes would be lost"), time_


def test_branches(repo, explain):
    repo.git("switch", "-q", "-c", "topic")
    repo.write("a", "topic\n")
    repo.commit("work of a week")
    repo.git("switch", "-q", "main")
    verdict, context = explain("git branch -D topic")
    assert verdict == "hold" and "1 commit that no other branch or tag has" in context
    assert context.endswith("work of a week")
    repo.git("tag", "kept", "topic")
    assert explain("git branch -D topic")[0] == "allow"


def test_worktrees(repo, explain, tmp_path):
    repo.git("worktree", "add", "-q", "../tree")
    (tmp_path / "tree" / "new").write_text("x")
    assert explain("git worktree remove --force ../tree") == (
        "hold", "1 file that is not committed would be lost: new")


def test_no_more_names_than_fit(repo, explain):
    for n in range(12):
        repo.write(f"new{n:02}", "x")
    assert explain("git clean -f")[1] == (
        "12 untracked files would be lost: new00, new01, new02, new03, new04 and 7 more")


def test_nothing_is_run(repo, explain, tmp_path):
    """Every program that git itself would run from a repository."""
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\necho ran >> {tmp_path}/ran\ncat\n")
    trap.chmod(0o755)
    for name in ("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "diff.external", "filter.x.clean",
                 "filter.x.smudge", "filter.x.process", "diff.x.textconv", "credential.helper", "alias.status"):
        repo.git("config", name, str(trap) if not name.startswith("alias") else f"!{trap}")
    for hook in ("post-index-change", "post-checkout", "reference-transaction", "fsmonitor-watchman"):
        os.makedirs(repo.path + "/.git/hooks", exist_ok=True)
        os.symlink(trap, f"{repo.path}/.git/hooks/{hook}")
    repo.write(".gitattributes", "* filter=x diff=x\n")
    repo.write("a", "changed\n")
    index = os.stat(repo.path + "/.git/index")
    before = subprocess.check_output(["find", repo.path, "-printf", "%p %s %T@ %C@\n"])
    for command in LOSERS:
        explain(command)
    assert explain("git reset --hard")[0] == "hold"
    assert subprocess.check_output(["find", repo.path, "-printf", "%p %s %T@ %C@\n"]) == before
    assert os.stat(repo.path + "/.git/index").st_mtime_ns == index.st_mtime_ns
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", [".git/config", ".git/HEAD", ".git/index", ".gitignore"])
def test_what_never_ends_ends(repo, explain, name):
    os.unlink(f"{repo.path}/{name}")
    os.mkfifo(f"{repo.path}/{name}")
    start = time.monotonic()
    verdict, _ = explain("git clean -fd")
    assert verdict == "hold" and time.monotonic() - start < 3


# ---- plans

def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


NOOP, CREATE, READ, UPDATE, DELETE, REPLACE, CREATE_FIRST = 0, 1, 2, 3, 5, 6, 7


def make_plan(path, changes, version=3, method=zipfile.ZIP_DEFLATED, member="tfplan"):
    """As planfile.proto has it: changes are field 3, of each the address 13 and the change 9, whose action is 1."""
    plan = field(1, version) + field(14, "1.8.0") + field(2, field(1, "size") + field(2, b"\x0a\x01x"))
    for address, action in changes:
        plan += field(3, field(7, "") + field(9, field(1, action) + field(2, b"\x0a\x05hello")) + field(13, address))
    with zipfile.ZipFile(path, "w", method) as z:
        z.writestr("tfstate", "{}")
        z.writestr(member, plan)
    return path


@pytest.fixture
def plans(tool, tmp_path):
    os.mkdir(tmp_path / "infra")
    return Explain(tool, tmp_path / "infra")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_plan_that_deletes(plans, tmp_path, method):
    make_plan(tmp_path / "infra/p.tfplan", [("aws_s3_bucket.a", CREATE), ("aws_db_instance.main", DELETE),
                                            ("aws_vpc.x", NOOP), ("module.web[0].aws_instance.b", REPLACE),
                                            ("aws_lb.c", CREATE_FIRST)], method=method)
    lost = "3 resources would be deleted or replaced: aws_db_instance.main, module.web[0].aws_instance.b, aws_lb.c"
    assert plans("terraform apply p.tfplan") == ("hold", lost)
    assert plans("tofu apply -auto-approve -input=false p.tfplan") == ("hold", lost)
    plans.directory = str(tmp_path)
    assert plans("terraform -chdir=infra apply p.tfplan") == ("hold", lost)


def test_plan_that_deletes_nothing(plans, tmp_path):
    make_plan(tmp_path / "infra/p.tfplan", [("aws_s3_bucket.a", CREATE), ("data.x.y", READ), ("aws_lb.c", UPDATE)])
    for command in ("terraform apply p.tfplan", "terraform apply -auto-approve p.tfplan"):
        assert plans(command)[0] == "alert", command


def test_plan_that_cannot_be_read(plans, tmp_path):
    unread = ("hold", "the plan could not be read")
    assert plans("terraform apply gone.tfplan") == unread
    (tmp_path / "infra/x").write_bytes(b'{"meta":{},"encrypted_data":"x"}')
    assert plans("terraform apply x") == unread
    make_plan(tmp_path / "infra/v4", [], version=4)
    assert plans("terraform apply v4") == unread
    make_plan(tmp_path / "infra/action", [("a.b", 42)])
    assert plans("terraform apply action") == unread
    make_plan(tmp_path / "infra/member", [], member="other")
    assert plans("terraform apply member") == unread
    whole = open(make_plan(tmp_path / "infra/whole", [("a.b", DELETE)]), "rb").read()
    for cut in (10, len(whole) // 2, len(whole) - 5):
        (tmp_path / "infra/cut").write_bytes(whole[:cut])
        assert plans("terraform apply cut") == unread, cut
    os.mkfifo(tmp_path / "infra/fifo")
    assert plans("terraform apply fifo") == unread


def wrong(number):
    """A field of this number that another type makes unknown to who applies the plan."""
    return varint(number << 3 | 5) + b"\0\0\0\0"


@pytest.mark.parametrize("change", [
    field(9, field(1, DELETE)) + field(9, field(2, b"x")),  # given twice: merged
    field(9, field(1, DELETE) + wrong(1)),
    field(9, field(1, DELETE)) + wrong(9),
])
def test_plan_is_read_as_terraform_reads_it(plans, tmp_path, change):
    with zipfile.ZipFile(tmp_path / "infra/p", "w") as z:
        z.writestr("tfplan", field(1, 3) + field(3, change + field(13, "a.b") + wrong(13)) + wrong(1))
    assert plans("terraform apply p") == ("hold", "1 resource would be deleted or replaced: a.b")


def test_plan_whose_offset_stands_elsewhere(plans, tmp_path):
    """0xffffffff says that the offset is one of 64 bits, where the reader does not look: another plan may be there."""
    whole = open(make_plan(tmp_path / "infra/p", [("a.b", CREATE)]), "rb").read()
    member = whole.index(b"PK\3\4", 1)
    directory = whole.index(b"PK\1\2", whole.index(b"PK\1\2") + 1)
    end = whole.index(b"PK\5\6")
    entry = whole[directory:directory + 42] + b"\xff" * 4 + whole[directory + 46:end]
    with open(tmp_path / "infra/far", "wb") as f:
        f.write(entry)
        f.seek(0xffffffff)
        f.write(whole[member:directory])
        f.write(b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), 0, 0))
    assert plans("terraform apply far") == ("hold", "the plan could not be read")


def test_state_that_is_gone(plans, tmp_path):
    """How the incident began."""
    infra = tmp_path / "infra"
    (infra / "main.tf").write_text("")
    assert plans("terraform apply")[0] == "alert"
    (infra / ".terraform.lock.hcl").write_text("")
    assert plans.full("terraform apply")["signature"] == "terraform.state-gone"
    assert plans.full("terraform apply")["verdict"] == "hold"
    (infra / "terraform.tfstate").write_text("{}")
    assert plans("terraform apply")[0] == "alert"


# ---- the environment

@pytest.fixture
def bare(tool, tmp_path):
    return Explain(tool, tmp_path)


@pytest.mark.parametrize("command,env,points", [
    ("aws s3 rb s3://x", {"AWS_PROFILE": "acme-prod"}, "AWS_PROFILE=acme-prod"),
    ("aws s3 rb s3://x --profile live", {}, "--profile live"),
    ("aws s3 rb s3://x", {"AWS_PROFILE": "nonprod"}, None),
    ("aws s3 rb s3://x", {"AWS_PROFILE": "acme-non-prod"}, None),
    ("aws s3 rb s3://x", {"AWS_PROFILE": "product"}, None),
    ("dropdb shop", {"DATABASE_URL": "postgres://me:hunter2@db.prod.acme.com:5432/shop?password=hunter2"},
     "DATABASE_URL=db.prod.acme.com:5432/shop"),
    ("dropdb shop", {"DATABASE_URL": "postgres://me:hun/ter2@db/production"}, "DATABASE_URL=db/production"),
    ("dropdb shop", {"DATABASE_URL": "postgres://me:hun#ter2?x@prod/shop"}, "DATABASE_URL=prod/shop"),
    ("dropdb shop", {"DATABASE_URL": "postgres://prod:1#hunter2@db/shop"}, None),
    ("dropdb shop", {"DATABASE_URL": "postgres://prod:5432/shop?mail=a@b"}, "DATABASE_URL=prod:5432/shop"),
    ("dropdb shop", {"DATASOURCE_URL": "jdbc:sqlserver://prod.db:1433;database=x;user=sa;password=hunter2"},
     "DATASOURCE_URL=prod.db:1433"),
    ("dropdb shop", {"REDIS_URL": "redis://prod:6379,password=hunter2,ssl=true"}, "REDIS_URL=prod:6379"),
    ("dropdb shop", {"MY_DSN": "Server=tcp:prod,1433;Password=hunter2"}, "MY_DSN=tcp:prod"),
    ("dropdb shop", {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=prod;AccountKey=hunter2=="},
     "AZURE_STORAGE_CONNECTION_STRING=prod"),
    ("dropdb shop", {"AZURE_APPCONFIG_CONNECTION_STRING": "Endpoint=https://prod.x.io;Id=x;Secret=hunter2"},
     "AZURE_APPCONFIG_CONNECTION_STRING=prod.x.io"),
    ("dropdb shop", {"HOOK_URL": "https://prod.acme.com/T0/hunter2"}, "HOOK_URL=prod.acme.com"),
    ("dropdb shop", {"MY_DSN": "host=db-prod password=hunter2 dbname=x"}, "MY_DSN=db-prod x"),
    ("dropdb shop", {"AWS_SECRET_URL": "prod-hunter2", "API_TOKEN": "live_hunter2"}, None),
    ("dropdb shop", {"PGHOST": "prod2.acme.com"}, "PGHOST=prod2.acme.com"),
    ("prisma migrate reset", {"NODE_ENV": "production"}, "NODE_ENV=production"),
    ("kubectl delete ns x", {"NODE_ENV": "production"}, None),
    ("rm -rf /srv/x", {"AWS_PROFILE": "acme-prod"}, None),  # it stays on this machine
    ("ssh host dropdb shop", {"PGHOST": "prod"}, None),  # it has another environment there
])
def test_points_at_production(bare, command, env, points):
    found = bare.full(command, **env)
    assert found["verdict"] == "hold"
    assert found["context"] == (points and f"points at production: {points}")
    assert "hunter2" not in json.dumps(found)


def test_severity(bare):
    calm, grave = bare.full("helm uninstall x"), bare.full("helm uninstall x", KUBECONFIG="/x/prod.yaml")
    levels = ["low", "medium", "high", "critical"]
    assert levels.index(grave["severity"]) == min(levels.index(calm["severity"]) + 1, 3)


def test_kube_context(bare, tmp_path):
    assert bare("kubectl apply -f x")[0] != "hold"
    os.mkdir(tmp_path / ".kube")
    (tmp_path / ".kube/config").write_text("kind: Config\ncurrent-context: \"eks-prod\"\n")
    context = "points at production: the current context eks-prod"
    assert bare("kubectl apply -f x") == ("hold", context)
    assert bare("kubectl delete ns x") == ("hold", context)
    assert bare("kubectl apply --context kind -f x")[0] != "hold"
    (tmp_path / "dev").write_text('{"current-context":"kind-dev"}')
    assert bare("kubectl apply -f x", KUBECONFIG=f"{tmp_path}/gone:{tmp_path}/dev")[0] != "hold"
    assert bare("kubectl get pods") == ("allow", None)


def test_terraform_workspace(bare, tmp_path):
    os.mkdir(tmp_path / ".terraform")
    (tmp_path / ".terraform/environment").write_text("production")
    assert bare("terraform destroy") == ("hold", "points at production: the workspace production")
    assert bare("terraform destroy", TF_WORKSPACE="dev")[1] is None


def test_owner_names_production(tool, bare, tmp_path):
    tool.write("settings.yaml", "production: ['*-eu-1']\n")
    done = tool.installed()("policy", "compile", "--settings", "settings.yaml", "--output", "own.image")
    assert done.returncode == 0, done.stderr
    found = tool("explain", "--policy", "own.image", "--", "helm", "uninstall", "x", "--kube-context", "Acme-EU-1")
    assert "points at production: --kube-context Acme-EU-1" in found.stdout


# ---- lines on standard input

def test_stated(tool):
    lines = [({"argv": ["git", "reset", "--hard"]}, "hold"),
             ({"argv": ["git", "reset", "--hard"], "git": {"modified": 0}}, "allow"),
             ({"argv": ["terraform", "apply", "p"], "plan": {"deletes": 2}, "cwd": "/x"}, "hold"),
             ({"argv": ["terraform", "apply", "p"], "plan": {"deletes": 0}, "cwd": "/x"}, "alert"),
             ({"argv": ["kubectl", "apply", "-f", "x"]}, "allow"),
             ({"argv": ["kubectl", "apply", "-f", "x"], "env": {"AWS_PROFILE": "prod"}}, "hold")]
    done = tool("explain", "--stdin", input="".join(json.dumps(line) + "\n" for line, _ in lines))
    got = [json.loads(line) for line in done.stdout.splitlines()]
    assert [g["verdict"] for g in got] == [verdict for _, verdict in lines]
    assert got[2]["context"] == "2 resources would be deleted or replaced"


@pytest.mark.parametrize("line", [{"git": {"lost": 1}}, {"git": {"modified": "1"}}, {"env": {"X": 1}}])
def test_stated_wrong(tool, line):
    done = tool("explain", "--stdin", input=json.dumps(dict(line, argv=["ls"])) + "\n")
    assert done.returncode == 2 and "env has strings" in done.stdout


def test_many_lines_are_quick(tool):
    line = json.dumps({"argv": ["git", "reset", "--hard"], "cwd": "/"}) + "\n"
    start = time.monotonic()
    tool("explain", "--stdin", input=1000 * line)
    assert time.monotonic() - start < 1

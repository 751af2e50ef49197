"""policy and explain, as a person types them."""
import json
import os

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

PACK = """pack: test
title: Test
programs:
  tool: {options: gnu}
  shred:
signatures:
- id: wipe
  command: tool wipe
  severity: high
  verdict: %s
  why: Wipes it.
  instead: tool look
  hits: [tool wipe, tool wipe x]
  misses: [tool, tool x]
- id: path
  command: shred {path:system}
  severity: low
  verdict: deny
  why: It is the system's.
  hits: [shred /etc/x, shred /usr/x]
  misses: [shred x, shred /tmp/x]
"""


def compile_pack(tool, verdict="hold", name="image"):
    tool.write("test.yaml", PACK % verdict)
    done = tool("policy", "compile", "--output", name, "test.yaml")
    assert done.returncode == 0, done.stderr
    return os.path.join(tool.directory, name)


@pytest.mark.parametrize("verdict,status", [("alert", 10), ("hold", 11), ("deny", 12), ("kill", 12)])
def test_explain(tool, verdict, status):
    image = compile_pack(tool, verdict)
    done = tool("explain", "--policy", image, "--", "tool", "wipe")
    assert done.returncode == status
    for line in (f"verdict:   {verdict}", "signature: test.wipe (high)", "why:       Wipes it.",
                 "instead:   tool look", "candidate: yes, the kernel asks the guard"):
        assert line in done.stdout.splitlines()
    done = tool("explain", "--json", "--policy", image, "--", "tool", "wipe")
    assert done.returncode == status
    assert json.loads(done.stdout) == {"verdict": verdict, "signature": "test.wipe", "severity": "high",
                                       "why": "Wipes it.", "instead": "tool look", "context": None, "carrier": None, "started": None,
                                       "candidate": True, "agent": None}


def test_explain_allows(tool):
    done = tool("explain", "--policy", compile_pack(tool), "--", "ls", "-l")
    assert done.returncode == 0
    assert done.stdout == "verdict:   allow\ncandidate: no, it runs at full speed\n"


@pytest.mark.parametrize("words", [["sudo", "-n", "tool", "wipe"], ["bash", "-c", "cd /; env A=1 tool wipe && true"],
                                   ["xargs", "tool", "wipe"], ["nohup", "sh", "-c", "x=wipe; tool $x"]])
def test_explain_follows_starts(tool, words):
    """What sudo starts is an exec of its own: explain tells its verdict, the guard gives it when it happens."""
    image = compile_pack(tool)
    done = tool("explain", "--policy", image, "--", *words)
    assert done.returncode == 11
    assert done.stdout.startswith("verdict:   hold\nstarts:    tool wipe")
    assert "(an exec of its own: this is its verdict)\n" in done.stdout
    answer = json.loads(tool("explain", "--json", "--policy", image, "--", *words).stdout)
    assert answer["verdict"] == "hold" and answer["signature"] == "test.wipe" and answer["started"].startswith("tool wipe")
    done = tool("explain", "--policy", image, "--", "sudo", "tool", "look")
    assert done.returncode == 0 and "starts:    tool look (an exec of its own)\n" in done.stdout


def test_explain_follows_links(tool):
    """Without --stdin the real file system counts."""
    image = compile_pack(tool)
    os.symlink("/etc", os.path.join(tool.directory, "link"))
    assert tool("explain", "--policy", image, "--", "shred", "link/x").returncode == 12
    assert tool("explain", "--policy", image, "--", "shred", "other/x").returncode == 0
    assert tool("explain", "--policy", image, "--cwd", "/etc", "--", "shred", "x").returncode == 12


def test_explain_lines(tool):
    image = compile_pack(tool)
    lines = ['{"argv":["tool","wipe"],"cwd":"/x","home":"/y"}', "nonsense", '{"argv":[]}', '{"argv":"x"}', "",
             '{"argv":["a",1]}', '{"argv":["ls"],"cwd":7}', '{"argv":["ssh","h","tool wipe"]}']
    done = tool("explain", "--policy", image, "--stdin", input="\n".join(lines))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 2
    assert answers[0] == {"verdict": "hold", "signature": "test.wipe", "severity": "high", "why": "Wipes it.",
                          "instead": "tool look", "context": None, "carrier": None, "started": None, "candidate": True,
                          "agent": None}
    assert answers[1]["error"].startswith("line 2: no JSON: ")
    assert answers[2]["error"] == "line 3: argv is missing: an array of strings, at least one"
    assert answers[3]["error"] == "line 4: argv is missing: an array of strings, at least one"
    assert answers[4]["error"] == "line 6: argv is missing: an array of strings, at least one"
    assert answers[5]["error"] == "line 7: cwd, home, name and file are strings: absolute paths"
    assert answers[6]["carrier"] == "ssh" and answers[6]["verdict"] == "hold"
    assert len(answers) == 7


@pytest.mark.parametrize("words", [["explain"], ["explain", "--stdin", "ls"], ["policy"], ["policy", "nonsense"],
                                   ["policy", "compile", "x"],
                                   ["policy", "show"], ["policy", "list", "x"], ["policy", "new", "../x"],
                                   ["policy", "new", "Upper"]])
def test_wrong_usage(tool, words):
    done = tool(*words)
    assert done.returncode == 2 and done.stderr, done


def test_explain_says_what_is_wrong(tool):
    image = compile_pack(tool)
    for words, told in ((["--delete", ""], "--delete is empty"), (["--delete", "x", "--by", " "], "--by is empty"),
                        (["--delete", "x", "--how", "away"], "--how away is none of unlink, rmdir,"),
                        (["--delete", "x", "ls"], "give one of: ")):
        done = tool("explain", "--policy", image, *words)
        assert done.returncode == 2 and told in done.stderr, done


def test_pack_that_is_no_utf8(tool):
    with open(tool.write("latin.yaml", ""), "wb") as f:
        f.write("pack: x\ntitle: Für\n".encode("latin-1"))
    done = tool("policy", "check", "latin.yaml")
    assert done.returncode == 1
    assert done.stderr == ("latin.yaml:2:9: this byte (0xfc) is no UTF-8: save the file as UTF-8\n"
                           "    title: F?r\n            ^\n")


def test_bad_image(tool):
    path = tool.write("image", "nonsense")
    for words in (["explain", "--policy", path, "ls"], ["policy", "list", "--policy", path]):
        done = tool(*words)
        assert done.returncode == 1
        assert f"policy {path}: this is no policy image; make one with 'backstop policy compile" in done.stderr


def test_compile_keeps_the_old_image(tool):
    image = compile_pack(tool)
    with open(image, "rb") as f:
        before = f.read()
    tool.write("test.yaml", PACK.replace("tool wipe", "tool wip", 1) % "hold")
    done = tool("policy", "compile", "--output", "image", "test.yaml")
    assert done.returncode == 1
    assert "test.yaml:13:10: hits: 'tool wipe' does not match test.wipe\n" in done.stderr
    assert "image is left as it was" in done.stderr
    with open(image, "rb") as f:
        assert f.read() == before
    done = tool("policy", "compile", "--output", "none/image", tool.signatures)
    assert done.returncode == 1 and "cannot write none/image" in done.stderr


def test_compile_is_repeatable(tool):
    with open(compile_pack(tool, name="a"), "rb") as a, open(compile_pack(tool, name="b"), "rb") as b:
        assert a.read() == b.read()


def test_list_and_show(tool):
    image = compile_pack(tool)
    done = tool("policy", "list", "--policy", image)
    assert done.returncode == 0 and "test.wipe" in done.stdout and "SIGNATURE" in done.stdout
    listed = json.loads(tool("policy", "list", "--json", "--policy", image).stdout)
    assert [s["signature"] for s in listed] == ["test.wipe", "test.path"]
    assert listed[0]["commands"] == ["tool wipe"] and listed[0]["attack"] == "T1485"
    for name in ("test.wipe", "wipe"):
        done = tool("policy", "show", name, "--policy", image)
        assert done.returncode == 0 and "command:   tool wipe\n" in done.stdout and "why:       Wipes it.\n" in done.stdout
    done = tool("policy", "show", "test.nothing", "--policy", image)
    assert done.returncode == 1 and "test.nothing" in done.stderr


def test_new_pack_is_right(tool):
    assert tool("policy", "new", "my-tool").returncode == 0
    done = tool("policy", "check", "my-tool.yaml")
    assert done.returncode == 0, done.stderr
    done = tool("policy", "new", "my-tool")
    assert done.returncode == 1 and "cannot make my-tool.yaml: File exists" in done.stderr


def example(text):
    """The pack in a page's block of YAML that begins with this line."""
    with open(os.path.join(TOP, "signatures/README.md")) as page:
        return page.read().partition(f"```yaml\n{text}")[2].partition("```")[0]


@pytest.mark.parametrize("dest,status,signature", [
    ("10.20.0.5:5432", 11, "production.database"), ("[::ffff:10.20.3.5]:3306", 11, "production.database"),
    ("10.20.9.7:5432", 0, None), ("10.20.0.5:443", 0, None), ("127.0.0.1:5432", 0, None)])
def test_explain_connect(tool, dest, status, signature):
    """The production network of the manual is held."""
    tool.write("production.yaml", "pack: production" + example("pack: production"))
    done = tool("policy", "compile", "--output", "image", "production.yaml")
    assert done.returncode == 0, done.stderr
    done = tool("explain", "--policy", "image", "--json", "--connect", dest)
    assert done.returncode == status, done.stderr
    assert json.loads(done.stdout)["signature"] == signature
    done = tool("explain", "--policy", "image", "--stdin", input=json.dumps({"connect": dest}))
    assert json.loads(done.stdout)["candidate"] == (status == 11 or dest == "10.20.9.7:5432")


@pytest.mark.parametrize("dest", ["10.20.0.5", "10.0.0.0/8:1", "0.0.0.0:80"])
def test_explain_no_destination(tool, dest):
    done = tool("explain", "--connect", dest)
    assert done.returncode == 2
    assert done.stderr.startswith("--connect:1:")


@pytest.mark.parametrize("words,status,signature", [
    (["/srv/lake/x"], 11, "warehouse.lake"), (["/srv/lake/x", "--by", "rm -rf /srv/lake"], 11, "warehouse.lake"),
    (["/srv/lake/x", "--by", "/usr/bin/spark-submit a.py"], 0, None), (["/srv/lake/x", "--how", "rename"], 0, None),
    (["x.parquet", "--cwd", "/srv/app"], 11, "warehouse.lake"), (["node_modules/x.parquet", "--cwd", "/srv/app"], 0, None),
    (["/srv/app/sample.parquet", "--by", "python3.11"], 0, None), (["/data/dev/lake/scratch/x"], 0, None),
    (["/data/dev/lake/x"], 11, "warehouse.lake"), (["/srv/other"], 0, None)])
def test_explain_delete(tool, words, status, signature):
    """The warehouse of the manual is held."""
    tool.write("warehouse.yaml", "pack: warehouse" + example("pack: warehouse"))
    done = tool("policy", "compile", "--output", "image", "warehouse.yaml")
    assert done.returncode == 0, done.stderr
    done = tool("explain", "--policy", "image", "--home", "/data/dev", "--json", "--delete", *words)
    assert done.returncode == status, done.stderr
    answer = json.loads(done.stdout)
    assert answer["signature"] == signature and (answer["candidate"] or status == 0)
    assert tool("explain", "--policy", "image", "--home", "/data/dev", "--delete", *words).returncode == status


def test_explain_delete_follows_links(tool):
    """Of the directories on the way; the last name is what goes."""
    tool.write("warehouse.yaml", "pack: warehouse" + example("pack: warehouse"))
    tool("policy", "compile", "--output", "image", "warehouse.yaml")
    os.symlink("/usr", f"{tool.directory}/way")
    os.symlink("/usr/x.parquet", f"{tool.directory}/link")
    options = ["explain", "--policy", "image", "--home", "/data/dev", "--cwd", tool.directory]
    assert tool(*options, "--delete", "x.parquet").returncode == 0  # scratch
    assert tool(*options, "--delete", "way/x.parquet").returncode == 11
    assert tool(*options, "--delete", "link").returncode == 0


def test_explain_delete_lines(tool):
    tool.write("warehouse.yaml", "pack: warehouse" + example("pack: warehouse"))
    tool("policy", "compile", "--output", "image", "warehouse.yaml")
    lines = [{"delete": "/srv/lake/x"}, {"delete": "/tmp/x", "inner": "/srv/lake/x"}, {"delete": "/srv/lake/x", "by": "git gc"},
             {"delete": "/srv/lake/x", "how": "rmdir", "behind": ["sh"]}, {"delete": "x"}, {"delete": "/x", "how": "rm"},
             {"delete": "/x", "by": "'"}]
    done = tool("explain", "--policy", "image", "--stdin", input="\n".join(json.dumps(line) for line in lines))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a.get("verdict", "error") for a in answers] == ["hold", "hold", "allow", "allow", "error", "error", "error"]
    assert done.returncode == 2


@pytest.mark.parametrize("words", [["--delete", "/x", "--how", "rm"], ["--delete", "/x", "--by", "'"], ["--how", "unlink", "ls"],
                                   ["--by", "rm", "--connect", "10.0.0.1:1"], ["--delete", "/x", "--", "ls"]])
def test_explain_delete_misused(tool, words):
    done = tool("explain", *words)
    assert done.returncode == 2 and done.stderr.startswith("backstop: explain: ") and done.stdout == ""


def test_shipped_settings(tool):
    """The settings file that comes with Backstop is right, and so is all that is commented out in it."""
    with open(os.path.join(TOP, "packaging/backstop.yaml")) as f:
        lines = f.read().splitlines()
    settings = tool.write("backstop.yaml", "\n".join(line.lstrip("#") if line[1:2] != " " or line[2:3] == " " else line
                                                     for line in lines if "from:" not in line))
    for path in (os.path.join(TOP, "packaging/backstop.yaml"), settings):
        done = tool("policy", "check", "--settings", path, os.path.join(TOP, "signatures"), os.path.join(TOP, "agents"))
        assert done.returncode == 0, done.stderr
    with open(settings) as f:
        text = f.read()
    for key in ("mode", "packs", "verdicts", "allow", "precious", "agents", "hold_timeout", "when_down", "approvers",
                "approver_keys", "notify", "pins"):
        assert f"\n{key}:" in text


def test_settings_change_verdicts(tool):
    tool.write("test.yaml", PACK % "hold")
    tool.write("settings.yaml", "verdicts: {test.wipe: kill}\nallow: [shred /etc/x]\n")
    done = tool("policy", "compile", "--output", "image", "--settings", "settings.yaml", "test.yaml")
    assert done.returncode == 0, done.stderr
    assert tool("explain", "--policy", "image", "--", "tool", "wipe").returncode == 12
    assert tool("explain", "--policy", "image", "--", "shred", "/etc/x").returncode == 0
    tool.write("settings.yaml", "verdicts: {test.wip: kill}\n")
    done = tool("policy", "compile", "--output", "image", "--settings", "settings.yaml", "test.yaml")
    assert done.returncode == 1
    assert done.stderr.startswith("settings.yaml:1:12: there is no signature 'test.wip': did you mean 'test.wipe'?\n"
                                  "    verdicts: {test.wip: kill}\n               ^\n")
    assert tool("explain", "--policy", "image", "--", "tool", "wipe").returncode == 12


def test_project(tool):
    """A file of a workspace is read for the guard: what it raises, and what it may not lower."""
    image = compile_pack(tool)
    path = tool.write(".backstop.yaml", "verdicts: {test.wipe: kill, test.path: alert}\nprecious: [data/]\n")
    done = tool("policy", "project", "--policy", image, path)
    assert json.loads(done.stdout) == {"verdicts": {"test.wipe": "kill"}, "precious": ["data/"]}
    assert done.returncode == 1 and "test.path: 'alert' is weaker than 'deny', which the policy says" in done.stderr
    tool.write(".backstop.yaml", "verdicts: {test.wipe: kill}\n")
    done = tool("policy", "project", "--policy", image, path)
    assert done.returncode == 0 and not done.stderr
    assert tool("policy", "project", "--policy", image, "nowhere").returncode == 1


@pytest.mark.parametrize("dest,status", [
    ("169.254.169.254:80", 11), ("[fd00:ec2::254]:80", 11), ("udp:169.254.169.254:53", 0), ("10.0.0.5:5432", 10),
    ("10.0.0.5:6443", 10), ("127.0.0.1:5432", 0), ("10.0.0.5:443", 0)])
def test_network_pack(tool, dest, status):
    """What comes with Backstop asks before credentials of a cloud are fetched, and reports databases of others."""
    assert tool("explain", "--connect", dest).returncode == status

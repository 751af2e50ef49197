"""The manual that `policy docs` writes, and what `policy new` writes for any name."""
import json
import os

import pytest

PACK = """pack: odd
title: A | B & <b>C</b> _d_
programs:
  odd-tool: {also: ["odd*", odder], options: gnu}
signatures:
- id: wipe
  command: [odd-tool wipe, 'odd-tool {re:a|b`}']
  severity: high
  verdict: deny
  why: 'Wipes *all* of `it`, <script> and #1 | too.'
  instead: odd-tool look
  attack: T1490
  hits: [odd-tool wipe, {run: 'odd-tool "a
      b\\\\"', cwd: /home/dev}]
  misses: [odd-tool, "odd-tool '```'"]
- id: net
  connect: 10.0.0.0/8:22
  severity: low
  verdict: alert
  why: Goes there.
  hits: ["10.0.0.1:22", "10.0.0.2:22"]
  misses: ["10.0.0.1:23", "11.0.0.1:22"]
- id: gone
  delete: {path: "*.odd", by: "!git"}
  severity: low
  verdict: alert
  why: Goes away.
  hits: [unlink /a.odd, {run: unlink /b.odd, by: "rm '`b`'"}]
  misses: [unlink /a, {run: unlink /b.odd, by: git gc}]
allow:
- odd-tool wipe cache
- connect: 10.0.0.9:22
- delete: /srv/*.odd
"""


def read(tool, *path):
    with open(os.path.join(tool.directory, *path)) as f:
        return f.read()


def test_page(tool):
    """Everything that the pack says, and no byte of it is markup."""
    tool.write("odd.yaml", PACK)
    done = tool("policy", "docs", "--output", "a/b", "odd.yaml")
    assert done.returncode == 0 and done.stdout == "a/b: pages of 1 packs with 3 signatures\n", done
    assert sorted(os.listdir(os.path.join(tool.directory, "a/b"))) == ["index.md", "odd.md"]
    page = read(tool, "a/b/odd.md")
    assert page.startswith("# A \\| B \\& \\<b\\>C\\</b\\> \\_d\\_\n\nPack odd: odd-tool, odd\\*, odder.\n")
    for text in ("## odd.wipe\n\nWipes \\*all\\* of \\`it\\`, \\<script\\> and \\#1 \\| too.\n\ndeny, high, T1490.\n",
                 "Instead:\n\n    odd-tool look\n", "    odd-tool wipe\n    odd-tool {re:a|b`}\n",
                 "    odd-tool '```'\n", "\"    (in /home/dev)\n", "## odd.net\n", "alert, low, T1485.\n",
                 "    10.0.0.0/8:22\n", "## Always allowed\n\n    odd-tool wipe cache\n    10.0.0.9:22\n    /srv/*.odd\n",
                 "    path *.odd; by !(git)\n", "    unlink /b.odd    (by rm '`b`')\n"):
        assert text in page, page
    assert "| [odd](odd.md) | A \\| B \\& \\<b\\>C\\</b\\> \\_d\\_ | 3 |\n" in read(tool, "a/b/index.md")


def test_pages_of_all_packs(tool):
    done = tool.installed()("policy", "docs", "--json", "--output", "all")
    assert done.returncode == 0, done.stderr
    names = {n[:-len(".yaml")] for n in os.listdir(tool.signatures) if n.endswith(".yaml")}
    written = {n[:-len(".md")] for n in os.listdir(os.path.join(tool.directory, "all"))}
    assert json.loads(done.stdout)["packs"] == len(names) and written == names | {"index"}
    index = read(tool, "all/index.md")
    assert all(f"({name}.md)" in index for name in names)


def test_fault(tool):
    """A pack with a fault has no page, and its fault is told."""
    tool.write("odd.yaml", PACK.replace("severity: high", "severity: hihg"))
    done = tool("policy", "docs", "--output", "out", "odd.yaml")
    assert done.returncode == 1 and done.stderr.startswith("odd.yaml:8:13: "), done
    assert os.listdir(os.path.join(tool.directory, "out")) == []
    assert tool("policy", "docs", "odd.yaml").returncode == 2
    tool.write("odd.yaml", PACK)
    done = tool("policy", "docs", "--output", "odd.yaml/x", "odd.yaml")
    assert done.returncode == 1 and done.stderr == "backstop: cannot make odd.yaml/x: Not a directory\n", done


# words of YAML, names of carriers and of programs in other packs, odd spellings
@pytest.mark.parametrize("name", ["null", "true", "no", "on", "y", "nan", "a-", "a--b", "x0", "ssh", "python3", "sudo",
                                  "docker", "kubectl", "sh", "busybox", "git", "terraform", "delete", "force", "a" * 200])
def test_new_pack_checks(tool, name):
    assert tool("policy", "new", name).returncode == 0
    done = tool("policy", "check", f"{name}.yaml")
    assert done.returncode == 0, done.stderr
    done = tool("policy", "docs", "--output", "docs", f"{name}.yaml")
    assert done.returncode == 0 and f"{name} delete --dry-run NAME" in read(tool, "docs", f"{name}.md"), done

"""What the settings say of the journal, and of where events are brought."""
import os
import re
import subprocess

import pytest

from feeds import stop
from hooks import Hook
from lab import until


SETTINGS = """exports:
  - file:{path}/all
  - to: http://127.0.0.1:{port}/in
    key: {path}/key
    class: [network, file]
"""


def test_exports(journal, serve, tmp_path):
    """They count beside those of the command line."""
    hook, settings = Hook(), tmp_path / "settings.yaml"
    (tmp_path / "key").write_bytes(b"k" * 32)
    (tmp_path / "key").chmod(0o600)
    settings.write_text(SETTINGS.format(path=tmp_path, port=hook.port))
    settings.chmod(0o600)
    journal.add(200)
    process = serve(f"file:{tmp_path}/more", settings=str(settings))
    until(lambda: hook.numbers()[-1:] == [197], lambda: hook.numbers()[-1:])
    assert hook.numbers() == [n for n in range(1, 201) if n % 5 in (1, 2)]
    assert all(request.is_signed(b"k" * 32) for request in hook.requests)
    for name in ("all", "more"):
        until(lambda: (tmp_path / name).exists() and len((tmp_path / name).read_text().splitlines()) == 200, name)
    stop(process)
    hook.close()


@pytest.mark.parametrize("text, told", [
    ("exports:\n  - to: udp://a:1\n", "settings.yaml:2:9: to: has to be file:/PATH, stdout:, "),
    ("mode: enforce\nexports:\n  - {to: \"https://a\", severity: urgent}\n", "settings.yaml:3:33: severity: cannot be"),
    ("exports: [journald]\nmod: x\n", "settings.yaml:2:1: unknown key 'mod'"),
    (None, "settings.yaml: No such file"),
])
def test_faults(serve, tmp_path, text, told):
    if text:
        (tmp_path / "settings.yaml").write_text(text)
    process = serve(settings=str(tmp_path / "settings.yaml"))
    _, err = process.communicate(timeout=20)
    assert process.returncode == 2 and told in err.decode(), err


def segments(guard):
    directory = f"{guard.state}/journal"
    return [os.path.getsize(f"{directory}/{name}") for name in sorted(os.listdir(directory)) if name.endswith(".jsonl")]


def verify(guard):
    done = subprocess.run([guard.backstop, "journal", "verify", "--dir", f"{guard.state}/journal", "--keys",
                           f"{guard.state}/keys"], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def fill(lab, own, count):
    """Some 10 KB each."""
    lab.record(own, "sh", "-c", f"x=$(printf %10000s | tr ' ' x); for i in $(seq 1 {count}); do /bin/true $x; done")


@pytest.mark.parametrize("fsync", ["decisions", "always", "never"])
def test_journal(lab, fsync):
    own = lab.new_guard(settings={"journal": {"segment_size": "1M", "keep": "3M", "fsync": fsync}})
    lab.record(own, *lab.words("victim-deny"))
    fill(lab, own, 250)
    assert all(size <= 1 << 20 for size in segments(own)) and 2 < len(segments(own)) <= 4, segments(own)
    assert sum(segments(own)) <= 3 << 20
    assert re.match(r"whole: \d+ lines, ", verify(own)), verify(own)


def test_journal_of_other_settings(lab):
    """They count from the next line on; what is wrong with them is told, and changes nothing."""
    own = lab.new_guard(settings={"journal": {"segment_size": "1M"}})
    fill(lab, own, 120)
    count = len(segments(own))
    own.write_settings(journal={"segment_size": "64M", "keep": "1M"})
    done = own.cli("policy", "reload")
    assert done.returncode and "keep: has to be twice segment_size at least" in done.stderr + done.stdout, done
    own.write_settings(journal={"segment_size": "8M", "keep": "all"})
    assert own.cli("policy", "reload").returncode == 0
    fill(lab, own, 200)
    assert len(segments(own)) == count and segments(own)[-1] > 1 << 20, segments(own)
    assert re.match(r"whole: \d+ lines, ", verify(own)), verify(own)

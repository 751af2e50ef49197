"""THREATS.md claims nothing that no test shows: each test that it names is there, and each row of the suite is named."""
import glob
import importlib.util
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAMED = re.compile(r"`(row\d\d-[\w-]+|smoke\w*|test_\w+\.py)(?:: |::)([^`]+)`")


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def titles_of_rows():
    """Of all cases, as the suite itself tells them."""
    sys.path.insert(0, os.path.join(TOP, "tests/bypass"))
    import bypass  # pylint: disable=import-outside-toplevel,import-error
    bypass.CASES.clear()
    for path in sorted(glob.glob(f"{TOP}/tests/bypass/row*.py")):
        spec = importlib.util.spec_from_file_location("row", path)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return {case.title: case for case in bypass.CASES}


def is_there(where, what, titles):
    if where.startswith("row"):
        return any(title.startswith(f"{where}: {what}") for title in titles)
    if where.startswith("smoke"):
        return f'@check("{what}' in read(f"tests/vm/{where}")
    return f"\ndef {what}(" in read(f"tests/e2e/{where}")


def test_each_named_test_is_there():
    titles, named = titles_of_rows(), NAMED.findall(read("THREATS.md"))
    missing = [f"{where}: {what}" for where, what in named if not is_there(where, what, titles)]
    assert len(named) > 50 and not missing, missing


def test_each_row_is_named():
    text = read("THREATS.md")
    missing = {title.split(":")[0] for title in titles_of_rows() if f"`{title.split(':')[0]}:" not in text}
    assert not missing, missing


def test_each_limit_is_told():
    """Its row stands in a line that says what is open."""
    lines = [line for line in read("THREATS.md").splitlines() if "limit" in line or "**" in line or "trace" in line]
    for title, case in titles_of_rows().items():
        assert not case.limits or any(f"`{title.split(':')[0]}:" in line for line in lines), title

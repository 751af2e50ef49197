"""Links, copies and renames of the program."""
import time

from bypass import case, deny_words, each, events, expect_not_run, held_way, shell, until

COPY = "a program is known by its names: a copy under another name that also calls itself otherwise is not recognised"


@each(["symbolic link", "hard link and argv[0]", "copy and argv[0]"], "by")
def _(lab, way):
    held_way(lab, way)


def is_fresh(lab):
    """Of each program that was started with the marker among its words: whether the record calls its file fresh."""
    return {e["process"]["name"]: e["unmapped"]["backstop"].get("fresh", False)
            for e in events(lab, 1007, lab.marker) if e["activity_id"] == 1}


@case("copied: the record says that its file is of this session", seen=True)
def _(lab):
    time.sleep(1.1)  # the record's clock is in seconds
    lab.run(shell('sleep 1.1; cp "$1" ./innocent; "$@"; shift; ./innocent "$@"', *lab.words("victim-plain"))).finish()
    found = until(lambda: "innocent" in is_fresh(lab) and is_fresh(lab), lambda: is_fresh(lab), 5)
    assert found.pop("innocent") and not any(found.values()) and "victim-plain" in found, found


@case("renamed", limit=COPY)
def _(lab):
    lab.run(shell('mv "$1" ./innocent; shift; ./innocent "$@"', *deny_words(lab))).finish()
    expect_not_run(lab)


@case("copied", limit=COPY)
def _(lab):
    lab.run(shell('cp "$1" ./innocent; shift; ./innocent "$@"', *deny_words(lab))).finish()
    expect_not_run(lab)

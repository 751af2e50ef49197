"""Programs without a name: memfd, deleted files, file descriptors."""
import os

from bypass import Skip, case, deny_words, each, expect_not_run, held_way, python

NAMELESS = "a file without a name, which calls itself otherwise, has none of the names that a program is known by"
COPY = """fd = os.memfd_create("x")
os.write(fd, open(args[0], "rb").read())
"""
TMPFILE = """fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o755)
os.write(fd, open(args[0], "rb").read())
os.link(f"/proc/self/fd/{fd}", "victim-deny", src_dir_fd=os.open(".", os.O_RDONLY), follow_symlinks=True)
os.close(fd)
os.execv("victim-deny", ["innocent", *args[1:]])"""


@each(["memfd", "deleted", "execveat", "proc-self-root"], "by")
def _(lab, way):
    held_way(lab, way)


@case("/proc/self/fd/N, with a false argv[0]")
def _(lab):
    agent = lab.run(python("fd = os.open(args[0], os.O_RDONLY)\nos.set_inheritable(fd, True)\n"
                           "os.execv(f'/proc/self/fd/{fd}', ['innocent', *args[1:]])", *deny_words(lab)))
    assert agent.finish() == 126, agent.all
    expect_not_run(lab)


def need_tmpfile(directory):
    """A guest of vmtest has its files on an overlay, which makes none on older kernels."""
    try:
        os.close(os.open(directory, os.O_TMPFILE | os.O_RDWR))
    except OSError as e:
        raise Skip(f"no file without a name can be made here: {e.strerror}") from None


@case("O_TMPFILE, linked into place, with a false argv[0]")
def _(lab):
    need_tmpfile(lab.work)
    agent = lab.run(python(TMPFILE, *deny_words(lab)))
    status = agent.finish()
    expect_not_run(lab)
    assert status == 126, agent.all


@case("memfd with a false argv[0]", limit=NAMELESS)
def _(lab):
    agent = lab.run(python(COPY + "os.execve(fd, ['innocent', *args[1:]], os.environ)", *deny_words(lab)))
    agent.finish()
    expect_not_run(lab)

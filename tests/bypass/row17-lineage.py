"""However a process comes from another, it is of the session."""
import os

from bypass import case, deny_words, each, expect_not_run, held_way, python, refused, shell, until

NAMES = ["double-fork", "vfork", "thread", "clone-parent", "unshare, user", "unshare, PID 1", "fork", "spawn", "clone3",
         "orphan", "setsid", "unshare, mounts", "chroot"]
TREE = """for _ in range(int(args[0])):
    if os.fork():
        os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
os.execv(args[1], args[1:])"""
STORM = """for _ in range(int(args[0])):
    if not os.fork():
        os.execv("/bin/true", ["true"]) if _ % 4 else os._exit(0)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
os.execv(args[1], args[1:])"""


@each(NAMES, "by")
def _(lab, way):
    held_way(lab, way)


@case("setns")
def _(lab):
    other = lab.plain(["unshare", "--uts", "--ipc", "sleep", "600"])
    until(lambda: os.readlink(f"/proc/{other.pid}/ns/uts") != os.readlink("/proc/self/ns/uts"), "other namespaces")
    refused(lab, ["nsenter", f"--target={other.pid}", "--uts", "--ipc", *deny_words(lab)], (126,))


@case("a set-user-ID program")
def _(lab):
    os.chmod(f"{lab.bin}/victim-deny", 0o4755)
    refused(lab, ["setpriv", "--reuid=65534", "--clear-groups", *deny_words(lab)], (126,))


@case("a tree of 300 generations")
def _(lab):
    refused(lab, python(TREE, 300, *deny_words(lab)), (126,))


@case("behind a storm of forks")
def _(lab):
    refused(lab, python(STORM, 1000, *deny_words(lab)), (126,))


@case("its session's first process is gone")
def _(lab):
    lab.run(shell('(sleep 1; "$@" 2>err; echo $? >status) & disown', *deny_words(lab))).process.wait()

    def status():
        try:
            with open(f"{lab.work}/status", encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return None

    assert until(status, "its end") == "126\n"
    expect_not_run(lab)

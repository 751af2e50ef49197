"""A session that approves its own hold, by our command or by its own words, as root."""
import os

from bypass import each, expect_not_run, need_user_namespaces, quote, until

SOCKET = """import socket
s = socket.socket(socket.AF_UNIX)
s.connect(args[0])
s.sendall(b'{"op": "approve", "id": %s}\\n' % args[1].encode())
print(s.makefile().readline())"""
WAYS = {"our command": "{approve}", "setsid": "setsid -w {approve}", "an orphan": "(setsid {approve} >said 2>&1 &); sleep 1; cat said",
        "the socket": "python3 ask.py {socket} {id}", "a namespace": "unshare --user --map-root-user --pid --fork {approve}",
        "env -i": "env -i {approve}"}


@each(WAYS, "by")
def _(lab, way):
    if "--user" in WAYS[way]:
        need_user_namespaces()
    lab.script("ask.py", "import sys\nargs = sys.argv[1:]\n" + SOCKET)
    agent = lab.run(["bash", "-c", f"{quote(lab.words())} & until [ -e go ]; do sleep 0.05; done; . ./go; echo tried; wait $!"])
    hold = lab.guard.wait_for_holds()[0]
    approve = f"{lab.backstop} approve --socket {lab.guard.socket} {hold['id']}"
    text = WAYS[way].format(approve=approve, socket=lab.guard.socket, id=hold["id"])
    os.rename(lab.script("new", text + "\n"), f"{lab.work}/go")
    until(lambda: "tried" in agent.out and "belongs to session" in agent.all, lambda: agent.all)
    expect_not_run(lab)
    assert [h["id"] for h in lab.guard.holds()] == [hold["id"]]
    lab.guard.deny(hold)
    agent.finish()
    expect_not_run(lab)

"""Descriptors from before the session."""
from bypass import AFTER, DENY, HOST, Open, case, kept, python

BEFORE = "a connection that was open before the session began stays"


@case("ftruncate of an inherited descriptor", limit={"trace": AFTER})
def _(lab):
    path = lab.area.file()
    with open(path, "r+b") as f:
        kept(lab, python("os.ftruncate(0, 0)"), path, stdin=f)


@case("an inherited connection", limit=BEFORE)
def _(lab):
    code = f"""import socket
s = socket.create_connection(({HOST!r}, {DENY}))
os.execv(args[0], [*args, sys.executable, "-c", "import os; os.write(%d, b'hello\\\\n')" % s.fileno()])"""
    code = code.replace("os.execv", "os.set_inheritable(s.fileno(), True)\nos.execv")
    lab.net.clear()
    agent = lab.plain([*lab.net.inside, *python(code, lab.backstop, "run", *lab.guard.common, "--")])
    agent.finish()
    if any(got[3] for got in lab.net.got(DENY)):
        raise Open("what the session sent arrived")

"""Work handed to a process outside of the session: a daemon, over its socket."""
from bypass import case, deny_words, each, expect_not_run, held, python, until

OTHERS = "what a process outside of the session does is not the session's: only the command that hands it over is seen"
DAEMON = """import socket
s = socket.socket(socket.AF_UNIX)
s.bind("daemon.sock")
s.listen()
print("ready", flush=True)
c, _ = s.accept()
subprocess.run(c.recv(65536).decode().split("\\n"))
c.sendall(b"done")"""
ASK = """import socket
s = socket.socket(socket.AF_UNIX)
s.connect("daemon.sock")
s.sendall("\\n".join(args).encode())
print(s.recv(10))"""


COMMANDS = {
    "systemd-run": ["--on-active=1s", "true"], "at": ["now"], "crontab": ["jobs"],
    "tmux": ["send-keys", "-t", "db", "DROP TABLE cart;", "Enter"],
    "busctl": ["call", "org.freedesktop.login1", "/", "org.freedesktop.login1.Manager", "PowerOff", "b", "true"]}


@each(COMMANDS, "the command that hands it over is held, by the pack handoff")
def _(lab, name):
    stub = lab.copy_victim(name)
    hold = held(lab, [stub, *COMMANDS[name], f"marker={lab.marker}"])
    assert hold["signature"].startswith("handoff."), hold


@case("a daemon that runs what it is sent", limit=OTHERS)
def _(lab):
    daemon = lab.plain(python(DAEMON))
    until(lambda: "ready" in daemon.out, lambda: daemon.all)
    agent = lab.run(python(ASK, *deny_words(lab)))
    assert agent.finish() == 0, agent.all
    daemon.finish()
    expect_not_run(lab)

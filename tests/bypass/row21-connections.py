"""However a connection is made, and however its address is written."""
import time

from bypass import HOST, PAGED, PLAIN, PYTHON, case, each, leave, not_connected, not_sent, sent, until

WAYS = ["tcp", "scm", "fastopen", "udp-sendmmsg", "leaderless", "nonblock", "mptcp", "fastopen-connect", "udp", "udp-sendto",
        "udp-sendmsg", "udp-redirected", "vfork", "thread"]


UNTOUCHED = ["untouched-writev", "untouched-leaderless", "untouched"]  # memory that is not there when it is sent


@each(WAYS, "by")
def _(lab, way):
    not_connected(lab, way)


@each(["::ffff:10.20.0.5", "0.0.0.0", "::", "fd00::5"], "to")
def _(lab, host):
    not_connected(lab, "tcp", host=host)


@each(["send", "sendmmsg", "sendmmsg-named", "mptcp", "fastopen", "zerocopy", "urgent", "writev"], "sent by")
@each(UNTOUCHED, "sent by")
def _(lab, way):
    not_sent(lab, way)


@each(PAGED, "sent by")
def _(lab, way):
    not_sent(lab, way)


@case("much that is harmless, by sendfile, is not asked about, and arrives")
def _(lab):
    lab.net.clear()
    agent = lab.run(leave(lab, "sendfile-much", HOST, "harmless\n"), net=lab.net)
    assert (agent.finish(), agent.out) == (0, "OK\n"), agent.all
    until(lambda: sent(lab) == BEFORE_TEXT["sendfile-much"] + len("harmless\n"), lambda: f"all of it: {sent(lab)}")


@case("sent by: a datagram", limit={"trace": "only packets of TCP are looked at here"})
def _(lab):
    not_sent(lab, "udp")


DATAGRAMS = ["udp-sendmmsg", "udp-sendmmsg-connected"]


@each(["udp-sendmmsg-untouched", "udp-sendmmsg-alike"], "sent by", limit={"trace": "only packets of TCP are looked at here"})
@each([*DATAGRAMS, "ia32-sendmmsg", "ia32-sendmmsg-socketcall"], "sent by", limit={"trace": "only packets of TCP are looked at here"})
def _(lab, way):
    not_sent(lab, way)


@case("what is nowhere in its memory is refused, and not asked for again and again")
def _(lab):
    lab.net.clear()
    agent = lab.run(leave(lab, "nowhere-writev", HOST, "harmless\n"), net=lab.net)
    assert agent.finish() == 0, agent.all
    time.sleep(0.3)
    assert (agent.out, sent(lab)) == ("Bad address\n" if lab.tier == "trace" else "EPERM\n", 0), agent.all


BEFORE_TEXT = {"sendfile-much": 200 * 4096, "udp-sendmmsg": 6, "untouched": 0, "untouched-writev": 0, "untouched-leaderless": 0, "untouched-postgres": 22,
               "udp-sendmmsg-untouched": 2}


@each(["sendmmsg-named", *DATAGRAMS, "splice", "sendmmsg", "sendfile", "sendfile-much", "vmsplice"],
      "approved, and all of it arrives once, sent by")
@each([*UNTOUCHED, "udp-sendmmsg-untouched"], "approved, and all of it arrives once, sent by")
def _(lab, way):
    approved(lab, way, "hold-this-text\n")


@case("approved as the statement that it is, and all of it arrives once, sent by: untouched-postgres")
def _(lab):
    assert approved(lab, "untouched-postgres", "drop table users")["signature"] == "way.sql"


def approved(lab, way, text):
    lab.net.clear()
    hold = None
    agent = lab.run(leave(lab, way, HOST, text), net=lab.net)
    if lab.tier != "trace" or not way.startswith("udp"):
        hold = lab.guard.wait_for_holds()[0]
        assert sent(lab) <= BEFORE_TEXT.get(way, 4)
        lab.guard.cli("approve", hold["id"])
    assert (agent.finish(), agent.out) == (0, "OK\n"), agent.all
    wanted = len(text) + BEFORE_TEXT.get(way, 0 if way in PAGED else 4)
    until(lambda: sent(lab) >= wanted, lambda: f"all of it: {sent(lab)} of {wanted}")
    time.sleep(0.3)
    assert sent(lab) == wanted, sent(lab)
    return hold


BEFORE = """import socket
s = socket.create_connection((args[0], int(args[1])))
os.dup2(s.fileno(), 9)
os.execv(args[2], args[2:])"""


@case("sent over a connection from before the session", limit={"trace": "connections are known from when a session makes them"})
def _(lab):
    session = [lab.backstop, "run", *lab.guard.common, "--agent", "test", "--", *leave(lab, "send", "fd:9")]
    not_sent(lab, "send", [PYTHON, "-c", f"import os, sys\nargs = sys.argv[1:]\n{BEFORE}", HOST, str(PLAIN), *session])

"""Connections: whichever way one is made, the verdict is the same, and what is refused never arrives."""
import os
import signal
import subprocess
import time

import pytest

from lab import is_gone, until
from net import ALERT, DENY, HOLD, HOST, KILL, OTHER, PLAIN

WAYS = ["tcp", "nonblock", "mptcp", "fastopen", "fastopen-connect", "udp", "udp-sendto", "udp-redirected", "udp-sendmsg",
        "udp-sendmmsg", "ia32", "ia32-socketcall", "ia32-sendto", "ia32-sendmmsg", "uring", "uring-async", "uring-sqpoll", "uring-linked",
        "uring-sendmsg", "scm", "vfork", "thread", "leaderless"]
# what cannot be restarted cannot wait for a human: a hold is a refusal there
FIXED_WAYS = [way for way in WAYS if way.startswith("uring") or way == "udp-sendmmsg"]
HELD_WAYS = [way for way in WAYS if way not in FIXED_WAYS]
SILENT_WAYS = ["leaderless"]  # the standard error of a zombie cannot be reached
EACH = pytest.mark.parametrize("way", WAYS)
EACH_HELD = pytest.mark.parametrize("way", HELD_WAYS)


class Client:
    """One victim's try, as a session."""

    def __init__(self, lab, net, way, port, *options, host=HOST, guard=None, before=(), **how):
        self.lab, self.net, self.way, self.port, self.guard = lab, net, way, port, guard or lab.guard
        self.argv = [*before, os.path.join(lab.build, "victims", "connect"), way, host, str(port), f"pass={net.path}",
                f"first={PLAIN}", *options]
        self.agent = lab.run(self.argv, net=net, guard=self.guard, **how)

    def results(self):
        """What became of each try."""
        return [line.split(": ", 1)[1] for line in self.agent.out.splitlines() if line.startswith(f"{self.way}: ")]

    def finish(self, status=None):
        found = self.agent.finish()
        assert status is None or found == status, (found, self.agent.all)
        return self.results()

    def arrived(self):
        return [got for got in self.net.got() if got[2] == self.port]

    def hold(self):
        """Its one hold, while which nothing comes of it."""
        hold = self.guard.wait_for_holds()[0]
        if self.way not in SILENT_WAYS:
            self.agent.wait_for("backstop: held: ")
        assert not self.arrived() and not self.results(), (self.net.got(), self.agent.all)
        return hold

    def expect_ok(self, times=1):
        assert self.finish(0) == ["OK"] * times, self.agent.all
        assert len(self.arrived()) >= times and all(got[3] >= 6 for got in self.arrived()), self.net.got()

    def expect_refused(self):
        assert self.finish(1) == ["EPERM"], self.agent.all
        time.sleep(0.02)
        assert not self.arrived(), self.net.got()


def said(agent):
    return [line for line in agent.err.splitlines() if line.startswith("backstop: ")]


@EACH
@pytest.mark.parametrize("host", [HOST, "fd00::5", "::ffff:10.20.0.5", "0.0.0.0", "::"])
def test_unguarded(bench, net, way, host):
    """The harness: each way does arrive."""
    if way == "scm" and ":" in host:
        host = HOST  # its socket is one of IPv4
    agent = bench.plain([*net.inside, f"{bench.build}/victims/connect", way, host, str(PLAIN), f"pass={net.path}",
                         f"first={ALERT}"])
    assert agent.finish() == 0 and agent.out == f"{way}: OK\n", agent.all
    to = {"::": "::1", "0.0.0.0": "127.0.0.1", "fd00::5": "fd00::5"}.get(host, HOST)
    assert net.got(PLAIN)[0][1] == to, net.got()


@EACH
def test_allow(lab, net, way):
    client = Client(lab, net, way, PLAIN, f"first={ALERT}")
    client.expect_ok()
    assert not [line for line in said(client.agent) if "denied" in line or "held" in line]


@EACH
def test_alert(lab, net, way):
    client = Client(lab, net, way, ALERT)
    client.expect_ok()
    until(lambda: "net.alert" in "".join(lab.guard.lines()[-12:]), "the finding")


@EACH
def test_deny(lab, net, way):
    client = Client(lab, net, way, DENY)
    client.expect_refused()
    if way not in SILENT_WAYS:
        assert any(f"{HOST}:{DENY}" in line and "denied" in line for line in said(client.agent)), client.agent.err
        assert any("is never right (net.deny, high)" in line for line in said(client.agent)), client.agent.err


@EACH
def test_kill(lab, net, way):
    client = Client(lab, net, way, KILL)
    if way == "vfork":  # its child alone has done it
        assert client.finish(1) == ["EOWNERDEAD"], client.agent.all
    else:
        assert client.finish(137) == [], client.agent.all
    assert not client.arrived()
    assert way in SILENT_WAYS or any("killed" in line for line in said(client.agent)), client.agent.err


@EACH_HELD
def test_hold_approve(lab, net, way):
    client = Client(lab, net, way, HOLD)
    lab.guard.approve(client.hold())
    client.expect_ok()
    assert not lab.guard.holds()


@EACH_HELD
def test_hold_deny(lab, net, way):
    client = Client(lab, net, way, HOLD)
    hold = client.hold()
    lab.guard.deny(hold)
    client.expect_refused()
    assert way in SILENT_WAYS or f"backstop: denied: hold {hold['id']}: by uid 0 (root)" in client.agent.err
    assert not lab.guard.holds()


@pytest.mark.parametrize("way", FIXED_WAYS)
def test_hold_is_refusal_where_nothing_can_wait(lab, net, way):
    client = Client(lab, net, way, HOLD)
    client.expect_refused()
    assert any("denied" in line for line in said(client.agent)), client.agent.err
    assert not lab.guard.holds()


@pytest.mark.parametrize("way", ["tcp", "udp-sendto", "thread", "ia32"])
def test_hold_times_out(lab, short, net, way):
    client = Client(lab, net, way, HOLD, guard=short)
    hold = client.hold()
    client.expect_refused()
    assert f"backstop: denied: hold {hold['id']}: nobody answered within 1 s" in client.agent.err


@pytest.mark.parametrize("host", ["fd00::5", "::ffff:10.20.0.5", "0.0.0.0", "::", "::1", "127.0.0.1", "2001:db8::5",
                                  "169.254.169.254"])
@pytest.mark.parametrize("way", ["tcp", "udp", "udp-sendto", "fastopen", "uring"])
def test_addresses(lab, net, way, host):
    """However it is written, an address is that address."""
    Client(lab, net, way, DENY, host=host).expect_refused()


@pytest.mark.parametrize("host,port,refused", [
    (HOST, 7008, True), ("::ffff:10.20.0.5", 7008, True), ("10.21.0.5", 7008, False), ("fd00::5", 7008, True),
    ("2001:db8::5", 7008, False), ("127.0.0.1", 7008, True), ("0.0.0.0", 7008, True), ("::", 7008, False),
    ("169.254.169.254", 7008, False), (HOST, 7009, False), ("127.0.0.1", 7009, False), ("::1", 7009, False),
    ("2001:db8::5", 7009, False)])
def test_networks(lab, net, host, port, refused):
    """Prefixes; and an address of the session's own network namespace is not another machine."""
    client = Client(lab, net, "tcp", port, host=host)
    client.expect_refused() if refused else client.expect_ok()


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7"])
@pytest.mark.parametrize("port,result", [(7009, "EPERM"), (PLAIN, "ENETUNREACH")])
def test_remote(lab, net, host, port, result):
    """Another machine's address. There is no way to it from here."""
    assert Client(lab, net, "tcp", port, host=host).finish() == [result]


@pytest.mark.parametrize("way,refused", [("udp", True), ("udp-sendto", True), ("udp-sendmmsg", True), ("tcp", False),
                                         ("fastopen", False)])
def test_protocol(lab, net, way, refused):
    client = Client(lab, net, way, 7007)
    client.expect_refused() if refused else client.expect_ok()


# --- holds

def test_shown(lab, net):
    """What the approver is shown, and the agent reads."""
    client = Client(lab, net, "tcp", HOLD)
    hold = client.hold()
    until(lambda: client.agent.err.count("\n") >= 4, lambda: client.agent.err)
    program = " ".join(client.argv)
    assert said(client.agent) == [
        f"backstop: held: connect {HOST}:{HOLD} ({program})", "backstop: why: is production (net.hold, critical)",
        "backstop: instead: psql -h localhost",
        f"backstop: a human can allow it once: backstop approve {hold['id']}"]
    assert hold["signature"] == "net.hold" and hold["agent"] == "test" and hold["severity"] == "critical", hold
    assert f"connect {HOST}:{HOLD}" in lab.guard.cli("pending").stdout, lab.guard.cli("pending").stdout
    lab.guard.deny(hold)
    client.expect_refused()


@pytest.mark.parametrize("way", ["tcp", "udp-sendto", "thread"])
def test_again(lab, net, way):
    """An approval is for a process and a destination: drivers connect twice."""
    client = Client(lab, net, way, HOLD, "again=1")
    lab.guard.approve(client.hold())
    assert client.finish(0) == ["OK", "OK"]
    assert len(client.arrived()) == 2


def test_approved_after_denial(lab, net):
    """Approving a refused one is a grant for its next try."""
    client = Client(lab, net, "tcp", HOLD, "again=1")
    first = client.hold()
    lab.guard.deny(first)
    second = until(lambda: [h for h in lab.guard.holds() if h["id"] != first["id"]], "the second hold")[0]
    lab.guard.deny(second)
    assert client.finish(1) == ["EPERM", "EPERM"] and not client.arrived()


def test_each_thread_has_its_own_hold(lab, net):
    """Three threads at once, decided otherwise: each gets its own answer."""
    agent = lab.run([f"{lab.build}/victims/threads", HOST, str(HOLD), "2", f"step={OTHER - HOLD}"], net=net)
    holds = lab.guard.wait_for_holds(2)
    by_text = {port: h for h in holds for port in (HOLD, OTHER) if f":{port}" in str(h)}
    lab.guard.approve(by_text[OTHER])
    agent.wait_for("connect 1: OK")
    assert "connect 0" not in agent.out and [h["id"] for h in lab.guard.holds()] == [by_text[HOLD]["id"]]
    lab.guard.deny(by_text[HOLD])
    assert agent.finish() == 0 and "connect 0: EPERM" in agent.out, agent.all
    assert not net.got(HOLD) and net.got(OTHER)


BYSTANDERS = ["epoll", "recv", "semtimedop", "send", "write", "waitall"]


@pytest.mark.parametrize("port,answer,result", [(PLAIN, None, "OK"), (ALERT, None, "OK"), (DENY, None, "EPERM"),
                                                (HOLD, "approve", "OK"), (HOLD, "deny", "EPERM")])
@pytest.mark.parametrize("count", [1, 8])
def test_other_threads_notice_nothing(lab, net, port, answer, result, count):
    """No EINTR, no short count, no standstill in threads that wait in other system calls."""
    agent = lab.run([f"{lab.build}/victims/threads", HOST, str(port), str(count)], net=net)
    if answer:
        holds = lab.guard.wait_for_holds(count)
        ticks = agent.out.count("tick")
        until(lambda: agent.out.count("tick") > ticks + 5, "the others go on")
        assert "connect" not in agent.out and not net.got(port)
        for hold in holds:
            getattr(lab.guard, answer)(hold)
    assert agent.finish() == 0, agent.all
    lines = agent.out.splitlines()
    for name in [*BYSTANDERS, *(f"connect {i}" for i in range(count))]:
        want = result if name.startswith("connect") else "OK"
        assert f"{name}: {want}" in lines, (name, [line for line in lines if line != "tick"])
    assert len(net.got(port)) == (count if result == "OK" else 0)


@pytest.mark.parametrize("end,status", [("exit=300", 3), ("exec=300", 0)])
@pytest.mark.parametrize("count", [1, 4])
def test_process_ends_while_held(lab, net, end, status, count):
    """A held thread is in nobody's way: its process can exit, and become another program."""
    agent = lab.run([f"{lab.build}/victims/threads", HOST, str(HOLD), str(count), end], net=net)
    lab.guard.wait_for_holds(count)
    assert agent.finish() == status, agent.all
    until(lambda: not lab.guard.holds(), "its holds are gone")
    assert not net.got(HOLD)


def test_killed_while_held(lab, net):
    client = Client(lab, net, "tcp", HOLD)
    hold = client.hold()
    os.kill(hold["pid"], signal.SIGKILL)
    assert client.agent.finish() == 137
    until(lambda: not lab.guard.holds(), "its hold is gone")
    assert is_gone(hold["pid"]) and not client.arrived()


@pytest.mark.parametrize("sig", ["SIGINT", "SIGTERM", "SIGALRM"])
def test_signal_that_ends_the_wait(lab, net, sig):
    """Who is told to stop waiting does so, and hears why."""
    client = Client(lab, net, "tcp", HOLD, f"handle={int(getattr(signal, sig))}")
    hold = client.hold()
    os.kill(hold["pid"], getattr(signal, sig))
    client.expect_refused()
    assert "handled 1\n" in client.agent.out
    assert f"denied: hold {hold['id']}: by signal: it was sent {sig}" in client.agent.err, client.agent.err
    assert not lab.guard.holds()


def test_alarm_of_its_own(lab, net):
    client = Client(lab, net, "tcp", HOLD, f"handle={int(signal.SIGALRM)}", "alarm=300")
    client.expect_refused()
    assert "handled 1\n" in client.agent.out and "SIGALRM" in client.agent.err
    assert not lab.guard.holds()


@pytest.mark.parametrize("answer", ["approve", "deny"])
def test_other_signals_wait(lab, net, answer):
    """A handler runs once, when the decision is there, and the call ends as decided."""
    client = Client(lab, net, "tcp", HOLD, f"handle={int(signal.SIGUSR1)}")
    hold = client.hold()
    os.kill(hold["pid"], signal.SIGUSR1)
    time.sleep(0.1)
    assert [h["id"] for h in lab.guard.holds()] == [hold["id"]] and not client.results()
    getattr(lab.guard, answer)(hold)
    if answer == "approve":
        client.expect_ok()
    else:
        client.expect_refused()
    assert "handled 1\n" in client.agent.out


@pytest.mark.parametrize("port,inside", [(PLAIN, "OK"), (DENY, "EPERM")])
def test_handler_connects_before_the_restart(lab, net, port, inside):
    """An answer is for its own destination: not for that of a handler which runs in between."""
    client = Client(lab, net, "tcp", HOLD, f"handle={int(signal.SIGUSR1)}", f"inside={port}")
    first = client.hold()
    os.kill(first["pid"], signal.SIGUSR1)
    lab.guard.approve(first)
    until(lambda: lab.guard.holds() or client.agent.process.poll() is not None, "asked again, or done")
    for hold in lab.guard.holds():
        lab.guard.approve(hold)
    client.expect_ok()
    assert f"inside: {inside}\n" in client.agent.out, client.agent.out
    assert len(net.got(port)) == (inside == "OK")


def test_handler_is_held_too(lab, net):
    """It is refused, while the call that it interrupted is approved."""
    client = Client(lab, net, "tcp", HOLD, f"handle={int(signal.SIGUSR1)}", f"inside={OTHER}")
    first = client.hold()
    os.kill(first["pid"], signal.SIGUSR1)
    lab.guard.approve(first)
    until(lambda: f":{OTHER}" in str(lab.guard.holds()), "the handler's hold")
    lab.guard.deny(lab.guard.holds()[0])
    until(lambda: lab.guard.holds() or client.agent.process.poll() is not None, "asked again, or done")
    for hold in lab.guard.holds():
        lab.guard.approve(hold)
    client.expect_ok()
    assert "inside: EPERM\n" in client.agent.out and not net.got(OTHER)


# --- traced, stopped

STRACE = ["strace", "-f", "-o", "/dev/null"]


@pytest.mark.parametrize("port,result", [(PLAIN, "OK"), (ALERT, "OK"), (DENY, "EPERM"), (HOLD, "EPERM")])
def test_traced(lab, net, port, result):
    """What another program traces cannot be held, and is refused."""
    client = Client(lab, net, "tcp", port, before=STRACE)
    assert client.finish() == [result], client.agent.all
    assert len(client.arrived()) == (result == "OK") and not lab.guard.holds()


def test_traced_sees_no_odd_errno(lab, net):
    trace = os.path.join(lab.work, "trace")
    client = Client(lab, net, "tcp", DENY, before=["strace", "-f", "-e", "trace=connect", "-o", trace])
    assert client.finish() == ["EPERM"]
    with open(trace, encoding="utf-8") as f:
        last = [line for line in f if "connect(" in line or "connect resumed" in line][-1]
    assert last.rstrip().endswith("= -1 EPERM (Operation not permitted)"), last


def test_sigcont_lets_nothing_go(lab, net):
    client = Client(lab, net, "tcp", HOLD)
    hold = client.hold()
    for _ in range(200):
        os.kill(hold["pid"], signal.SIGCONT)
    assert [h["id"] for h in lab.guard.holds()] == [hold["id"]]
    lab.guard.deny(hold)
    client.expect_refused()


def test_jumped_away(lab, net):
    """What a thread asked for and did not wait for takes no place, and is recorded as what it was."""
    guard = lab.new_guard()
    agent = lab.run([*net.inside, f"{lab.build}/victims/jump", "10.20.1.0", str(DENY), "300"], guard=guard)
    assert agent.finish(60) == 0 and int(agent.out) > 50, agent.out
    until(lambda: not guard.status()["sessions"], "the session has ended")
    status = guard.status()
    assert status["counters"]["candidates"] > 200 and not status["losses"]["slot"], status
    assert status["events"]["made"] == status["events"]["recorded"], status["events"]
    assert "killed" not in "".join(line for line in guard.lines() if "10.20." in line)


def test_stop_and_continue(lab, net):
    """Ctrl-Z on a held process takes effect when it is let go."""
    client = Client(lab, net, "tcp", HOLD)
    hold = client.hold()
    os.kill(hold["pid"], signal.SIGSTOP)
    time.sleep(0.05)
    lab.guard.approve(hold)
    time.sleep(0.05)
    assert not client.results()
    os.kill(hold["pid"], signal.SIGCONT)
    client.expect_ok()


# --- around it

def test_session_cannot_approve_its_connection(lab, net):
    client = f"{lab.build}/victims/connect tcp {HOST} {HOLD}"
    agent = lab.run(["bash", "-c", f"{client} & until [ -e go ]; do sleep 0.02; done; "
                     f"{lab.backstop} approve --socket {lab.guard.socket} $(cat go) && exit 77; wait $!"], net=net)
    hold = lab.guard.wait_for_holds()[0]
    with open(f"{lab.work}/new", "w", encoding="utf-8") as f:
        f.write(str(hold["id"]))
    os.rename(f.name, f"{lab.work}/go")
    agent.wait_for("this process belongs to session")
    assert not net.got(HOLD)
    lab.guard.deny(hold)
    assert agent.finish() == 1 and "tcp: EPERM" in agent.out


def test_unattended(lab, net):
    agent = lab.run([f"{lab.build}/victims/connect", "tcp", HOST, str(HOLD)], "--unattended", net=net)
    assert agent.finish(5) == 1 and agent.out == "tcp: EPERM\n"
    assert not net.got(HOLD)


@pytest.mark.parametrize("mode", ["record", "shadow"])
def test_modes_that_let_go(lab, net, mode):
    guard = lab.new_guard("--mode", mode)
    for port in (HOLD, DENY, KILL):
        for way in ("tcp", "udp-sendto", "uring"):
            net.clear()
            Client(lab, net, way, port, guard=guard).expect_ok()
    assert not guard.holds()


def test_untracked_is_free(lab, net):
    """What is in no session is nobody's business."""
    for port in (HOLD, DENY, KILL):
        done = subprocess.run([*net.inside, f"{lab.build}/victims/connect", "tcp", HOST, str(port)], timeout=10,
                              capture_output=True, text=True)
        assert done.stdout == "tcp: OK\n", done


PROGRAM32 = r"""
static int call(int number, int a, int b, int c)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

void _start(void)
{
	unsigned char to[16] = { 2, 0, PORT >> 8, PORT & 255, 10, 20, 0, 5 };
	int fd = call(359, 2, 1, 0), err = call(362, fd, (int)to, 16);

	if (!err)
		call(4, fd, (int)"hello\n", 6);
	call(1, -err, 0, 0);
}
"""


def test_32_bit_program(lab, net):
    source = lab.script("small.c", PROGRAM32)
    made = {}
    for port in (PLAIN, DENY, HOLD):
        made[port] = os.path.join(lab.work, f"small{port}")
        done = subprocess.run(["gcc", "-m32", "-O1", "-fno-stack-protector", "-fno-pic", "-no-pie", "-nostdlib", "-static",
                               f"-DPORT={port}", "-o", made[port], source], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no 32-bit programs can be built here: {done.stderr.splitlines()[-1]}")
    if subprocess.run([*net.inside, made[PLAIN]]).returncode != 0:
        pytest.skip("this kernel runs no 32-bit programs")
    assert lab.run([made[PLAIN]], net=net).finish() == 0
    assert lab.run([made[DENY]], net=net).finish() == 1
    agent = lab.run([made[HOLD]], net=net)
    lab.guard.approve(lab.guard.wait_for_holds()[0])
    assert agent.finish() == 0
    agent = lab.run([made[HOLD]], net=net)
    lab.guard.deny(lab.guard.wait_for_holds()[0])
    assert agent.finish() == 1
    assert len(net.got(HOLD)) == 1 and not net.got(DENY)


def test_x32(lab, net):
    probe = subprocess.run([*net.inside, f"{lab.build}/victims/connect", "x32", HOST, str(PLAIN)], capture_output=True,
                           text=True, check=False)
    if "ENOSYS" in probe.stdout:
        pytest.skip("this kernel has no x32 system calls")
    Client(lab, net, "x32", DENY).expect_refused()
    client = Client(lab, net, "x32", HOLD)
    lab.guard.approve(client.hold())
    client.expect_ok()


def test_many_threads_no_leak(lab, net):
    """Refused and restarted calls under load end with EPERM or in order, never with another number."""
    loop = ("for i in $(seq 20); do %s/victims/threads %s %d 8; %s/victims/threads %s %d 8; done"
            % (lab.build, HOST, DENY, lab.build, HOST, ALERT))
    agent = lab.run(["bash", "-c", loop], net=net)
    assert agent.finish(60) == 0, agent.all[-2000:]
    lines = [line.split(": ")[1] for line in agent.out.splitlines() if line.startswith("connect ")]
    assert lines.count("EPERM") == 160 and lines.count("OK") == 160 and len(lines) == 320, set(lines)
    rest = {line for line in agent.out.splitlines() if not line.startswith("connect ")}
    assert rest == {"tick", "all done", *(f"{name}: OK" for name in BYSTANDERS)}, rest
    assert len(net.got(ALERT)) == 160 and not net.got(DENY)

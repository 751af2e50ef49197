"""The tools that agents connect with, unchanged: held, refused in words they print, and let go."""
import os
import pwd
import shutil
import signal
import subprocess

import pytest

from lab import SLOW, until
from net import DATABASE, DENY, GIT, HOLD, HOST, PLAIN

PYTHON = "/usr/bin/python3"
TCP = "import socket,sys; s=socket.create_connection((sys.argv[1],int(sys.argv[2])),20); s.sendall(b'hello\\n'); print(s.recv(99).decode(),end='')"
UDP = "import socket,sys; s=socket.socket(type=socket.SOCK_DGRAM); s.settimeout(20); s.sendto(b'hello\\n',(sys.argv[1],int(sys.argv[2]))); print(s.recv(99).decode(),end='')"
ASYNCIO = """import asyncio, sys
async def main():
    r, w = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    w.write(b'hello\\n')
    print((await r.readline()).decode(), end='')
asyncio.run(main())"""
NODE = """const s = require('net').connect(+process.argv[2], process.argv[1], () => s.write('hello\\n'));
s.on('data', d => { process.stdout.write(d); s.destroy() });
s.on('error', e => { console.error(e.code); process.exitCode = 1 })"""
NODE_UDP = """const s = require('dgram').createSocket('udp4');
s.send('hello\\n', +process.argv[2], process.argv[1], e => { if (e) { console.error(e.code); process.exit(1) } });
s.on('message', d => { process.stdout.write(d); s.close() })"""
PERL = "use IO::Socket::INET; $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1], Proto => 'tcp') or die $!;" \
       " print $s \"hello\\n\"; print scalar <$s>"

# the command line for an address, and what it says when it is refused
TOOLS = {
    "curl": (lambda h, p: ["curl", "-sS", "--http0.9", "-m", "30", f"http://{h}:{p}/"], ""),
    "python": (lambda h, p: [PYTHON, "-c", TCP, h, p], "PermissionError: [Errno 1] Operation not permitted"),
    "python, UDP": (lambda h, p: [PYTHON, "-c", UDP, h, p], "PermissionError: [Errno 1] Operation not permitted"),
    "python, asyncio": (lambda h, p: [PYTHON, "-c", ASYNCIO, h, p], "PermissionError: [Errno 1]"),
    "node": (lambda h, p: ["node", "-e", NODE, h, p], "EPERM"),
    "node, UDP": (lambda h, p: ["node", "-e", NODE_UDP, h, p], "EPERM"),
    "perl": (lambda h, p: ["perl", "-e", PERL, h, p], "Operation not permitted"),
    "bash": (lambda h, p: ["bash", "-c", f"exec 3<>/dev/tcp/{h}/{p} && echo hello >&3 && head -1 <&3"],
             "Operation not permitted"),
    "nc": (lambda h, p: ["bash", "-c", f"echo hello | nc -N -w 30 {h} {p}"], ""),
    "busybox nc": (lambda h, p: ["bash", "-c", f"echo hello | busybox nc -w 30 {h} {p}"], "Operation not permitted"),
}
EACH = pytest.mark.parametrize("name", TOOLS)


def command(name, port):
    argv = TOOLS[name][0](HOST, str(port))
    if not any(shutil.which(word) for word in (name.split(",")[0].split()[-1], argv[0]) if word):
        pytest.skip(f"{name} is not installed")
    return argv


@EACH
def test_plain(lab, net, name):
    agent = lab.run(command(name, PLAIN), net=net)
    assert agent.finish() == 0 and agent.out == "reply\n", agent.all
    assert "backstop" not in agent.err and net.got(PLAIN)


@EACH
def test_denied(lab, net, name):
    agent = lab.run(command(name, DENY), net=net)
    assert agent.finish() != 0 and "reply" not in agent.out, agent.all
    assert TOOLS[name][1] in agent.err and f"backstop: denied: " in agent.err, agent.err
    assert not net.got(DENY)


@EACH
def test_held_and_approved(lab, net, name):
    agent = lab.run(command(name, HOLD), net=net)
    hold = lab.guard.wait_for_holds()[0]
    assert not net.got(HOLD)
    lab.guard.approve(hold)
    assert agent.finish() == 0 and agent.out == "reply\n", agent.all
    assert len(net.got(HOLD)) == 1


@EACH
def test_held_and_denied(lab, net, name):
    agent = lab.run(command(name, HOLD), net=net)
    lab.guard.deny(lab.guard.wait_for_holds()[0])
    assert agent.finish() != 0 and TOOLS[name][1] in agent.err, agent.all
    assert not net.got(HOLD)


def test_event_loop_goes_on(lab, net):
    """A program with threads is not stopped as a whole: node's loop stands, a worker of python's does not."""
    code = TCP.replace("s=socket", "import threading, time; t=threading.Thread(target=lambda: [print('tick', flush=True) "
                       "or time.sleep(.02) for _ in range(60)]); t.start(); s=socket", 1)
    agent = lab.run([PYTHON, "-c", code, HOST, str(HOLD)], net=net)
    hold = lab.guard.wait_for_holds()[0]
    seen = agent.out.count("tick")
    until(lambda: agent.out.count("tick") > seen + 3, "the other thread goes on")
    lab.guard.approve(hold)
    assert agent.finish() == 0 and "reply" in agent.out


# --- servers

@pytest.fixture(scope="module")
def git_daemon(the_net, session_dir):
    base = os.path.join(session_dir, "git")
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
           "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    subprocess.run(["sh", "-ec", f"git init -q {base}/repo && cd {base}/repo && git commit -q --allow-empty -m x"], env=env,
                   check=True)
    daemon = subprocess.Popen([*the_net.inside, "git", "daemon", "--export-all", f"--base-path={base}", "--reuseaddr",
                               f"--listen={HOST}", f"--port={GIT}", base], stderr=subprocess.DEVNULL, env=env)
    until(lambda: subprocess.run([*the_net.inside, "git", "ls-remote", f"git://{HOST}:{GIT}/repo"], env=env,
                                 capture_output=True).returncode == 0, "git's daemon answers")
    import lab as laboratory
    laboratory.KEEP.add(daemon.pid)
    yield f"git://{HOST}:{GIT}/repo"
    daemon.terminate()
    daemon.wait(SLOW)


@pytest.mark.parametrize("answer", ["approve", "deny"])
def test_git(lab, net, git_daemon, answer):
    agent = lab.run(["git", "clone", git_daemon, "copy"], net=net)
    getattr(lab.guard, answer)(lab.guard.wait_for_holds()[0])
    status = agent.finish()
    assert (status == 0) == (answer == "approve"), agent.all
    assert os.path.isdir(f"{lab.work}/copy/.git") == (answer == "approve")
    assert answer == "approve" or "Operation not permitted" in agent.err, agent.err


@pytest.fixture(scope="module")
def postgres(the_net, session_dir):
    """A real server, as its own user, in the network."""
    programs = sorted(p for p in ("/usr/lib/postgresql/%d/bin" % v for v in range(30, 10, -1)) if os.path.isdir(p))
    if not programs or "postgres" not in [p.pw_name for p in pwd.getpwall()]:
        pytest.skip("PostgreSQL's server is not installed")
    data = os.path.join(session_dir, "pg")
    as_postgres = ["runuser", "-u", "postgres", "--"]
    subprocess.run(["install", "-d", "-o", "postgres", "-m", "700", data], check=True)
    subprocess.run([*as_postgres, f"{programs[-1]}/initdb", "-D", data, "-A", "trust", "--no-sync", "-E", "UTF8",
                    "--locale=C"], check=True, capture_output=True, cwd="/")
    with open(f"{data}/pg_hba.conf", "a", encoding="utf-8") as f:
        f.write("host all all 10.20.0.0/16 trust\n")
    server = subprocess.Popen([*the_net.inside, *as_postgres, f"{programs[-1]}/postgres", "-D", data, "-h", HOST, "-p",
                               str(DATABASE), "-k", data, "-c", "fsync=off"], stderr=subprocess.DEVNULL, cwd="/")
    ready = [*the_net.inside, "psql", "-h", HOST, "-p", str(DATABASE), "-U", "postgres", "-c", "select 1"]
    until(lambda: subprocess.run(ready, capture_output=True).returncode == 0, "PostgreSQL answers")
    import lab as laboratory
    laboratory.KEEP.add(server.pid)
    yield server
    os.kill(int(open(f"{data}/postmaster.pid", encoding="utf-8").readline()), signal.SIGINT)
    server.wait(SLOW)


@pytest.mark.parametrize("answer", ["approve", "deny"])
def test_psql(lab, net, postgres, answer):
    agent = lab.run(["psql", "-X", "-h", HOST, "-p", str(DATABASE), "-U", "postgres", "-Atc", "select 6*7"], net=net)
    getattr(lab.guard, answer)(lab.guard.wait_for_holds()[0])
    status = agent.finish()
    if answer == "approve":
        assert (status, agent.out) == (0, "42\n"), agent.all
    else:
        assert status == 2 and "Operation not permitted" in agent.err, agent.all

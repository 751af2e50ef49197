"""The guard as a service: it may be killed, stopped, reloaded and replaced, and no candidate runs undecided."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import fuse
from lab import bpf_programs, children, descendants, end_process, is_gone, stat_of, until
from net import DENY, HOLD, HOST, PLAIN


@pytest.fixture
def own(lab):
    return lab.new_guard("--hold-timeout", 120)


def shell(lab, own, net=None, *options):
    """A session that is given one line after another."""
    return lab.run(["bash"], *options, guard=own, net=net, stdin=subprocess.PIPE)


def tell(agent, line):
    agent.process.stdin.write(f"{line}\n".encode())
    agent.process.stdin.flush()


def words(lab, program="terraform", **how):
    return " ".join(lab.words(program, **how))


def client(lab, port, *options):
    return " ".join([f"{lab.build}/victims/connect", "tcp", HOST, str(port), *options])


def back(own, count=None):
    """The guard answers again; its holds."""
    until(own.answers, lambda: "it answers again: " + own.log())
    return own.wait_for_holds(count) if count else own.holds()


def frozen(pid):
    found = stat_of(pid)
    return found and found[0] in "Tt"


# --- the guard is killed

def test_killed_guard_keeps_its_holds(lab, own, net):
    """Both kinds of hold stay, under their numbers; approved they go on, denied they are refused."""
    agents = {name: shell(lab, own, net) for name in ("exec+", "exec-", "connect+", "connect-")}
    for name, agent in agents.items():
        tell(agent, f"{words(lab, exit=5) if name.startswith('exec') else client(lab, HOLD)}; exit $?")
        own.wait_for_holds(list(agents).index(name) + 1)
    before = own.wait_for_holds(4)
    keeper, old = own.pid, own.child
    own.kill_child()
    after = back(own, 4)
    assert own.pid == keeper and own.child != old
    assert [(h["id"], h["pid"], h["signature"]) for h in after] == [(h["id"], h["pid"], h["signature"]) for h in before]
    assert not lab.ran() and not net.got(HOLD)
    assert [abs(a["since_ms"] - b["since_ms"]) < 1500 if "since_ms" in b else True for a, b in zip(after, before)] == [True] * 4
    for hold, answer in zip(before, (own.approve, own.deny, own.approve, own.deny)):
        answer(hold)
    assert [a.finish() for a in agents.values()] == [5, 126, 0, 1], [a.all for a in agents.values()]
    assert lab.ran() == 1 and len(net.got(HOLD)) == 1
    assert not own.holds()
    assert own.status()["sessions"] == [] or until(lambda: not own.status()["sessions"], "the sessions have ended")


def test_sessions_outlive_the_guard(lab, own):
    agent = shell(lab, own)
    until(lambda: own.status()["sessions"], "a session")
    before = own.status()["sessions"]
    own.kill_child()
    back(own)
    after = own.status()["sessions"]
    for key in ("id", "agent", "pid", "user", "started_ms", "workspace"):
        assert before[0].get(key) == after[0].get(key), key
    tell(agent, words(lab, "victim-deny") + "; exit $?")
    assert agent.finish() == 126 and not lab.ran()
    until(lambda: not own.status()["sessions"], "the session has ended")


def test_hold_numbers_go_on(lab, own):
    agent = lab.run(lab.words(), guard=own)
    first = own.wait_for_holds()[0]
    own.deny(first)
    agent.finish()
    own.kill_child()
    back(own)
    agent = lab.run(lab.words(), guard=own)
    second = own.wait_for_holds()[0]
    assert second["id"] > first["id"]
    own.deny(second)
    assert agent.finish() == 126


def test_timeout_goes_on(lab):
    """The time in which a human can answer is not prolonged by a crash."""
    own = lab.new_guard("--hold-timeout", 15)
    agent = lab.run(lab.words(), guard=own)
    hold = own.wait_for_holds()[0]
    time.sleep(1.5)
    own.kill_child()
    again = back(own, 1)[0]
    assert (again["since_ms"], again["expires_ms"]) == (hold["since_ms"], hold["expires_ms"])
    assert agent.finish() == 126 and not lab.ran()
    assert time.time() * 1000 >= hold["expires_ms"]


def stop_keeper(own):
    """So that the guard, once killed, stays down."""
    os.kill(own.pid, signal.SIGSTOP)
    until(lambda: stat_of(own.pid)[0] == "T", "the keeper stands")


@pytest.mark.parametrize("what", ["exec", "connect", "udp"])
def test_candidates_wait_while_it_is_down(lab, own, net, what):
    """Made while nobody decides: frozen, found by the next guard, and decided."""
    held, denied, free = (shell(lab, own, net) for _ in range(3))
    until(lambda: len(own.status()["sessions"]) == 3, "the sessions")
    stop_keeper(own)
    end_process(own.child)
    kinds = {"exec": (words(lab, exit=5), words(lab, "victim-deny"), words(lab, "victim-plain", exit=4)),
             "connect": (client(lab, HOLD), client(lab, DENY), client(lab, PLAIN)),
             "udp": tuple(client(lab, port).replace(" tcp ", " udp-sendto ") for port in (HOLD, DENY, PLAIN))}[what]
    for agent, line in zip((held, denied), kinds):
        tell(agent, f"{line}; exit $?")
    tell(free, f"{kinds[2]}; exit $?")
    assert free.finish() == {"exec": 4}.get(what, 0), "what is no candidate waits on nobody"
    time.sleep(0.3)
    assert held.process.poll() is None and denied.process.poll() is None
    assert lab.ran() == (what == "exec") and not net.got(HOLD) and not net.got(DENY)
    os.kill(own.pid, signal.SIGCONT)
    hold = back(own, 1)[0]
    assert denied.finish() == {"exec": 126}.get(what, 1), denied.all
    own.approve(hold)
    assert held.finish() == {"exec": 5}.get(what, 0), held.all
    assert lab.ran() == 2 * (what == "exec") and len(net.got(HOLD)) == (what != "exec") and not net.got(DENY)


@pytest.mark.parametrize("policy,status,ran", [("allow", (5, 0), True), ("kill", (137, 1), False)])
def test_when_down(lab, net, policy, status, ran):
    """What the owner wants instead of waiting. The next guard cannot start here: its state is in no directory."""
    own = lab.new_guard(settings={"when_down": policy})
    agents = [shell(lab, own, net), shell(lab, own, net)]
    until(lambda: len(own.status()["sessions"]) == 2, "the sessions")
    os.rename(own.state, own.state + ".away")
    open(own.state, "w", encoding="utf-8").close()
    own.kill_child()
    time.sleep(0.2)
    tell(agents[0], f"{words(lab, exit=5)}; exit $?")
    tell(agents[1], f"{client(lab, HOLD)}; exit $?")
    found = tuple(a.finish() for a in agents)
    assert found == status, (found, own.log())
    assert bool(lab.ran()) == ran and bool(net.got(HOLD)) == ran
    os.unlink(own.state)
    os.rename(own.state + ".away", own.state)
    back(own)
    assert "the guard died of SIGKILL" in own.log(), own.log()
    late = lab.run(lab.words("victim-deny"), guard=own)
    assert late.finish() == 126, "it decides again"


def test_events_are_not_lost(lab, own, net):
    """What happened while it was down, and just before, is in the journal once."""
    agent = shell(lab, own, net)
    for round_ in range(5):
        tell(agent, f"/bin/true before-{round_}; {client(lab, PLAIN)}; /bin/true after-{round_}; echo {round_}")
        own.kill_child()
    agent.wait_for("4")
    tell(agent, "exit 0")
    assert agent.finish() == 0
    back(own)
    until(lambda: not own.status()["sessions"], "the session has ended")
    text = "\n".join(own.lines())
    for round_ in range(5):
        for word in ("before", "after"):
            assert text.count(f'"cmd_line":"/bin/true {word}-{round_}"') >= 1, (word, round_)
    launches = [e for e in own.journal() if e["class_uid"] == 1007 and e["activity_id"] == 1
                and "/bin/true " in e["process"]["cmd_line"]]
    assert len(launches) == 10, [e["process"]["cmd_line"] for e in launches]
    assert len([e for e in own.journal() if e["class_uid"] == 4001]) == 5


# --- the keeper is killed

def test_killed_keeper(lab, own, net):
    """Nothing held ran; later candidates wait for the next guard, which decides them."""
    held, connecting, later = lab.run(lab.words(), guard=own), shell(lab, own, net), shell(lab, own, net)
    tell(connecting, f"{client(lab, HOLD)}; exit $?")
    own.wait_for_holds(2)
    guard = own.child
    own.stop(signal.SIGKILL)
    until(lambda: is_gone(guard), "the guard goes with its keeper")
    assert held.finish() == 137 and not lab.ran()
    tell(later, f"{words(lab, 'victim-deny')}; exit $?")
    time.sleep(0.3)
    assert later.process.poll() is None and connecting.process.poll() is None
    assert not lab.ran() and not net.got(HOLD) and own.pinned()
    own.start()
    assert later.finish() == 126, later.all
    hold = own.wait_for_holds()[0]
    assert hold["signature"] == "net.hold"
    own.approve(hold)
    assert connecting.finish() == 0, connecting.all
    assert len(net.got(HOLD)) == 1 and not lab.ran()
    assert own.stop() == 0 and not own.pinned()


def test_killed_keeper_and_new_policy(lab, own):
    """The next guard adopts the pins with other settings."""
    agent = shell(lab, own)
    until(lambda: own.status()["sessions"], "a session")
    own.stop(signal.SIGKILL)
    own.write_settings(verdicts={"test.alert": "deny"})
    own.start()
    tell(agent, f"{words(lab, 'victim-alert')}; exit $?")
    assert agent.finish() == 126 and not lab.ran()


# --- it is stopped

@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_stop(lab, own, net, sig):
    """It says what it did with open holds, and leaves nothing behind."""
    exec_, connecting = lab.run(lab.words(), guard=own), shell(lab, own, net)
    tell(connecting, f"{client(lab, HOLD)}; exit $?")
    own.wait_for_holds(2)
    programs = own_programs(own)
    assert programs
    assert own.stop(sig) == 0, own.log()
    assert exec_.finish() == 126 and connecting.finish() == 1
    assert not lab.ran() and not net.got(HOLD)
    assert "2 open holds were denied" in own.log(), own.log()
    assert not own.pinned() and not os.path.exists(own.socket)
    until(lambda: not programs & set(bpf_programs()), "its programs are unloaded")
    assert any("2 open holds were denied" in line for line in own.lines()), own.lines()


def test_one_hold_is_told_as_one(lab, own):
    agent = lab.run(lab.words(), guard=own)
    own.wait_for_holds()
    assert own.stop() == 0 and agent.finish() == 126
    assert any("1 open hold was denied" in line for line in own.lines()), own.lines()


def own_programs(own):
    """The ids of what is loaded, found by what the guard has open."""
    from lab import programs_of
    return programs_of(own.child)


def test_links_are_gone(lab, own):
    def links():
        out = subprocess.run(["bpftool", "-j", "link", "show"], capture_output=True, check=True).stdout
        return {link["id"] for link in json.loads(out)}

    with_guard = links()
    assert own.stop() == 0
    programs = {p["id"] for p in bpf_programs().values()}
    assert with_guard - links(), "its links were seen"
    out = subprocess.run(["bpftool", "-j", "link", "show"], capture_output=True, check=True).stdout
    assert all(link.get("prog_id") in programs or "prog_id" not in link for link in json.loads(out))


def test_start_stop_start(lab, own):
    for _ in range(5):
        assert lab.run(lab.words("victim-deny"), guard=own).finish() == 126
        assert own.stop() == 0 and not own.pinned()
        assert lab.run(lab.words("victim-plain"), "--policy", lab.policy, "--state-dir", own.state, guard=own).finish() == 0
        until(lambda: not own.answers() and not os.path.exists(own.socket), "the embedded one has ended")
        own.start()
    assert not [p for p in descendants() if "backstop" in str(p) and frozen(p)]


# --- reload

def policy_reload(own):
    return subprocess.run([own.backstop, "policy", "reload", *own.common], capture_output=True, text=True, timeout=20)


def reload(own, how):
    """Done when it returns."""
    if how == "policy reload":
        done = policy_reload(own)
        assert done.returncode == 0, done
        return
    before = own.status()["policy_version"]
    os.kill(own.pid, signal.SIGHUP)
    until(lambda: own.status()["policy_version"] != before, own.log)


@pytest.mark.parametrize("how", ["SIGHUP", "policy reload"])
def test_reload(lab, own, how):
    agent = shell(lab, own)
    tell(agent, f"{words(lab, 'victim-alert', exit=5)}; echo first $?")
    agent.wait_for("first 5")
    own.write_settings(verdicts={"test.alert": "deny"})
    keeper, guard = own.pid, own.child
    reload(own, how)
    tell(agent, f"{words(lab, 'victim-alert')}; exit $?")
    assert agent.finish() == 126 and lab.ran() == 1
    assert (own.pid, own.child) == (keeper, guard), "no process was replaced"


def test_rest_of_a_reload(lab, own):
    """Where a guard was killed in a reload, the next one leaves nothing of it."""
    rest = os.path.join(own.state, "compile")
    os.mkdir(rest)
    open(os.path.join(rest, "policy.image"), "w", encoding="utf-8").close()
    reload(own, "policy reload")
    assert not os.path.exists(rest) and lab.run(lab.words("victim-deny"), guard=own).finish() == 126


BAD = {"unknown key": ("verdict: {}\n", "verdict"), "not YAML": ("{{{\n", "backstop.yaml"),
       "bad verdict": ("verdicts: {test.alert: maybe}\n", "maybe"), "bad duration": ("hold_timeout: soon\n", "soon"),
       "empty pack dir": ('packs: {from: ["/nonexistent"]}\n', "/nonexistent")}


@pytest.mark.parametrize("name", BAD)
def test_bad_settings_change_nothing(lab, own, name):
    """The fault is told with its place, and what was in force stays."""
    version = own.status()["policy_version"]
    text, told = BAD[name]
    with open(own.settings_file, "w", encoding="utf-8") as f:
        f.write(text)
    done = policy_reload(own)
    assert done.returncode != 0 and told in done.stderr, done
    log = len(own.log())
    os.kill(own.pid, signal.SIGHUP)
    until(lambda: told in own.log()[log:], own.log)
    assert own.status()["policy_version"] == version
    assert lab.run(lab.words("victim-deny"), guard=own).finish() == 126


def test_bad_pack_changes_nothing(lab, own):
    pack = os.path.join(own.directory, "packs", "more.yaml")
    with open(pack, "w", encoding="utf-8") as f:
        f.write("pack: more\ntitle: More\nsignatures:\n  - id: x\n    comand: victim-plain go\n")
    done = policy_reload(own)
    assert done.returncode != 0 and "more.yaml:5" in done.stderr, done
    assert lab.run(lab.words("victim-deny"), guard=own).finish() == 126
    os.unlink(pack)
    assert policy_reload(own).returncode == 0


def test_guard_does_not_start_with_bad_settings(lab):
    own = lab.make_guard()
    with open(own.settings_file, "w", encoding="utf-8") as f:
        f.write("mode: enforced\n")
    done = subprocess.run([own.backstop, "guard", *own.common, "--state-dir", own.state, "--settings", own.settings_file],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and "enforced" in done.stderr and "backstop.yaml:1" in done.stderr, done
    # it speaks of the settings alone, and of no image that is not there
    assert "policy.image" not in done.stderr and "\n\n" not in done.stderr, done.stderr


def test_guard_does_not_start_without_a_place(lab):
    own = lab.make_guard()
    own.state = own.settings_file  # a file
    done = subprocess.run([own.backstop, "guard", *own.common, "--state-dir", own.state, "--settings", own.settings_file],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and f"cannot make a directory in {own.state}: Not a directory" in done.stderr, done


def test_reload_under_load(lab, own, net):
    """Each verdict is the old policy's or the new one's, and what is denied by both never runs."""
    denied, alerted = words(lab, "victim-deny"), " ".join([f"{lab.bin}/victim-alert", "go"])
    enough = os.path.join(lab.work, "enough")
    loop = lab.script("loop", f"#!/bin/bash\nuntil [ -e {enough} ]; do\n"
                      f"{denied} 2>/dev/null; echo deny $?\n{alerted} >/dev/null 2>&1; echo alert $?\ndone\n")
    agents = [lab.run([loop], guard=own) for _ in range(2)]
    for count in range(6):
        own.write_settings(verdicts={"test.alert": ("deny", "alert")[count % 2]})
        assert own.request({"op": "reload"})["ok"]
        time.sleep(0.1)
    with open(enough, "w", encoding="utf-8"):
        pass
    for agent in agents:
        assert agent.finish() == 0
        lines = agent.out.split("\n")[:-1]
        assert len(lines) > 10 and set(lines[::2]) == {"deny 126"}, agent.out
        assert {"alert 0", "alert 126"} == set(lines[1::2])
    assert not lab.ran()


@pytest.fixture
def workspace():
    """Scratch is no workspace, and has no project file."""
    with tempfile.TemporaryDirectory(prefix="backstop-e2e-", dir="/srv") as directory:
        yield directory


def test_project_file_only_tightens(lab, own, workspace):
    work = workspace
    with open(f"{work}/.backstop.yaml", "w", encoding="utf-8") as f:
        f.write("verdicts: {test.alert: deny}\n")
    assert lab.run(lab.words("victim-alert"), guard=own, cwd=work).finish() == 126
    assert lab.run(lab.words("victim-alert"), guard=own).finish() == 0
    with open(f"{work}/.backstop.yaml", "w", encoding="utf-8") as f:
        f.write("verdicts: {test.deny: allow, test.kill: alert}\n")
    assert lab.run(lab.words("victim-deny"), guard=own, cwd=work).finish() == 126
    assert lab.run(lab.words("victim-kill"), guard=own, cwd=work).finish() == 137
    assert lab.ran() == 1


def test_project_file_that_never_comes(lab, own, workspace):
    """Its reader cannot even be killed while the file system does not answer; nobody waits for it."""
    with fuse.mounted(workspace, ".backstop.yaml") as server:
        stuck = lab.run(["sleep", "1000"], guard=own, cwd=workspace)
        assert server.stdout.readline() == ".backstop.yaml\n"
        until(lambda: "could not be read in time" in own.log(), own.log)
        guard = own.child
        agent = lab.run(lab.words("victim-deny"), guard=own)
        assert agent.finish() == 126, agent.all
        stuck.end()
        until(lambda: not own.status()["sessions"], own.status)
        assert own.child == guard
    until(lambda: not [p for p in children(guard) if stat_of(p)], lambda: f"all are collected: {children(guard)}")


# --- a new binary

@pytest.fixture
def installed(lab):
    """A guard whose program can be replaced."""
    own = lab.make_guard("--hold-timeout", 120)
    directory = os.path.join(lab.dir, "installed")
    os.mkdir(directory)
    os.chmod(directory, 0o755)
    shutil.copy(own.backstop, directory)
    own.backstop = os.path.join(directory, "backstop")
    return own.start()


def replace_program(own):
    shutil.copy(own.backstop, own.backstop + ".new")
    os.rename(own.backstop + ".new", own.backstop)


def test_upgrade(lab, installed, net):
    """The same process, a new program, and the holds are still there."""
    own = installed
    exec_, connecting, later = lab.run(lab.words(exit=5), guard=own), shell(lab, own, net), shell(lab, own, net)
    tell(connecting, f"{client(lab, HOLD)}; exit $?")
    before = own.wait_for_holds(2)
    inode, guard = os.stat(f"/proc/{own.pid}/exe").st_ino, own.child
    replace_program(own)
    os.kill(own.pid, signal.SIGHUP)
    tell(later, f"{words(lab, 'victim-deny')}; exit $?")
    until(lambda: os.stat(f"/proc/{own.pid}/exe").st_ino != inode, own.log)
    after = back(own, 2)
    assert own.process.poll() is None and own.child != guard
    assert os.stat(f"/proc/{own.child}/exe").st_ino == os.stat(own.backstop).st_ino
    assert [(h["id"], h["pid"]) for h in before] == [(h["id"], h["pid"]) for h in after]
    assert not lab.ran() and not net.got(HOLD)
    assert later.finish() == 126
    by_signature = {h["signature"]: h for h in after}
    own.approve(by_signature["test.destroy"])
    own.deny(by_signature["net.hold"])
    assert exec_.finish() == 5 and connecting.finish() == 1
    assert lab.ran() == 1 and not net.got(HOLD)
    assert own.stop() == 0 and not own.pinned()


def test_upgrade_under_load(lab, installed):
    """No candidate runs while one program replaces the other."""
    own = installed
    loop = lab.script("loop", f"#!/bin/bash\nfor i in $(seq 200); do {words(lab, 'victim-deny')} 2>/dev/null; echo $?; done\n")
    agents = [lab.run([loop], guard=own) for _ in range(2)]
    for _ in range(3):
        time.sleep(0.2)
        guard = own.child
        replace_program(own)
        os.kill(own.pid, signal.SIGHUP)
        until(lambda: own.child not in (guard, None) and own.answers(), own.log)
    for agent in agents:
        assert agent.finish(60) == 0
        assert agent.out.split() == ["126"] * 200, agent.out
    assert not lab.ran()


def test_bad_upgrade(lab, installed):
    """What cannot run is not taken."""
    own = installed
    agent = lab.run(lab.words(exit=5), guard=own)
    hold = own.wait_for_holds()[0]
    shutil.copy(own.backstop, own.backstop + ".good")
    with open(own.backstop + ".new", "wb") as f:
        f.write(b"\x7fELF not")
    os.chmod(own.backstop + ".new", 0o755)
    os.rename(own.backstop + ".new", own.backstop)
    os.kill(own.pid, signal.SIGHUP)
    time.sleep(0.5)
    assert own.process.poll() is None, own.log()
    assert [h["id"] for h in back(own, 1)] == [hold["id"]]
    os.rename(own.backstop + ".good", own.backstop)
    own.approve(hold)
    assert agent.finish() == 5


# --- beside each other

def test_same_pins_are_refused(lab, own):
    """Two guards with other sockets and the same pins."""
    directory = os.path.join(lab.dir, "second")
    os.mkdir(directory)
    done = subprocess.run([own.backstop, "guard", "--socket", f"{directory}/s", "--state-dir", f"{directory}/state",
                           "--settings", own.settings_file], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and own.pins in done.stderr, done
    assert lab.run(lab.words("victim-deny"), guard=own).finish() == 126


def test_keeper_has_one_child(lab, own):
    """No process is left of compiling and restarting."""
    for _ in range(3):
        own.request({"op": "reload"})
        own.kill_child()
        back(own)
    until(lambda: len(children(own.pid)) == 1 and not children(own.child), lambda: children(own.pid))

"""What a person sees first: a guard in the foreground that shows what it finds, a doctor that knows what is installed, and
a hold on the desktop."""
import os
import pwd
import shutil
import subprocess
import sys

import pytest

from lab import end_process, is_gone, until
from test_unit import confined  # noqa: F401, a fixture

PROFILE = """agent: firstbot
title: First Bot
names: [e2efirstbot]
hits: [e2efirstbot]
misses: [ls]
"""
# Owns org.freedesktop.Notifications on its bus and writes what it is told to show.
DESKTOP = """
import sys, dbus, dbus.service, dbus.mainloop.glib
from gi.repository import GLib
dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
class Desktop(dbus.service.Object):
    @dbus.service.method('org.freedesktop.Notifications', in_signature='susssasa{sv}i', out_signature='u')
    def Notify(self, app, replaces, icon, summary, body, actions, hints, timeout):
        with open(sys.argv[1], 'a') as f:
            f.write(f'{summary}: {body}')
        return 1
    @dbus.service.method('org.freedesktop.Notifications', out_signature='ssss')
    def GetServerInformation(self):
        return 'test', 'test', '1', '1.2'
bus = dbus.SessionBus()
name = dbus.service.BusName('org.freedesktop.Notifications', bus)
Desktop(bus, '/org/freedesktop/Notifications')
open(sys.argv[1], 'w').close()
GLib.MainLoop().run()
"""


@pytest.fixture
def profiles(lab):
    directory = os.path.join(lab.dir, "profiles")
    os.mkdir(directory)
    lab.script("firstbot.yaml", PROFILE, directory)
    return directory


def firstbot(lab, line):
    """An agent that does one thing and waits for more."""
    return lab.script("e2efirstbot", f"#!/bin/bash\n{line}\nread -r\n", lab.bin)


def test_foreground_shows_what_it_finds(lab, profiles):
    """One that runs already, what it does, what is decided; also after the guard was killed."""
    guard = lab.make_guard("--foreground", settings={"agents": {"from": [profiles], "follow": True}})
    path = firstbot(lab, f"read -r; {' '.join(lab.words())}; echo status $?")
    agent = lab.plain([path], stdin=subprocess.PIPE)
    guard.start()
    until(lambda: f"firstbot[{agent.process.pid}]" in guard.log(), lambda: "it is shown: " + guard.log())
    guard.kill_child()
    until(guard.answers, "the guard is back")
    agent.process.stdin.write(b"\n")
    agent.process.stdin.flush()
    hold = guard.wait_for_holds()[0]
    until(lambda: " held " in guard.log(), lambda: "the hold is shown: " + guard.log())
    guard.deny(hold)
    until(lambda: " rejected " in guard.log(), lambda: "the decision is shown: " + guard.log())
    agent.process.stdin.close()
    assert agent.finish() == 1 and "status 126" in agent.all, agent.all
    assert guard.stop() == 0
    until(lambda: "the guard stopped" in guard.log(), lambda: "its end is shown: " + guard.log())


def test_a_guard_that_is_refused_shows_nothing(lab):
    """A guard runs already: what it finds is not shown by the one that may not."""
    guard = lab.new_guard()
    refused = lab.plain([lab.backstop, "guard", "--foreground", *guard.common, "--state-dir", guard.state,
                         "--settings", guard.settings_file])
    assert refused.finish() == 1 and "a guard runs already" in refused.err, refused.all
    assert lab.run(["true"], guard=guard).finish() == 0
    until(lambda: not refused.readers[0].is_alive(), lambda: "nobody shows anything more: " + refused.out)
    assert refused.out == ""


def test_a_terminal_that_is_not_read_holds_nothing_up(lab):
    """More than a pipe takes is written to it, and nobody reads."""
    guard = lab.make_guard("--foreground")
    fifo = os.path.join(lab.dir, "fifo")
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    real, guard.backstop = guard.backstop, lab.script("quiet", f'#!/bin/sh\nexec {guard.backstop} "$@" > {fifo}\n')
    guard.start()
    guard.backstop = real
    flood = lab.run(["bash", "-c", "for i in {1..400}; do /bin/true; /bin/true; done"], guard=guard)
    assert flood.finish() == 0
    agent = lab.run(lab.words(), guard=guard)
    guard.deny(guard.wait_for_holds()[0])
    assert agent.finish() == 126
    assert guard.stop() == 0
    os.close(reader)


def test_a_guard_without_streams(lab):
    """Where it was started with none, nothing else has their numbers: messages would go there."""
    guard = lab.make_guard()
    guard.backstop = lab.script("closed", f'#!/bin/sh\nexec {guard.backstop} "$@" <&- >&- 2>&-\n')
    guard.start()
    for pid in (guard.pid, guard.child):
        assert {os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)} == {"/dev/null"}
    assert guard.stop() == 0


def test_clients_wait_for_a_guard_that_restarts(lab):
    guard = lab.new_guard()
    for _ in range(5):
        guard.kill_child()
        assert guard.cli("status").returncode == 0
        assert guard.cli("pending").returncode == 0
        assert lab.run(["true"], guard=guard).finish() == 0
    assert guard.status()["restarts"] == 5


def test_watch_outlives_the_guard(lab):
    guard = lab.new_guard()
    watch = lab.plain([lab.backstop, "watch", *guard.common])
    until(lambda: guard.cli("status").returncode == 0, "it answers")
    guard.kill_child()
    until(lambda: "the guard has restarted" in watch.all, lambda: watch.all)
    assert lab.run(lab.words("victim-deny"), guard=guard).finish() == 126
    until(lambda: " denied " in watch.all, lambda: watch.all)
    guard.stop()
    assert watch.finish() == 1
    assert "the guard has gone" in watch.all


def test_doctor_finds_agents(lab, profiles):
    image = os.path.join(lab.dir, "agents.image")
    done = subprocess.run([lab.backstop, "policy", "compile", "--output", image, profiles], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    path = firstbot(lab, "true")
    done = subprocess.run([lab.backstop, "doctor", "--policy", image, *lab.guard.common], env=lab.env,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    assert f"firstbot ({path})" in done.stdout
    assert f"pid {lab.guard.child}, mode enforce" in done.stdout


@pytest.fixture
def desktop(lab, tester):
    """The user's session bus, where a desktop would have it."""
    missing = [p for p in ("notify-send", "dbus-daemon") if not shutil.which(p)]
    if missing or subprocess.run([sys.executable, "-c", "import dbus, gi.repository"], capture_output=True).returncode:
        pytest.skip(f"a desktop takes notify-send, dbus-daemon, python3-dbus and python3-gi; missing: {missing}")
    uid = pwd.getpwnam(tester).pw_uid
    runtime = f"/run/user/{uid}"
    os.makedirs(runtime)
    os.chown(runtime, uid, uid)
    bus, shown = f"{runtime}/bus", f"{runtime}/shown"
    env = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}"}
    processes = []
    for argv, made in ((["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={bus}"], bus),
                       ([sys.executable, "-c", DESKTOP, shown], shown)):
        processes.append(subprocess.Popen(argv, user=uid, group=uid, env=env, cwd="/", stderr=subprocess.DEVNULL))
        until(lambda: os.path.exists(made), f"{made} is there")
    yield shown
    for process in processes:
        end_process(process.pid)
        process.wait()
    shutil.rmtree(runtime)


@pytest.mark.parametrize("notify", [True, False])
def test_a_hold_is_on_the_desktop(lab, tester, desktop, notify):
    guard = lab.new_guard(settings={"notify": notify})
    agent = lab.run(lab.words("terraform", "destroy", 0, "<b>&"), "--as", tester, guard=guard)
    hold = guard.wait_for_holds()[0]

    def shown():
        with open(desktop, encoding="utf-8") as f:
            return f.read()

    if notify:
        until(lambda: f"backstop approve {hold['id']}" in shown(), shown)
        assert "Backstop holds an action of test: " in shown()
        assert "destroy '&lt;b&gt;&amp;'" in shown()
    guard.deny(hold)
    assert agent.finish() == 126
    if not notify:
        assert shown() == ""
    assert not is_gone(guard.child)


def test_a_confined_guard_reaches_the_desktop(lab, tester, desktop, confined):  # noqa: F811
    agent = lab.run(lab.words(), "--as", tester, guard=confined)
    hold = confined.wait_for_holds()[0]

    def shown():
        with open(desktop, encoding="utf-8") as f:
            return f.read()

    until(lambda: f"backstop approve {hold['id']}" in shown(), shown)
    confined.deny(hold)
    assert agent.finish() == 126


def test_ctrl_c_ends_a_guard_on_a_terminal(lab):
    """There it shows its feed without being asked, and stops in order."""
    guard = lab.make_guard()
    agent = lab.plain([guard.backstop, "guard", *guard.common, "--state-dir", guard.state, "--settings",
                       guard.settings_file], terminal=True)
    until(guard.answers, "it answers")
    assert lab.run(["true"], guard=guard).finish() == 0
    until(lambda: "true  (status 0)" in agent.all, lambda: agent.all)
    agent.send("\x03")
    until(lambda: "SIGINT: the guard stops" in agent.all, lambda: agent.all)
    assert agent.finish() == 0, agent.all
    assert not guard.pinned()

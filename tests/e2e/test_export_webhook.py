"""What the journal has comes to web servers, signed; findings come to chats."""
import json
import os
import re
import subprocess
import time

import pytest

from feeds import Authority, expect_at_least_once, expect_error, free_ports, stop
from hooks import Hook
from lab import until

KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture(name="hook")
def fixture_hook():
    made = []

    def make(*args, **named):
        made.append(Hook(*args, **named))
        return made[-1]

    yield make
    for hook in made:
        hook.close()


@pytest.fixture(name="key")
def fixture_key(tmp_path):
    path = tmp_path / "hook.key"
    path.write_bytes(KEY + b"\n")
    path.chmod(0o600)
    return str(path)


def wait_for(hook, number):
    until(lambda: hook.numbers()[-1:] == [number], lambda: f"{number} came: {hook.numbers()[-1:]}", 60)


def test_signed(journal, hook, serve, key):
    server = hook()
    journal.add(3000)
    process = serve(f"http://127.0.0.1:{server.port}/in?a=b#key={key}")
    wait_for(server, 3000)
    journal.add(20)
    wait_for(server, 3020)
    assert server.numbers() == list(range(1, 3021))
    for request in server.requests:
        assert request.path == "/in?a=b" and request.headers["Content-Type"] == "application/x-ndjson"
        assert request.headers["User-Agent"].startswith("backstop/")
        assert request.is_signed(KEY) and not request.is_signed(KEY + b"x")
    lines = b"".join(request.body for request in server.requests).decode().splitlines()
    with open(f"{journal.path}/journal-{1:016}.jsonl", encoding="utf-8") as f:
        assert f.read().splitlines() == lines
    assert "export:" not in stop(process)


def test_tls(journal, hook, serve, tmp_path, key):
    """The certificate is checked, and the name in it."""
    ca, other = Authority(str(tmp_path)), Authority(str(tmp_path), "other")
    server = hook(certificate=ca.sign("server", "DNS:localhost"))
    journal.add(50)
    for where, options in (("localhost", f"&ca={other.pem}"), ("localhost", ""), ("127.0.0.1", f"&ca={ca.pem}"),
                           ("localhost", f"&ca={tmp_path}/none")):
        process = serve(f"https://{where}:{server.port}/#key={key}{options}")
        expect_error(process, "is checked against #ca=FILE")
        stop(process)
    assert not server.requests
    process = serve(f"https://localhost:{server.port}/#key={key}&ca={ca.pem}")
    wait_for(server, 50)
    assert all(request.is_signed(KEY) for request in server.requests)
    stop(process)


def test_away_slow_and_out_of_order(journal, hook, serve):
    """It is not there, answers errors, and goes away in the middle."""
    port, = free_ports(1)
    journal.add(2000)
    process = serve(f"http://127.0.0.1:{port}/")
    expect_error(process, "Failed to connect")
    said = {2: 500, 3: None, 5: (503, {}, b"no room\n"), 6: 408}
    server = hook(port, answer=lambda request, number: said.get(number, 200))
    wait_for(server, 2000)
    server.answer = lambda request, number: time.sleep(0.3) or 200
    journal.add(2000)
    wait_for(server, 4000)
    expect_at_least_once(server.numbers(), range(1, 4001))
    assert "takes events again" in stop(process)


def test_killed_in_the_middle(journal, hook, serve):
    server = hook(answer=lambda request, number: time.sleep(0.05) or 200)
    journal.add(8000)
    for n in range(8):
        process = serve(f"http://127.0.0.1:{server.port}/")
        try:
            process.wait(0.05 * n)
        except subprocess.TimeoutExpired:
            pass
        process.kill()
        process.wait()
    process = serve(f"http://127.0.0.1:{server.port}/")
    wait_for(server, 8000)
    expect_at_least_once(server.numbers(), range(1, 8001))
    stop(process)


def peak(process):
    """The most memory that it had, in MB."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) // 1024 for line in f if line.startswith("VmHWM:"))


def test_away_for_hours_of_events(journal, hook, serve):
    """What waits stands in the journal, and in no memory; serve is killed on the way."""
    journal.size = 0
    journal.add(500_000)
    port, = free_ports(1)
    process = serve(f"http://127.0.0.1:{port}/")
    expect_error(process, "Failed to connect")
    seen = 0

    def take(request, _number):
        nonlocal seen
        for number in map(int, re.findall(rb'"line":(\d+)', request.body)):
            assert number <= seen + 1, f"{number} behind {seen}"
            seen = max(seen, number)
        request.body = b""
        return 200

    server = hook(port, answer=take)
    until(lambda: seen > 100_000, lambda: seen, 120)
    first = peak(process)
    process.kill()
    process.wait()
    begun, before = time.monotonic(), seen
    process = serve(f"http://127.0.0.1:{port}/")
    until(lambda: seen == 500_000, lambda: seen, 120)
    print(f"{(seen - before) / (time.monotonic() - begun):.0f} lines/s, at most {peak(process)} MB")
    assert max(first, peak(process)) < 100  # of 170 MB that wait; the recorder has 60 of its own
    assert len(server.requests) < 1000
    stop(process)


def test_it_says_when_to_come_again(journal, hook, serve):
    server = hook(answer=lambda request, number: 200 if number else (429, {"Retry-After": "3"}, b"slow down"))
    journal.add(5)
    process = serve(f"http://127.0.0.1:{server.port}/")
    wait_for(server, 5)
    assert 3 <= server.requests[1].time - server.requests[0].time < 6
    assert "HTTP 429 (slow down)" in stop(process)


def test_it_says_a_time_that_is_past(journal, hook, serve):
    """Its clock is not ours."""
    server = hook(answer=lambda request, number: 200 if number else
                  (503, {"Retry-After": "Thu, 01 Jan 2015 00:00:00 GMT"}, b"later"))
    journal.add(5)
    process = serve(f"http://127.0.0.1:{server.port}/")
    wait_for(server, 5)
    assert "HTTP 503 (later)" in stop(process)


@pytest.mark.parametrize("status, why", [(404, "is the address right?"), (401, "another key"),
                                         (301, "redirects are not followed")])
def test_where_nobody_takes_events(journal, hook, serve, status, why):
    """All waits until it is put right."""
    server = hook(answer=lambda request, number: (status, {"Location": "http://127.0.0.1:1/"}, b"no \x1b[1m"))
    journal.add(300)
    process = serve(f"http://127.0.0.1:{server.port}/secret")
    why_told = expect_error(process, why)
    assert f"HTTP {status} (no \\e[1m)" in why_told and "secret" not in why_told
    server.answer = lambda request, number: 200
    wait_for(server, 300)
    assert server.numbers() == list(range(1, 301))
    stop(process)


def bad(request, *numbers):
    return 400 if set(numbers) & set(request.numbers()) else 200


def test_what_is_refused_is_left_out(journal, hook, serve):
    """Whichever lines they are, all others come, once."""
    server = hook(answer=lambda request, number: bad(request, 1, 2, 700, 1999, 2000))
    journal.add(2000)
    process = serve(f"http://127.0.0.1:{server.port}/")
    wait_for(server, 1998)
    until(lambda: len(server.requests[-1].numbers()) == 1, "it looked for them")
    for number in (2001, 2002):
        journal.add(1)
        wait_for(server, number)
    assert server.numbers() == [n for n in range(1, 2003) if n not in (1, 2, 700, 1999, 2000)]
    err = stop(process)
    assert err.count("it is left out") == 5 and "(it answers HTTP 400 (ok))" in err, err


def test_one_that_refuses_all_gets_all_later(journal, hook, serve):
    server = hook(answer=lambda request, number: (400, {}, b"who are you"))
    journal.add(200)
    process = serve(f"http://127.0.0.1:{server.port}/")
    assert "HTTP 400 (who are you)" in expect_error(process, "takes nothing")
    assert len(server.requests) < 100
    server.answer = lambda request, number: 200
    wait_for(server, 200)
    assert server.numbers() == list(range(1, 201))
    assert "left out" not in stop(process)


def test_one_that_refuses_all_from_then_on(journal, hook, serve):
    """Its next version may have another address: one line is left out before that is clear."""
    server = hook()
    journal.add(10)
    process = serve(f"http://127.0.0.1:{server.port}/")
    wait_for(server, 10)
    server.answer = lambda request, number: (422, {}, b"no such thing")
    journal.add(200)
    assert "HTTP 422 (no such thing)" in expect_error(process, "takes nothing")
    server.answer = lambda request, number: 200
    wait_for(server, 210)
    assert server.numbers() == [n for n in range(1, 211) if n != 11]
    stop(process)


def test_what_is_too_large_comes_in_parts(journal, hook, serve):
    server = hook(answer=lambda request, number: 413 if len(request.body) > 8192 else 200)
    journal.add(1500)
    process = serve(f"http://127.0.0.1:{server.port}/")
    wait_for(server, 1500)
    assert server.numbers() == list(range(1, 1501))
    stop(process)


@pytest.mark.parametrize("mode, text, why", [(0o640, KEY, "chmod 600"), (0o600, b"short\n", "openssl rand -hex 32"),
                                             (0o600, None, "No such file")])
def test_keys_of_no_use(journal, hook, serve, key, mode, text, why):
    server = hook()
    journal.add(3)
    if text:
        with open(key, "wb") as f:
            f.write(text)
        os.chmod(key, mode)
    else:
        os.rename(key, key + ".away")
    process = serve(f"http://127.0.0.1:{server.port}/#key={key}")
    expect_error(process, why)
    assert not server.requests
    with open(key, "wb") as f:
        f.write(KEY)
    os.chmod(key, 0o600)
    wait_for(server, 3)
    assert server.requests[0].is_signed(KEY)
    stop(process)


def finding(number, **more):
    return json.dumps({
        "class_uid": 2004, "activity_id": 1, "time": 1795000000000 + number, "severity_id": 5,
        "metadata": {"version": "1.8.0", "uid": f"u{number}"}, "device": {"hostname": "build-7"},
        "message": f"held: rm -rf <{number}> & \"{'ü' * more.pop('long', 1)}\"",
        "unmapped": {"backstop": {"session": "s1", "signature": "coreutils.rm", "line": number, **more}}},
        ensure_ascii=False, separators=(",", ":"))


def test_chats_get_findings_alone(journal, hook, serve):
    """One message each, those before one that was not taken not again."""
    server = hook(answer=lambda request, number: 500 if number == 2 else 200)
    journal.write(finding(1, severity="critical", hold=7))
    journal.add(1)  # no finding
    journal.write(finding(2, severity="low", hold=7, by="uid 1000 (dev)"), finding(3, severity="high"), finding(4))
    process = serve(f"http://127.0.0.1:{server.port}/services/T0/B0/x#template=slack")
    until(lambda: len(server.taken) == 4, lambda: f"four came: {len(server.taken)}", 30)
    bodies = [json.loads(request.body) for request in server.taken]
    assert [list(body) for body in bodies] == [["text"]] * 4
    texts = [body["text"] for body in bodies]
    assert texts[0] == ("held: rm -rf &lt;1&gt; &amp; \"ü\"\nhost: build-7\nsession: s1\nsignature: coreutils.rm\n"
                        "severity: critical\na human decides: backstop approve 7, or deny")
    assert "decided by: uid 1000 (dev)" in texts[1] and "a human" not in texts[1]
    assert ["<3>" in t.replace("&lt;", "<").replace("&gt;", ">") for t in texts] == [False, False, True, False]
    assert {request.headers["Content-Type"] for request in server.taken} == {"application/json"}
    assert len(server.requests) == 5
    stop(process)


def test_ntfy(journal, hook, serve):
    server = hook()
    journal.write(finding(1, severity="critical"), finding(2, severity="low", long=4000))
    process = serve(f"http://127.0.0.1:{server.port}/alarms#template=ntfy&severity=low")
    until(lambda: len(server.taken) == 2, "both came", 30)
    first, second = server.taken
    assert first.body.decode().startswith("held: rm -rf <1> & \"ü\"\nhost: build-7\n")
    assert (first.headers["Title"], first.headers["Priority"]) == ("Backstop on build-7", "5")
    assert "rotating_light" in first.headers["Tags"] and second.headers["Priority"] == "2"
    assert len(second.body) <= 4096 and second.body.decode().endswith("…")
    stop(process)


def test_some_events_alone(journal, hook, serve, tmp_path):
    server, severe = hook(), hook()
    journal.add(100)
    journal.write(finding(101, severity="high"), finding(102, severity="medium"))
    process = serve(f"http://127.0.0.1:{server.port}/#class=network,file",
                    f"http://127.0.0.1:{severe.port}/#severity=high")
    wait_for(server, 97)
    wait_for(severe, 101)
    assert server.numbers() == [n for n in range(1, 101) if n % 5 in (1, 2)]
    assert severe.numbers() == [101]
    stop(process)


def test_it_ends_while_the_server_says_nothing(journal, hook, serve):
    server = hook(answer=lambda request, number: time.sleep(20))
    journal.add(3)
    process = serve(f"http://127.0.0.1:{server.port}/")
    until(lambda: server.requests, "it asks")
    begun = time.monotonic()
    assert "takes nothing" not in stop(process)
    assert time.monotonic() - begun < 5


def test_plain_http_is_told(serve):
    """Where it leaves the host, though nothing has been sent."""
    for host, told in (("[::1]:1", False), ("localhost:1", False), ("hooks.example", True)):
        process = serve(f"http://{host}/x", "file:")
        _, err = process.communicate(timeout=20)
        assert (f"http://{host} has no encryption" in err.decode()) == told

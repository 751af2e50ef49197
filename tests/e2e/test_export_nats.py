"""What the journal has comes to NATS JetStream: all of it, none of it twice, whatever a server does."""
import json
import shutil
import signal
import subprocess
import time

import pytest

from feeds import (CLASSES, MACHINE, Authority, Nats, NatsClient, cursor_is_at_end, expect_error, free_ports,
                   ready, stop)
from lab import until

pytestmark = pytest.mark.skipif(not shutil.which("nats-server"), reason="no nats-server")


@pytest.fixture(name="nats")
def fixture_nats(tmp_path):
    """Makes servers; a cluster where there are several."""
    servers = []

    def make(count=1, more=""):
        ports, routes = free_ports(count), free_ports(count) if count > 1 else [None]
        servers.extend(Nats(str(tmp_path), p, more, r, routes) for p, r in zip(ports, routes))
        return servers[-count:]

    yield make
    for server in servers:
        server.kill()


def count(client):
    return client.stream().get("state", {}).get("messages", -1)


def wait_for(client, number):
    until(lambda: count(client) >= number, lambda: f"{number} are there: {count(client)}", 90)
    assert count(client) == number, "none is there twice"


def expect_all(client, journal, in_order=True):
    wait_for(client, journal.count)
    got = client.messages()
    numbers = [json.loads(body)["unmapped"]["backstop"]["line"] for _, _, body in got]
    assert (numbers if in_order else sorted(numbers)) == list(range(1, journal.count + 1))
    words = {uid: word for word, uid in CLASSES.items()}
    for subject, headers, body in got:
        event = json.loads(body)
        assert subject == f"backstop.{MACHINE}.{words[event['class_uid']]}"
        assert f"Nats-Msg-Id: {event['metadata']['uid']}\r\n" in headers


def test_one_server(journal, nats, serve):
    server, = nats()
    client = ready(server.start().port)
    journal.add(500)
    process = serve(f"nats://127.0.0.1:{server.port}")
    wait_for(client, 500)
    journal.add(20)
    expect_all(client, journal)
    config = client.stream()["config"]
    assert config["num_replicas"] == 1 and config["subjects"] == [f"backstop.*.{c}" for c in (
        "process", "file", "network", "finding", "application")]
    assert "export:" not in stop(process)
    client.close()


def test_a_stream_that_is_half_made(journal, nats, serve):
    """What it takes already does not overtake what it does not take yet."""
    server, = nats()
    client = ready(server.start().port)
    made = {"name": "BACKSTOP", "subjects": ["backstop.*.network"], "storage": "file", "retention": "limits", "num_replicas": 1}
    assert "error" not in client.api("STREAM.CREATE.BACKSTOP", **made)
    journal.add(200)
    process = serve(f"nats://127.0.0.1:{server.port}")
    expect_error(process, "no stream takes the subject")
    assert count(client) == 1
    made["subjects"] = [f"backstop.*.{c}" for c in CLASSES]
    assert "error" not in client.api("STREAM.UPDATE.BACKSTOP", **made)
    expect_all(client, journal)
    assert "takes events again" in stop(process)
    client.close()


def test_it_is_away_and_comes_back(journal, nats, serve):
    server, = nats()
    journal.add(300)
    process = serve(f"nats://127.0.0.1:{server.port}")
    expect_error(process, "no server answers there")
    client = ready(server.start().port)
    wait_for(client, 300)
    client.close()
    for _ in range(3):
        server.kill()
        journal.add(700)
        client = ready(server.start().port)
        wait_for(client, journal.count)
        client.close()
    client = ready(server.port)
    expect_all(client, journal, in_order=False)
    client.close()
    assert "takes events again" in stop(process)


def test_it_ends_while_the_server_says_nothing(journal, nats, serve):
    """What was not acknowledged comes after the next start."""
    server, = nats()
    client = ready(server.start().port)
    journal.add(5)
    process = serve(f"nats://127.0.0.1:{server.port}")
    wait_for(client, 5)
    server.process.send_signal(signal.SIGSTOP)
    try:
        journal.add(5)
        time.sleep(1)
        begun = time.monotonic()
        assert "takes nothing" not in stop(process)
        assert time.monotonic() - begun < 5
    finally:
        server.process.send_signal(signal.SIGCONT)
    process = serve(f"nats://127.0.0.1:{server.port}")
    expect_all(client, journal)
    stop(process)
    client.close()


def test_a_node_of_a_cluster_is_killed(journal, nats, serve):
    servers = nats(3)
    for server in servers:
        server.start()
    ready(servers[0].port).close()
    journal.add(200)
    process = serve(",".join([f"nats://127.0.0.1:{servers[0].port}"] + [f"127.0.0.1:{s.port}" for s in servers[1:]]))
    client = ready(servers[0].port)
    wait_for(client, 200)
    info = client.stream()
    assert info["config"]["num_replicas"] == 3
    client.close()
    journal.add(4000)
    leader = next(s for s in servers if info["cluster"]["leader"] == f"n{s.port}")
    leader.kill()
    journal.add(4000)
    rest = [s for s in servers if s is not leader]
    client = ready(rest[0].port)
    expect_all(client, journal, in_order=False)
    client.close()
    stop(process)


def test_killed_again_and_again(journal, nats, serve):
    server, = nats()
    client = ready(server.start().port)
    journal.add(6000)
    for n in range(10):
        process = serve(f"nats://127.0.0.1:{server.port}")
        try:
            process.wait(0.02 * n)
        except subprocess.TimeoutExpired:
            pass
        process.kill()
        process.wait()
    process = serve(f"nats://127.0.0.1:{server.port}")
    expect_all(client, journal)
    stop(process)
    client.close()


def test_tls(journal, nats, serve, tmp_path):
    """The certificate is checked, and the name in it."""
    ca, other = Authority(str(tmp_path)), Authority(str(tmp_path), "other")
    key, pem = ca.sign("server", "DNS:localhost")
    server, = nats(more=f'tls {{ cert_file: "{pem}", key_file: "{key}" }}\n')
    server.start()
    journal.add(50)
    for spec, why in ((f"nats://localhost:{server.port}", "is checked against #ca=FILE"),
                      (f"tls://localhost:{server.port}#ca={other.pem}", "is checked against #ca=FILE"),
                      (f"tls://localhost:{server.port}", "is checked against #ca=FILE"),
                      (f"tls://127.0.0.1:{server.port}#ca={ca.pem}", "is checked against #ca=FILE"),
                      (f"tls://localhost:{server.port}#ca={tmp_path}/none", "none")):
        process = serve(spec)
        expect_error(process, why)
        stop(process)
    process = serve(f"tls://localhost:{server.port}#ca={ca.pem}")
    until(lambda: cursor_is_at_end(journal, tmp_path), "all is acknowledged")
    stop(process)


USERS = """accounts { A { jetstream: enabled, users: [
  { user: all, password: a }
  { user: host, password: h, permissions: { publish: ["backstop.*.*"], subscribe: ["_INBOX.>"] } }
  { user: none, password: n, permissions: { publish: ["x"], subscribe: ["_INBOX.>"] } } ] } }
"""


def test_users(journal, nats, serve):
    """Who may only publish needs a stream that is there."""
    server, = nats(more=USERS)
    server.start()
    journal.add(50)
    for who, why in (("", "credentials are given as"), ("host:wrong@", "credentials are given as"),
                     ("none:n@", "needs the right to publish"), ("host:h@", "no stream takes the subject")):
        process = serve(f"nats://{who}127.0.0.1:{server.port}")
        expect_error(process, why)
        stop(process)
    process = serve(f"nats://all:a@127.0.0.1:{server.port}")
    client = NatsClient(server.port, ',"user":"all","pass":"a"')
    wait_for(client, 50)
    assert "all:a" not in stop(process)
    journal.add(50)
    process = serve(f"nats://host:h@127.0.0.1:{server.port}")
    expect_all(client, journal)
    stop(process)
    client.close()


def test_what_is_too_large(journal, nats, serve):
    """It keeps no other event from its place, and is told."""
    server, = nats(more="max_payload: 4096\n")
    client = ready(server.start().port)
    journal.add(10)
    journal.size = 8192
    journal.add(1)
    journal.size = 10
    journal.add(10)
    process = serve(f"nats://127.0.0.1:{server.port}")
    wait_for(client, 20)
    assert "max_payload): it is left out" in stop(process)
    client.close()


def test_what_is_no_event(journal, nats, serve):
    """What a torn write left has no subject that a host may publish on: the rest comes."""
    server, = nats(more=USERS.replace('"backstop.*.*"', f'"backstop.{MACHINE}.*", "$JS.API.>"'))
    server.start()
    journal.add(10)
    journal.write('{"class_uid":1007,"activ')
    journal.add(10)
    client = NatsClient(server.port, ',"user":"all","pass":"a"')
    process = serve(f"nats://host:h@127.0.0.1:{server.port}")
    wait_for(client, 20)
    assert "it is no event" in stop(process)
    client.close()

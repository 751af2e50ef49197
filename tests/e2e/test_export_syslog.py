"""Real rsyslog gets what the journal has: over UDP, TCP and TLS, and while it is restarted."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from feeds import HOST, Authority, Journal, expect_at_least_once, expect_error, free_ports, stop
from lab import until

pytestmark = pytest.mark.skipif(not shutil.which("rsyslogd"), reason="no rsyslogd")

CONFIG = """module(load="{module}" {more})
global(workDirectory="{path}" maxMessageSize="128k" parser.escapeControlCharactersOnReceive="off" {tls})
template(name="all" type="string" string="%pri% %timestamp:::date-rfc3339% %hostname% %app-name% %msgid% %msg%\\n")
input(type="{module}" address="127.0.0.1" port="{port}" {buffer})
action(type="omfile" file="{path}/got" template="all" flushOnTXEnd="on")
"""
TLS = ('StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"',
       'defaultNetstreamDriverCAFile="{0.pem}" defaultNetstreamDriverCertFile="{1[1]}" '
       'defaultNetstreamDriverKeyFile="{1[0]}"')


class Rsyslog:
    def __init__(self, path, module, more="", tls=""):
        self.path, self.port, self.process = path, free_ports(1)[0], None
        with open(f"{path}/rsyslog.conf", "w", encoding="utf-8") as f:
            f.write(CONFIG.format(module=module, path=path, port=self.port,
                                  buffer='rcvbufSize="4m"' if module == "imudp" else "", more=more, tls=tls))

    def start(self):
        self.process = subprocess.Popen(
            ["rsyslogd", "-n", "-f", f"{self.path}/rsyslog.conf", "-i", f"{self.path}/pid"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def got(self):
        try:
            with open(f"{self.path}/got", encoding="utf-8") as f:
                return f.read().rpartition("\n")[0].splitlines()
        except FileNotFoundError:
            return []

    def numbers(self):
        return [json.loads(line[line.index("{"):])["unmapped"]["backstop"]["line"] for line in self.got()]


@pytest.fixture(name="rsyslog")
def fixture_rsyslog(tmp_path):
    made = []

    def make(module, *more):
        made.append(Rsyslog(str(tmp_path), module, *more))
        return made[-1]

    yield make
    for server in made:
        server.stop(signal.SIGKILL)


@pytest.fixture(name="journal")
def fixture_journal(tmp_path):
    return Journal(str(tmp_path / "journal"), 500)


def expect_all_again_and_again(rsyslog, journal):
    until(lambda: rsyslog.numbers()[-1:] == [journal.count], lambda: f"the last came: {rsyslog.numbers()[-1:]}", 60)
    expect_at_least_once(rsyslog.numbers(), range(1, journal.count + 1))


LINE = re.compile(r"(134) (2026-11-18T\S+) (\S+) backstop (1007|4001|1001|2004|6002)  ?(\{.*\})")


@pytest.mark.parametrize("kind", ["udp", "tcp", "tls"])
def test_each_way(journal, rsyslog, serve, tmp_path, kind):
    more, options = (), ""
    if kind == "tls":
        ca = Authority(str(tmp_path))
        more = TLS[0], TLS[1].format(ca, ca.sign("server", "IP:127.0.0.1"))
        options = f"#ca={ca.pem}"
    server = rsyslog("imudp" if kind == "udp" else "imtcp", *more).start()
    time.sleep(1)  # nothing says that UDP is there
    journal.add(300)
    process = serve(f"syslog+{kind}://127.0.0.1:{server.port}{options}")
    until(lambda: len(server.got()) >= 300, lambda: len(server.got()), 30)
    got = [LINE.fullmatch(line) for line in server.got()]
    assert all(got), server.got()[0]
    assert {m[3] for m in got} == {HOST}
    with open(f"{journal.path}/journal-{1:016}.jsonl", encoding="utf-8") as f:
        assert [m[5] for m in got] == f.read().splitlines()
    assert "takes nothing" not in stop(process)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_restarted_while_it_gets_events(journal, rsyslog, serve, tmp_path, kind, how):
    more, options = (), ""
    if kind == "tls":
        ca = Authority(str(tmp_path))
        more = TLS[0], TLS[1].format(ca, ca.sign("server", "IP:127.0.0.1"))
        options = f"#ca={ca.pem}"
    server = rsyslog("imtcp", *more).start()
    process = serve(f"syslog+{kind}://127.0.0.1:{server.port}{options}")
    for _ in range(3):
        journal.add(5000)
        time.sleep(0.3)
        server.stop(how)
        journal.add(500)
        server.start()
        until(lambda: server.numbers()[-1:] == [journal.count], lambda: server.numbers()[-1:], 60)
    stop(process)
    expect_all_again_and_again(server, journal)


def test_certificates(journal, rsyslog, serve, tmp_path):
    ca, other = Authority(str(tmp_path)), Authority(str(tmp_path), "other")
    server = rsyslog("imtcp", TLS[0], TLS[1].format(ca, ca.sign("server", "DNS:localhost"))).start()
    journal.add(10)
    until(lambda: os.path.exists(f"{tmp_path}/pid"), "it runs")
    for place, ca_file, why in ((f"localhost:{server.port}", other.pem, "the server's certificate is not good"),
                                (f"127.0.0.1:{server.port}", ca.pem, "IP address mismatch"),
                                (f"localhost:{server.port}", f"{tmp_path}/none", "certificates of authorities in")):
        process = serve(f"syslog+tls://{place}#ca={ca_file}")
        expect_error(process, why)
        stop(process)
    assert not server.got()
    process = serve(f"syslog+tls://localhost:{server.port}#ca={ca.pem}")
    until(lambda: len(server.got()) == 10, "all came")
    stop(process)

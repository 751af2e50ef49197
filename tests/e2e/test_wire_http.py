"""What HTTP's clients send, in the clear, over TLS, and in HTTP/2: held before it leaves, let go unchanged, or refused."""
import json
import os
import subprocess
import zipfile

import pytest

import lab as laboratory
from lab import SLOW, Reader, until
from wire import BOTH, HOST, PYTHON, build_go, client, expect_denied, expect_unasked, free_port, judge, make_certificate, needs

GONE = {"query": "mutation M($id: String!) { gone: volumeDelete(volumeId: $id) }", "variables": {"id": "1"}}
HARMLESS = {"query": "query Q { search(text: \"volumeDelete\") { id } }", "operationName": "Q"}
JSON = ["-H", "Content-Type: application/json"]


class Web:
    """A server of HTTP/1.1 with what it was asked."""

    def __init__(self, directory):
        self.directory = os.path.join(directory, "web")
        os.mkdir(self.directory)
        make_certificate(self.directory)
        self.process = subprocess.Popen(client("httpd.py", self.directory), stdout=subprocess.PIPE, text=True)
        laboratory.KEEP.add(self.process.pid)
        plain, tls = self.process.stdout.readline().split()
        self.plain, self.tls = f"http://{HOST}:{plain}", f"https://{HOST}:{tls}"
        self.said = Reader(self.process.stdout.fileno())

    def url(self, mode):
        return self.tls if mode == "tls" else self.plain

    def stop(self):
        self.process.terminate()
        self.process.wait(SLOW)


@pytest.fixture(scope="module")
def web_server(wire_dir):
    server = Web(wire_dir)
    yield server
    server.stop()


@pytest.fixture
def web(web_server):
    """With nothing said yet."""
    web_server.said.data = b""
    return web_server


def check_request(wire, web, agent, answer, rule, what, tls=False):
    """`agent` sends the one request that a rule holds, of which the server says `what` once it has come."""
    judge(wire, agent, answer, lambda: what not in web.said.text(), signature=f"wiretest.{rule}", protocol="http")
    if answer == "approve":
        assert agent.finish() == 0, agent.all
        until(lambda: what in web.said.text(), web.said.text)
    else:
        expect_denied(wire, agent, tls, "")
        assert what not in web.said.text(), web.said.text()


CURL = ["curl", "-sSk", "--http1.1"]
DELETES = {
    "curl": lambda url: [*CURL, "-X", "DELETE", url],
    "curl, a proxy's form": lambda url: [*CURL, "-x", url.rsplit("/v1", 1)[0], "-X", "DELETE", "http://volumes.example/v1/volumes/1"],
    "urllib": lambda url: client("request.py", "urllib", "DELETE", url),
    "node fetch": lambda url: client("request.js", "fetch", "DELETE", url),
    "node": lambda url: client("request.js", "module", "DELETE", url),
    "wget": lambda url: ["wget", "-q", "-O", "-", "--no-check-certificate", "--method=DELETE", url],
    "perl": lambda url: ["perl", "-MHTTP::Tiny", "-e", "print HTTP::Tiny->new->delete($ARGV[0])->{status} < 300 ? 'done' : die 'error'", url],
    "kept": lambda url: client("request.py", "kept", "DELETE", url),
    "pieces": lambda url: client("request.py", "pieces", "DELETE", url),
}
OVER_TLS = ("curl", "urllib", "node fetch", "node", "wget")
CASES = [(name, mode) for name in DELETES for mode in ("plain", "tls") if mode == "plain" or name in OVER_TLS]


@BOTH
@pytest.mark.parametrize("name, mode", CASES)
def test_delete(wire, web, name, mode, answer):
    words = DELETES[name](f"{web.url(mode)}/v1/volumes/1")
    needs(words[0])
    expect_unasked(wire, wire.run([*CURL, "-X", "DELETE", f"{web.url(mode)}/v1/others/1"]), "{}")
    check_request(wire, web, wire.run(words), answer, "http", "/v1/volumes/1", mode == "tls")


def test_gnutls(wire, web):
    """GnuTLS's own client, and what it is typed. It is not pleased with how the server ends."""
    needs("gnutls-cli")
    request = f"DELETE /v1/volumes/1 HTTP/1.1\\r\\nHost: {HOST}\\r\\nConnection: close\\r\\n\\r\\n"
    connect = f"gnutls-cli --insecure --no-ca-verification -p {web.tls.rpartition(':')[2]} {HOST}"
    words = ["sh", "-c", f"(sleep 0.5; printf '{request}'; sleep 0.5) | exec {connect}"]
    check_request(wire, web, wire.run(words), "deny", "http", "/v1/volumes/1", True)
    agent = wire.run(words)
    judge(wire, agent, "approve", lambda: "/v1/volumes/1" not in web.said.text(), signature="wiretest.http")
    agent.finish()
    assert "HTTP/1.1 200 OK" in agent.out, agent.all
    assert "/v1/volumes/1" in web.said.text()


@BOTH
@pytest.mark.parametrize("how", ["filtered", "endless", "padded"])
def test_rare_calls(wire, web, how, answer):
    """Whatever call of the library it is by which a program gets it to encrypt."""
    words = client("tls_calls.py", how, HOST, web.tls.rpartition(":")[2], "/v1/volumes/1")
    check_request(wire, web, wire.run(words), answer, "http", "/v1/volumes/1", True)


RAW = {
    "tabs": "DELETE\\t/v1/volumes/1\\tHTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
    "two lengths": "POST /x HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 90\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n"
                   "DELETE /v1/volumes/1 HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
}
SEND_RAW = "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); s.sendall(b'%s'); s.settimeout(1)\n" \
           "try:\n while s.recv(999): pass\nexcept TimeoutError: pass"


@BOTH
@pytest.mark.parametrize("name", RAW)
def test_raw(wire, web, name, answer):
    """What some servers take, and no usual client writes."""
    words = [PYTHON, "-c", SEND_RAW % RAW[name], HOST, web.plain.rpartition(":")[2]]
    check_request(wire, web, wire.run(words), answer, "http", "/v1/volumes/1")


@BOTH
def test_form(wire, web, answer):
    """A method that frameworks take from a form."""
    url = f"{web.plain}/v1/volumes/1"
    expect_unasked(wire, wire.run([*CURL, "-d", "_method=PUT", url]), "{}")
    web.said.data = b""
    check_request(wire, web, wire.run([*CURL, "-d", "a=b&_method=delete", url]), answer, "http", "/v1/volumes/1")


BODIES = {
    "curl": lambda url, body: [*CURL, *JSON, "-d", body, url],
    "fetch": lambda url, body: client("request.js", "fetch", "POST", url, body),
    "urllib": lambda url, body: client("request.py", "urllib", "POST", url, body),
    "chunked": lambda url, body: client("request.py", "chunked", "POST", url, body),
    "pieces": lambda url, body: client("request.py", "pieces", "POST", url, body),
}


@BOTH
@pytest.mark.parametrize("name, mode", [(n, m) for n in BODIES for m in ("plain", "tls") if m == "plain" or n in ("curl", "fetch")])
def test_graphql(wire, web, name, mode, answer):
    url = f"{web.url(mode)}/graphql"
    needs(BODIES[name](url, "{}")[0])
    expect_unasked(wire, wire.run(BODIES[name](url, json.dumps(HARMLESS))))
    until(lambda: "Q { search" in web.said.text(), web.said.text)
    check_request(wire, web, wire.run(BODIES[name](url, json.dumps(GONE))), answer, "graphql", "gone: volumeDelete", mode == "tls")


# --- HTTP/2

class Web2(Web):
    """Of HTTP/2 alone: nghttpd."""

    def __init__(self, directory):
        self.directory = os.path.join(directory, "web2")
        os.mkdir(self.directory)
        make_certificate(self.directory)
        ports = [free_port(), free_port()]
        options = ["nghttpd", "-v", "-a", HOST, "-d", self.directory]
        self.processes = [subprocess.Popen([*options, "--no-tls", str(ports[0])], stdout=subprocess.PIPE),
                          subprocess.Popen([*options, str(ports[1]), f"{self.directory}/server.key", f"{self.directory}/server.crt"],
                                           stdout=subprocess.PIPE)]
        laboratory.KEEP.update(p.pid for p in self.processes)
        self.plain, self.tls = f"http://{HOST}:{ports[0]}", f"https://{HOST}:{ports[1]}"
        self.readers = [Reader(os.dup(p.stdout.fileno())) for p in self.processes]
        until(lambda: all(b"listen" in r.data for r in self.readers), "nghttpd listens")

    def said_by(self, mode):
        return self.readers[mode == "tls"].text()

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.wait(SLOW)


@pytest.fixture(scope="module")
def web2(wire_dir):
    needs("nghttpd")
    server = Web2(wire_dir)
    yield server
    server.stop()


HTTP2 = {
    "curl": ("plain", lambda url: ["curl", "-sSk", "--http2-prior-knowledge", "-X", "DELETE", url]),
    "curl, tls": ("tls", lambda url: ["curl", "-sSk", "--http2", "-X", "DELETE", url]),
    "nghttp": ("plain", lambda url: ["nghttp", "-H:method: DELETE", url]),
    "nghttp, tls": ("tls", lambda url: ["nghttp", "-H:method: DELETE", url]),
}


def check_http2(wire, web2, mode, words, answer):
    expect_unasked(wire, wire.run([*words[:-1], f"{web2.url(mode)}/v1/others/1"]))
    until(lambda: ":path: /v1/others/1" in web2.said_by(mode), lambda: web2.said_by(mode))
    before = web2.said_by(mode).count(":path: /v1/volumes/1")
    agent = wire.run(words)
    judge(wire, agent, answer, signature="wiretest.http", protocol="http2")
    if answer == "approve":
        assert agent.finish() == 0, agent.all
        until(lambda: web2.said_by(mode).count(":path: /v1/volumes/1") == before + 1, lambda: web2.said_by(mode))
    else:
        expect_denied(wire, agent, mode == "tls", "")
        assert web2.said_by(mode).count(":path: /v1/volumes/1") == before


@BOTH
@pytest.mark.parametrize("name", HTTP2)
def test_http2(wire, web2, name, answer):
    """Whose headers no needle finds: they are packed."""
    mode, words = HTTP2[name]
    words = words(f"{web2.url(mode)}/v1/volumes/1")
    needs(words[0])
    check_http2(wire, web2, mode, words, answer)


# --- what is not asked about

@pytest.fixture(scope="module")
def go_client(wire_dir):
    return build_go(wire_dir, "http", "-s -w")


@BOTH
def test_go(wire, web, go_client, answer):
    expect_unasked(wire, wire.run([go_client, "DELETE", f"{web.tls}/v1/others/1"]), "done\n")
    check_request(wire, web, wire.run([go_client, "DELETE", f"{web.tls}/v1/volumes/1"]), answer, "http", "/v1/volumes/1", True)


@BOTH
def test_go_http2(wire, web2, go_client, answer):
    check_http2(wire, web2, "tls", [go_client, "DELETE", f"{web2.url('tls')}/v1/volumes/1"], answer)


def test_npm_install(wire, web):
    """From a registry of the test's own; the package's text is nobody's request."""
    needs("npm")
    source = os.path.join(wire.work, "source")
    os.mkdir(source)
    for name, text in (("package.json", '{"name": "volumes", "version": "1.0.0", "description": "DELETE /v1/volumes/1"}'),
                       ("index.js", "// drop table users; volumeDelete\n")):
        with open(f"{source}/{name}", "w", encoding="utf-8") as f:
            f.write(text)
    subprocess.run(["tar", "-C", wire.work, "--transform", "s/^source/package/", "-czf", f"{web.directory}/volumes.tgz", "source"], check=True)
    agent = wire.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", f"{wire.work}/app", "--cache", f"{wire.work}/cache",
                      "--registry", f"{web.plain}/npm/", "volumes"])
    expect_unasked(wire, agent)
    assert os.path.exists(f"{wire.work}/app/node_modules/volumes/index.js")


def write_wheel(directory):
    """A package of Python's with one module."""
    info = "volumes-1.0.dist-info"
    files = {"volumes.py": "# drop table users; DELETE /v1/volumes/1\n", f"{info}/METADATA": "Metadata-Version: 2.1\nName: volumes\nVersion: 1.0\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(f"{directory}/volumes-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)


@pytest.mark.parametrize("mode", ["plain", "tls"])
def test_pip_install(wire, web, mode):
    needs(modules=["pip"])
    write_wheel(web.directory)
    agent = wire.run([PYTHON, "-m", "pip", "install", "-q", "--no-cache-dir", "--disable-pip-version-check", "--trusted-host", HOST,
                      "--target", f"{wire.work}/site", "--index-url", f"{web.url(mode)}/pip/simple/", "volumes"])
    expect_unasked(wire, agent)
    assert os.path.exists(f"{wire.work}/site/volumes.py")


def test_git_over_https(wire, web):
    """Cloned, and pushed to, over GnuTLS."""
    git = ["git", "-c", "http.sslVerify=false", "-c", "safe.directory=*"]
    bare = os.path.join(web.directory, "repo.git")
    for words in (["init", "-q", "--bare", bare], ["-C", bare, "config", "http.receivepack", "true"]):
        subprocess.run([*git, *words], check=True)
    script = ("set -e; echo 'DELETE /v1/volumes/1 drop table users' > file; git add file; git commit -qm 'drop table users';"
              " git -c http.sslVerify=false push -q origin HEAD")
    agent = wire.run([*git, "clone", "-q", f"{web.tls}/git/repo.git"])
    expect_unasked(wire, agent)
    expect_unasked(wire, wire.run(["sh", "-c", script], cwd=f"{wire.work}/repo"))
    expect_unasked(wire, wire.run([*git, "clone", "-q", f"{web.tls}/git/repo.git", "again"]))
    with open(f"{wire.work}/again/file", encoding="utf-8") as f:
        assert "volumes" in f.read()

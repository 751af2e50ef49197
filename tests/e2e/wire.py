"""What the tests of sends share: a guard with rules of their own, and real servers on loopback."""
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import pytest

import lab as laboratory
from lab import SLOW, TOP, Guard, until

HOST = "127.0.0.1"
PACKS = os.path.join(TOP, "tests/e2e/packs-wire")
CLIENTS = os.path.join(TOP, "tests/e2e/clients")
PYTHON = "/usr/bin/python3"
SENDS = ("lsm", "fmod_ret")  # tiers in which what is sent in the clear is refused, and held
BOTH = pytest.mark.parametrize("answer", ["approve", "deny"])


def free_port():
    with socket.create_server((HOST, 0)) as free:
        return free.getsockname()[1]


def client(name, *words):
    """A program of clients/, as an agent would run it."""
    return [{"js": "node", "pl": "perl"}.get(name.rpartition(".")[2], PYTHON), f"{CLIENTS}/{name}", *[str(w) for w in words]]


def needs(*programs, modules=(), perl=()):
    """Skips where something is not installed."""
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    for module in modules:
        if subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, check=False).returncode:
            pytest.skip(f"Python's {module} is not installed")
    for module in perl:
        if subprocess.run(["perl", f"-M{module}", "-e", "1"], capture_output=True, check=False).returncode:
            pytest.skip(f"Perl's {module} is not installed")


def build_go(directory, name, ldflags=""):
    """A program of clients/ in Go."""
    found = shutil.which("go") or next(iter(sorted(glob.glob("/usr/lib/go-*/bin/go"))), None)
    if not found:
        pytest.skip("Go is not installed")
    path = f"{directory}/go-{name}{len(ldflags)}"
    env = {**os.environ, "GOCACHE": f"{directory}/go-cache", "GOPATH": f"{directory}/go", "GO111MODULE": "off", "CGO_ENABLED": "0"}
    subprocess.run([found, "build", "-ldflags", ldflags, "-o", path, f"{CLIENTS}/{name}.go"], check=True, env=env,
                   capture_output=True)
    return path


@pytest.fixture(scope="module")
def wire_dir(session_dir):
    directory = tempfile.mkdtemp(prefix="wire-", dir=session_dir)
    os.chmod(directory, 0o755)
    return directory


@pytest.fixture(scope="module")
def wire_guard(build, wire_dir, no_program_left):
    packs = laboratory.copy_readable(PACKS, f"{wire_dir}/packs-wire")
    guard = Guard(build, wire_dir, None, "--hold-timeout", 60, settings={"packs": {"from": [packs]}}).start()
    laboratory.KEEP.add(guard.process.pid)
    yield guard
    assert guard.stop() == 0, guard.log()


@pytest.fixture
def wire(lab, wire_guard):
    """A lab under that guard."""
    before, lab.guard = lab.guard, wire_guard
    yield lab
    for hold in wire_guard.holds():
        wire_guard.deny(hold)
    for agent in lab.agents:
        agent.end()
    until(lambda: not wire_guard.status()["sessions"], lambda: wire_guard.status()["sessions"], 5)
    lab.guard = before


def tier_of(guard, use="send"):
    return next(t["tier"] for t in guard.status()["tiers"] if t["use"] == use)


def refuses(guard):
    """Whether a write in the clear is refused; else its process ends."""
    return tier_of(guard) in SENDS


@pytest.fixture
def holds_sends(wire_guard):
    if not refuses(wire_guard):
        pytest.skip("no security hook here: only packets of TCP are looked at, and none is refused")


@pytest.fixture
def drops_packets(wire_guard):
    if refuses(wire_guard):
        pytest.skip("security hooks ask before anything is sent")


def judge(wire, agent, answer, unharmed=lambda: True, **expected):
    """Answers the one hold that there must be, once it is what is expected, and nothing was lost before."""
    def told():
        return wire.guard.holds() or agent.process.poll() is not None

    until(told, lambda: f"a hold: {agent.all}; the guard said {wire.guard.log()}")
    holds = wire.guard.holds()
    assert len(holds) == 1, f"{holds}, {agent.all}"
    for key, value in expected.items():
        assert value in str(holds[0].get(key)), holds[0]
    assert unharmed(), holds[0]
    getattr(wire.guard, answer)(holds[0])
    return holds[0]


def expect_unasked(wire, agent, out=None):
    """It ran to its end, and nothing was held."""
    code = until(lambda: wire.guard.holds() or agent.process.poll() is not None, "it ends") is True and agent.finish()
    assert code is not False, f"held: {wire.guard.holds()}"
    assert code == 0 and out in (None, agent.out), agent.all


def expect_denied(wire, agent, blind, error="error"):
    """The client tells an error where the write was refused; where nothing else keeps it back, it is ended."""
    code = agent.finish()
    if blind or not refuses(wire.guard):
        assert code == 137, agent.all
    else:
        assert code != 137 and error in agent.all and "done" not in agent.out, agent.all


class Postgres:
    """A server of the test's own, with TLS, on loopback and on a Unix socket; or in another network, on all its addresses."""

    def __init__(self, directory, net=None):
        self.data = os.path.join(directory, "pg-wire")
        self.port = free_port()
        self.bin = sorted(p for p in (f"/usr/lib/postgresql/{v}/bin" for v in range(10, 31)) if os.path.isdir(p))[-1]
        runs_as = ["runuser", "-u", "postgres", "--"]
        subprocess.run(["install", "-d", "-o", "postgres", "-m", "700", self.data], check=True)
        subprocess.run([*runs_as, f"{self.bin}/initdb", "-D", self.data, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"],
                       check=True, capture_output=True, cwd="/")
        make_certificate(self.data, "postgres")
        inside, addresses = (net.inside, "*") if net else ([], HOST)
        with open(f"{self.data}/pg_hba.conf", "a", encoding="utf-8") as f:
            f.write("host all all all trust\n")
        self.process = subprocess.Popen([*inside, *runs_as, f"{self.bin}/postgres", "-D", self.data, "-h", addresses, "-p", str(self.port), "-k",
                                         self.data, "-c", "fsync=off", "-c", "ssl=on"], stderr=subprocess.DEVNULL, cwd="/")
        laboratory.KEEP.add(self.process.pid)
        until(lambda: self.ask("select 1") == "1", "PostgreSQL answers")

    def ask(self, sql, database="postgres"):
        """As nobody's session."""
        done = subprocess.run(["psql", "-X", "-h", self.data, "-p", str(self.port), "-U", "postgres", "-d", database, "-Atqc", sql],
                              capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    def has(self, table):
        return self.ask(f"select to_regclass('{table}')") == table

    def rows(self):
        return self.ask("select count(*) from users")

    def conninfo(self, how, host=HOST):
        return f"host={host} port={self.port} user=postgres {how}"

    def psql(self, *sql, how="sslmode=require", host=HOST):
        words = [word for one in sql for word in ("-c", one)]
        return ["psql", "-X", self.conninfo(how, host), "-Atq", *words]

    def stop(self):
        os.kill(int(open(f"{self.data}/postmaster.pid", encoding="utf-8").readline()), signal.SIGINT)
        self.process.wait(SLOW)


def make_certificate(directory, owner="root"):
    """server.crt and server.key there, of localhost."""
    key = f"{directory}/server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", f"{directory}/server.crt",
                    "-days", "3", "-subj", "/CN=localhost"], check=True, capture_output=True)
    shutil.chown(key, owner)
    shutil.chown(f"{directory}/server.crt", owner)
    os.chmod(key, 0o600)


def needs_postgres():
    if not os.path.isdir("/usr/lib/postgresql") or "postgres" not in [p.pw_name for p in pwd.getpwall()]:
        pytest.skip("PostgreSQL's server is not installed")


@pytest.fixture(scope="module")
def postgres(wire_dir):
    needs_postgres()
    server = Postgres(wire_dir)
    yield server
    server.stop()


@pytest.fixture
def users(postgres):
    """A table that is to be lost."""
    postgres.ask("drop table if exists users; create table users as select 1 as a")
    assert postgres.has("users")
    return postgres


class Redis:
    """A server in the clear and over TLS."""

    def __init__(self, directory):
        self.port, self.tls = free_port(), free_port()
        make_certificate(directory)
        files = ["--tls-cert-file", f"{directory}/server.crt", "--tls-key-file", f"{directory}/server.key"]
        self.process = subprocess.Popen(["redis-server", "--port", str(self.port), "--tls-port", str(self.tls), *files, "--bind", HOST,
                                         "--tls-auth-clients", "no", "--save", "", "--dir", directory], stdout=subprocess.DEVNULL)
        laboratory.KEEP.add(self.process.pid)
        self.cli = ["redis-cli", "-h", HOST, "-p", str(self.port)]
        until(lambda: self.ask("set", "key", "value") == "OK", "Redis answers")

    def ask(self, *words):
        return subprocess.run([*self.cli, *words], capture_output=True, text=True, check=False).stdout.strip()

    def stop(self):
        self.process.terminate()
        self.process.wait(SLOW)


@pytest.fixture(scope="module")
def redis_server(wire_dir):
    needs("redis-server")
    server = Redis(wire_dir)
    yield server
    server.stop()


@pytest.fixture
def redis(redis_server):
    """One key that is to be lost."""
    assert redis_server.ask("set", "key", "value") == "OK"
    return redis_server


class MariaDB:
    """A server in the clear and over TLS."""

    def __init__(self, directory):
        self.data, self.port = os.path.join(directory, "mariadb"), free_port()
        os.mkdir(self.data)
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--user=root", "--skip-test-db",
                        "--auth-root-authentication-method=normal"], check=True, capture_output=True)
        make_certificate(self.data)
        self.process = subprocess.Popen(["mariadbd", "--no-defaults", f"--datadir={self.data}", "--user=root",
                                         f"--socket={self.data}/s", f"--port={self.port}", f"--bind-address={HOST}",
                                         f"--ssl-cert={self.data}/server.crt", f"--ssl-key={self.data}/server.key",
                                         f"--pid-file={self.data}/pid"], stderr=subprocess.DEVNULL)
        laboratory.KEEP.add(self.process.pid)
        until(lambda: self.ask("create database if not exists d") is not None, "MariaDB answers")

    def cli(self, sql, *options):
        return ["mariadb", "--no-defaults", *options, "-uroot", "-N", "-h", HOST, "-P", str(self.port), "--protocol=tcp", "-e", sql]

    def ask(self, sql):
        done = subprocess.run(self.cli(sql), capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    def stop(self):
        self.process.terminate()
        self.process.wait(SLOW)


@pytest.fixture(scope="module")
def mariadb_server(wire_dir):
    needs("mariadbd", "mariadb-install-db", "mariadb")
    server = MariaDB(wire_dir)
    yield server
    server.stop()


@pytest.fixture
def mariadb(mariadb_server):
    """One table that is to be lost."""
    mariadb_server.ask("create or replace table d.users as select 1 as a")
    assert mariadb_server.ask("select count(*) from d.users") == "1"
    return mariadb_server


class Sink(threading.Thread):
    """A server that keeps what came."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server((HOST, 0))
        self.port, self.data = self.socket.getsockname()[1], b""
        self.start()

    def run(self):
        self.connection, _ = self.socket.accept()
        try:
            while more := self.connection.recv(65536):
                self.data += more
        except ConnectionResetError:
            pass
        self.connection.close()
        self.socket.close()

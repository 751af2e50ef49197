"""What the clients of MariaDB, Redis and MongoDB send: held before it leaves, let go unchanged, or refused."""
import subprocess

import pytest

import lab as laboratory
from lab import SLOW, Reader, until
from wire import BOTH, HOST, PYTHON, client, expect_denied, expect_unasked, free_port, judge, needs, refuses

TLS = pytest.mark.parametrize("mode", ["plain", "tls"])


# --- MariaDB

def check_table(wire, mariadb, agent, answer, tls=False):
    """`agent` wants the rows of d.users to go."""
    rows = "select count(*) from d.users"
    judge(wire, agent, answer, lambda: mariadb.ask(rows) == "1", signature="wiretest.sql", protocol="mysql", text="d.users")
    if answer == "approve":
        assert agent.finish() == 0, agent.all
        assert mariadb.ask(rows) in ("0", None)
    else:
        expect_denied(wire, agent, tls, "")
        assert mariadb.ask(rows) == "1"


@BOTH
@TLS
def test_mariadb(wire, mariadb, mode, answer):
    """A statement of its own client; what is next to it is harmless."""
    options = ["--ssl"] if mode == "tls" else ["--skip-ssl"]
    expect_unasked(wire, wire.run(mariadb.cli("select 'drop table d.users' from d.users where a = 1", *options)), "drop table d.users\n")
    check_table(wire, mariadb, wire.run(mariadb.cli("drop table d.users", *options)), answer, mode == "tls")


@BOTH
@TLS
def test_pymysql(wire, mariadb, mode, answer):
    needs(modules=["pymysql"])
    check_table(wire, mariadb, wire.run(client("pymysql_.py", mode, mariadb.port, "delete from d.users")), answer, mode == "tls")


@BOTH
@pytest.mark.parametrize("prepared", [0, 1], ids=["query", "prepared"])
def test_mariadb_dbi(wire, mariadb, prepared, answer):
    """One that the server prepares counts when it is prepared."""
    needs(perl=["DBD::MariaDB"])
    dsn = f"dbi:MariaDB:host={HOST};port={mariadb.port};mariadb_server_prepare={prepared}"
    check_table(wire, mariadb, wire.run(client("dbi.pl", dsn, "root", "truncate d.users")), answer)


@BOTH
@pytest.mark.parametrize("sql", ["set @a = concat('dr', 'op table d.users'); prepare s from @a; execute s",
                                 "execute immediate concat('dr', 'op table d.users')",
                                 "delete from d.users where a between a and a",
                                 "delimiter //\nbegin not atomic declare exit handler for sqlexception drop table d.users; "
                                 "select d.nofn(); end//"],
                         ids=["variable", "pieces", "condition", "handler"])
def test_mariadb_roundabout(wire, mariadb, sql, answer):
    """What is prepared in a write of its own, put together, or told by what each row meets."""
    agent = wire.run(mariadb.cli(sql))
    judge(wire, agent, answer, lambda: mariadb.ask("select count(*) from d.users") == "1", signature="wiretest.sql", protocol="mysql")
    if answer == "approve":
        agent.finish()
        assert mariadb.ask("select count(*) from d.users") in ("0", None)
    else:
        expect_denied(wire, agent, False, "")
        assert mariadb.ask("select count(*) from d.users") == "1"


def test_mariadb_dump(wire, mariadb):
    """A dump says DROP TABLE to its reader, and to no server."""
    needs("mariadb-dump")
    words = ["mariadb-dump", "--no-defaults", "-uroot", "-h", HOST, "-P", str(mariadb.port), "--protocol=tcp", "d"]
    agent = wire.run(words)
    expect_unasked(wire, agent)
    assert "DROP TABLE" in agent.out, agent.all


# --- Redis

def check_keys(wire, redis, agent, answer, tls=False):
    """`agent` wants all keys to go."""
    judge(wire, agent, answer, lambda: redis.ask("get", "key") == "value", signature="wiretest.redis", protocol="redis")
    if answer == "approve":
        assert agent.finish() == 0, agent.all
        assert redis.ask("get", "key") == ""
    else:
        expect_denied(wire, agent, tls, "rror")
        assert redis.ask("get", "key") == "value"


@BOTH
@TLS
def test_redis_cli(wire, redis, mode, answer):
    words = redis.cli if mode == "plain" else ["redis-cli", "-h", HOST, "-p", str(redis.tls), "--tls", "--insecure"]
    expect_unasked(wire, wire.run([*words, "set", "note", "FLUSHALL"]), "OK\n")
    check_keys(wire, redis, wire.run([*words, "FLUSHALL"]), answer, mode == "tls")


@BOTH
@pytest.mark.parametrize("how", ["plain", "tls", "pipeline", "script"])
def test_redis_py(wire, redis, how, answer):
    needs(modules=["redis"])
    agent = wire.run(client("redis_.py", how, redis.tls if how == "tls" else redis.port))
    check_keys(wire, redis, agent, answer, how == "tls")


RAW = {"resp": ["*1\\r\\n$8\\r\\nFLUSHALL\\r\\n"], "inline": ["flushall\\r\\n"], "split": ["GET note\\r\\nFLU", "SHA", "LL\\r\\n"]}


@BOTH
@pytest.mark.parametrize("how", RAW)
def test_redis_raw(wire, redis, how, answer):
    """As a line, too, and in pieces."""
    agent = wire.run(client("redis_raw.py", redis.port, *RAW[how]))
    check_keys(wire, redis, agent, answer)
    if answer == "deny" and refuses(wire.guard):
        assert "goes on" in agent.out and "value" in agent.out, agent.all


AMONG_MANY = """import socket, sys
port, closed, count = map(int, sys.argv[1:])
s = socket.create_connection(('127.0.0.1', port))
s.sendall(b'PING\\r\\n')
assert s.recv(99) == b'+PONG\\r\\n'
for _ in range(count):
    with socket.socket() as other:
        other.connect_ex(('127.0.0.1', closed))
try:
    s.sendall(b'FLUSHALL\\r\\n')
    print('done', s.recv(99))
except PermissionError:
    print('error: refused')
"""


def test_redis_among_many(wire, redis):
    """However many connections a session makes, one that it had before is looked at."""
    agent = wire.run([PYTHON, "-c", AMONG_MANY, str(redis.port), str(free_port()), "40000"])
    check_keys(wire, redis, agent, "deny")


# --- MongoDB

@pytest.fixture(scope="module")
def mongod():
    needs(modules=["pymongo"])
    server = subprocess.Popen(client("mongod.py"), stdout=subprocess.PIPE, text=True)
    laboratory.KEEP.add(server.pid)
    server.port = int(server.stdout.readline())
    server.said = Reader(server.stdout.fileno())
    yield server
    server.terminate()
    server.wait(SLOW)


@BOTH
@pytest.mark.parametrize("how, came", [("drop", "drop "), ("dropDatabase", "dropDatabase "),
                                       ("everything", "delete [{'q': {},")], ids=["drop", "dropDatabase", "everything"])
def test_mongo(wire, mongod, how, came, answer):
    """Messages of its own driver, read by a server that does nothing."""
    mongod.said.data = b""
    agent = wire.run(client("mongo.py", how, mongod.port))
    until(lambda: "insert" in mongod.said.text(), lambda: agent.all)  # what the server reads in its own time
    judge(wire, agent, answer, lambda: came not in mongod.said.text(), signature="wiretest.mongo", protocol="mongo")
    if answer == "approve":
        assert agent.finish() == 0, agent.all
        until(lambda: came in mongod.said.text(), mongod.said.text)
    else:
        expect_denied(wire, agent, False)
        assert came not in mongod.said.text(), mongod.said.text()

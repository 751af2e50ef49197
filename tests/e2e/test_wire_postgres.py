"""What PostgreSQL's clients send: held before it leaves, let go unchanged, or refused."""
import os
import shutil
import subprocess
import time

import pytest

from lab import SLOW
from wire import BOTH, HOST, client, expect_denied, expect_unasked, judge, needs, refuses

TLS = pytest.mark.parametrize("mode", ["disable", "require"], ids=["plain", "tls"])
LOSSES = {"drop": "drop table users", "truncate": "TRUNCATE users", "delete": "delete from users"}


def check_loss(wire, users, agent, answer, tls=False):
    """`agent` wants the rows of users to go."""
    judge(wire, agent, answer, lambda: users.rows() == "1", signature="wiretest.sql", protocol="postgres", text="users")
    if answer == "approve":
        assert agent.finish() == 0 and "done" in agent.out, agent.all
        assert users.rows() in ("0", None)
    else:
        expect_denied(wire, agent, tls)
        assert users.rows() == "1"


def find_library(name):
    """Where the dynamic linker finds it."""
    known = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    return next(line.split("=> ")[1] for line in known.splitlines() if line.split()[:1] == [name])


@BOTH
@pytest.mark.parametrize("how", ["simple", "extended", "prepared", "pipeline", "copy"])
def test_libpq(wire, users, how, answer):
    agent = wire.run(client("libpq.py", how, users.conninfo("sslmode=disable"), "truncate users"))
    check_loss(wire, users, agent, answer)
    assert how not in ("prepared", "copy") or agent.out.split()[0] in ("prepared", "copied"), agent.all


@pytest.mark.parametrize("how", ["simple", "prepared", "pipeline"])
def test_libpq_tls(wire, users, how):
    for answer in ("deny", "approve"):
        check_loss(wire, users, wire.run(client("libpq.py", how, users.conninfo("sslmode=require"), "truncate users")), answer, True)


@BOTH
@pytest.mark.parametrize("how", ["whole", "halves", "bytes", "many", "extended"])
def test_raw(wire, users, how, answer):
    """What is split over writes counts with the last; what was refused has not begun, and the connection goes on."""
    agent = wire.run(client("postgres_raw.py", how, users.port, "delete from users"))
    check_loss(wire, users, agent, answer)
    if how == "whole" and (answer == "approve" or refuses(wire.guard)):
        assert "goes on" in agent.out, agent.all


@BOTH
@TLS
def test_psycopg2(wire, users, mode, answer):
    needs(modules=["psycopg2"])
    agent = wire.run(client("psycopg2_.py", "plain", users.conninfo(f"sslmode={mode}"), LOSSES["delete"]))
    check_loss(wire, users, agent, answer, mode == "require")


@BOTH
@TLS
def test_inherited(wire, users, mode, answer):
    """A connection goes on in a child of the process that opened it."""
    needs(modules=["psycopg2"])
    agent = wire.run(client("psycopg2_.py", "inherited", users.conninfo(f"sslmode={mode}"), LOSSES["delete"]))
    judge(wire, agent, answer, lambda: users.rows() == "1", signature="wiretest.sql", protocol="postgres", text="users")
    assert (agent.finish() == 0) is (answer == "approve"), agent.all
    assert users.rows() == ("0" if answer == "approve" else "1")


def test_overlay(wire, users, tmp_path):
    """A library that lies as a container's do is probed, and once: it is the host's, too, which was there before."""
    needs(modules=["psycopg2"])
    words = client("psycopg2_.py", "plain", users.conninfo("sslmode=require"))
    expect_unasked(wire, wire.run([*words, "select 1"]))
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(tmp_path)], check=True)
    try:
        for name in ("root", "upper", "work"):
            (tmp_path / name).mkdir()
        options = f"lowerdir=/,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, f"{tmp_path}/root"], check=True)
        for answer in ("deny", "approve"):
            check_loss(wire, users, wire.run(["chroot", f"{tmp_path}/root", *words, LOSSES["delete"]]), answer, True)
    finally:
        subprocess.run(["umount", "-l", "-R", str(tmp_path)], check=True)


def test_renamed_library(wire, users, tmp_path):
    """What encrypts may lie in a file that is called otherwise."""
    needs(modules=["psycopg2"])
    library = shutil.copyfile(find_library("libssl.so.3"), tmp_path / "own.so")
    words = ["env", f"LD_PRELOAD={library}", *client("psycopg2_.py", "plain", users.conninfo("sslmode=require"), LOSSES["delete"])]
    check_loss(wire, users, wire.run(words), "deny", True)


def test_rewritten_library(wire, users, tmp_path):
    """What a file was found to be counts until somebody writes to it."""
    needs(modules=["psycopg2"])
    library = tmp_path / "libssl-own.so"
    words = ["env", f"LD_PRELOAD={library}", *client("psycopg2_.py", "plain", users.conninfo("sslmode=require"))]
    shutil.copyfile(find_library("libz.so.1"), library)
    time.sleep(3)  # what has just been written may be written once more within the tick of its clock
    expect_unasked(wire, wire.run([*words, "select 1"]))
    shutil.copyfile(find_library("libssl.so.3"), library)
    check_loss(wire, users, wire.run([*words, LOSSES["delete"]]), "deny", True)


@BOTH
@TLS
def test_dbi(wire, users, mode, answer):
    needs(perl=["DBD::Pg"])
    dsn = f"dbi:Pg:host={HOST};port={users.port};sslmode={mode}"
    check_loss(wire, users, wire.run(client("dbi.pl", dsn, "postgres", LOSSES["drop"])), answer, mode == "require")


@pytest.fixture(scope="module")
def node_pg(wire_dir):
    """The package `pg`, from where npm gets packages."""
    needs("node", "npm")
    where = os.path.join(wire_dir, "node")
    os.mkdir(where)
    try:
        done = subprocess.run(["npm", "install", "--prefix", where, "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0",
                               "--fetch-timeout=10000", "pg@8"], capture_output=True, text=True, timeout=SLOW, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm does not get the package pg in time")
    if done.returncode:
        pytest.skip("npm does not get the package pg")
    return os.path.join(where, "node_modules/pg")


@BOTH
@pytest.mark.parametrize("how", ["plain", "plain-named", "tls", "tls-named"])
def test_node(wire, users, node_pg, how, answer):
    agent = wire.run(client("pg.js", how, users.port, "truncate users"), env={**wire.env, "NODE_PG": node_pg})
    check_loss(wire, users, agent, answer, how.startswith("tls"))


@BOTH
@TLS
def test_drop_database(wire, postgres, mode, answer):
    postgres.ask("create database lost")
    agent = wire.run(postgres.psql("drop database lost", "select 'done'", how=f"sslmode={mode}"))
    judge(wire, agent, answer, signature="wiretest.sql", text="drop database lost")
    there = "select count(*) from pg_database where datname = 'lost'"
    if answer == "approve":
        assert (agent.finish(), agent.out) == (0, "done\n"), agent.all
        assert postgres.ask(there) == "0"
    else:
        expect_denied(wire, agent, mode == "require", "server closed the connection")
        assert postgres.ask(there) == "1"


# --- what is not asked about

def test_dump_and_restore(wire, postgres):
    """Of a table whose rows read like statements; what comes back is as it was."""
    postgres.ask("drop table if exists notes, kept; create table notes as select 'drop table users; delete from users'::text as t, "
                 "i from generate_series(1, 3000) i; create table kept (a int primary key)")
    postgres.ask("create database copy_of_it")
    agent = wire.run(["pg_dump", "-Fc", "-f", f"{wire.work}/dump", postgres.conninfo("sslmode=disable")])
    expect_unasked(wire, agent)
    agent = wire.run(["pg_restore", "-d", postgres.conninfo("sslmode=disable dbname=copy_of_it"), f"{wire.work}/dump"])
    expect_unasked(wire, agent)
    agent = wire.run(["psql", "-X", "-Atq", postgres.conninfo("sslmode=disable dbname=copy_of_it"), "-c",
                      "select count(*), min(t) from notes"])
    expect_unasked(wire, agent, "3000|drop table users; delete from users\n")


@TLS
def test_pgbench(wire, postgres, mode):
    """Its script like TPC-B's, in each of its ways to send; its tables are there already."""
    bench = [f"{postgres.bin}/pgbench", postgres.conninfo(f"sslmode={mode}")]
    subprocess.run([*bench, "-i", "-q"], check=True, capture_output=True)
    for protocol in ("simple", "extended", "prepared"):
        agent = wire.run([*bench, "-n", "-t", "10", "-c", "2", "-M", protocol])
        expect_unasked(wire, agent)
        assert "actually processed: 20/20" in agent.out, agent.all


@TLS
def test_known_as_harmless(wire, postgres, mode):
    """Statements that differ in their numbers alone are asked about a few times only, however late the answer comes."""
    bench = [f"{postgres.bin}/pgbench", postgres.conninfo(f"sslmode={mode}")]
    subprocess.run([*bench, "-i", "-q"], check=True, capture_output=True)
    before = wire.guard.status()["counters"]["candidates"]
    agent = wire.run([*bench, "-n", "-t", "200"])
    expect_unasked(wire, agent)
    asked = wire.guard.status()["counters"]["candidates"] - before
    assert 3 <= asked < 60, asked


def test_orm(wire, users):
    """SQLAlchemy's own queries, and what it would lose."""
    needs(modules=["sqlalchemy", "psycopg2"])
    for harmless in ("update users set a = 2 where a = 1", "delete from users where a = 7"):
        expect_unasked(wire, wire.run(client("psycopg2_.py", "orm", users.conninfo("sslmode=disable"), harmless)), "done\n")
    agent = wire.run(client("psycopg2_.py", "orm", users.conninfo("sslmode=disable"), "delete from users"))
    check_loss(wire, users, agent, "approve")


@pytest.fixture
def fresh(postgres):
    """A database of its own."""
    postgres.ask("drop database if exists fresh")
    postgres.ask("create database fresh")
    return postgres


@BOTH
@TLS
def test_orm_program(wire, fresh, mode, answer):
    """It creates tables, writes, changes and removes rows unharmed; that all rows of a table go is asked."""
    needs(modules=["sqlalchemy", "psycopg2"])
    agent = wire.run(client("orm.py", fresh.conninfo(f"sslmode={mode} dbname=fresh")))
    judge(wire, agent, answer, lambda: "done" not in agent.out, signature="wiretest.sql", text="DELETE FROM orm_notes")
    code = agent.finish()
    if answer == "approve":
        assert (code, agent.out) == (0, "written\ndone\ngoes on 1004 0\n"), agent.all
    elif mode == "require" or not refuses(wire.guard):
        assert code == 137, agent.all
    else:
        # libpq itself sends nothing more on a connection after a write that failed
        assert code == 0 and "error:" in agent.out and agent.out.endswith("goes on anew 1004 4\n"), agent.all


def test_what_is_here_may_be_allowed(wire, fresh):
    """A database for tests on this host, of which nothing is precious; of what TLS hides nobody knows where it goes."""
    lose = ["create table a (b int)", "drop table a", "select 'done'"]
    unix = f"host={fresh.data} port={fresh.port} user=postgres"
    wire.guard.write_settings(allow=[{"send": {"sql": "destructive", "to": "localhost"}}])
    try:
        assert wire.guard.cli("policy", "reload").returncode == 0
        for there in (fresh.conninfo("sslmode=disable dbname=fresh"), f"{unix} dbname=fresh"):
            words = [word for one in lose for word in ("-c", one)]
            expect_unasked(wire, wire.run(["psql", "-X", "-Atq", there, *words]), "done\n")
        agent = wire.run(fresh.psql(*lose, how="sslmode=require dbname=fresh"))
        judge(wire, agent, "approve", signature="wiretest.sql")
        assert agent.finish() == 0, agent.all
    finally:
        wire.guard.write_settings(allow=[])
        assert wire.guard.cli("policy", "reload").returncode == 0
    agent = wire.run(fresh.psql(*lose, how="sslmode=disable dbname=fresh"))
    judge(wire, agent, "approve", signature="wiretest.sql")
    assert agent.finish() == 0, agent.all

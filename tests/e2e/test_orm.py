"""An ORM's own test suite: SQLAlchemy's for a dialect, as Debian ships it, with psycopg2 against a real PostgreSQL."""
import os
import xml.etree.ElementTree as ElementTree

import pytest

import net as network
from lab import SLOW, until
from wire import HOST, PYTHON, Postgres, judge, needs, needs_postgres

# What SQLAlchemy asks of whoever runs its suite.
FILES = {
    "conftest.py": "from sqlalchemy.testing.plugin.pytestplugin import *\n",
    "test_suite.py": "from sqlalchemy.testing.suite import *\n",
    "setup.cfg": "[sqla_testing]\nrequirement_cls=sqlalchemy.testing.requirements:SuiteRequirements\nprofile_file=profiles.txt\n",
}
# A command that loses data elsewhere, and meanwhile the suite: LOSS SUITE...
BOTH_AT_ONCE = """psql -X -Atq "$1" -c 'drop table precious' & loss=$!
shift
"$@"
echo "suite ended with $?"
wait $loss
echo "loss ended with $?"
"""


@pytest.fixture(scope="module")
def server(the_net, wire_dir):
    """In a network where an address that is not this host's is answered, too."""
    needs_postgres()
    directory = os.path.join(wire_dir, "orm")
    os.mkdir(directory, 0o755)
    server = Postgres(directory, the_net)
    server.ask("create table precious as select 1 as a")
    yield server
    server.stop()


@pytest.fixture
def suite(wire, server):
    """Makes its command line, and a database with nothing in it."""
    needs(modules=["sqlalchemy", "psycopg2", "pytest"])
    for name, text in FILES.items():
        wire.script(name, text)

    def make(results):
        server.ask("drop database if exists suite")
        server.ask("create database suite")
        server.ask("create schema test_schema", "suite")
        return [PYTHON, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", f"--junitxml={results}", "--dburi",
                f"postgresql+psycopg2://postgres@{HOST}:{server.port}/suite?sslmode=disable", "test_suite.py"]
    return make


@pytest.fixture
def here_is_allowed(wire):
    wire.guard.write_settings(allow=[{"send": {"sql": "destructive", "to": "localhost"}}])
    assert wire.guard.cli("policy", "reload").returncode == 0
    yield
    wire.guard.write_settings(allow=[])
    assert wire.guard.cli("policy", "reload").returncode == 0


def outcomes(path):
    """{test: passed, failure, error or skipped}."""
    cases = ElementTree.parse(path).iter("testcase")
    return {f"{c.get('classname')}.{c.get('name')}": next((child.tag for child in c if child.tag != "properties"), "passed")
            for c in cases}


def test_suite(wire, server, suite, the_net, here_is_allowed):
    """All of it ends as it does bare, and nothing of it is held; what loses data elsewhere is, at the same time."""
    bare, guarded = f"{wire.work}/bare.xml", f"{wire.work}/guarded.xml"
    wire.plain([*the_net.inside, *suite(bare)]).finish(3 * SLOW)
    elsewhere = f"host={network.HOST} port={server.port} user=postgres sslmode=disable"
    agent = wire.run(["sh", "-c", BOTH_AT_ONCE, "sh", elsewhere, *suite(guarded)], net=the_net)
    until(lambda: "suite ended" in agent.out or agent.process.poll() is not None,
          lambda: f"it ends: {wire.guard.holds()}, {agent.all}", 3 * SLOW)
    (session,) = wire.guard.status()["sessions"]
    assert session["holds"] == 1, session
    judge(wire, agent, "deny", signature="wiretest.sql", text="drop table precious")
    agent.finish()
    assert "loss ended with 0" not in agent.out and server.ask("select count(*) from precious") == "1", agent.all
    before, after = outcomes(bare), outcomes(guarded)
    assert list(before.values()).count("passed") > 300, before
    assert after == before

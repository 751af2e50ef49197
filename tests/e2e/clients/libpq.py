"""libpq.py HOW CONNINFO SQL: runs SQL by libpq itself, in one of the ways that it has, and says done or error."""
import ctypes
import sys

HOW, CONNINFO, SQL = sys.argv[1], *(word.encode() for word in sys.argv[2:])
pq = ctypes.CDLL("libpq.so.5")
for name in ("PQconnectdb", "PQexec", "PQexecParams", "PQprepare", "PQexecPrepared", "PQgetResult"):
    getattr(pq, name).restype = ctypes.c_void_p
for name in ("PQerrorMessage", "PQgetvalue"):
    getattr(pq, name).restype = ctypes.c_char_p
connection = ctypes.c_void_p(pq.PQconnectdb(CONNINFO))
FINE = (1, 2, 4, 9, 10)  # COMMAND_OK, TUPLES_OK, COPY_IN, SINGLE_TUPLE, PIPELINE_SYNC


def check(result):
    result = ctypes.c_void_p(result)
    if not result or pq.PQresultStatus(result) not in FINE:
        print("error:", pq.PQerrorMessage(connection).decode().strip())
        sys.exit(1)
    return result


def params(sql, *values):
    given = (ctypes.c_char_p * max(len(values), 1))(*values)
    return check(pq.PQexecParams(connection, sql, len(values), None, given, None, None, 0))


def prepared():
    """A statement that is run later, after others."""
    check(pq.PQprepare(connection, b"later", SQL, 0, None))
    for _ in range(3):
        check(pq.PQexec(connection, b"select 1"))
    print("prepared", flush=True)
    check(pq.PQexecPrepared(connection, b"later", 0, None, None, None, 0))


def pipeline():
    """Several statements before the first answer."""
    assert pq.PQenterPipelineMode(connection) == 1
    for sql in (b"select 1", SQL, b"select 2"):
        assert pq.PQsendQueryParams(connection, sql, 0, None, None, None, None, 0) == 1
    pq.PQpipelineSync(connection)
    for _ in range(3):
        check(pq.PQgetResult(connection))
        assert not pq.PQgetResult(connection)
    check(pq.PQgetResult(connection))
    assert pq.PQexitPipelineMode(connection) == 1


def copy():
    """Rows that read like statements are none; what follows them is one."""
    check(pq.PQexec(connection, b"create temp table lines (line text)"))
    check(pq.PQexec(connection, b"copy lines from stdin"))
    for _ in range(20):
        row = b"drop table users; truncate users\n" * 100
        assert pq.PQputCopyData(connection, row, len(row)) == 1
    assert pq.PQputCopyEnd(connection, None) == 1
    check(pq.PQgetResult(connection))
    assert not pq.PQgetResult(connection)
    count = check(pq.PQexec(connection, b"select count(*) from lines"))
    assert pq.PQgetvalue(count, 0, 0) == b"2000"
    print("copied", flush=True)
    check(pq.PQexec(connection, SQL))


if pq.PQstatus(connection) != 0:
    sys.exit(pq.PQerrorMessage(connection).decode())
value = params(b"select $1::text", b"drop table users")  # a value is no statement
assert pq.PQgetvalue(value, 0, 0) == b"drop table users"
{"simple": lambda: check(pq.PQexec(connection, SQL)), "extended": lambda: params(SQL), "prepared": prepared,
 "pipeline": pipeline, "copy": copy}[HOW]()
check(pq.PQexec(connection, b"select 1"))
print("done")

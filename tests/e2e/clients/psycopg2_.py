"""psycopg2_.py HOW CONNINFO SQL: runs SQL by psycopg2, in a child that inherits the connection, or by SQLAlchemy."""
import os
import sys

import psycopg2

how, conninfo, sql = sys.argv[1:]
if how == "orm":
    import sqlalchemy
    from sqlalchemy.pool import NullPool
    engine = sqlalchemy.create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(conninfo), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("select 1"))
        connection.execute(sqlalchemy.text(sql))
    print("done")
    sys.exit()
connection = psycopg2.connect(conninfo)
cursor = connection.cursor()
try:
    cursor.execute("select %s", ["drop table users"])
    assert cursor.fetchone() == ("drop table users",)
    if how == "inherited" and (child := os.fork()):
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xff)
    cursor.execute(sql)
    connection.commit()
except psycopg2.Error as error:
    sys.exit(f"error: {error}")
print("done")

"""pymysql_.py HOW PORT SQL: runs SQL by pymysql, in the clear or over TLS."""
import ssl
import sys

import pymysql

how, port, sql = sys.argv[1], int(sys.argv[2]), sys.argv[3]
tls = ssl.create_default_context() if how == "tls" else None
if tls:
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
try:
    connection = pymysql.connect(host="127.0.0.1", port=port, user="root", ssl=tls, autocommit=True)
    cursor = connection.cursor()
    cursor.execute("select %s", ["drop table d.users"])
    assert cursor.fetchone() == ("drop table d.users",)
    cursor.execute(sql)
except pymysql.Error as error:
    sys.exit(f"error: {error}")
print("done")

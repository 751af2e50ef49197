"""redis_.py HOW PORT: FLUSHALL by the package redis, in the clear, over TLS, behind others in one write, or from a script."""
import sys

import redis

how, port = sys.argv[1], int(sys.argv[2])
r = redis.Redis(host="127.0.0.1", port=port, ssl=how == "tls", ssl_cert_reqs="none")
try:
    r.set("note", "FLUSHALL")
    assert r.get("note") == b"FLUSHALL"
    if how == "pipeline":
        p = r.pipeline(transaction=True)
        p.set("other", "1").flushall().set("last", "1").execute()
    elif how == "script":
        r.eval("return redis.call('flushall')", 0)
    else:
        r.flushall()
except redis.RedisError as error:
    sys.exit(f"error: {error}")
print("done")

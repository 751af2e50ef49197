"""postgres_raw.py HOW PORT SQL: speaks PostgreSQL's protocol over a socket, and splits what it writes as HOW says."""
import socket
import struct
import sys
import time

how, port, sql = sys.argv[1], int(sys.argv[2]), sys.argv[3]
s = socket.create_connection(("127.0.0.1", port))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def message(kind, body):
    return kind + struct.pack(">I", len(body) + 4) + body


def query(text):
    return message(b"Q", text.encode() + b"\0")


def extended(text):
    """All of it in one write."""
    return (message(b"P", b"\0" + text.encode() + b"\0\0\0") + message(b"B", b"\0\0" + b"\0\0" * 3) + message(b"E", b"\0" * 5) +
            message(b"S", b""))


def answers():
    """What the server says until it is ready for more."""
    kinds = b""
    while not kinds.endswith(b"Z"):
        head = b""
        while len(head) < 5:
            more = s.recv(5 - len(head))
            if not more:
                sys.exit("error: the connection ended")
            head += more
        left = struct.unpack(">I", head[1:])[0] - 4
        while left:
            left -= len(s.recv(left))
        kinds += head[:1]
    return kinds


def write(data, pieces):
    for at in range(0, len(data), size := -(-len(data) // pieces)):
        s.sendall(data[at:at + size])
        time.sleep(0.002)


startup = struct.pack(">I", 196608) + b"user\0postgres\0\0"
s.sendall(struct.pack(">I", len(startup) + 4) + startup)
answers()
s.sendall(query("select 'drop table users'"))
assert b"C" in answers()
try:
    if how == "bytes":
        write(query(sql), len(sql) + 6)
    elif how == "halves":
        write(query(sql), 2)
    elif how == "extended":
        s.sendall(extended("select 1") + extended(sql))
        answers()
    elif how == "many":
        s.sendall(query("select 1") * 5 + query(sql))
        for _ in range(5):
            answers()
    else:
        s.sendall(query(sql))
    assert b"E" not in answers()
    print("done")
except PermissionError:
    print("error: refused")
if how == "whole":  # nothing of it left: the next one is understood
    s.sendall(query("select 1"))
    assert answers() == b"TDCZ"
    print("goes on")

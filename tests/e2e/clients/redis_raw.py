"""redis_raw.py PORT PART...: writes the parts over one connection, reads one line for each command, and goes on."""
import socket
import sys
import time

s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
try:
    for part in sys.argv[2:]:
        s.sendall(part.encode().decode("unicode_escape").encode())
        time.sleep(0.01)
    print("done", s.recv(999))
except PermissionError:
    print("error: refused")
    s.sendall(b"X\r\nGET key\r\n")  # what left of a command becomes one with another name
    time.sleep(0.1)
    print("goes on", s.recv(999))

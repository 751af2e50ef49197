#!/usr/bin/python3
"""server.py: the other side of the connections, in a network namespace of its own.

Brings the loopback interface up with all ADDRESSES, and listens there on all PORTS, TCP and UDP. Whoever sends a
line is answered with the line "reply". On standard input it is asked, one line each, for what came ("got", answered
with one line of JSON: [protocol, address, port, bytes]) or to forget it ("clear"); it ends with its input. PATH is a Unix socket that
gives each who connects to it a new TCP socket of this namespace."""
import array
import json
import os
import resource
import selectors
import socket
import subprocess
import sys

ADDRESSES = ["127.0.0.1", "::1", "10.20.0.5", "10.21.0.5", "169.254.169.254", "fd00::5", "2001:db8::5"]
PORTS = list(range(7001, 7010))


class Server:
    """Counts and answers."""

    def __init__(self, path):
        self.got, self.selector = [], selectors.DefaultSelector()
        for address in ADDRESSES:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            for port in PORTS:
                self.listen(family, address, port)
        self.path = self.bound(socket.AF_UNIX, socket.SOCK_STREAM, path)
        self.path.listen(64)
        os.chmod(path, 0o777)
        self.watch(self.path, lambda: self.give_socket())

    @staticmethod
    def bound(family, kind, address):
        s = socket.socket(family, kind)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.bind(address)
        return s

    def watch(self, s, do):
        self.selector.register(s, selectors.EVENT_READ, do)

    def listen(self, family, address, port):
        tcp = self.bound(family, socket.SOCK_STREAM, (address, port))
        tcp.setsockopt(socket.IPPROTO_TCP, 23, 16)  # TCP_FASTOPEN
        tcp.listen(512)
        self.watch(tcp, lambda: self.accept(tcp, address, port))
        udp = self.bound(family, socket.SOCK_DGRAM, (address, port))
        self.watch(udp, lambda: self.datagram(udp, address, port))

    def accept(self, listener, address, port):
        s, _ = listener.accept()
        record = ["tcp", address, port, 0]
        self.got.append(record)
        self.watch(s, lambda: self.receive(s, record))

    def receive(self, s, record):
        try:
            data = s.recv(65536)
            record[3] += len(data)
            if data.endswith(b"\n"):
                s.sendall(b"reply\n")
        except OSError:
            data = b""
        if not data or data.endswith(b"\n"):
            self.selector.unregister(s)
            s.close()

    def datagram(self, s, address, port):
        data, peer = s.recvfrom(65536)
        self.got.append(["udp", address, port, len(data)])
        s.sendto(b"reply\n", peer)

    def give_socket(self):
        to, _ = self.path.accept()
        with to, socket.socket() as s:
            to.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))])

    def asked(self, line):
        print(json.dumps(self.got), flush=True)
        if line == b"clear":
            self.got.clear()

    def serve(self):
        """Until its input ends. A line of it comes whole: it is short, and in a pipe."""
        more = [True]

        def read():
            more[0] = os.read(0, 4096)
            for line in more[0].splitlines():
                self.asked(line)

        self.watch(sys.stdin.fileno(), read)
        while more[0]:
            for key, _ in self.selector.select():
                key.data()


def bring_up():
    """A namespace in which something is up already is not ours."""
    if subprocess.run(["ip", "-o", "link", "show", "up"], check=True, capture_output=True).stdout:
        sys.exit("server: this is not a network namespace of its own")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in ADDRESSES:
        if address not in ("127.0.0.1", "::1"):
            nodad = ["nodad"] if ":" in address else []
            subprocess.run(["ip", "address", "add", address, "dev", "lo", *nodad], check=True)
    with open("/proc/sys/net/ipv4/tcp_fastopen", "w", encoding="utf-8") as f:
        f.write("3")


def main(path):
    bring_up()
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    server = Server(path)
    print("ready", flush=True)
    server.serve()


if __name__ == "__main__":
    main(sys.argv[1])

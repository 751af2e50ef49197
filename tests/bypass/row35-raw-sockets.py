"""Packets made by hand, which root may send."""
import time

from bypass import DENY, HOST, Open, case, python

RAW = """import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
s.sendto(struct.pack("!HHHH", 4000, int(args[1]), 14, 0) + b"hello\\n", (args[0], 0))"""


@case("a UDP datagram by a raw socket", limit="TCP, MPTCP and UDP are seen; raw sockets and other protocols are not")
def _(lab):
    lab.net.clear()
    lab.run(python(RAW, HOST, DENY), net=lab.net).finish()
    time.sleep(0.1)
    if lab.net.got(DENY):
        raise Open("it arrived")

"""However a connection is made, and however its address is written."""
from bypass import each, not_connected, not_sent

WAYS = ["tcp", "scm", "fastopen", "udp-sendmmsg", "leaderless", "nonblock", "mptcp", "fastopen-connect", "udp", "udp-sendto",
        "udp-sendmsg", "udp-redirected", "vfork", "thread"]


@each(WAYS, "by")
def _(lab, way):
    not_connected(lab, way)


@each(["::ffff:10.20.0.5", "0.0.0.0", "::", "fd00::5"], "to")
def _(lab, host):
    not_connected(lab, "tcp", host=host)


@each(["send", "mptcp", "fastopen", "zerocopy", "urgent", "writev", "sendmmsg", "udp", "udp-sendmmsg", "sendfile", "splice", "vmsplice"], "sent by")
def _(lab, way):
    not_sent(lab, way)

"""Bytes in argv that would lie to the approver, or to who reads a log."""
from bypass import case, python

BAD = [b"\x1b[2K\x1b]0;safe\x07", b"one\ntwo: approved", b"\xff\xfe\xc3", "\u202esafe\u2066".encode(), b"\x9b31m", b"\r\b\x7f"]
RUN = "os.execv(args[0], [os.fsencode(a) for a in args[:2]] + [bytes.fromhex(a) for a in args[2:]])"


def is_plain(text):
    return not any(ord(c) < 32 and c != "\n" or 127 <= ord(c) < 160 or c in "\u202e\u2066\udcff" for c in text)


@case("in `pending`, on the agent's own stderr, in `log`")
def _(lab):
    agent = lab.run(python(RUN, *lab.words()[:2], *[word.hex() for word in BAD]))
    hold = lab.guard.wait_for_holds()[0]
    agent.wait_for("backstop approve")
    pending = lab.guard.cli("pending").stdout
    assert is_plain(pending) and len(pending.splitlines()) == 2, pending
    lab.guard.deny(hold)
    agent.finish()
    assert is_plain(agent.err) and all(line.startswith("backstop: ") for line in agent.err.splitlines()), agent.err
    log = lab.guard.cli_alone("log", "--dir", f"{lab.guard.state}/journal").stdout
    assert is_plain(log) and "terraform" in log, log[-500:]
    bad = [line for line in lab.guard.lines() if not is_plain(line)]
    assert not bad, ascii(bad[0])

"""io_uring: what it asks for is refused at once, with an error that is one."""
from bypass import around, case, each, kept, not_connected, not_sent

WAYS = ["uring", "uring-linked", "uring-sendmsg"]


@each(WAYS, "connect")
def _(lab, way):
    not_connected(lab, way)


@each(["uring-send", "uring-sendmsg", "uring-write", "uring-async"], "sent by")
def _(lab, way):
    not_sent(lab, way)


@case("unlinkat", limit={"trace": "no system call is made that could be seen"})
def _(lab):
    path = lab.area.file()
    agent = kept(lab, around(lab, "uring-unlink", path), path)
    assert agent.out in ("EPERM\n", "ENOSYS\n"), agent.all


@case("renameat over a file", limit={"trace": "no system call is made that could be seen"})
def _(lab):
    path, other = lab.area.file(), lab.area.file("other", "other")
    agent = kept(lab, around(lab, "uring-rename", other, path), path)
    assert agent.out in ("EPERM\n", "ENOSYS\n"), agent.all

"""Threads of the kernel that work for an io_uring have the label of who made it."""
from bypass import each, not_connected


@each(["uring-async", "uring-sqpoll"], "connect")
def _(lab, way):
    not_connected(lab, way)

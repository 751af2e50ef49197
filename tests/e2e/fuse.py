"""A file system in user space (FUSE) with nothing in it, that never answers when it is asked for certain names."""
import contextlib
import ctypes
import errno
import os
import struct
import subprocess
import sys

import pytest

LOOKUP, FORGET, GETATTR, INIT, OPENDIR, INTERRUPT = 1, 2, 3, 26, 27, 36
MNT_DETACH = 2
LIBC = ctypes.CDLL(None, use_errno=True)


def attributes():
    """Of the root: a directory that everybody may use."""
    return struct.pack("<6Q10I", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o040777, 2, 0, 0, 0, 4096, 0)


def answer(opcode, name, silent):
    """Bytes, a negative errno, or None for no answer."""
    if opcode == INIT:
        return struct.pack("<4I2H2I9I", 7, 31, 65536, 0, 12, 8, 65536, 1, *[0] * 9)
    if opcode == GETATTR:
        return struct.pack("<Q2I", 0, 0, 0) + attributes()
    if opcode == OPENDIR:
        return struct.pack("<Q2I", 1, 0, 0)
    if opcode == LOOKUP:
        print(name, flush=True)
        return None if name in silent else -errno.ENOENT
    return None if opcode in (FORGET, INTERRUPT) else -errno.ENOSYS


def serve(directory, silent):
    """Mounts it, says so, and then each name that is looked up."""
    fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other"
    if LIBC.mount(b"silent", directory.encode(), b"fuse", 0, options.encode()):
        raise OSError(ctypes.get_errno(), "mounting FUSE")
    print("ready", flush=True)
    while True:
        request = os.read(fd, 1 << 20)
        opcode, unique = struct.unpack_from("<IQ", request, 4)
        said = answer(opcode, request[40:].split(b"\0")[0].decode(errors="replace"), silent)
        if said is not None:
            error, said = (said, b"") if isinstance(said, int) else (0, said)
            os.write(fd, struct.pack("<IiQ", 16 + len(said), error, unique) + said)


@contextlib.contextmanager
def mounted(directory, *silent):
    """The server, on whose stdout are the names that it was asked for. At its end what waits for an answer fails."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("this kernel has no FUSE")
    server = subprocess.Popen([sys.executable, "-B", __file__, directory, *silent], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "ready\n", "FUSE is mounted"
        yield server
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
        LIBC.umount2(directory.encode(), MNT_DETACH)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2:])

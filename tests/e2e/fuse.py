"""A file system in user space (FUSE) that never answers when it is asked for certain names ("directory": when its root is opened;
"attributes": for those of its file). It may have one file, and fall silent when that is written, or opened or read once more."""
import contextlib
import ctypes
import errno
import os
import struct
import subprocess
import sys

import pytest

LOOKUP, FORGET, GETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FLUSH, INIT, OPENDIR, INTERRUPT = 1, 2, 3, 14, 15, 16, 17, 18, 25, 26, 27, 36
ROOT, FILE = 1, 2  # their numbers
PAGE = 4096
MNT_DETACH = 2
LIBC = ctypes.CDLL(None, use_errno=True)


class Served:
    """A file that is opened so many times, and read up to an offset (None: without a limit)."""

    def __init__(self, path="", opens="", size=""):
        self.name = os.path.basename(path)
        self.opens = int(opens) if opens else None
        self.size = int(size) if size else None
        self.data = b""
        if path:
            with open(path, "rb") as f:
                self.data = f.read()

    def attributes(self, node):
        """Of the root, a directory that everybody may use, or of the file; for no time."""
        size, mode = (0, 0o040777) if node == ROOT else (len(self.data), 0o100755)
        return struct.pack("<6Q10I", node, size, (size + 511) // 512, 0, 0, 0, 0, 0, 0, mode, 2, 0, 0, 0, PAGE, 0)

    def open(self):
        print("open", flush=True)
        if self.opens is not None:
            self.opens -= 1
            if self.opens < 0:
                return None
        return struct.pack("<Q2I", 1, 0, 0)

    def read(self, request):
        offset, size = struct.unpack_from("<8xQI", request, 40)
        if self.size is not None and offset >= self.size:
            print("read", flush=True)
            return None
        return self.data[offset:offset + size]


def answer(opcode, node, request, silent, file):
    """Bytes, a negative errno, or None for no answer."""
    if opcode == INIT:
        ahead = 1 << 20 if file.size is None else 0  # bytes that the kernel reads though nobody asked
        return struct.pack("<4I2H2I9I", 7, 31, ahead, 0, 12, 8, 65536, 1, *[0] * 9)
    if opcode == GETATTR and node == FILE and "attributes" in silent:
        print("attributes", flush=True)
        return None
    if opcode == GETATTR:
        return struct.pack("<Q2I", 0, 0, 0) + file.attributes(node)
    if opcode == OPENDIR:
        print("directory", flush=True)
        if "directory" in silent:
            return None
        return struct.pack("<Q2I", 1, 0, 0)
    if opcode == OPEN:
        return file.open()
    if opcode == READ:
        return file.read(request)
    if opcode == STATFS:
        return struct.pack("<5Q10I", 0, 0, 0, 0, 0, PAGE, 255, PAGE, *[0] * 7)
    if opcode in (RELEASE, FLUSH):
        return b""
    if opcode == LOOKUP:
        name = request[40:].split(b"\0")[0].decode(errors="replace")
        print(name, flush=True)
        if file.name and name == file.name:
            return struct.pack("<4Q2I", FILE, 0, 0, 0, 0, 0) + file.attributes(FILE)
        return None if name in silent else -errno.ENOENT
    return None if opcode in (WRITE, FORGET, INTERRUPT) else -errno.ENOSYS


def serve(directory, file, silent):
    """Mounts it, says so, and then each name that is looked up, and what the file is asked for."""
    fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other"
    if LIBC.mount(b"silent", directory.encode(), b"fuse", 0, options.encode()):
        raise OSError(ctypes.get_errno(), "mounting FUSE")
    print("ready", flush=True)
    while True:
        request = os.read(fd, 1 << 20)
        opcode, unique, node = struct.unpack_from("<IQQ", request, 4)
        said = answer(opcode, node, request, silent, file)
        if said is not None:
            error, said = (said, b"") if isinstance(said, int) else (0, said)
            os.write(fd, struct.pack("<IiQ", 16 + len(said), error, unique) + said)


@contextlib.contextmanager
def mounted(directory, *silent, file="", opens="", size=""):
    """The server, on whose stdout are the names that it was asked for. At its end what waits for an answer fails. `file`: a
    copy of it is there, and may be opened so often, and read up to that size."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("this kernel has no FUSE")
    server = subprocess.Popen([sys.executable, "-B", __file__, directory, file, str(opens), str(size), *silent], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "ready\n", "FUSE is mounted"
        yield server
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
        LIBC.umount2(directory.encode(), MNT_DETACH)


if __name__ == "__main__":
    serve(sys.argv[1], Served(*sys.argv[2:5]), sys.argv[5:])

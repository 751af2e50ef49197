"""The content of a file is lost, and nothing of it was deleted."""
from bypass import each, kept

WRITES = "a write over content is none of a deletion's system calls: only a truncation is seen"
BY = {"dd conv=notrunc": "import subprocess\nsubprocess.run(['dd', 'if=/dev/zero', f'of={f}', 'bs=16000', 'count=1', 'conv=notrunc'])",
      "pwrite": "os.pwrite(os.open(f, os.O_WRONLY), b'x' * 16000, 0)",
      "mmap": "import mmap\nm = mmap.mmap(os.open(f, os.O_RDWR), 16000)\nm[:] = b'x' * 16000",
      "copy_file_range": "z = os.memfd_create('z')\nos.write(z, b'x' * 16000)\nos.lseek(z, 0, 0)\nt = os.open('z', os.O_RDWR | os.O_CREAT)\n"
                         "os.write(t, b'x' * 16000)\nos.copy_file_range(t, os.open(f, os.O_WRONLY), 16000, 0, 0)"}


@each(BY, "by", limit=WRITES)
def _(lab, way):
    path = lab.area.file()
    kept(lab, ["/usr/bin/python3", "-c", f"import os, sys\nf = sys.argv[1]\n{BY[way]}", path], path, told=False)

"""System calls of 32-bit programs."""
import os
import subprocess

from bypass import HOST, PLAIN, Skip, case, each, held, not_connected, run_plain

MARK = """.globl _start
_start:	mov $8, %eax
	mov $name, %ebx
	mov $0644, %ecx
	int $0x80
	mov $1, %eax
	mov $5, %ebx
	int $0x80
name:	.asciz "e2e-marker"
"""


@each(["ia32", "ia32-socketcall", "ia32-sendto", "ia32-sendmmsg"], "connect")
def _(lab, way):
    not_connected(lab, way)


@case("x32, connect")
def _(lab):
    probe = run_plain(*lab.net.inside, f"{lab.build}/victims/connect", "x32", HOST, PLAIN)
    if "ENOSYS" in probe.stdout:
        raise Skip("this kernel has no x32 system calls")
    not_connected(lab, "x32")


@case("a 32-bit program")
def _(lab):
    source, target = lab.script("mark.S", MARK), os.path.join(lab.bin, "terraform")
    subprocess.run(["as", "--32", "-o", f"{source}.o", source], check=True)
    subprocess.run(["ld", "-m", "elf_i386", "-o", target, f"{source}.o"], check=True)
    try:
        if subprocess.run([target], cwd=lab.bin, check=False).returncode != 5:
            raise Skip("this kernel runs no 32-bit programs")
    except OSError:
        raise Skip("this kernel runs no 32-bit programs") from None
    held(lab, lab.words())

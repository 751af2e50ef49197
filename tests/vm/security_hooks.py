"""A kernel that has security hooks, and shall have none, for the tier trace."""
import os
import subprocess

FTRACE = "/proc/sys/kernel/ftrace_enabled"
PIN = "/sys/fs/bpf/refuse"


def are_off():
    with open(FTRACE, encoding="ascii") as f:
        return f.read().strip() == "0"


def switch_on():
    if are_off():
        with open(FTRACE, "w", encoding="ascii") as f:
            f.write("1")
    else:
        os.unlink(PIN)


def switch_off(build):
    """Without trampolines what is attached to a hook is refused, or has no effect. That is done before anything is attached:
    no code of the kernel is changed back for it. Kernels from 7.3 on cannot do without trampolines: there programs on hooks
    are refused by another program, as whoever runs a machine may do it."""
    try:
        with open(FTRACE, "w", encoding="ascii") as f:
            f.write("0")
    except OSError:
        subprocess.run([f"{build}/tests/vm/refuse", PIN], check=True)

"""Security hooks of a kernel: they are taken away for the tier trace, and programs on them may be passed over."""
import os
import re
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


def preempts():
    """Does this kernel take the processor from a task that is in the kernel?"""
    where = "/sys/kernel/debug"
    if not os.path.exists(f"{where}/sched"):
        subprocess.run(["mount", "-t", "debugfs", "debug", where], check=True)
    try:
        with open(f"{where}/sched/preempt", encoding="ascii") as f:
            return re.search(r"\((full|lazy)\)", f.read()) is not None
    except FileNotFoundError:
        return False

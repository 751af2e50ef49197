"""A kernel that has security hooks, and shall have none, for the tier trace."""
import subprocess

FTRACE = "/proc/sys/kernel/ftrace_enabled"


def are_off():
    with open(FTRACE, encoding="ascii") as f:
        return f.read().strip() == "0"


def switch_off(build):
    """Without trampolines what is attached to a hook is refused, or has no effect. That is done before anything is attached:
    no code of the kernel is changed back for it. Kernels from 7.3 on cannot do without trampolines: there programs on hooks
    are refused by another program, as whoever runs a machine may do it."""
    try:
        with open(FTRACE, "w", encoding="ascii") as f:
            f.write("0")
    except OSError:
        subprocess.run([f"{build}/tests/vm/refuse", "/sys/fs/bpf/refuse"], check=True)

"""confined.py UNIT [--as UID:GID] READ_WRITE… -- COMMAND…: runs COMMAND as root, or as that one, with the capabilities,
the view of the file system, the network and the system calls that systemd would give it by that unit; directories of the
test are its StateDirectory and RuntimeDirectory. For machines whose first process is not systemd."""
import ctypes
import os
import subprocess
import sys

CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWUTS = 0x20000, 0x40000000, 0x4000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 1, 32, 4096, 16384, 1 << 19
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 24, 38, 65
# of linux/capability.h, in order
CAPABILITIES = """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE""".split()

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    if getattr(libc, name)(*args) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}{args}: {os.strerror(error)}")


def read_unit(path):
    """{name: [values]} of the lines; the same name may come several times."""
    found = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            name, equals, value = line.strip().partition("=")
            if equals and not name.startswith("#"):
                found.setdefault(name, []).append(value)
    return found


def mount(source, target, flags):
    call("mount", source.encode(), target.encode(), None, ctypes.c_ulong(flags), None)


def mount_points():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return [line.split()[4].encode().decode("unicode_escape") for line in f]


def is_below(path, tops):
    return any(path == top or path.startswith(top.rstrip("/") + "/") for top in tops)


def make_read_only(tops, but):
    """What is mounted at or below `tops`, but not at or below `but`, as ProtectSystem= and ReadOnlyPaths= do."""
    for top in set(tops) - set(mount_points()):
        mount(top, top, MS_BIND | MS_REC)
    for path in dict.fromkeys(mount_points()):
        if is_below(path, tops) and not is_below(path, but):
            with open("/proc/self/mountinfo", encoding="utf-8") as f:
                options = [line.split()[5] for line in f if line.split()[4] == path][-1].split(",")
            keep = sum(flag for name, flag in (("nosuid", 2), ("nodev", 4), ("noexec", 8)) if name in options)
            mount("none", path, MS_REMOUNT | MS_BIND | MS_RDONLY | keep)


def confine_files(unit, read_write):
    call("unshare", CLONE_NEWNS | CLONE_NEWUTS | (CLONE_NEWNET if unit.get("PrivateNetwork") == ["yes"] else 0))
    mount("none", "/", MS_REC | MS_SLAVE)
    for path in read_write:
        mount(path, path, MS_BIND)
    assert unit["ProtectSystem"] == ["strict"]
    make_read_only(["/"], ["/dev", "/proc", "/sys", *read_write])
    paths, allowed = ([p.lstrip("-") for p in unit.get(name, [""])[0].split()] for name in ("ReadOnlyPaths", "ReadWritePaths"))
    make_read_only([p for p in paths if os.path.exists(p)], [*allowed, *read_write])


def calls_of(words):
    """Names of system calls, of groups and of what is named itself."""
    groups = [w for w in words if w.startswith("@")]
    names = {w for w in words if not w.startswith("@")}
    while groups:
        done = subprocess.run(["systemd-analyze", "syscall-filter", groups.pop()], capture_output=True, text=True)
        for line in done.stdout.splitlines()[1:]:
            word = line.strip()
            if word.startswith("@"):
                groups.append(word)
            elif word and not word.startswith("#"):
                names.add(word)
    return names


def confine_calls(unit):
    """False where what it takes is not here."""
    try:
        import seccomp
    except ImportError:
        return False
    names = set()
    for line in unit["SystemCallFilter"]:
        if line.startswith("~"):
            names -= calls_of(line[1:].split())
        else:
            names |= calls_of(line.split())
    if len(names) < 50:  # no systemd-analyze
        return False
    rules = seccomp.SyscallFilter(seccomp.ERRNO(1))
    for name in names:
        try:
            rules.add_rule(seccomp.ALLOW, name)
        except RuntimeError:  # none of this architecture
            pass
    rules.load()
    return True


def confine_rights(unit):
    kept = {word.removeprefix("CAP_") for word in unit["CapabilityBoundingSet"][0].split()}
    assert kept <= set(CAPABILITIES), kept - set(CAPABILITIES)
    for number, name in enumerate(CAPABILITIES):
        if name not in kept:
            call("prctl", PR_CAPBSET_DROP, number, 0, 0, 0)
    if unit["MemoryDenyWriteExecute"] == ["yes"]:
        libc.prctl(PR_SET_MDWE, 1, 0, 0, 0)  # from Linux 6.3 on
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def become(user):
    uid, gid = map(int, user.split(":"))
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def main():
    split = sys.argv.index("--")
    unit = read_unit(sys.argv[1])
    user = sys.argv[3] if sys.argv[2] == "--as" else None
    confine_files(unit, sys.argv[4 if user else 2:split])
    confine_rights(unit)
    if user:
        become(user)
    if not confine_calls(unit):
        print("confined.py: system calls are not confined: systemd-analyze or python3-seccomp is missing", file=sys.stderr)
    os.execv(sys.argv[split + 1], sys.argv[split + 1:])


if __name__ == "__main__":
    main()

"""Ways in which an agent's tools come to run a program.

Each way says how the command line is made of the victim's words, what becomes of the victim's exit
status, and what else is special about it."""
import shlex

from lab import TESTER, quote

PYTHON = "/usr/bin/python3"
WAYS = {}


def same(status):
    return status


def way(name, status=same, **special):
    """Declares a way. Special: late: what the victim writes is seen only when it has ended."""
    def declare(make):
        WAYS[name] = {"make": make, "status": status, **special}
        return make
    return declare


def fixed(number):
    return lambda status: number


def if_not_zero(number):
    return lambda status: number if status else 0


# --- shells

@way("direct")
def _(lab, words):
    return words


for shell in ("bash", "dash"):
    WAYS[f"{shell} -c"] = {"make": lambda lab, words, shell=shell: [shell, "-c", quote(words)], "status": same}
    WAYS[f"{shell} -c, more to do"] = {
        "make": lambda lab, words, shell=shell: [shell, "-c", f"{quote(words)}; exit $?"], "status": same}


@way("command substitution")
def _(lab, words):
    return ["bash", "-c", f"x=$({quote(words)}); rc=$?; echo \"$x\"; exit $rc"]


@way("background and wait")
def _(lab, words):
    return ["bash", "-c", f"{quote(words)} & wait $!"]


@way("pipeline")
def _(lab, words):
    return ["bash", "-c", f"true | {quote(words)} | cat; exit ${{PIPESTATUS[1]}}"]


@way("sub-shell and variable")
def _(lab, words):
    return ["bash", "-c", f"(FOO=1 {quote(words)}); exit $?"]


@way("eval")
def _(lab, words):
    return ["bash", "-c", f"x={shlex.quote(quote(words))}; eval \"$x\""]


@way("trap")
def _(lab, words):
    return ["bash", "-c", f"trap {shlex.quote(quote(words) + '; exit $?')} EXIT; true"]


@way("#! script")
def _(lab, words):
    return [lab.script("deploy", f"#!/bin/sh\n{quote(words)}\n")]


@way("bash script")
def _(lab, words):
    return ["bash", lab.script("deploy.sh", f"{quote(words)}\n")]


@way("stdin script")
def _(lab, words):
    return ["sh", "-c", f"bash < {lab.script('stdin.sh', quote(words))}"]


@way("here document")
def _(lab, words):
    return ["bash", "-c", f"bash <<'END'\n{quote(words)}\nEND\n"]


@way("set -m")
def _(lab, words):
    return ["bash", "-mc", f"{quote(words)}; exit $?"]


# --- languages

def python(code):
    return lambda lab, words: [PYTHON, "-c", "import asyncio, os, pty, subprocess, sys\nargs = sys.argv[1:]\n" + code,
                               *words]


PYTHONS = {
    "subprocess.run": "sys.exit(subprocess.run(args).returncode)",
    "subprocess.Popen, pipes": "p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)\n"
                               "o, e = p.communicate()\nsys.stderr.buffer.write(e)\nsys.exit(p.returncode)",
    "subprocess, start_new_session": "sys.exit(subprocess.run(args, start_new_session=True).returncode)",
    "subprocess, shell": "import shlex\nsys.exit(subprocess.run(shlex.join(args), shell=True).returncode)",
    "posix_spawn": "pid = os.posix_spawn(args[0], args, os.environ)\n"
                   "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))",
    "fork": "pid = os.fork()\nif not pid: os.execv(args[0], args)\n"
            "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))",
    "os.system": "import shlex\nsys.exit(os.waitstatus_to_exitcode(os.system(shlex.join(args))))",
    "exec": "os.execv(args[0], args)",
    "asyncio": "async def main():\n p = await asyncio.create_subprocess_exec(*args)\n return await p.wait()\n"
               "sys.exit(asyncio.run(main()))",
    "pty.spawn": "sys.exit(os.waitstatus_to_exitcode(pty.spawn(args)))",
}
for name, code in PYTHONS.items():
    WAYS[f"python {name}"] = {"make": python(code), "status": same, "late": "pipes" in name}


@way("perl system")
def _(lab, words):
    return ["perl", "-e", "system { $ARGV[0] } @ARGV; exit $? >> 8", *words]


@way("perl exec")
def _(lab, words):
    return ["perl", "-e", "exec { $ARGV[0] } @ARGV", *words]


NODE = "const cp = require('child_process'), a = process.argv.slice(1);\n"


@way("node spawn")
def _(lab, words):
    return ["node", "-e", NODE + "const p = cp.spawn(a[0], a.slice(1));\n"
            "p.stderr.on('data', d => process.stderr.write(d));\np.on('close', c => process.exitCode = c)", *words]


@way("node exec", late=True)
def _(lab, words):
    return ["node", "-e", NODE + "cp.exec(a[0], (e, o, s) => { process.stderr.write(s);"
            " process.exitCode = e ? e.code : 0 })", quote(words)]


@way("node spawnSync")
def _(lab, words):
    return ["node", "-e", NODE + "process.exitCode = cp.spawnSync(a[0], a.slice(1), {stdio: 'inherit'}).status", *words]


# --- tools

@way("make", if_not_zero(2))
def _(lab, words):
    lab.script("Makefile", f"deploy:\n\t@{quote(words)}\n")
    return ["make", "-s", "deploy"]


@way("git alias")
def _(lab, words):
    return ["git", "-c", f"alias.ship=!{quote(words)}", "ship"]


@way("git hook", if_not_zero(1))
def _(lab, words):
    hook = lab.script("pre-commit", f"#!/bin/sh\n{quote(words)}\n")
    return ["sh", "-c", f"git init -q repo && cp {hook} repo/.git/hooks/ && cd repo && git commit -q --allow-empty -m x"]


@way("xargs", if_not_zero(123))
def _(lab, words):
    return ["sh", "-c", f"printf '%s\\n' {quote(words[1:])} | xargs {words[0]}"]


@way("find -exec", fixed(0))
def _(lab, words):
    return ["find", lab.bin, "-maxdepth", "0", "-exec", *words, ";"]


@way("find -exec +", if_not_zero(1))
def _(lab, words):
    return ["find", lab.bin, "-maxdepth", "0", "-exec", *words, "{}", "+"]


for name, prefix in {
        "env": ["env", "-i", "FOO=1"], "env -S": ["env", "-S"], "nohup": ["nohup"], "timeout": ["timeout", "30"],
        "timeout --foreground": ["timeout", "--foreground", "30"], "nice": ["nice"], "setsid": ["setsid", "-w"],
        "sudo": ["sudo", "-n"], "sudo -u": ["sudo", "-n", "-u", TESTER], "runuser": ["runuser", "-u", TESTER, "--"],
        "setpriv": ["setpriv", "--no-new-privs"], "flock": ["flock", "/dev/null"], "stdbuf": ["stdbuf", "-o0"],
        "unshare, PID 1": ["unshare", "--pid", "--fork"], "unshare, mounts": ["unshare", "--mount"], "unshare, user": ["unshare", "--user", "--map-root-user"],
        "chroot": ["chroot", "/"], "busybox env": ["busybox", "env"],
        "ld.so": ["/lib64/ld-linux-x86-64.so.2"]}.items():
    WAYS[name] = {"make": lambda lab, words, prefix=prefix: [*prefix, *words], "status": same}


@way("su")
def _(lab, words):
    return ["su", "-s", "/bin/bash", TESTER, "-c", quote(words)]


@way("su, root")
def _(lab, words):
    return ["su", "root", "-s", "/bin/sh", "-c", f"{quote(words)}; exit $?"]


@way("script(1)")
def _(lab, words):
    return ["script", "-qec", quote(words), "/dev/null"]


@way("busybox sh")
def _(lab, words):
    return ["busybox", "sh", "-c", f"{quote(words)}; exit $?"]


def in_tmux(lab, command):
    """Runs it in a terminal of tmux, up to the word `rc` that it leaves."""
    tmux = f"tmux -S {lab.work}/tmux.sock -f /dev/null"
    return ["bash", "-c", f"{tmux} new-session -d -x 200 -y 50 {shlex.quote(command)} || exit; "
            f"until [ -s {lab.work}/rc ]; do sleep 0.02; done; {tmux} capture-pane -p; {tmux} kill-server; "
            f"exit $(cat {lab.work}/rc)"]


@way("tmux")
def _(lab, words):
    return in_tmux(lab, f"{quote(words)}; echo $? > {lab.work}/rc; sleep 60")


@way("tmux, a script", late=True)
def _(lab, words):
    with open(f"{lab.work}/in-tmux", "w", encoding="utf-8") as f:
        f.write(f"{quote(words)}\necho $? > {lab.work}/rc\nsleep 60\n")
    return in_tmux(lab, f"sh {lab.work}/in-tmux")


# --- system calls

for name in ("fork", "vfork", "spawn", "thread", "clone3", "clone-parent", "execveat", "deleted", "memfd",
             "proc-self-root", "watch-stops"):
    WAYS[name] = {"make": lambda lab, words, name=name: [lab.launch, name, *words], "status": same}
for name in ("double-fork", "orphan"):
    WAYS[name] = {"make": lambda lab, words, name=name: [lab.launch, name, *words], "status": fixed(0)}


# --- other names

@way("symbolic link")
def _(lab, words):
    return ["sh", "-c", f"ln -s {words[0]} innocent && ./innocent {quote(words[1:])}"]


@way("hard link and argv[0]")
def _(lab, words):
    return ["bash", "-c", f"ln {words[0]} innocent && exec -a terraform ./innocent {quote(words[1:])}"]


@way("copy and argv[0]")
def _(lab, words):
    return ["bash", "-c", f"cp {words[0]} innocent && exec -a /opt/terraform ./innocent {quote(words[1:])}"]


@way("argv[0] is another")
def _(lab, words):
    return [lab.launch, "as", "innocent", *words]


@way("empty argv[0]")
def _(lab, words):
    return [lab.launch, "as", "", *words]


@way("relative path")
def _(lab, words):
    return ["sh", "-c", f"cd {lab.bin} && ./terraform {quote(words[1:])}"]


@way("found in PATH")
def _(lab, words):
    return ["terraform", *words[1:]]


for name, size in {"8 KiB": 8 << 10, "127 KiB": 127 << 10, "2 MiB": 2 << 20}.items():
    WAYS[f"{name} before the word"] = {
        "make": lambda lab, words, size=size: [lab.launch, "pad", str(size), *words], "status": same}

"""argv that cannot be read, or a machine without memory: what cannot be told is a candidate."""
import os

from bypass import Cgroup, case, expect_not_run, quote

HOG = "python3 -c 'x = bytearray(1 << 30)' & "


@case("in a cgroup whose memory is used up again and again")
def _(lab):
    group = Cgroup(lab, "memory")
    group.write("memory.max" if group.v2 else "memory.limit_in_bytes", str(40 << 20))
    words = quote(lab.words("victim-deny"))
    script = (f"echo $$ >{group.dir}/cgroup.procs; for i in 1 2 3 4 5; do {HOG} for j in 1 2 3 4 5; do "
              f"{lab.launch} pad 100000 {words}; done; wait; done 2>&1; {words}; echo $?")
    agent = lab.run(["bash", "-c", script])
    agent.finish(180)
    expect_not_run(lab)
    assert os.path.exists(group.dir) and agent.out.endswith("126\n") or agent.process.returncode == -9, agent.all[-2000:]

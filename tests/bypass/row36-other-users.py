"""Another user of the machine, who has no session."""
from bypass import Open, case, expect_not_run, run_plain

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@case("reads the journal")
def _(lab):
    done = run_plain(*NOBODY, "bash", "-c", f"cat {lab.guard.state}/journal/*")
    if done.returncode == 0 or done.stdout:
        raise Open(done.stdout[:200])


@case("shakes or ends what is held, asks the guard about it, answers it")
def _(lab):
    agent = lab.run(lab.words())
    hold = lab.guard.wait_for_holds()[0]
    for words in (f"kill -CONT {hold['pid']}", f"kill -9 {hold['pid']}", f"cat /proc/{hold['pid']}/mem",
                  f"{lab.backstop} approve --socket {lab.guard.socket} {hold['id']}",
                  f"{lab.backstop} pending --socket {lab.guard.socket}"):
        done = run_plain(*NOBODY, "bash", "-c", words)
        if done.returncode == 0:
            raise Open(words)
    expect_not_run(lab)
    assert [h["id"] for h in lab.guard.holds()] == [hold["id"]]
    lab.guard.deny(hold)
    agent.finish()
    expect_not_run(lab)

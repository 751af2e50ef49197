"""A parent that answers for its child by seccomp, and changes what it asked for meanwhile."""
from bypass import DENY, HOST, PLAIN, Open, around, case


@case("a connection goes on with another port")
def _(lab):
    lab.net.clear()
    agent = lab.run(around(lab, "seccomp-notify", HOST, PLAIN, DENY), net=lab.net)
    agent.finish()
    if lab.net.got(DENY):
        raise Open("it arrived")
    assert agent.out == "EPERM\n", agent.all

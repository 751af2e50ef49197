"""Mounts over the program, or over the guard's files, in a namespace of the session's own."""
from bypass import case, deny_words, need_user_namespaces, refused, shell

PRIVATE = 'mount --make-rprivate /; '


@case("the program is bound over an innocent name")
def _(lab):
    refused(lab, ["unshare", "--mount", *shell(PRIVATE + 'touch innocent; mount --bind "$1" innocent; shift; exec -a x ./innocent "$@"',
                                               *deny_words(lab))], (126,))


@case("in a user namespace, a root directory of its own")
def _(lab):
    need_user_namespaces()
    refused(lab, ["unshare", "--user", "--map-root-user", "--mount", *shell(
        PRIVATE + 'mkdir r; mount --rbind / r; exec chroot r "$@"', *deny_words(lab))], (126,))


@case("the guard's socket, settings and state are covered, for the session alone")
def _(lab):
    agent = refused(lab, ["unshare", "--mount", *shell(
        PRIVATE + f'mount -t tmpfs none {lab.guard.directory}/packs || :; mount -t tmpfs none {lab.guard.state} || :; "$@"; exit $?',
        *lab.words("victim-deny"))], (126,))
    assert agent.process.returncode == 126 and lab.guard.answers()

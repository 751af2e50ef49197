"""A program that its user may run but not read: its files in /proc are root's."""
import os

from bypass import case, held, refused

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@case("held, told, denied")
def _(lab):
    os.chmod(f"{lab.bin}/terraform", 0o711)
    held(lab, [*NOBODY, *lab.words()])


@case("refused")
def _(lab):
    os.chmod(f"{lab.bin}/victim-deny", 0o711)
    refused(lab, [*NOBODY, *lab.words("victim-deny")], (126,))

"""A large environment, or none."""
from bypass import case, deny_words, python, refused

LARGE = """import resource
resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, resource.RLIM_INFINITY))
os.execve(args[0], args, {f"X{i}": "x" * 100000 for i in range(21)})"""


@case("2 MiB")
def _(lab):
    refused(lab, python(LARGE, *deny_words(lab)), (126,))


@case("none")
def _(lab):
    refused(lab, python("os.execve(args[0], args, {})", *deny_words(lab)), (126,))

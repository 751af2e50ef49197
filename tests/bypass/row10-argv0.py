"""A false argv[0], or none: the names of the file count as well."""
from bypass import case, deny_words, each, expect_not_run, held_way, python, refused

EXEC = """import ctypes
strings = lambda *words: (ctypes.c_char_p * (len(words) + 1))(*words, None)
ctypes.CDLL(None).execve(args[0].encode(), strings(), strings(*[a.encode() for a in args]))"""


@each(["argv[0] is another", "empty argv[0]"], "as")
def _(lab, way):
    held_way(lab, way)


@case("argc is 0, and the words are in the environment")
def _(lab):
    lab.run(python(EXEC, *deny_words(lab))).finish()
    expect_not_run(lab)


@case("PR_SET_NAME before the exec")
def _(lab):
    code = "import ctypes; ctypes.CDLL(None).prctl(15, b'innocent', 0, 0, 0)\nos.execv(args[0], args)"
    refused(lab, python(code, *deny_words(lab)), (126,))


@case("/proc/self/exe, by a name that says nothing")
def _(lab):
    code = "os.execv(args[0], ['innocent', '-c', 'import os, sys; os.execv(sys.argv[1], sys.argv[1:])', *args[1:]])"
    refused(lab, python(code, "/proc/self/exe", *deny_words(lab)), (126,))

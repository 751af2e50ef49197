"""Much of argv before the fatal word."""
from bypass import deny_words, each, refused


@each([8 << 10, 127 << 10, 2 << 20], "bytes")
def _(lab, size):
    refused(lab, [lab.launch, "pad", str(size), *deny_words(lab)])

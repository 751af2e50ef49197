/* With what a program encrypts, as its file tells where nothing in it can be probed. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/elffile.h"
#include "kernel/kernel.h"

#define CHUNK	 (256UL << 10)
#define MARK_MAX 32
#define FILE_MAX (512UL << 20) /* bytes that are read of it */

/* What each leaves in a program that has it, symbols or none: names of its sources and versions.
 * The first that is there counts: BoringSSL calls itself OpenSSL too. */
static const struct {
	const char *mark, *library;
} marks[] = {
	{ "/rustls-", "rustls" },
	{ "rustls::", "rustls" },
	{ "BoringSSL", "BoringSSL" },
	{ "/boringssl/", "BoringSSL" },
	{ "OpenSSL 1.", "OpenSSL without symbols" },
	{ "OpenSSL 3.", "OpenSSL without symbols" },
	{ "GnuTLS 3.", "GnuTLS without symbols" },
	{ "mbedtls_", "Mbed TLS" },
	{ "wolfSSL", "wolfSSL" },
};

/* Its linker puts this into every program, and leaves it there without symbols. */
static bool is_go(int fd)
{
	struct elffile f;
	bool is;

	if (!elffile_read(fd, &f))
		return false;
	is = elffile_named(&f, ".go.buildinfo");
	elffile_free(&f);
	return is;
}

/* Which mark before `best` is there; `best`: none. */
static size_t find_mark(const char *data, size_t len, size_t best)
{
	for (size_t i = 0; i < best; i++)
		if (memmem(data, len, marks[i].mark, strlen(marks[i].mark)))
			return i;
	return best;
}

/* A mark may lie on the boundary of two reads. */
static size_t search(int fd, char *buf)
{
	size_t best = ARRAY_SIZE(marks), kept = 0;
	ssize_t n;

	for (off_t at = 0; at < (off_t)FILE_MAX && best; at += n) {
		size_t len;

		n = pread(fd, buf + kept, CHUNK, at);
		if (n <= 0)
			break;
		len = kept + (size_t)n;
		best = find_mark(buf, len, best);
		kept = MIN(len, (size_t)MARK_MAX);
		memmove(buf, buf + len - kept, kept);
	}
	return best;
}

const char *kernel_guess_library(int fd)
{
	_cleanup_free_ char *buf = NULL;
	size_t found;

	if (is_go(fd))
		return "Go's crypto/tls";
	buf = malloc(CHUNK + MARK_MAX);
	found = buf ? search(fd, buf) : ARRAY_SIZE(marks);
	return found < ARRAY_SIZE(marks) ? marks[found].library : NULL;
}

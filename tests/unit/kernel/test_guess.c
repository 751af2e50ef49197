/* With what a program encrypts, by what its linker and its sources left in its file. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/kernel.h"

/* As the linker of Go does. */
static const char built[] __attribute__((section(".go.buildinfo"), used)) = "built";

/* A file of `size` bytes with these words in it. */
static int file_with(size_t size, const char *word, size_t at, const char *other, size_t other_at)
{
	int fd = memfd_create("program", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(pwrite(fd, word, strlen(word), (off_t)at), strlen(word));
	assert_int_equal(pwrite(fd, other, strlen(other), (off_t)other_at), strlen(other));
	return fd;
}

static void assert_library(int fd, const char *expected)
{
	const char *found = kernel_guess_library(fd);

	close(fd);
	if (expected)
		assert_string_equal(found, expected);
	else
		assert_null(found);
}

static void test_go(void **state _unused_)
{
	assert_library(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "Go's crypto/tls");
}

#define SIZE (1U << 20)

static void test_marks(void **state _unused_)
{
	assert_library(file_with(SIZE, "crates/rustls-0.21.7/src/conn.rs", 700000, "", 0),
		       "rustls");
	assert_library(file_with(SIZE, "OpenSSL 3.0.11 19 Sep 2023", 0, "", 0),
		       "OpenSSL without symbols");
	assert_library(file_with(SIZE, "something", 5, "else", 5000), NULL);
	assert_library(file_with(0, "", 0, "", 0), NULL);
}

/* Wherever what is read at once ends. */
static void test_boundary(void **state _unused_)
{
	for (size_t at = (256U << 10) - 12; at <= 256U << 10; at++)
		assert_library(file_with(SIZE, "BoringSSL", at, "", 0), "BoringSSL");
	assert_library(file_with(SIZE, "BoringSSL", SIZE - 9, "", 0), "BoringSSL");
}

/* BoringSSL calls itself OpenSSL, before or behind. */
static void test_both(void **state _unused_)
{
	assert_library(file_with(SIZE, "OpenSSL 1.1.1 (compatible)", 10, "BoringSSL", 900000),
		       "BoringSSL");
	assert_library(file_with(SIZE, "BoringSSL", 10, "OpenSSL 1.1.1 (compatible)", 900000),
		       "BoringSSL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_go),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) + !built[0];
}

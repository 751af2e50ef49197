/* Where a function is probed: before the first of its instructions that the kernel emulates, if all
 * before it are known to change nothing. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/internal.h"

static size_t offset_of(const void *code, size_t len)
{
	u8 padded[KERNEL_CODE];

	memset(padded, 0xcc, sizeof(padded));
	memcpy(padded, code, len);
	return kernel_probe_offset(padded);
}

#define assert_offset(code, expected) assert_int_equal(offset_of(code, sizeof(code) - 1), expected)

static void test_first(void **state _unused_)
{
	assert_offset("\x55", 0);
	assert_offset("\x41\x57", 0);
	assert_offset("\xe9\1\2\3\4", 0);
}

#ifdef __x86_64__
static void test_behind(void **state _unused_)
{
	/* room on the stack with its guard, then js: OpenSSL's SSL_write */
	assert_offset(
		"\x48\x83\xec\x18\x64\x48\x8b\x04\x25\x28\0\0\0\x48\x89\x44\x24\x08\x31\xc0\x85"
		"\xd2\x78\x2f",
		22);
	/* room, then call: SSL_write_ex */
	assert_offset("\x48\x83\xec\x08\xe8\1\2\3\4", 4);
	/* two registers that are no arguments of it, then jmp: gnutls_record_send */
	assert_offset("\x45\x31\xc0\x31\xc9\xe9\1\2\3\4", 5);
	/* endbr64, then push */
	assert_offset("\xf3\x0f\x1e\xfa\x55", 4);
}
#endif

/* mov %edi,%esi; mov %rax,(%rdi); an instruction that nobody knows */
static void test_loud(void **state _unused_)
{
	assert_offset("\x89\xfe\x55", 0);
	assert_offset("\x48\x83\xec\x08\x89\xfe\x55", 0);
	assert_offset("\x48\x89\x07\x55", 0);
	assert_offset("\x62\x01\x02\x55", 0);
}

/* Nothing but what is quiet, up to the end of what is seen. */
static void test_endless(void **state _unused_)
{
	u8 code[KERNEL_CODE];

	for (size_t i = 0; i < sizeof(code); i += 2)
		memcpy(code + i, "\x31\xc0", 2);
	assert_int_equal(kernel_probe_offset(code), 0);
}

static void test_file(void **state _unused_)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), none = open("/dev/null", O_RDONLY);

	assert_int_equal(kernel_find_offset(fd, "no_such_function"), 0);
	assert_int_equal(kernel_find_offset(none, "SSL_write"), 0);
	assert_int_equal(kernel_find_offset(-1, "SSL_write"), 0);
	close(fd);
	close(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),
#ifdef __x86_64__
		cmocka_unit_test(test_behind),
#endif
		cmocka_unit_test(test_loud),   cmocka_unit_test(test_endless),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

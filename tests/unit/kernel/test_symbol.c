/* Where a function is probed: before the first of its instructions that the kernel emulates, if all
 * before it are known to change nothing. */
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/internal.h"

int main(void);

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

/* Of this very program: it has `main` among its symbols, and nothing of it is changed by them. */
static void test_file(void **state _unused_)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), none = open("/dev/null", O_RDONLY);
	u64 at = kernel_find_function(fd, "main");
	u8 code[KERNEL_CODE];
	size_t quiet = kernel_probe_offset((const u8 *)main);

	assert_true(at > quiet);
	assert_int_equal(pread(fd, code, sizeof(code), (off_t)(at - quiet)), sizeof(code));
	assert_memory_equal(code, (const u8 *)main, sizeof(code));
	assert_int_equal(kernel_find_function(fd, "no_such_function"), 0);
	assert_int_equal(kernel_find_function(fd, "malloc"), 0); /* is in another file */
	assert_int_equal(kernel_find_function(none, "SSL_write"), 0);
	assert_int_equal(kernel_find_function(-1, "SSL_write"), 0);
	close(fd);
	close(none);
}

#ifdef __x86_64__
#define NOIPA __attribute__((noipa))

int behind(int a);
int front(int a);
int longer_front(int a);
int another_front(int a);

/* Not inlined, and none of the calls is the last thing that is done, which would make it a jump. */
NOIPA int behind(int a)
{
	return write(-1, "", 0) > a;
}

NOIPA int front(int a)
{
	return behind(a) + 1;
}

NOIPA int longer_front(int a)
{
	return getpid() == a ? -1 : behind(a) + 2;
}

NOIPA int another_front(int a)
{
	return getpid() == a ? -1 : front(a) + 3;
}

static void test_behind_fronts(void **state _unused_)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	u64 at = kernel_find_function(fd, "behind");

	assert_true(at);
	assert_true(another_front(longer_front(0)));
	assert_int_equal(kernel_find_behind(fd, "front", "longer_front"), at);
	assert_int_equal(kernel_find_behind(fd, "front", "behind"), at); /* it calls the other */
	assert_int_equal(kernel_find_behind(fd, "another_front", "front"), 0); /* not first */
	assert_int_equal(kernel_find_behind(fd, "front", "another_front"), 0);
	assert_int_equal(kernel_find_behind(fd, "front", "no_such_function"), 0);
	assert_int_equal(kernel_find_behind(fd, "main", "front"), 0);
	close(fd);
}
#endif

#define HUGE	 (4ULL << 30)
#define HUGE_END (HUGE + 4096)

struct huge {
	Elf64_Shdr sections[4];
	char names[32];
};

/* Of a few blocks, and of sections of gigabytes. */
static int make_huge(u64 symbols, u64 strings, u64 names)
{
	const Elf64_Ehdr head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB,
					       EV_CURRENT },
				  .e_type = ET_DYN,
				  .e_machine = EM_X86_64,
				  .e_version = EV_CURRENT,
				  .e_shoff = HUGE_END,
				  .e_ehsize = sizeof(head),
				  .e_shentsize = sizeof(Elf64_Shdr),
				  .e_shnum = 4,
				  .e_shstrndx = 3 };
	const struct huge h = {
		.sections = { { 0 },
			      { .sh_name = 1,
				.sh_type = SHT_DYNSYM,
				.sh_size = symbols,
				.sh_offset = 4096,
				.sh_entsize = sizeof(Elf64_Sym),
				.sh_link = 2 },
			      { .sh_name = 1,
				.sh_type = SHT_STRTAB,
				.sh_size = strings,
				.sh_offset = 4096 },
			      { .sh_name = 1,
				.sh_type = SHT_STRTAB,
				.sh_size = names ? names : sizeof(h.names),
				.sh_offset =
					names ? 4096 : HUGE_END + offsetof(struct huge, names) } },
	};
	int fd = memfd_create("huge", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, HUGE_END), 0);
	assert_int_equal(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	assert_int_equal(pwrite(fd, &h, sizeof(h), HUGE_END), sizeof(h));
	return fd;
}

/* Whoever made it wants us to run out of memory, or of time. */
static void test_huge(void **state _unused_)
{
	static const u64 sizes[][3] = { { HUGE / 24 * 24, HUGE, 0 },
					{ 240, HUGE, 0 },
					{ 240, 4096, HUGE } };
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int fd = make_huge(sizes[i][0], sizes[i][1], sizes[i][2]);

		assert_int_equal(kernel_find_function(fd, "SSL_write"), 0);
		assert_int_equal(kernel_find_go(fd, "crypto/tls.(*Conn).Write"), 0);
		close(fd);
	}
	getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_maxrss - before.ru_maxrss < 64 << 10); /* KiB */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),
#ifdef __x86_64__
		cmocka_unit_test(test_behind), cmocka_unit_test(test_behind_fronts),
#endif
		cmocka_unit_test(test_loud),   cmocka_unit_test(test_endless),
		cmocka_unit_test(test_file),   cmocka_unit_test(test_huge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

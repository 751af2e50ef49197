/* Where functions of Go begin to do what they are for. */
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/internal.h"

#define NAME "crypto/tls.(*Conn).Write"

/* A program as its linker writes it, with two functions. */
#define TEXT	 0x1000 /* in the file, and in memory behind BASE */
#define TABLE	 0x2000
#define BASE	 0x400000
#define SECOND	 0x40 /* of its functions */
#define SECTIONS 4

struct head {
	u32 magic;
	u8 zero[2], quantum, pointer;
	u64 count, files, text, names, units, file_names, counters, funcs;
};
struct program {
	Elf64_Ehdr elf;
	Elf64_Phdr load;
	Elf64_Shdr sections[SECTIONS];
	char strings[64];
};
struct functions {
	struct head head;
	u32 list[5];  /* entry and place of each, the end */
	u32 funcs[4]; /* entry and name of each */
	char names[64];
};

static const char strings[] = "\0.text\0.gopclntab\0.shstrtab";

static struct program program_of(void)
{
	return (struct program) {
		.elf = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			 .e_type = ET_EXEC,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_phoff = offsetof(struct program, load),
			 .e_shoff = offsetof(struct program, sections),
			 .e_ehsize = sizeof(Elf64_Ehdr),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 1,
			 .e_shentsize = sizeof(Elf64_Shdr),
			 .e_shnum = SECTIONS,
			 .e_shstrndx = 3 },
		.load = { .p_type = PT_LOAD,
			  .p_flags = PF_R | PF_X,
			  .p_offset = TEXT,
			  .p_vaddr = BASE + TEXT,
			  .p_filesz = TABLE - TEXT },
		.sections = { { 0 },
			      { .sh_name = 1,
				.sh_type = SHT_PROGBITS,
				.sh_addr = BASE + TEXT,
				.sh_offset = TEXT,
				.sh_size = TABLE - TEXT },
			      { .sh_name = 7,
				.sh_type = SHT_PROGBITS,
				.sh_offset = TABLE,
				.sh_size = sizeof(struct functions) },
			      { .sh_name = 18,
				.sh_type = SHT_STRTAB,
				.sh_offset = offsetof(struct program, strings),
				.sh_size = 64 } },
	};
}

static struct functions functions_of(u32 magic, u64 text)
{
	struct functions f = {
		.head = { .magic = magic,
			  .quantum = 1,
			  .pointer = 8,
			  .count = 2,
			  .text = text,
			  .names = offsetof(struct functions, names),
			  .funcs = offsetof(struct functions, list) },
		.list = { 0, sizeof(f.list), SECOND, sizeof(f.list) + 8, 2 * SECOND },
		.funcs = { 0, 0, SECOND, 10 },
		.names = "main.main\0" NAME,
	};

	return f;
}

static u64 found_in(const struct functions *f, const char *name)
{
	static const u8 begin[] = { 0x49, 0x3b, 0x66, 0x10, 0x76, 0x20, 0x55 };
	struct program p = program_of();
	int fd = memfd_create("program", MFD_CLOEXEC);
	u64 at;

	memcpy(p.strings, strings, sizeof(strings));
	assert_int_equal(pwrite(fd, &p, sizeof(p), 0), sizeof(p));
	assert_int_equal(pwrite(fd, begin, sizeof(begin), TEXT + SECOND), sizeof(begin));
	assert_int_equal(pwrite(fd, f, sizeof(*f), TABLE), sizeof(*f));
	at = kernel_find_go(fd, name);
	close(fd);
	return at;
}

#ifdef __x86_64__
static void test_found(void **state _unused_)
{
	struct functions f = functions_of(0xfffffff1, BASE + TEXT);

	assert_int_equal(found_in(&f, NAME), TEXT + SECOND + 6);
	assert_int_equal(found_in(&f, "crypto/tls.(*Conn).Writ"), 0);
	assert_int_equal(found_in(&f, "main.main"), 0); /* begins otherwise */
	f = functions_of(0xfffffff0, 0);		/* is relocated */
	assert_int_equal(found_in(&f, NAME), TEXT + SECOND + 6);
}
#endif

/* What it says is somebody else's: any number may stand anywhere. */
static void test_wrong(void **state _unused_)
{
	struct functions f = functions_of(0xfffffffb, BASE + TEXT);

	assert_int_equal(found_in(&f, NAME), 0);
	for (size_t at = 0; at + 8 <= sizeof(f.head) + sizeof(f.list) + sizeof(f.funcs); at += 4) {
		f = functions_of(0xfffffff1, BASE + TEXT);
		memset((u8 *)&f + at, 0xff, 4);
		found_in(&f, NAME);
		memset((u8 *)&f + at, 0xff, 8);
		found_in(&f, NAME);
	}
	assert_int_equal(kernel_find_go(-1, NAME), 0);
}

static size_t offset_of(const void *code, size_t len)
{
	u8 padded[KERNEL_CODE];

	memset(padded, 0xcc, sizeof(padded));
	memcpy(padded, code, len);
	return kernel_go_offset(padded);
}

#define assert_offset(code, expected) assert_int_equal(offset_of(code, sizeof(code) - 1), expected)

#ifdef __x86_64__
/* The stack has room or not; a short jump, or a long one. */
static void test_behind(void **state _unused_)
{
	assert_offset("\x49\x3b\x66\x10\x76\x20\x55", 6);
	assert_offset("\x49\x3b\x66\x10\x0f\x86\1\2\3\4\x55", 10);
	assert_offset("\x4c\x8d\x64\x24\xd0\x4d\x3b\x66\x10\x76\x20\x55", 11);
	assert_offset("\x4c\x8d\x64\x24\xd0\x4d\x3b\x66\x10\x0f\x86\1\2\3\4\x55", 15);
	assert_offset("\x4c\x8d\xa4\x24\1\2\3\4\x4d\x3b\x66\x10\x0f\x86\1\2\3\4\x55", 18);
}
#endif

/* No question; that of Go before 1.17; one whose answer goes elsewhere. */
static void test_other(void **state _unused_)
{
	assert_offset("\x55\x48\x89\xe5", 0);
	assert_offset("\x64\x48\x8b\x0c\x25\xf8\xff\xff\xff\x48\x3b\x61\x10\x76\x20", 0);
	assert_offset("\x49\x3b\x66\x10\x77\x20\x55", 0);
	assert_offset("\x4c\x8d\x64\x24\xd0\x49\x3b\x66\x10\x76\x20\x55", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef __x86_64__
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_behind),
#endif
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Where a function can be probed at little cost.
 *
 * The kernel executes most instructions that a probe stands on elsewhere, with a trap behind them,
 * which takes 10 us in a virtual machine; calls, jumps and pushes it emulates. What stands before
 * the first of these in a function mostly makes room on the stack alone: a probe behind it sees the
 * arguments as its caller gave them, and nothing has been done.
 */
#include <string.h>
#include <unistd.h>

#include "kernel/elffile.h"
#include "kernel/internal.h"

#ifdef __x86_64__
#define DECODES true
#else
#define DECODES false
#endif

/* Instructions that change neither an argument nor memory but their own stack. */
static const struct {
	u8 len, same; /* bytes of it, and how many of them are compared */
	u8 bytes[9];
} quiet[] = {
	{ 4, 4, { 0xf3, 0x0f, 0x1e, 0xfa } },				    /* endbr64 */
	{ 4, 3, { 0x48, 0x83, 0xec } },					    /* sub $8 bits,%rsp */
	{ 7, 3, { 0x48, 0x81, 0xec } },					    /* sub $32 bits,%rsp */
	{ 9, 9, { 0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0x00, 0x00, 0x00 } }, /* mov %fs:40,%rax */
	{ 5, 4, { 0x48, 0x89, 0x44, 0x24 } }, /* mov %rax,8 bits(%rsp) */
	{ 8, 4, { 0x48, 0x89, 0x84, 0x24 } }, /* mov %rax,32 bits(%rsp) */
	{ 2, 2, { 0x31, 0xc0 } },	      /* xor %eax,%eax */
	{ 2, 2, { 0x31, 0xc9 } },	      /* xor %ecx,%ecx */
	{ 3, 3, { 0x45, 0x31, 0xc0 } },	      /* xor %r8d,%r8d */
	{ 2, 2, { 0x85, 0xd2 } },	      /* test %edx,%edx */
	{ 3, 3, { 0x48, 0x85, 0xd2 } },	      /* test %rdx,%rdx */
	{ 3, 3, { 0x48, 0x85, 0xff } },	      /* test %rdi,%rdi */
	{ 3, 3, { 0x48, 0x85, 0xf6 } },	      /* test %rsi,%rsi */
};

static bool is_emulated(const u8 *p)
{
	return (p[0] & 0xf8) == 0x50 || (p[0] == 0x41 && (p[1] & 0xf8) == 0x50) || /* push */
	       p[0] == 0xe8 || p[0] == 0xe9 || p[0] == 0xeb || (p[0] & 0xf0) == 0x70 ||
	       (p[0] == 0x0f && (p[1] & 0xf0) == 0x80);
}

static size_t length_of_quiet(const u8 *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(quiet); i++)
		if (!memcmp(p, quiet[i].bytes, quiet[i].same))
			return quiet[i].len;
	return 0;
}

size_t kernel_probe_offset(const u8 code[static KERNEL_CODE])
{
	size_t at = 0, len;

	while (DECODES && at + sizeof(quiet[0].bytes) <= KERNEL_CODE) {
		if (is_emulated(code + at))
			return at;
		len = length_of_quiet(code + at);
		if (!len)
			return 0;
		at += len;
	}
	return 0;
}

/* ---- the file */

static bool is_called(const char *names, size_t size, size_t at, const char *name)
{
	size_t len = strlen(name) + 1;

	return at < size && size - at >= len && !memcmp(names + at, name, len);
}

/* A function in a table of symbols; its address is 0 where it is none of them. */
static Elf64_Sym symbol_in(const struct elffile *f, const Elf64_Shdr *table, const char *name)
{
	const Elf64_Shdr *names =
		table->sh_link < f->head.e_shnum ? &f->sections[table->sh_link] : NULL;
	_cleanup_free_ Elf64_Sym *all = names ? elffile_load(f, table) : NULL;
	_cleanup_free_ char *text = all ? elffile_load(f, names) : NULL;

	for (size_t i = 0; text && i < table->sh_size / sizeof(*all); i++)
		if (ELF64_ST_TYPE(all[i].st_info) == STT_FUNC && all[i].st_shndx &&
		    all[i].st_value && is_called(text, names->sh_size, all[i].st_name, name))
			return all[i];
	return (Elf64_Sym) { 0 };
}

static Elf64_Sym find_symbol(const struct elffile *f, const char *name)
{
	static const Elf64_Word types[] = { SHT_DYNSYM, SHT_SYMTAB };
	Elf64_Sym found = { 0 };

	for (size_t i = 0; !found.st_value && i < ARRAY_SIZE(types); i++) {
		const Elf64_Shdr *table = elffile_of_type(f, types[i]);

		if (table)
			found = symbol_in(f, table, name);
	}
	return found;
}

/* Where in the file what is at that address is best probed; 0: nowhere. */
static u64 place_of(const struct elffile *f, Elf64_Addr address)
{
	u64 at = elffile_offset(f, address);
	u8 code[KERNEL_CODE];

	if (!at || pread(f->fd, code, sizeof(code), (off_t)at) != sizeof(code))
		return at;
	return at + kernel_probe_offset(code);
}

u64 kernel_find_function(int fd, const char *name)
{
	struct elffile f;
	u64 at;

	if (!elffile_read(fd, &f))
		return 0;
	at = place_of(&f, find_symbol(&f, name).st_value);
	elffile_free(&f);
	return at;
}

/* ---- what two functions call */

#define FRONT 256 /* bytes of a function that hands on what it was given */
#define CALL  5	  /* bytes: e8 and how far it is from behind it */

struct front {
	Elf64_Addr address;
	size_t size;
	u8 code[FRONT];
};

static bool read_front(const struct elffile *f, const char *name, struct front *ret)
{
	Elf64_Sym s = find_symbol(f, name);
	u64 at = elffile_offset(f, s.st_value);

	ret->address = s.st_value;
	ret->size = s.st_size;
	return at && s.st_size <= FRONT &&
	       pread(f->fd, ret->code, s.st_size, (off_t)at) == (ssize_t)s.st_size;
}

/* What it may call there; 0: it is no call. */
static Elf64_Addr called_at(const struct front *f, size_t at)
{
	int32_t far;

	if (at + CALL > f->size || f->code[at] != 0xe8)
		return 0;
	memcpy(&far, f->code + at + 1, sizeof(far));
	return f->address + at + CALL + (Elf64_Addr)far;
}

static bool calls(const struct front *f, Elf64_Addr what)
{
	for (size_t i = 0; i < f->size; i++)
		if (called_at(f, i) == what)
			return true;
	return false;
}

static Elf64_Addr first_called(const struct front *f)
{
	Elf64_Addr found = 0;

	for (size_t i = 0; i < f->size && !found; i++)
		found = called_at(f, i);
	return found;
}

u64 kernel_find_behind(int fd, const char *front, const char *other)
{
	struct front a, b;
	struct elffile f;
	Elf64_Addr found = 0;
	u64 at = 0;

	if (!DECODES || !elffile_read(fd, &f))
		return 0;
	if (read_front(&f, front, &a) && read_front(&f, other, &b))
		found = first_called(&a);
	if (found && (found == b.address || calls(&b, found)))
		at = place_of(&f, found);
	elffile_free(&f);
	return at;
}

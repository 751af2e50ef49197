/* Where a function can be probed at little cost.
 *
 * The kernel executes most instructions that a probe stands on elsewhere, with a trap behind them,
 * which takes 10 us in a virtual machine; calls, jumps and pushes it emulates. What stands before
 * the first of these in a function mostly makes room on the stack alone: a probe behind it sees the
 * arguments as its caller gave them, and nothing has been done.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

#include "kernel/internal.h"

#ifdef __x86_64__
#define DECODES true
#else
#define DECODES false
#endif
#define SYMBOLS_MAX (1U << 20)

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

/* Where in the file the function is; 0: not found. */
static u64 offset_in(Elf *elf, Elf_Scn *dynsym, const GElf_Shdr *h, const char *name)
{
	Elf_Data *data = elf_getdata(dynsym, NULL);
	GElf_Shdr text;
	GElf_Sym s;

	for (int i = 0; data && i < (int)SYMBOLS_MAX && gelf_getsym(data, i, &s); i++) {
		const char *mine = elf_strptr(elf, h->sh_link, s.st_name);

		if (!mine || strcmp(mine, name) || GELF_ST_TYPE(s.st_info) != STT_FUNC ||
		    !s.st_value)
			continue;
		if (!gelf_getshdr(elf_getscn(elf, s.st_shndx), &text))
			return 0;
		return s.st_value - text.sh_addr + text.sh_offset;
	}
	return 0;
}

static u64 find_function(Elf *elf, const char *name)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr h;

	while ((scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, &h) && h.sh_type == SHT_DYNSYM)
			return offset_in(elf, scn, &h, name);
	return 0;
}

size_t kernel_find_offset(int fd, const char *name)
{
	u8 code[KERNEL_CODE];
	Elf *elf = elf_version(EV_CURRENT) ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
	u64 at = elf ? find_function(elf, name) : 0;

	elf_end(elf);
	if (!at || pread(fd, code, sizeof(code), (off_t)at) != sizeof(code))
		return 0;
	return kernel_probe_offset(code);
}

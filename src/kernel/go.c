/* Where functions of programs of Go are, stripped or not: the runtime needs the names itself.
 *
 * A function begins with the question whether the stack has room. Where it has not, the stack is
 * moved and the function begins again: what is to see each call once stands behind that. Programs
 * that ask it in any other way, as those do that pass arguments on the stack (before 1.17), are
 * none of ours.
 */
#include <gelf.h>
#include <string.h>
#include <unistd.h>

#include "kernel/internal.h"

#ifdef __x86_64__
#define DECODES true
#else
#define DECODES false
#endif
#define TABLE_MAX  (64UL << 20)
#define FUNCS_MAX  (1U << 20)
#define HEAD	   72 /* of the table: magic, sizes, and seven numbers of 8 bytes */
#define MAGIC_1_18 0xfffffff0
#define MAGIC_1_20 0xfffffff1

struct table {
	const u8 *data;
	u64 len, text;
};

/* ---- the runtime's table of functions */

static u64 read_at(const struct table *t, u64 at, size_t size)
{
	u64 v = 0;

	if (at <= t->len && size <= t->len - at)
		memcpy(&v, t->data + at, size);
	return v;
}

/* Place of the function's name. */
static u64 name_at(const struct table *t, u64 names, u64 funcs, u64 i)
{
	u64 func = funcs + read_at(t, funcs + 8 * i + 4, 4);

	return names + read_at(t, func + 4, 4);
}

static bool is_name(const struct table *t, u64 at, const char *name)
{
	size_t size = strlen(name) + 1;

	return at < t->len && size <= t->len - at && !memcmp(t->data + at, name, size);
}

/* Its address; 0: there is no such function. */
static u64 find_address(const struct table *t, const char *name)
{
	u64 magic = read_at(t, 0, 4), count = read_at(t, 8, 8);
	u64 text = read_at(t, 24, 8) ?: t->text;
	u64 names = read_at(t, 32, 8), funcs = read_at(t, 64, 8);

	if (t->len < HEAD || (magic != MAGIC_1_18 && magic != MAGIC_1_20) || t->data[7] != 8)
		return 0;
	for (u64 i = 0; i < count && i < FUNCS_MAX; i++)
		if (is_name(t, name_at(t, names, funcs, i), name))
			return text + read_at(t, funcs + 8 * i, 4);
	return 0;
}

/* ---- the file */

/* Sections whose names end so; the table's has a longer one where it is relocated. */
static Elf_Scn *find_section(Elf *elf, const char *end, GElf_Shdr *ret)
{
	size_t names = 0, len = strlen(end);
	Elf_Scn *scn = NULL;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *name =
			gelf_getshdr(scn, ret) ? elf_strptr(elf, names, ret->sh_name) : NULL;

		if (name && strlen(name) >= len && !strcmp(name + strlen(name) - len, end))
			return scn;
	}
	return NULL;
}

static u64 address_in(Elf *elf, const char *name)
{
	GElf_Shdr text = { 0 }, h;
	Elf_Scn *scn = find_section(elf, "gopclntab", &h);
	const Elf_Data *data = scn && h.sh_size <= TABLE_MAX ? elf_rawdata(scn, NULL) : NULL;
	struct table t;

	if (!data || !data->d_buf || !find_section(elf, ".text", &text))
		return 0;
	t = (struct table) { data->d_buf, data->d_size, text.sh_addr };
	return find_address(&t, name);
}

/* Where in the file an address is; 0: nowhere. */
static u64 offset_of(Elf *elf, u64 address)
{
	size_t count = 0;
	GElf_Phdr h;

	elf_getphdrnum(elf, &count);
	for (size_t i = 0; address && i < count; i++)
		if (gelf_getphdr(elf, (int)i, &h) && h.p_type == PT_LOAD && h.p_flags & PF_X &&
		    address >= h.p_vaddr && address - h.p_vaddr < h.p_filesz)
			return address - h.p_vaddr + h.p_offset;
	return 0;
}

/* ---- how it begins */

size_t kernel_go_offset(const u8 code[static KERNEL_CODE])
{
	static const struct {
		u8 len, same;
		u8 bytes[4];
	} rooms[] = {
		{ 0, 0, { 0 } },
		{ 5, 4, { 0x4c, 0x8d, 0x64, 0x24 } }, /* lea 8 bits(%rsp),%r12 */
		{ 8, 4, { 0x4c, 0x8d, 0xa4, 0x24 } }, /* lea 32 bits(%rsp),%r12 */
	};

	for (size_t i = 0; DECODES && i < ARRAY_SIZE(rooms); i++) {
		/* cmp 16(%r14),%rsp or %r12: where the stack of the goroutine ends */
		const u8 ends[] = { i ? 0x4d : 0x49, 0x3b, 0x66, 0x10 };
		const u8 *p = code + rooms[i].len;

		if (memcmp(code, rooms[i].bytes, rooms[i].same) || memcmp(p, ends, sizeof(ends)))
			continue;
		p += sizeof(ends);
		if (p[0] == 0x76) /* jbe */
			return (size_t)(p + 2 - code);
		if (p[0] == 0x0f && p[1] == 0x86)
			return (size_t)(p + 6 - code);
	}
	return 0;
}

u64 kernel_find_go(int fd, const char *name)
{
	u8 code[KERNEL_CODE];
	Elf *elf = elf_version(EV_CURRENT) ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
	GElf_Ehdr h;
	u64 at = 0;
	size_t behind;

	if (elf && gelf_getehdr(elf, &h) && h.e_machine == EM_X86_64)
		at = offset_of(elf, address_in(elf, name));
	elf_end(elf);
	if (!at || pread(fd, code, sizeof(code), (off_t)at) != sizeof(code))
		return 0;
	behind = kernel_go_offset(code);
	return behind ? at + behind : 0;
}

/* Where functions of programs of Go are, stripped or not: the runtime needs the names itself.
 *
 * A function begins with the question whether the stack has room. Where it has not, the stack is
 * moved and the function begins again: what is to see each call once stands behind that. Programs
 * that ask it in any other way, as those do that pass arguments on the stack (before 1.17), are
 * none of ours.
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

/* The section's name is longer where it is relocated. */
static u64 address_in(const struct elffile *f, const char *name)
{
	const Elf64_Shdr *section = elffile_named(f, "gopclntab"),
			 *text = elffile_named(f, ".text");
	_cleanup_free_ u8 *data = section && text ? elffile_load(f, section) : NULL;

	return data ? find_address(&(struct table) { data, section->sh_size, text->sh_addr }, name)
		    : 0;
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
	struct elffile f;
	u8 code[KERNEL_CODE];
	u64 at = 0;
	size_t behind;

	if (!elffile_read(fd, &f))
		return 0;
	if (f.head.e_machine == EM_X86_64)
		at = elffile_offset(&f, address_in(&f, name));
	elffile_free(&f);
	if (!at || pread(fd, code, sizeof(code), (off_t)at) != sizeof(code))
		return 0;
	behind = kernel_go_offset(code);
	return behind ? at + behind : 0;
}

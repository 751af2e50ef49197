#include "kernel/elffile.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX  (1UL << 20) /* bytes of all sections' names */
#define NAME_LIMIT 256	       /* of one */

static void *read_part(int fd, Elf64_Off at, size_t size, size_t max)
{
	_cleanup_free_ void *data = size && size <= max ? malloc(size) : NULL;

	if (!data || pread(fd, data, size, (off_t)at) != (ssize_t)size)
		return NULL;
	return TAKE_PTR(data);
}

void elffile_free(struct elffile *f)
{
	free(f->sections);
	free(f->names);
}

static bool is_ours(const Elf64_Ehdr *h)
{
	return !memcmp(h->e_ident, ELFMAG, SELFMAG) && h->e_ident[EI_CLASS] == ELFCLASS64 &&
	       h->e_ident[EI_DATA] == ELFDATA2LSB && h->e_shentsize == sizeof(Elf64_Shdr) &&
	       h->e_shstrndx < h->e_shnum;
}

bool elffile_read(int fd, struct elffile *ret)
{
	struct elffile f = { .fd = fd };
	const Elf64_Shdr *names;

	if (pread(fd, &f.head, sizeof(f.head), 0) != sizeof(f.head) || !is_ours(&f.head))
		return false;
	f.sections = read_part(fd, f.head.e_shoff, f.head.e_shnum * sizeof(Elf64_Shdr),
			       UINT16_MAX * sizeof(Elf64_Shdr));
	if (!f.sections)
		return false;
	names = &f.sections[f.head.e_shstrndx];
	f.names = read_part(fd, names->sh_offset, names->sh_size, NAMES_MAX);
	f.names_size = f.names ? names->sh_size : 0;
	*ret = f;
	return true;
}

const Elf64_Shdr *elffile_of_type(const struct elffile *f, Elf64_Word type)
{
	for (unsigned int i = 0; i < f->head.e_shnum; i++)
		if (f->sections[i].sh_type == type)
			return &f->sections[i];
	return NULL;
}

static bool ends(const struct elffile *f, size_t at, const char *end)
{
	size_t max, len;

	if (at >= f->names_size)
		return false;
	max = MIN(f->names_size - at, (size_t)NAME_LIMIT);
	len = strnlen(f->names + at, max);
	return len < max && len >= strlen(end) && !strcmp(f->names + at + len - strlen(end), end);
}

const Elf64_Shdr *elffile_named(const struct elffile *f, const char *end)
{
	for (unsigned int i = 0; i < f->head.e_shnum; i++)
		if (ends(f, f->sections[i].sh_name, end))
			return &f->sections[i];
	return NULL;
}

void *elffile_load(const struct elffile *f, const Elf64_Shdr *section)
{
	return section->sh_type == SHT_NOBITS
		       ? NULL
		       : read_part(f->fd, section->sh_offset, section->sh_size, ELFFILE_PART_MAX);
}

Elf64_Off elffile_offset(const struct elffile *f, Elf64_Addr address)
{
	_cleanup_free_ Elf64_Phdr *all =
		f->head.e_phentsize == sizeof(*all)
			? read_part(f->fd, f->head.e_phoff, f->head.e_phnum * sizeof(*all),
				    UINT16_MAX * sizeof(*all))
			: NULL;

	for (unsigned int i = 0; all && address && i < f->head.e_phnum; i++) {
		const Elf64_Phdr *p = &all[i];

		if (p->p_type == PT_LOAD && p->p_flags & PF_X && address >= p->p_vaddr &&
		    address - p->p_vaddr < p->p_filesz)
			return address - p->p_vaddr + p->p_offset;
	}
	return 0;
}

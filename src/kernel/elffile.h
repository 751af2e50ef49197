/* Programs and libraries of 64 bits, as sessions have them: whoever wrote one may have written
 * anything, and may write on. Each part is read once, and one that is larger than linkers make it
 * counts as not there. */
#ifndef KERNEL_ELFFILE_H
#define KERNEL_ELFFILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

#define ELFFILE_PART_MAX (64UL << 20)

struct elffile {
	int fd; /* not owned */
	Elf64_Ehdr head;
	Elf64_Shdr *sections;
	char *names;
	size_t names_size;
};

/* False: it is none. */
bool elffile_read(int fd, struct elffile *ret);
void elffile_free(struct elffile *f);

/* The first section of that type, or whose name ends so; NULL: there is none. */
const Elf64_Shdr *elffile_of_type(const struct elffile *f, Elf64_Word type);
const Elf64_Shdr *elffile_named(const struct elffile *f, const char *end);

/* What is in it, owned by the caller; NULL: nothing, or too much. */
void *elffile_load(const struct elffile *f, const Elf64_Shdr *section);

/* Where in the file an address of its code is; 0: nowhere. */
Elf64_Off elffile_offset(const struct elffile *f, Elf64_Addr address);

#endif

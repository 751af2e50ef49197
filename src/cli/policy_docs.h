/* The manual of the packs: a page of Markdown each, and an index. */
#ifndef CLI_POLICY_DOCS_H
#define CLI_POLICY_DOCS_H

#include <stdbool.h>
#include <stddef.h>

/* Writes index.md and PACK.md for each pack of `paths` (none: those that came with this program)
 * into `directory`, which is made where there is none, and tells how many. 0 or a negative errno,
 * logged. */
int policy_write_docs(const char *directory, bool json, char *const *paths, size_t count);

#endif

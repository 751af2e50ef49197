/* How far a sink has the journal, on disk. */
#ifndef EXPORT_CURSOR_H
#define EXPORT_CURSOR_H

#include <stdint.h>

#include "base/util.h"

struct cursor {
	uint64_t segment, offset; /* of the line that comes next; segment 0: the first there is */
};

/* 0 with segment 0 where there is no file; -EBADMSG where it is none of ours, or another negative
 * errno. */
int cursor_read(const char *path, struct cursor *ret);
int cursor_write(const char *path, const struct cursor *c);

#endif

/* Which files no session may harm. */
#ifndef GUARD_PROTECT_FILES_H
#define GUARD_PROTECT_FILES_H

#include "guard/internal.h"

/* Where one of them may be replaced: `watch` is called with each such directory. */
typedef void (*protect_watch_fn)(void *data, const char *directory);

/* Names them all to the kernel. Returns how many it knows now; 0 on the trace tier. */
u32 protect_files(struct guard *g, protect_watch_fn watch, void *data);

#endif

/* What is gone of late: the deletions of a session that count, with their times and paths. */
#ifndef GUARD_BURST_H
#define GUARD_BURST_H

#include "backstop/event.h"
#include "base/strbuf.h"

struct gone;

/* In a session (NULL: it begins): at `time`, nanoseconds. Only the last `limit` are kept. What
 * there is no memory for is not counted. */
void gone_add(struct gone **g, u32 limit, u64 time, const char *path);
/* Is it among those after `since`? A journal, a lock or a log that goes again and again is one
 * file.
 */
bool gone_has(const struct gone *g, u64 since, const char *path);
/* Those after `since`. */
u32 gone_count(const struct gone *g, u64 since);
/* Their paths, oldest first, as far as a person reads: "/srv/app/a.c, b.c, …". */
void gone_describe(const struct gone *g, u64 since, struct strbuf *out);
void gone_free(struct gone *g); /* NULL is fine */

#endif

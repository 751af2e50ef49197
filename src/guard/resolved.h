/* For which names addresses stand, as name servers told a session. */
#ifndef GUARD_RESOLVED_H
#define GUARD_RESOLVED_H

#include "backstop/types.h"
#include "base/util.h"

#define RESOLVED_MAX	   1024 /* addresses of a session with names that are in force */
#define RESOLVED_NAMES_MAX 16	/* names of an address */

struct resolved;

struct resolved *resolved_new(void); /* NULL: out of memory */
void resolved_free(struct resolved *h);
DEFINE_CLEANUP(struct resolved, resolved_free);

/* The session was told that `name` has this address (as in struct bs_dest), for `ttl` seconds;
 * programs keep it longer, so it is kept for ten minutes at least. `now` is in seconds. 0, -ENOSPC
 * where it knows too many (then resolved_is_full() says so until it ends), or -ENOMEM. */
int resolved_learn(struct resolved *h, u64 session, const u8 *addr, const char *name, u32 ttl,
		   u64 now);

/* The names in force, up to RESOLVED_NAMES_MAX of them, into `ret`, which has room for one more:
 * NULL is behind the last. They live until something is learned. How many there are. */
size_t resolved_names(const struct resolved *h, u64 session, const u8 *addr, u64 now,
		      const char **ret);

/* Was it told of more than is known? Then an address without a name may have one. */
bool resolved_is_full(const struct resolved *h, u64 session);

/* The session has ended. */
void resolved_forget(struct resolved *h, u64 session);

#endif

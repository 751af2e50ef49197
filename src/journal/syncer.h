/* Brings files to the disk in a thread of its own: whoever writes them need not wait. */
#ifndef JOURNAL_SYNCER_H
#define JOURNAL_SYNCER_H

#include "base/util.h"

struct syncer;

int syncer_new(struct syncer **ret); /* 0 or a negative errno */
void syncer_free(struct syncer *s);  /* when all that was asked is done; NULL is fine */
DEFINE_CLEANUP(struct syncer, syncer_free);

/* Asks for fdatasync(2) of what was written to `fd` so far; the fd may be closed meanwhile. 0 or a
 * negative errno: nothing was asked. */
int syncer_add(struct syncer *s, int fd);
/* An fd that is readable once all is done that has been asked so far, until the next call; not
 * owned. -1: it is. */
int syncer_wait_fd(struct syncer *s);
bool syncer_is_idle(struct syncer *s); /* nothing that was asked is left to do */
/* The first failure (a negative errno) since the last call, 0: none. */
int syncer_error(struct syncer *s);

#endif

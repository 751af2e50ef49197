/* A consumer of a BPF ring buffer that says by itself when a record is done with. What was handed
 * over stays in the ring until ring_release(): whoever opens the ring anew gets it again. */
#ifndef KERNEL_RING_H
#define KERNEL_RING_H

#include <stdint.h>

#include "base/util.h"

struct ring;

typedef void (*ring_fn)(void *data, const void *record, size_t size);

/* Maps the ring of `map_fd` (not owned, but needed as long as ring_fd() is polled). It begins with
 * what the last consumer did not release. A ring has one consumer at a time. 0 or a negative errno.
 */
int ring_open(int map_fd, struct ring **ret);
void ring_close(struct ring *r); /* releases nothing; NULL is fine */
DEFINE_CLEANUP(struct ring, ring_close);

/* Readable while there is something that was not released, whether it was handed over or not:
 * release before waiting. Nor does the kernel wake a sleeper for a record that comes behind
 * unreleased ones, unless its program asks it to. */
int ring_fd(const struct ring *r);

/* Hands over at most `max` records, in order and 8-byte aligned, and returns how many. They are
 * valid until ring_release(), and take up room in the ring until then. A record that is still being
 * written ends it, as if nothing came behind. */
int ring_consume(struct ring *r, ring_fn fn, void *data, int max);

/* All that was handed over is done with. */
void ring_release(struct ring *r);

struct ring_use {
	uint64_t size, used, peak; /* bytes; the peak is that of what ring_consume() found */
};
struct ring_use ring_use(const struct ring *r);

#endif

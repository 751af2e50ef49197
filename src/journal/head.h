/* How far a journal with a chain has come, beside its keys: what is missing at its end is seen by
 * this. */
#ifndef JOURNAL_HEAD_H
#define JOURNAL_HEAD_H

#include <stdint.h>

#include "journal/chain.h"

#define HEAD_BOOT 40

struct head_place {
	uint64_t segment, offset; /* where the next line goes */
	struct chain_place at;
};

struct head {
	char boot[HEAD_BOOT]; /* in which it was written */
	struct head_place written, synced;
};

/* An fd for head_write(), or a negative errno. */
int head_open(const char *keys_dir);
int head_write(int fd, const struct chain_keys *k, const struct head *h);
/* 0, -ENOENT, -EBADMSG where it was not written with this key, or another negative errno. */
int head_read(const char *keys_dir, const struct chain_keys *k, struct head *ret);
/* The running kernel's; 0 or a negative errno. */
int head_read_boot(char *ret, size_t size);

#endif

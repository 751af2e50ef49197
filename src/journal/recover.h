/* Where a journal with a chain goes on. */
#ifndef JOURNAL_RECOVER_H
#define JOURNAL_RECOVER_H

#include "journal/follow.h"
#include "journal/head.h"

struct recovery {
	struct head_place good; /* behind the last good line; segment 0: there is none */
	uint64_t newest;	/* segment; 0: there is none */
	uint64_t last;		/* the highest number of a line that there ever was */
	uint64_t torn;		/* bytes behind the good lines */
	const char *cause;	/* FOLLOW_…; NULL: nothing is amiss */
};

/* 0 or a negative errno. `dir_fd` is the directory `dir`. */
int recover(const char *dir, int dir_fd, const char *keys_dir, const struct chain_keys *k,
	    struct recovery *ret);

#endif

/* The writer's side of a chain: which line comes next, and how far the disk has them. */
#ifndef JOURNAL_LINKER_H
#define JOURNAL_LINKER_H

#include "journal/follow.h"
#include "journal/head.h"

struct linker;

/* Finds where the journal goes on. `ret_begun` says whether the newest segment can be gone on with;
 * else a new one must be begun, by linker_put_opening(). 0, -EKEYREJECTED where a key cannot be
 * used, or another negative errno. */
int linker_open(const char *dir, int dir_fd, const char *keys_dir, struct linker **ret,
		bool *ret_begun);
void linker_free(struct linker *l); /* NULL is fine */
DEFINE_CLEANUP(struct linker, linker_free);

/* The most that a link adds to a line. */
#define LINKER_LINE_MAX 128

int linker_put(struct linker *l, const char *line, size_t len, struct strbuf *out);
/* Signed lines, as the first of a segment and as others. */
int linker_put_opening(struct linker *l, const char *line, size_t len, uint64_t segment,
		       uint64_t oldest, struct strbuf *out);
int linker_put_checkpoint(struct linker *l, const char *line, size_t len, uint64_t segment,
			  struct strbuf *out);
bool linker_is_due(const struct linker *l);  /* a signed line */
bool linker_is_open(const struct linker *l); /* lines came since the last signed one */

/* All that was put is written, up to that offset. */
void linker_written(struct linker *l, uint64_t segment, uint64_t offset);
/* Of what was put since then, only `text` is, up to that offset, with so many bytes behind it that
 * are no line and could not be taken back: then a segment must be begun. */
void linker_back(struct linker *l, const char *text, size_t len, uint64_t segment, uint64_t offset,
		 uint64_t torn);
/* What is written now will be synced, or has been where `done`. */
void linker_syncing(struct linker *l, bool done);
void linker_synced(struct linker *l); /* what linker_syncing() told of last */

#endif

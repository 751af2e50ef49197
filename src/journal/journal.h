/* The journal: append-only files of JSON lines, rotated by size. */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include <stdint.h>

#include "base/strbuf.h"

struct journal;

struct journal_options {
	const char *dir;      /* made (0750) where it is missing */
	uint64_t segment_max; /* bytes; a line never spans two segments */
};

/* Opens the newest segment for appending; a torn last line is ended by a newline. 0 or a negative
 * errno. */
int journal_open(const struct journal_options *o, struct journal **ret);
void journal_close(struct journal *j); /* syncs; NULL is fine */
DEFINE_CLEANUP(struct journal, journal_close);

/* Appends one line (without its newline). 0, or a negative errno (ENOSPC …): nothing of the line
 * stays in the file, and it is counted as lost. The next append that works first writes a line that
 * states how many were lost. */
int journal_append(struct journal *j, const char *line, size_t len);
/* What was appended is on disk. 0 or a negative errno. */
int journal_sync(struct journal *j);

struct journal_counts {
	uint64_t written, lost; /* lines since journal_open() */
	int last_error; /* 0, or the negative errno of the last failure, until an append works again
			 */
};
struct journal_counts journal_get_counts(const struct journal *j);

/* Reads lines, oldest segment first. */
struct journal_reader;
int journal_reader_open(const char *dir, struct journal_reader **ret);
void journal_reader_close(struct journal_reader *r);
DEFINE_CLEANUP(struct journal_reader, journal_reader_close);
/* 1 and the next whole line (without newline, valid until the next call), 0 at the end for now
 * (call again to follow, also over a rotation), or a negative errno. */
int journal_reader_next(struct journal_reader *r, const char **ret_line, size_t *ret_len);

#endif

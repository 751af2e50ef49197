/* The journal: append-only files of JSON lines (segments), rotated by size and age. With keys each
 * line carries a link of a chain (journal/chain.h), each segment begins and ends with a signed
 * line, and others are signed as time goes by. */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include <stdint.h>

#include "base/strbuf.h"

struct journal;

struct journal_options {
	const char *dir;      /* made (0750) where it is missing; segments are 0640 */
	uint64_t segment_max; /* bytes; a line never spans two segments */
	/* The directory of the keys, made where it is missing; NULL: no chain. With a chain lines
	 * end with the object unmapped.backstop. */
	const char *keys;
	uint64_t keep_max;    /* bytes; beyond, the oldest segments go. 0: all are kept */
	unsigned int age_max; /* seconds, of a segment with a chain; 0: a day */
	/* Appends to `line` the text of a line that the chain itself needs, as `message` says. */
	void (*describe_checkpoint)(void *data, const char *message, struct strbuf *line);
	/* Appends to `line` the text that states that `lost` lines were lost, the last of them for
	 * `err` (a negative errno). NULL: nothing is written about it. */
	void (*describe_loss)(void *data, uint64_t lost, int err, struct strbuf *line);
	/* Is told each line that was appended and could then not be written. NULL: nobody is. */
	void (*on_lost)(void *data, const char *line, size_t len);
	void *data;
};

/* Opens the newest segment for appending; a torn last line of it is ended before the next is
 * written. With a chain, what a killed writer or a power cut left behind the last good line stays
 * where it is: the next line begins a segment, and states it. -EBUSY where the directory has a
 * writer, -EKEYREJECTED where a key cannot be used, or another negative errno. */
int journal_open(const struct journal_options *o, struct journal **ret);
/* Other limits, from the next line on. */
void journal_set_limits(struct journal *j, uint64_t segment_max, uint64_t keep_max,
			unsigned int age_max);
void journal_close(struct journal *j); /* syncs; NULL is fine */
DEFINE_CLEANUP(struct journal, journal_close);

/* Appends one line (without its newline), which journal_flush() writes with those before it. 0 or a
 * negative errno: that of a flush where many lines waited, which may have lost others too. */
int journal_append(struct journal *j, const char *line, size_t len);
/* Writes what was appended, all in one write(), or one for each segment. 0, or a negative errno
 * (ENOSPC …): from the first line on that did not fit nothing stays in the file, and all those are
 * counted as lost. The next flush that works first writes the line of describe_loss(). */
int journal_flush(struct journal *j);
/* What was appended is on disk. 0 or a negative errno. */
int journal_sync(struct journal *j);
/* The same in a thread, without waiting. 0, or the negative errno of the write, or of a sync asked
 * for earlier. */
int journal_sync_later(struct journal *j);
/* An fd that is readable once all that has been asked so far is on disk, until the next call; not
 * owned. -1: it is. */
int journal_sync_fd(const struct journal *j);

struct journal_counts {
	uint64_t written, lost; /* lines since journal_open() */
	int last_error;		/* negative errno of the last failure; 0 once a flush works */
};
struct journal_counts journal_get_counts(const struct journal *j);

/* Reads lines, oldest segment first. Many may read while one writes. */
struct journal_reader;
int journal_reader_open(const char *dir, struct journal_reader **ret);
void journal_reader_close(struct journal_reader *r); /* NULL is fine */
DEFINE_CLEANUP(struct journal_reader, journal_reader_close);
/* 1 and the next whole line (without newline, valid until the next call), 0 at the end for now
 * (call again to follow, also over a rotation), or a negative errno. What a torn line left at the
 * end of a segment that is not the newest comes as a line. */
int journal_reader_next(struct journal_reader *r, const char **ret_line, size_t *ret_len);
/* Where the line that came last stands: the segment's file name and the line's number from 1. */
void journal_reader_place(const struct journal_reader *r, const char **ret_segment,
			  uint64_t *ret_line);

/* The next line is the one that begins at `offset` of the segment. 0 or a negative errno. */
int journal_reader_seek(struct journal_reader *r, uint64_t segment, uint64_t offset);
/* Where the line after the one that came last begins; segment 0: nothing was read yet. */
void journal_reader_position(const struct journal_reader *r, uint64_t *ret_segment,
			     uint64_t *ret_offset);

/* Hands over the last lines, the newest first, until `fn` returns false, `max` bytes were looked at
 * or there are no more. Torn lines come too. 0 or a negative errno. */
int journal_read_back(const char *dir, uint64_t max,
		      bool (*fn)(void *data, const char *line, size_t len), void *data);

#endif

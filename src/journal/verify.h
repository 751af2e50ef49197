/* Checks a journal with a chain from its first line to its last. */
#ifndef JOURNAL_VERIFY_H
#define JOURNAL_VERIFY_H

#include <stdint.h>

#include "base/util.h"

enum verify_kind {
	VERIFY_BAD,    /* somebody changed the journal */
	VERIFY_STATED, /* lines are gone, and the journal itself says when and why */
	VERIFY_NOTE,
};

/* `line` counts from 1 in the segment's file; 0: the segment as a whole, or, where `segment` is
 * NULL, the journal. */
typedef void (*verify_say_fn)(void *data, enum verify_kind kind, const char *segment, uint64_t line,
			      const char *text);

struct verify_report {
	uint64_t segments, lines, signed_lines; /* that were found good */
	uint64_t first, last;			/* their numbers; 0: there are none */
	uint64_t unchained;			/* segments older than the chain */
	uint64_t unkeyed;			/* lines that carry no chain, wherever they are */
	uint64_t bad, stated;			/* how often was said so */
};

/* Works while the journal is being written, too. 0 whatever was found, or a negative errno. */
int journal_verify(const char *dir, const char *keys_dir, verify_say_fn say, void *data,
		   struct verify_report *ret);

#endif

/* Follows a chain line by line. */
#ifndef JOURNAL_FOLLOW_H
#define JOURNAL_FOLLOW_H

#include "journal/chain.h"

/* Why what is missing before a segment's first line is gone. */
#define FOLLOW_KILLED	   "the writer was killed"
#define FOLLOW_FAILED	   "a write failed"
#define FOLLOW_POWER_CUT   "power cut"
#define FOLLOW_UNEXPLAINED "unexplained"

/* What the first line of a segment states. */
struct follow_opening {
	uint64_t segment, oldest; /* that there is */
	struct chain_place after; /* the line that it goes on from */
	uint64_t line;		  /* its own number: all between are gone */
	uint64_t torn;		  /* bytes behind `after` that count for nothing */
	char cause[32];		  /* "": nothing is amiss */
	uint8_t key[CHAIN_PUBLIC];
};

void follow_put_opening(struct strbuf *out, const struct follow_opening *o); /* members */
/* False: the line is none. Its signature is not looked at. */
bool follow_parse_opening(const char *line, size_t len, struct follow_opening *ret);

enum follow_result {
	FOLLOW_GOOD,
	FOLLOW_FOREIGN,	  /* carries no link */
	FOLLOW_CHANGED,	  /* the number is right, the hash is not */
	FOLLOW_MISSING,	  /* lines before it are */
	FOLLOW_OLDER,	  /* its number was there already */
	FOLLOW_SIGNATURE, /* is not our key's */
};
/* Moves `at` behind the line where it is good. */
enum follow_result follow_line(const struct chain_keys *k, struct chain_place *at, const char *line,
			       size_t len);

#endif

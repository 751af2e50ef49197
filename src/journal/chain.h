/* The chain: each line of a journal carries its number and a keyed hash of itself and of the line
 * before it; some are signed. Both stand at the end of the object unmapped.backstop, which is what
 * a line ends with: …,"line":7,"chain":"<40 hex digits>"[,"signed":"<128 hex digits>"]}}} */
#ifndef JOURNAL_CHAIN_H
#define JOURNAL_CHAIN_H

#include <stdint.h>

#include "base/strbuf.h"

#define CHAIN_HASH   20
#define CHAIN_KEY    32
#define CHAIN_PUBLIC 32
#define CHAIN_SIGNED 64

/* Where the chain stands: behind a line. */
struct chain_place {
	uint64_t line; /* 0: before the first */
	uint8_t hash[CHAIN_HASH];
};

struct chain_keys;

/* The keys in `dir`: chain.key, sign.key, sign.pub. With `make` those that are missing are made,
 * the directory too; else sign.key is not needed. 0, -EBADMSG where one is not of its length, or
 * another negative errno. */
int chain_keys_open(const char *dir, bool make, struct chain_keys **ret);
void chain_keys_free(struct chain_keys *k); /* NULL is fine */
DEFINE_CLEANUP(struct chain_keys, chain_keys_free);
const uint8_t *chain_public(const struct chain_keys *k); /* CHAIN_PUBLIC bytes */

/* Appends the line as the next after `at`, with a newline, and moves `at` behind it. `members`,
 * JSON of ours or NULL, comes in with it. 0, or -EINVAL: it does not end as above. */
int chain_add(const struct chain_keys *k, struct chain_place *at, const char *line, size_t len,
	      const char *members, bool sign, struct strbuf *out);

/* A line's own part of it. */
struct chain_link {
	struct chain_place place; /* as the line says */
	size_t covered;		  /* bytes of the line that the hash covers */
	bool is_signed;
	uint8_t signature[CHAIN_SIGNED];
};

/* False: the line carries none. */
bool chain_parse(const char *line, size_t len, struct chain_link *ret);
/* Whether the line's hash is right where `before` is the hash of the line before it. */
bool chain_fits(const struct chain_keys *k, const uint8_t *before, const char *line,
		const struct chain_link *l);
bool chain_is_signed(const struct chain_keys *k, const struct chain_link *l);

/* The keyed hash of other data, CHAIN_HASH bytes. */
void chain_seal(const struct chain_keys *k, const void *data, size_t len, uint8_t *ret);

/* Hex digits: exactly `len` bytes; false where a character is none. */
bool chain_from_hex(const char *hex, uint8_t *ret, size_t len);
void chain_add_hex(struct strbuf *out, const uint8_t *bytes, size_t len);

#endif

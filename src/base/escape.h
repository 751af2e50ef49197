/* The one escaping function for bytes of others (argv, paths, names) that reach a person: terminal
 * escapes, control characters, invalid UTF-8 and bidi marks come out visible. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include "base/strbuf.h"

/* Appends `len` bytes with \n, \r, \t, \e, \xHH (bytes that are no valid UTF-8, C0, C1 and DEL) and
 * \u{HHHH} (bidi controls, zero-width, private and separator characters, blanks that are no space)
 * in place of what would not be seen as it is. A backslash is doubled. */
void escape_bytes(struct strbuf *sb, const char *data, size_t len);

/* Nothing of it would be seen as something else. */
bool escape_is_plain(const char *data, size_t len);

/* Appends one word as a POSIX shell would need it typed: bare where safe, else in single quotes,
 * or $'…' where it holds what would not be seen as it is. */
void escape_word(struct strbuf *sb, const char *word);

/* Appends the words of `argv` (NULL-terminated) with single spaces between them; stops after `max`
 * bytes (0: no limit), at a whole character, with "…". */
void escape_argv(struct strbuf *sb, char *const *argv, size_t max);

/* Appends text where markup is read: &, < and > as entities. */
void escape_markup(struct strbuf *sb, const char *data, size_t len);

#endif

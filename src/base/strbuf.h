/* A growing byte string, always NUL-terminated. Out of memory is sticky: appends after it do
 * nothing, and strbuf_error() says so, so that a caller checks once, at the end. */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdarg.h>

#include "base/util.h"

struct strbuf {
	char *data; /* NULL until the first append; owned */
	size_t len; /* bytes, without the terminating NUL */
	size_t cap;
	bool failed;
};

#define STRBUF_INIT	 ((struct strbuf) { 0 })
#define _cleanup_strbuf_ _cleanup_(strbuf_free)

void strbuf_free(struct strbuf *sb);
void strbuf_reset(struct strbuf *sb); /* length 0, memory kept, error cleared */
void strbuf_add(struct strbuf *sb, const void *data, size_t len);
void strbuf_addc(struct strbuf *sb, char c);
void strbuf_adds(struct strbuf *sb, const char *s);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...) _printf_(2, 3);
void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list args) _printf_(2, 0);
void strbuf_truncate(struct strbuf *sb, size_t len); /* to at most `len` bytes */
int strbuf_error(const struct strbuf *sb);	     /* 0 or -ENOMEM */
const char *strbuf_str(const struct strbuf *sb);     /* never NULL: "" where empty */
char *strbuf_take(struct strbuf *sb); /* the string, owned by the caller, or NULL; empties sb */

#endif

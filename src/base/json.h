/* A streaming JSON writer onto a strbuf. Strings of others may hold any bytes: what is not UTF-8
 * becomes U+FFFD, so the output is always valid JSON. Nesting is up to 62 levels (asserted). No
 * name here is one of libjansson's, which would otherwise call ours. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdint.h>

#include "base/strbuf.h"

struct json {
	struct strbuf *out; /* not owned */
	uint64_t more;	    /* bit N: level N already has an element */
	unsigned int level;
};

#define JSON_INIT(strbuf) ((struct json) { .out = (strbuf) })

/* `key` is NULL inside an array and at the top; it is a name of ours and written as it is. */
void json_open_object(struct json *j, const char *key);
void json_close_object(struct json *j);
void json_open_array(struct json *j, const char *key);
void json_close_array(struct json *j);
void json_put_string(struct json *j, const char *key, const char *s); /* NULL: null */
void json_put_string_n(struct json *j, const char *key, const char *s, size_t len);
void json_put_int(struct json *j, const char *key, int64_t v);
void json_put_uint(struct json *j, const char *key, uint64_t v);
void json_put_bool(struct json *j, const char *key, bool v);
void json_put_argv(struct json *j, const char *key, char *const *argv); /* array of strings */

#endif

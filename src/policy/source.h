/* A text that is compiled, and what is wrong with it: file:line:column, the line, a caret. */
#ifndef POLICY_SOURCE_H
#define POLICY_SOURCE_H

#include <stddef.h>

#include "base/strbuf.h"

#define SOURCE_MAX_FAULTS 100 /* of one compilation; what comes after is only counted */

/* All faults found so far. */
struct faults {
	struct strbuf *out;
	unsigned int count;
};

struct source {
	const char *name; /* path as the user gave it */
	const char *text;
	size_t len;
	struct faults *faults;
};

/* A string of the text and where it stands there. `spot` is the offset of its first byte. */
struct text {
	const char *s;
	size_t spot;
};

void source_fault(const struct source *src, size_t offset, const char *fmt, ...) _printf_(3, 4);

/* The offset in the source of byte `index` of a scalar whose raw form (quotes, escapes and folds
 * as written) starts at `t.spot`. */
size_t source_spot(const struct source *src, struct text t, size_t index);

/* What of the `count` names is spelled most like `name`; NULL where nothing comes close. */
const char *source_nearest(const char *name, const char *const *names, size_t count);

#endif

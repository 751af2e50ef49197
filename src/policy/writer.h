/* The sections of an image while they are written. */
#ifndef POLICY_WRITER_H
#define POLICY_WRITER_H

#include "base/map.h"
#include "policy/image.h"

struct writer {
	struct strbuf sections[SECTION_COUNT];
	struct map strings; /* hash -> offset + 1 */
};

void writer_init(struct writer *w);
void writer_free(struct writer *w);

/* Elements so far. */
u32 writer_count(const struct writer *w, enum image_section s);
/* Appends one element. */
void writer_add(struct writer *w, enum image_section s, const void *element);
/* The offset of a string, which is kept once. */
u32 writer_string(struct writer *w, const char *text);
u32 writer_string_or_none(struct writer *w, const char *text); /* NULL: IMAGE_NONE */

/* The whole image, appended to `out`. 0, -E2BIG or -ENOMEM. */
int writer_finish(struct writer *w, struct strbuf *out);

#endif

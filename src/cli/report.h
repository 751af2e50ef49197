/* A session's story, as text for people who were not there. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <jansson.h>

#include "base/strbuf.h"
#include "record/tree.h"

struct report {
	const struct tree_session *session;
	const struct tree *tree;
	json_t *const *findings; /* in order; each an event of the journal */
	size_t count;
};

void report_put_markdown(struct strbuf *out, const struct report *r);
void report_put_html(struct strbuf *out,
		     const struct report *r); /* one file, nothing from outside */

#endif

/* What commands that ask the record have in common. */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "base/strbuf.h"
#include "record/query.h"
#include "record/tree.h"

/* Opens the recorder's database, or reads the whole journal where there is none; tells what the
 * database does not have yet. NULL: the usual places. With a `dir` alone the journal is read. 0 or
 * a negative errno, logged. */
int record_open(const char *command, const char *dir, const char *database, struct query **ret);
/* 0 or a negative errno, logged. */
int record_find_session(const char *command, struct query *q, const char *name,
			struct tree_session *ret);

/* "denied (terraform.destroy, critical, by uid 0 (root))"; nothing where it was just let go. */
void record_add_outcome(struct strbuf *out, const struct tree_node *n);
/* "status 3, 1.2 s" */
void record_add_end(struct strbuf *out, const struct tree_node *n);
/* A command line as the journal has it, escaped when it was written: so many bytes of it. */
void record_add_command(struct strbuf *out, const char *command, size_t max);
void record_add_ms(struct strbuf *out, int64_t ms); /* "0.012 s" below ten seconds */

#endif

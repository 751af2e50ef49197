/* Brings the journal to a sink: each line at least once, in order, however long the sink is away.
 */
#ifndef EXPORT_EXPORTER_H
#define EXPORT_EXPORTER_H

#include "base/util.h"
#include "export/cursor.h"

struct exporter;

/* `cursor` is the path of the file that remembers how far the sink is. 0, -EINVAL where `spec` is
 * no sink's, -EBADMSG where the cursor is none, or another negative errno. */
int exporter_new(const char *journal_dir, const char *spec, const char *cursor,
		 struct exporter **ret);
void exporter_free(struct exporter *e); /* NULL is fine */
DEFINE_CLEANUP(struct exporter, exporter_free);

/* Hands over what there is, one batch at most, and remembers it: how many lines of the journal it
 * went past, 0 at its end, or a negative errno: what was not taken comes with the next call. */
int exporter_step(struct exporter *e);

/* Of another thread: exporter_step() is to return soon. */
void exporter_cancel(struct exporter *e);

struct exporter_counts {
	uint64_t given, refused; /* lines; what is refused is never taken, and left out */
};
struct exporter_counts exporter_counts(const struct exporter *e);

/* As sink_retry_ms(), sink_name() and sink_why(). */
unsigned int exporter_retry_ms(const struct exporter *e);
const char *exporter_name(const struct exporter *e);
const char *exporter_why(const struct exporter *e);

/* Behind what the sink has. */
struct cursor exporter_cursor(const struct exporter *e);

/* How long to wait after so many failures one after the other: full jitter, at most a minute. */
unsigned int exporter_delay_ms(unsigned int failures);

#endif

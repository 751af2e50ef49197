/* Journal events as lines for people; `log` and `watch` show the same. */
#ifndef CLI_FEED_H
#define CLI_FEED_H

#include <jansson.h>

#include "base/strbuf.h"

/* The event in a line of the journal, owned by the caller; NULL where it is none. */
json_t *feed_parse(const char *line, size_t len);

/* Appends the event as one line, ended by a newline; for a finding, a second one says why. Whatever
 * the event holds comes out escaped. */
void feed_format_event(struct strbuf *out, const json_t *event, bool colour);

/* Both of the above: 0, -EINVAL where the line is no event (nothing is appended), or -ENOMEM. */
int feed_format(struct strbuf *out, const char *line, size_t len, bool colour);

/* Appends the event as JSON, ended by a newline: to a program the line as it stands; to a terminal,
 * whose cursor a line of another host could move, in ASCII. */
void feed_put_json(struct strbuf *out, const char *line, size_t len, const json_t *event,
		   bool terminal);

/* What the guard itself said of the event: session, verdict, argv …; NULL: nothing. */
const json_t *feed_details(const json_t *event);

/* What kind of event it is, as `log --kind` names it: "exec", "connect", "send", "delete" (findings
 * count as what they were found in), "exit" or "guard". */
const char *feed_kind(const json_t *event);

/* Why the journal in `dir`, or with `fleet` the one of all hosts, cannot be read, and what to do.
 */
void feed_log_failure(const char *command, int err, const char *dir, bool fleet);

#endif

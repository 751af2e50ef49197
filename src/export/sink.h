/* Where events go: "file:PATH", "stdout:", "syslog+udp://HOST:PORT", "syslog+tcp://HOST:PORT". */
#ifndef EXPORT_SINK_H
#define EXPORT_SINK_H

#include <stddef.h>

#include "base/strbuf.h"

struct sink;

/* Nothing is connected yet. 0, -EINVAL where it is none of the above, or -ENOMEM. */
int sink_new(const char *spec, struct sink **ret);
void sink_free(struct sink *s); /* NULL is fine */
DEFINE_CLEANUP(struct sink, sink_free);

/* Hands over whole lines, each ended by a newline. 0: the sink has all of them, as far as it says
 * so. A negative errno: it may have some; they are to be handed over again. */
int sink_send(struct sink *s, const char *lines, size_t len);

/* A line as a message of RFC 5424, without framing. */
void sink_add_syslog(struct strbuf *out, const char *line, size_t len);

#endif

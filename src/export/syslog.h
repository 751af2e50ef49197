/* Events as messages of RFC 5424. */
#ifndef EXPORT_SYSLOG_H
#define EXPORT_SYSLOG_H

#include <stddef.h>

#include "base/strbuf.h"

#define SYSLOG_FACILITY 16 /* local0 */

/* Of a finding that held or refused something: warning; else informational. */
struct event;
int syslog_severity(const struct event *e);

/* Appends a line of the journal as one message, without framing. */
void syslog_add(struct strbuf *out, const char *line, size_t len);

#endif

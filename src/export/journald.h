/* A line of the journal as an entry of systemd-journald, in its native protocol. */
#ifndef EXPORT_JOURNALD_H
#define EXPORT_JOURNALD_H

#include "base/strbuf.h"

/* Appends the fields: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, SYSLOG_FACILITY, BACKSTOP_EVENT, which
 * is the line, and BACKSTOP_… of what it says. */
void journald_add(struct strbuf *out, const char *line, size_t len);

#endif

/* Events as messages of RFC 5424. */
#ifndef EXPORT_SYSLOG_H
#define EXPORT_SYSLOG_H

#include <stddef.h>

#include "base/strbuf.h"

/* Appends a line of the journal as one message, without framing. */
void syslog_add(struct strbuf *out, const char *line, size_t len);

#endif

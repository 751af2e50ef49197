/* What a webhook's requests are made of. */
#ifndef EXPORT_WEBHOOK_H
#define EXPORT_WEBHOOK_H

#include <stdint.h>

#include "base/strbuf.h"

/* Appends "sha256=" and the HMAC-SHA256 of "TIMESTAMP.BODY", in hex. */
void webhook_sign(struct strbuf *out, const struct strbuf *key, int64_t timestamp, const char *body,
		  size_t len);

/* Reads the key that requests are signed with: what a file holds that nobody but its owner may
 * read, without the newline at its end. 0, or a negative errno and, appended to `why`, words. */
int webhook_read_key(const char *path, struct strbuf *ret, struct strbuf *why);

/* A finding as a chat message: {"text": …} */
void webhook_slack(struct strbuf *out, const char *line, size_t len);

/* A finding as a notification of ntfy: its text, and headers of it. */
struct ntfy {
	char title[128], tags[64];
	int priority; /* 1 to 5 */
};
void webhook_ntfy(struct strbuf *out, struct ntfy *ret, const char *line, size_t len);

#endif

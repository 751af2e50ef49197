/* Where events go; sink_words() lists what there is. Options stand behind a '#':
 * "syslog+tls://log.lan:6514#ca=/etc/backstop/ca.pem&class=finding". */
#ifndef EXPORT_SINK_H
#define EXPORT_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

struct sink;

/* Nothing is connected yet. 0, or -EINVAL where it is none, or -ENOMEM. */
int sink_new(const char *spec, struct sink **ret);
void sink_free(struct sink *s); /* NULL is fine */
DEFINE_CLEANUP(struct sink, sink_free);

/* Hands over whole lines, each ended by a newline. 0: the sink has all of them, as far as it says
 * so. A negative errno: it may have some; they are to be handed over again. */
int sink_send(struct sink *s, const char *lines, size_t len);

/* How long what was sent is not surely the sink's own, in ms; 0: it is at once. Where sink_check()
 * fails by then, all that was sent since has to be sent again. */
unsigned int sink_settle_ms(const struct sink *s);
int sink_check(struct sink *s);

/* False: this line is none that the sink is to get. */
bool sink_wants(const struct sink *s, const char *line, size_t len);

/* After sink_send() failed: how many bytes, in whole lines, need not come again; and how long the
 * sink wants to be left alone, 0 where it did not say so. */
size_t sink_taken(const struct sink *s);
unsigned int sink_retry_ms(const struct sink *s);

/* How many lines it will never take: they were left out. */
uint64_t sink_refused(const struct sink *s);

/* Of another thread: sink_send() is to return soon, perhaps -ECANCELED. */
void sink_cancel(struct sink *s);

/* Why the last call failed and what may help, in words; NULL where there is no more than the
 * errno. */
const char *sink_why(const struct sink *s);

/* What it is called in messages: without what may be secret, which are options, credentials, and
 * the path of a URL. */
const char *sink_name(const struct sink *s);

/* "file:/PATH, stdout:, …" */
const char *sink_words(void);

/* True where a sink's name begins here. */
bool sink_begins(const char *text);

#endif

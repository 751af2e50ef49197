/* Connections to NATS as the specs of sinks describe them:
 * "nats://[USER[:PASSWORD]@]HOST:PORT[,HOST:PORT]…[/STREAM][#creds=FILE&ca=FILE]", or tls://. */
#ifndef EXPORT_NATS_H
#define EXPORT_NATS_H

#include <nats/nats.h>

#include "export/sink.h"

#define NATS_SUBJECT_MAX 128

/* True where the sink is one of these. */
bool nats_is(const struct sink *s);

/* Connects as `s`, a NATS sink, says, in a connection of its own. With `stays` it comes back by
 * itself once it is lost. `on_error` may be NULL. 0, or a negative errno and sink_why(). */
int nats_connect(struct sink *s, bool stays, natsErrHandler on_error, void *data,
		 natsConnection **ret);

/* The stream's name; the sink's. */
const char *nats_stream(const struct sink *s);

/* Sees to it that the stream is there. 0, or a negative errno and sink_why(). */
int nats_ensure_stream(struct sink *s, natsConnection *connection, jsCtx *js);

/* What the library says of the last error in this thread. */
const char *nats_text(natsStatus status);

/* "backstop.HOST.CLASS" of a line of the journal: HOST is its machine's id, or name. What is no
 * letter, digit, '-' or '_' becomes '_'. CLASS is one of process, file, network, finding,
 * application. */
struct event;
void nats_subject(const struct event *e, char *buf, size_t size);

#endif

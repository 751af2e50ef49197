/* Connections to NATS as the specs of sinks describe them:
 * "nats://[USER[:PASSWORD]@]HOST:PORT[,HOST:PORT]…[/STREAM][#creds=FILE&ca=FILE]", or tls://. */
#ifndef EXPORT_NATS_H
#define EXPORT_NATS_H

#include <nats/nats.h>

#include "export/sink.h"
#include "record/event.h"

#define NATS_SUBJECT_MAX 128

/* True where the sink is one of these. */
bool nats_is(const struct sink *s);

struct nats_way {
	const char *inbox;	 /* what its inboxes begin with; NULL: "_INBOX" */
	natsErrHandler on_error; /* NULL: none */
	void *data;
};
/* Connects as `s`, a NATS sink, says, in a connection of its own, which ends once it is lost. 0, or
 * a negative errno and sink_why(). */
int nats_connect(struct sink *s, const struct nats_way *way, natsConnection **ret);

/* The stream's name; the sink's. */
const char *nats_stream(const struct sink *s);

/* Sees to it that the stream is there. 0, or a negative errno and sink_why(). */
int nats_ensure_stream(struct sink *s, natsConnection *connection, jsCtx *js);

/* What the library says of the last error in this thread. */
const char *nats_text(natsStatus status);

/* "backstop.HOST.CLASS" of a line of the journal: HOST is its machine's id, or name. What is no
 * letter, digit, '-' or '_' becomes '_'. CLASS is one of process, file, network, finding,
 * application. */
#define NATS_HOST_MAX 64
void nats_host(struct slice host, char ret[NATS_HOST_MAX + 1]); /* HOST alone */
void nats_subject(const struct event *e, char *buf, size_t size);

#endif

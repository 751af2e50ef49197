/* What the files of the NATS sink share. */
#ifndef EXPORT_NATS_INTERNAL_H
#define EXPORT_NATS_INTERNAL_H

#include <pthread.h>

#include "export/nats.h"
#include "export/sink_type.h"

#define NATS_SERVERS_MAX 16
#define NATS_TEXT_MAX	 256

struct nats_sink {
	struct sink base;
	char *urls[NATS_SERVERS_MAX];
	size_t url_count;
	char *stream;
	natsConnection *connection; /* NULL: none */
	jsCtx *js;
	unsigned int taken;   /* classes of which the stream took one since it was connected to */
	pthread_mutex_t lock; /* of what follows, which the library's threads write */
	natsStatus status;    /* of the batch: the first that went wrong */
	jsErrCode code;
	char text[NATS_TEXT_MAX];
	char denied[NATS_TEXT_MAX]; /* what the server does not permit; "": nothing */
};

#endif

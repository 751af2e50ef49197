/* A durable pull consumer of a NATS stream, read in its order and without a gap: all that was not
 * acknowledged comes again from each connection. */
#ifndef FLEET_STREAM_H
#define FLEET_STREAM_H

#include <nats/nats.h>

#include "export/sink.h"

struct stream;

/* Nothing is connected yet. `s` is a NATS sink, which stays the caller's. 0 or -ENOMEM. */
int stream_new(struct sink *s, struct stream **ret);
void stream_free(struct stream *s); /* NULL is fine */
DEFINE_CLEANUP(struct stream, stream_free);

/* With `anew` what was acknowledged before comes, too. 0, or a negative errno and sink_why(). */
int stream_connect(struct stream *s, bool anew);
bool stream_is_connected(const struct stream *s);
void stream_disconnect(struct stream *s);

/* How many messages, owned by the caller, are in `ret`; 0: none within a moment. Or a negative
 * errno and sink_why(): it is disconnected. `ret_waiting` is how many more the stream has. */
int stream_fetch(struct stream *s, natsMsgList *ret, uint64_t *ret_waiting);

/* All messages up to this one are done with. The same as above. */
int stream_acknowledge(struct stream *s, natsMsg *last);

#endif

/* One direction of a connection: what has been read of it, and which names its other end has. */
#ifndef GUARD_SEND_STREAM_H
#define GUARD_SEND_STREAM_H

#include <netinet/in.h>

#include "guard/internal.h"
#include "policy/wire.h"

#define SEND_NAMES_MAX 8

struct send_stream {
	TAILQ_ENTRY(send_stream) entry;
	u64 id, session;
	struct bs_dest dest; /* inside of TLS: where its process last connected to */
	struct wire_stream *wire;
	struct quic *quic;  /* NULL until a datagram of it came */
	struct strbuf more; /* of the write at `more_at`, behind what its event has */
	u64 more_at;
	u64 ahead;			 /* bytes that the kernel counted more than once */
	u64 let_go;			 /* when; 0: never */
	char *names[SEND_NAMES_MAX + 1]; /* in small letters: what its messages told … */
	u32 sure;			 /* … behind the first ones, that name servers told */
	bool unsure;			 /* it may go elsewhere than to this address */
	char address[INET6_ADDRSTRLEN];
	const char *places[3]; /* see struct sending */
};

/* That of the event, which is a new one where it is not known. NULL: no memory. */
struct send_stream *send_stream_of(struct guard *g, const struct bs_send_event *e);
/* Another name of its other end. */
void send_stream_learn(struct send_stream *s, struct wire_slice name);
/* A copy in small letters, owned by the caller. NULL: no memory. */
char *send_stream_small(struct wire_slice name);

#endif

/* QUIC (RFC 9000, 9001, 9369): the ClientHello that a connection's first datagrams carry. Their
 * keys follow from what stands in them, so whoever sees them can read it. */
#ifndef POLICY_QUIC_H
#define POLICY_QUIC_H

#include "policy/wire.h"

/* What leaves on a UDP socket, of which several connections may share one. */
struct quic;

enum quic_told {
	QUIC_NOTHING, /* no Initial packet that can be read */
	QUIC_PART,    /* of a ClientHello */
	QUIC_HELLO,   /* one is complete */
};

bool quic_begins(const void *data, size_t len); /* with a long header of a version that is known */

struct quic *quic_new(void); /* NULL: out of memory */
void quic_free(struct quic *q);
DEFINE_CLEANUP(struct quic, quic_free);

/* One write: a datagram, or several, one behind the other. What a ClientHello tells is told each
 * time that bytes of it come and none is missing, so when it is sent again, too. */
enum quic_told quic_write(struct quic *q, const void *data, size_t len, wire_fn fn, void *arg);

#endif

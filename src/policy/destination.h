/* Destinations of connections, as connect: names them: [tcp:|udp:]HOST[:PORTS], unix:PATH. */
#ifndef POLICY_DESTINATION_H
#define POLICY_DESTINATION_H

#include "policy/arena.h"
#include "policy/policy.h"
#include "policy/source.h"

struct port_range {
	u16 low, high;
};

struct destination {
	struct text text;
	u8 addr[16];	  /* as in struct bs_dest */
	u32 bits;	  /* of the prefix: 0 is any address */
	bool remote;	  /* none of the task's own host */
	const char *name; /* a glob, instead of the address; NULL: none */
	const char *path; /* a glob, of a Unix socket; behind @ an abstract name; NULL: none */
	u8 protocol;	  /* IPPROTO_TCP or IPPROTO_UDP; 0: any */
	struct port_range *ports;
	size_t ports_count; /* 0: all ports */
};

/* False where there is a fault, which is told. */
bool destination_parse(struct arena *a, const struct source *src, struct text t,
		       struct destination *ret);

/* One address or name with one port, or a Unix socket, as it would be connected to: without a
 * protocol, TCP. Loopback is the task's own, other addresses are not. `name` is what a fault calls
 * the text. False where there is one: `err`. */
bool connection_parse(const char *name, const char *text, struct connection *ret,
		      struct strbuf *err);

/* Do the first `bits` of two addresses agree? */
bool destination_covers(const u8 *prefix, u32 bits, const u8 *addr);
bool destination_is_loopback(const u8 *addr);

#endif

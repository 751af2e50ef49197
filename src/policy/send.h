/* What leaves on connections: what a policy says of a message. */
#ifndef POLICY_SEND_H
#define POLICY_SEND_H

#include "policy/policy.h"
#include "policy/wire.h"

struct sending {
	const struct wire_message *message;
	/* for which the connection stands, small letters, NULL behind the last; NULL: not known */
	const char *const *names;
	/* of these, the first ones, that name servers told of its address: no others earn an allow
	 * rule, as they are what the client says */
	u32 sure;
	/* what it is called without a name: its address, localhost; NULL behind the last; NULL: not
	 * known. A rule may state it, and no rule about names is settled by it. */
	const char *const *places;
	const struct project *project; /* as in struct action */
};

/* The allow rules of the owner, then the strictest signature. A statement that is only prepared is
 * judged as if it were run: where that is not allowed, it matters (see wire_fn), and is let go. */
void policy_match_send(const struct policy *p, const struct sending *s, struct finding *ret);
/* The tables that the kernel scans what leaves with: one stream a connection, of which each needle
 * that was found counts until the guard says that its message has ended. */
const struct scan_tables *policy_send_tables(const struct policy *p);
/* What the kernel would say by these tables of a connection's bytes. */
bool policy_is_send_candidate(const struct policy *p, const void *data, size_t len);
/* Are all statements of this one's shape allowed, because no rule is about them? Then the kernel
 * may pass whatever has its hash, see shape.h, on connections with these names. */
bool policy_is_shape_harmless(const struct policy *p, const struct sending *s);
struct bs_shape;
struct bs_shape policy_shape(const void *text, size_t len, const struct bs_shape *key);
/* A signature's rule `n`, 0 …, or NULL behind the last. */
const char *policy_sending(const struct policy *p, u32 signature, u32 n);

#endif

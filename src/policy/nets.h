/* The rules about destinations -> the sections of an image. */
#ifndef POLICY_NETS_H
#define POLICY_NETS_H

#include "policy/destination.h"
#include "policy/writer.h"

struct net_rule {
	const struct destination *dest;
	u32 signature; /* IMAGE_NONE: an allow rule */
	u32 pack;
	enum verdict verdict;
	const struct source *src;
};

struct needles;

/* The rules, the tables of what the kernel freezes, and the needles of Unix sockets. */
void nets_write(struct writer *w, struct needles *n, const struct net_rule *rules, size_t count);

#endif

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
};

/* The rules, and the tables of what the kernel freezes. */
void nets_write(struct writer *w, struct arena *a, const struct net_rule *rules, size_t count);

#endif

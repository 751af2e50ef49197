/* Packs and profiles -> the bytes of an image. */
#ifndef POLICY_BUILD_H
#define POLICY_BUILD_H

#include "policy/needles.h"
#include "policy/profile.h"

struct build_stats {
	u32 signatures, programs, agents, needles, states, rules;
};

/* All that goes into one image. */
struct library {
	struct pack **packs;
	struct profile **profiles;
	size_t packs_count, profiles_count;
};

/* Faults are told through the sources; what has one is left out. 0, -E2BIG where a table
 * would be too large, or -ENOMEM. */
int build_image(struct arena *a, const struct library *library, struct strbuf *ret_image,
		struct build_stats *ret_stats);

#endif

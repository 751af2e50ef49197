/* Packs -> the bytes of an image. */
#ifndef POLICY_BUILD_H
#define POLICY_BUILD_H

#include "policy/needles.h"

struct build_stats {
	u32 signatures, programs, needles, states, rules;
};

/* Faults are told through the packs' sources; what has one is left out. 0, -E2BIG where a table
 * would be too large, or -ENOMEM. */
int build_image(struct arena *a, struct pack **packs, size_t count, struct strbuf *ret_image,
		struct build_stats *ret_stats);

#endif

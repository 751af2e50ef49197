/* Packs and profiles -> the bytes of an image. */
#ifndef POLICY_BUILD_H
#define POLICY_BUILD_H

#include "policy/needles.h"
#include "policy/profile.h"

struct build_stats {
	u32 signatures, programs, agents, needles, keys, rules;
};

/* A file or directory as it was when it was read. */
struct stamp {
	const char *path; /* absolute */
	u64 mtime;	  /* nanoseconds; 0: it was not there */
	u64 size;
};

/* All that goes into one image. */
struct library {
	struct pack **packs;
	struct profile **profiles;
	size_t packs_count, profiles_count;
	const struct settings *settings; /* NULL: the defaults */
	const struct text *precious;	 /* globs */
	size_t precious_count;
	const struct text *production; /* globs */
	size_t production_count;
	const struct approver *approvers;
	size_t approvers_count;
	struct stamp *stamps; /* of what the image is made of */
	size_t stamps_count;
};

/* Faults are told through the sources; what has one is left out. 0, -E2BIG where a table
 * would be too large, or -ENOMEM. */
int build_image(struct arena *a, const struct library *library, struct strbuf *ret_image,
		struct build_stats *ret_stats);

#endif

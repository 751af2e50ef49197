/* Deletions: what a policy says of a path that is about to go. */
#include "policy/search.h"

void policy_match_delete(const struct policy *p _unused_, const struct deletion *d _unused_,
			 struct finding *ret)
{
	*ret = (struct finding) { .verdict = VERDICT_ALLOW, .signature = IMAGE_NONE };
}

const struct scan_tables *policy_delete_tables(const struct policy *p _unused_)
{
	static const u16 trans[1 << BS_CLASS_BITS];
	static const struct bs_anchor anchors[1];
	static const struct scan_tables empty = { .trans = trans, .anchors = anchors, .states = 1 };

	return &empty;
}

bool policy_is_delete_candidate(const struct policy *p _unused_, const struct deletion *d)
{
	return d->protected_inode || d->burst;
}

const char *policy_build_output(const struct policy *p _unused_, u32 i _unused_)
{
	return NULL;
}

struct burst policy_burst(const struct policy *p _unused_)
{
	return (struct burst) { 0 };
}

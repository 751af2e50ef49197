/* For tests of the policy of one pack: `pack`, which stands before this is included. */
#ifndef UNIT_POLICY_ONE_PACK_H
#define UNIT_POLICY_ONE_PACK_H

#include "unit/policy/sample.h"

static struct policy *policy;

static int set_up(void **state _unused_)
{
	policy = sample_policy(pack);
	return 0;
}

static int tear_down(void **state _unused_)
{
	policy_free(policy);
	return 0;
}

#define EXPECT(line, id) assert_string_equal(sample_ask(policy, line), id)

#endif

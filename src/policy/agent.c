/* Agents: which exec starts one. */
#include "policy/search.h"

const char *policy_match_agent(const struct policy *p _unused_, const struct action *a _unused_)
{
	return NULL;
}

const struct agent_key *policy_agent_keys(const struct policy *p _unused_, u32 *ret_count)
{
	*ret_count = 0;
	return NULL;
}

const char *policy_agent(const struct policy *p _unused_, u32 i _unused_,
			 const char **ret_title _unused_)
{
	return NULL;
}

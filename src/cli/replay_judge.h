/* What a policy says of the actions that a journal tells of. */
#ifndef CLI_REPLAY_JUDGE_H
#define CLI_REPLAY_JUDGE_H

#include <jansson.h>
#include <stdint.h>

#include "policy/policy.h"

struct judge;

int judge_new(const struct policy *p, struct judge **ret); /* 0 or a negative errno */
void judge_free(struct judge *j);			   /* NULL is fine */
DEFINE_CLEANUP(struct judge, judge_free);

/* Lines come in their order, as what a process ran and what started it counts. True where the event
 * is an action, with the policy's finding on it. Files and repositories are not looked at: they are
 * not any more what they were. */
bool judge_event(struct judge *j, const json_t *event, struct finding *ret);

#endif

/* The examples of packs, tried on the image that was made of them. */
#ifndef POLICY_EXAMPLES_H
#define POLICY_EXAMPLES_H

#include "policy/pack.h"
#include "policy/policy.h"
#include "policy/profile.h"

/* Where examples run, as text: nothing is looked up. */
#define EXAMPLE_CWD  "/home/dev/app"
#define EXAMPLE_HOME "/home/dev"

/* hits match their signature, misses do not, instead is let go. Faults go to the pack's source.
 * Returns how many examples there were. */
unsigned int examples_try(const struct policy *p, const struct pack *pack);
/* hits start the agent and are found by the kernel's first look and by its scan, misses do not. */
unsigned int examples_try_profile(const struct policy *p, const struct profile *profile);

#endif

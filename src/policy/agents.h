/* Profiles -> the sections of an image that tell agents. */
#ifndef POLICY_AGENTS_H
#define POLICY_AGENTS_H

#include "policy/needles.h"
#include "policy/profile.h"
#include "policy/writer.h"

/* Faults are told through the profiles' sources; what has one is left out. */
void agents_write(struct writer *w, struct needles *n, struct profile **profiles, size_t count);

#endif

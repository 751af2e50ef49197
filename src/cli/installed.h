/* Agents that are installed on this host. */
#ifndef CLI_INSTALLED_H
#define CLI_INSTALLED_H

#include "base/strbuf.h"
#include "policy/policy.h"

/* Appends "claude (/usr/bin/claude), codex (…)": each agent that the profiles tell by the name of a
 * program in PATH, or where package managers put programs of the user (under sudo: of who called
 * it). Nothing is run. */
void installed_agents(const struct policy *p, struct strbuf *out);

#endif

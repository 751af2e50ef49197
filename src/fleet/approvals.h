/* Decisions that approvers signed elsewhere: they come over NATS, and the guard is asked. */
#ifndef FLEET_APPROVALS_H
#define FLEET_APPROVALS_H

#include "base/util.h"

struct approvals;

/* A thread that takes what comes for this host. `spec` as --export has it; `socket` is the guard's,
 * NULL: the usual one. 0, -EINVAL where `spec` names no NATS server, or another negative errno. */
int approvals_start(const char *spec, const char *socket, struct approvals **ret);
void approvals_stop(struct approvals *a); /* NULL is fine */
DEFINE_CLEANUP(struct approvals, approvals_stop);

#endif

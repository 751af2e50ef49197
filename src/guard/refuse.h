/* Making a task that was just exec'ed exit politely: status 126, "found but not run", instead of a
 * SIGKILL that looks like the work of the OOM killer. */
#ifndef GUARD_REFUSE_H
#define GUARD_REFUSE_H

#include <sys/types.h>

/* A trapped task of ours exits with status 126 when it is detached; 0 or a negative errno. */
int refuse_task(pid_t pid);

#endif

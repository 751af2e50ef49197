/* A new binary over a running one. */
#ifndef GUARD_UPGRADE_H
#define GUARD_UPGRADE_H

#include <stdbool.h>

/* Is the file that this process was started from another one now? */
bool upgrade_is_due(void);
/* Executes it with the same arguments: the process, and what it traces, stay. Returns, with a
 * message logged, only where that fails. */
void upgrade_exec(void);

#endif

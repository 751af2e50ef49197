/* The spool: a journal without keys that only we write, and that never ends in half a line. */
#ifndef FLEET_SPOOL_H
#define FLEET_SPOOL_H

#include "journal/journal.h"

/* Makes the directory where it is missing. `ret_empty`: there is no line yet. 0, -EBUSY where it
 * has a writer, or another negative errno. */
int spool_open(const char *dir, struct journal **ret, bool *ret_empty);

#endif

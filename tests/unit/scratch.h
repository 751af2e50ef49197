/* A directory of a test's own. */
#ifndef UNIT_SCRATCH_H
#define UNIT_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static char root[64];

static inline int make_root(void)
{
	strcpy(root, "/tmp/backstop-unit-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

/* A test's tear-down. */
static inline int remove_root(void **state _unused_)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", root);
	return system(command);
}

#endif

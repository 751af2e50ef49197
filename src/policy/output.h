/* Names of what a build makes and can make again. */
#ifndef POLICY_OUTPUT_H
#define POLICY_OUTPUT_H

#include "backstop/types.h"
#include "base/util.h"

/* Globs on names. */
extern const char *const output_names[];
extern const u32 output_names_count;
/* The same, but only inside the workspace: elsewhere these names say less. */
extern const char *const workspace_output_names[];
extern const u32 workspace_output_names_count;

/* Exact names of directories inside which nothing counts for a burst of deletions: `i` = 0 …; NULL
 * behind the last. */
const char *output_directory(u32 i);
bool output_is_directory(const char *name);

#endif

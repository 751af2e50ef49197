/* The files that no session may harm: the kernel knows them by what the guard opens. */
#ifndef KERNEL_PROTECT_H
#define KERNEL_PROTECT_H

#include "backstop/event.h"
#include "base/util.h"

struct kernel;

/* Between these two all that is to be protected is named; what was protected before and is not
 * named again is protected no longer. The files are protected throughout. */
void kernel_protect_begin(struct kernel *k);
/* How many files there are; 0 on the trace tier. */
u32 kernel_protect_end(struct kernel *k);

/* `flags`: enum bs_protect. A path that is named several times has all its flags. 0 or a negative
 * errno: there is no such file, or its flags could not be noted. */
int kernel_protect(struct kernel *k, const char *path, u32 flags);

#endif

/* The policy in force: found or compiled at the start, exchanged on a reload. */
#ifndef GUARD_RELOAD_H
#define GUARD_RELOAD_H

#include "guard/internal.h"

/* At the start: compiles the settings where the image is not fresh, opens it, takes its settings.
 * 0 or a negative errno, logged. */
int reload_first(struct guard *g);
/* What the kernel is loaded with. */
void reload_tables(const struct guard *g, const struct policy *p, struct kernel_tables *ret);
/* SIGHUP */
void reload_asked(struct guard *g);

#endif

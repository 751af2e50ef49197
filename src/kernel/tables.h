/* The tables of a policy -> the maps and constants of an object: where connects are candidates, and
 * which execs may be agents'. */
#ifndef KERNEL_TABLES_H
#define KERNEL_TABLES_H

#include "backstop/event.h"

#include "backstop.skel.h"
#include "kernel/kernel.h"

/* Between open and load, when the tiers are chosen. 0 or a negative errno. */
int tables_size(struct backstop_bpf *s, const struct tiers *tiers, const struct kernel_tables *t);
/* After load. 0 or a negative errno. */
int tables_fill(struct backstop_bpf *s, const struct kernel_tables *t);

#endif

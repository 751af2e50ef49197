/* The scan's tables -> the maps of bpf/scan.h, in whatever object includes it. `set` is how the
 * names of that set's maps begin: "scan", "delete". */
#ifndef KERNEL_SCAN_MAPS_H
#define KERNEL_SCAN_MAPS_H

#include <bpf/libbpf.h>

#include "policy/policy.h"

/* What the constant `set`_filter_mask has to be. */
u32 scan_maps_mask(const struct scan_tables *t);
/* Between open and load. 0 or a negative errno. */
int scan_maps_size(struct bpf_object *o, const char *set, const struct scan_tables *t);
/* After load. 0 or a negative errno. */
int scan_maps_fill(struct bpf_object *o, const char *set, const struct scan_tables *t);

#endif

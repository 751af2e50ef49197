#include "kernel/scan_maps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

u32 scan_maps_mask(const struct scan_tables *t)
{
	u32 p = 1;

	while (p < t->states << BS_CLASS_BITS)
		p <<= 1;
	return p - 1;
}

static struct bpf_map *find(struct bpf_object *o, const char *set, const char *name)
{
	char full[32];

	snprintf(full, sizeof(full), "%s_%s", set, name);
	return bpf_object__find_map_by_name(o, full);
}

int scan_maps_size(struct bpf_object *o, const char *set, const struct scan_tables *t)
{
	u32 bytes = (scan_maps_mask(t) + 1) * sizeof(u16);
	int r = bpf_map__set_value_size(find(o, set, "trans"), bytes);

	if (!r)
		r = bpf_map__set_max_entries(find(o, set, "accept"), MAX(t->accepts_count, 1U));
	if (!r)
		r = bpf_map__set_max_entries(find(o, set, "anchor"), t->needles + 1);
	if (!r)
		r = bpf_map__set_max_entries(find(o, set, "rule"), MAX(t->rules_count, 1U));
	return r;
}

/* In one call: there are tens of thousands. */
static int fill(const struct bpf_map *map, const void *values, u32 count)
{
	_cleanup_free_ u32 *keys = calloc(count + 1, sizeof(*keys));
	u32 n = count;

	if (!keys)
		return -ENOMEM;
	for (u32 i = 0; i < count; i++)
		keys[i] = i;
	return count ? bpf_map_update_batch(bpf_map__fd(map), keys, values, &n, NULL) : 0;
}

int scan_maps_fill(struct bpf_object *o, const char *set, const struct scan_tables *t)
{
	size_t size = bpf_map__value_size(find(o, set, "trans"));
	_cleanup_free_ char *table = calloc(1, size);
	int r;

	if (!table)
		return -ENOMEM;
	memcpy(table, t->trans, ((size_t)t->states << BS_CLASS_BITS) * sizeof(u16));
	r = fill(find(o, set, "trans"), table, 1);
	if (!r)
		r = fill(find(o, set, "accept"), t->accepts, t->accepts_count);
	if (!r)
		r = fill(find(o, set, "anchor"), t->anchors, t->needles + 1);
	if (!r)
		r = fill(find(o, set, "rule"), t->rules, t->rules_count);
	return r;
}

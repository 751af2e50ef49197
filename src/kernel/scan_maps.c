#include "kernel/scan_maps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

static struct bpf_map *find(struct bpf_object *o, const char *set, const char *name)
{
	char full[32];

	snprintf(full, sizeof(full), "%s_%s", set, name);
	return bpf_object__find_map_by_name(o, full);
}

u32 scan_maps_mask(const struct scan_tables *t)
{
	u32 words = 1;

	while (words < t->filter_count)
		words *= 2;
	return (words - 1) * sizeof(u64);
}

int scan_maps_size(struct bpf_object *o, const char *set, const struct scan_tables *t)
{
	u32 room = 2 * (scan_maps_mask(t) + sizeof(u64));
	int r = bpf_map__set_value_size(find(o, set, "filter"), room);

	if (!r)
		r = bpf_map__set_max_entries(find(o, set, "bucket"), t->buckets_count);
	if (!r)
		r = bpf_map__set_max_entries(find(o, set, "list"), t->lists_count);
	if (!r)
		r = bpf_map__set_max_entries(find(o, set, "anchor"), t->anchors_count);
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

static int fill_filter(const struct bpf_map *map, const struct scan_tables *t)
{
	_cleanup_free_ void *value = calloc(1, bpf_map__value_size(map));

	if (!value)
		return -ENOMEM;
	memcpy(value, t->filter, t->filter_count * sizeof(u64));
	return fill(map, value, 1);
}

int scan_maps_fill(struct bpf_object *o, const char *set, const struct scan_tables *t)
{
	int r = fill_filter(find(o, set, "filter"), t);

	if (!r)
		r = fill(find(o, set, "bucket"), t->buckets, t->buckets_count);
	if (!r)
		r = fill(find(o, set, "list"), t->lists, t->lists_count);
	if (!r)
		r = fill(find(o, set, "anchor"), t->anchors, t->anchors_count);
	if (!r)
		r = fill(find(o, set, "rule"), t->rules, t->rules_count);
	return r;
}

#include "kernel/scan_maps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

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

/* Of values of `size` bytes; in the map each begins at a multiple of 8. */
static int fill(const struct bpf_map *map, const void *values, size_t size, u32 count)
{
	size_t step = (size + 7) / 8 * 8;
	u8 *to;

	if (!count)
		return 0;
	to = mmap(NULL, count * step, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (to == MAP_FAILED)
		return -errno;
	for (u32 i = 0; i < count; i++)
		memcpy(to + i * step, (const u8 *)values + i * size, size);
	munmap(to, count * step);
	return 0;
}

int scan_maps_fill(struct bpf_object *o, const char *set, const struct scan_tables *t)
{
	int r = fill(find(o, set, "filter"), t->filter, sizeof(u64), t->filter_count);

	if (!r)
		r = fill(find(o, set, "bucket"), t->buckets, sizeof(*t->buckets), t->buckets_count);
	if (!r)
		r = fill(find(o, set, "list"), t->lists, sizeof(*t->lists), t->lists_count);
	if (!r)
		r = fill(find(o, set, "anchor"), t->anchors, sizeof(*t->anchors), t->anchors_count);
	if (!r)
		r = fill(find(o, set, "rule"), t->rules, sizeof(*t->rules), t->rules_count);
	return r;
}

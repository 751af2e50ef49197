/* match.h over BPF maps, which the guard fills from the policy before it attaches anything: in its
 * own memory, as there are tens of thousands of values.
 *
 * There are several sets of tables: the side that includes this header may define SCAN(name), the
 * name of each map and constant of its own set. */
#ifndef BPF_SCAN_H
#define BPF_SCAN_H

#include "shared.h"

#ifndef SCAN
#define SCAN(name) scan_##name
#endif

/* Known to the verifier, as they are set before load. */
const volatile u32 SCAN(filter_mask) = 0; /* bytes of all filters, a power of two, less a word */
const volatile u32 SCAN(bucket_mask) = 0; /* buckets, the same */

/* One value: all filters, so that a step is a plain load. Its size is set before load: twice that
 * of the mask, as a filter is looked up at its begin and a place within that the verifier knows as
 * little of. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 8);
} SCAN(filter) SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct bs_bucket);
} SCAN(bucket) SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} SCAN(list) SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct bs_anchor);
} SCAN(anchor) SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct bs_rule);
} SCAN(rule) SEC(".maps");

static __always_inline void *scan_at(void *map, u32 i)
{
	return bpf_map_lookup_elem(map, &i);
}

#define BS_LOOP(count, fn, ctx) bpf_loop(count, fn, ctx, 0)
#define BS_FILTER(tables, at)	((const u8 *)(tables) + ((at)&SCAN(filter_mask)))
#define BS_MASK(tables, mask)	((mask)&SCAN(filter_mask))
#define BS_BUCKET(tables, key)	scan_at(&SCAN(bucket), (key)&SCAN(bucket_mask))
#define BS_LIST(tables, i)	scan_at(&SCAN(list), i)
#define BS_ANCHOR(tables, i)	scan_at(&SCAN(anchor), i)
#define BS_RULE(tables, i)	scan_at(&SCAN(rule), i)

#include "backstop/match.h"

static __always_inline const void *scan_table(void)
{
	return scan_at(&SCAN(filter), 0);
}

#endif

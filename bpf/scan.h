/* match.h over BPF maps, which the guard fills from the policy before it attaches anything. */
#ifndef BPF_SCAN_H
#define BPF_SCAN_H

#include "shared.h"

/* Known to the verifier, as they are set before load. */
const volatile u32 scan_mask = 0;    /* entries of the transition table, a power of two, less one */
const volatile u32 scan_accepts = 0; /* states below are accepting */
const volatile u32 scan_start = 0;

/* One value: the whole table of u16, so that a step is a plain load. Its size is set before load.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 128);
} scan_trans SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct bs_accept);
} scan_accept SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct bs_anchor);
} scan_anchor SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct bs_rule);
} scan_rule SEC(".maps");

static __always_inline void *scan_at(void *map, u32 i)
{
	return bpf_map_lookup_elem(map, &i);
}

#define BS_LOOP(count, fn, ctx) bpf_loop(count, fn, ctx, 0)
#define BS_TRANS(tables, index) (((const u16 *)(tables))[(index)&scan_mask])
#define BS_ACCEPTS(tables)	scan_accepts
#define BS_ACCEPT(tables, i)	scan_at(&scan_accept, i)
#define BS_ANCHOR(tables, i)	scan_at(&scan_anchor, i)
#define BS_RULE(tables, i)	scan_at(&scan_rule, i)

#include "backstop/match.h"

static __always_inline const void *scan_table(void)
{
	return scan_at(&scan_trans, 0);
}

#endif

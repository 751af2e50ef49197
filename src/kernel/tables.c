#include "kernel/tables.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "kernel/delete_maps.h"
#include "kernel/scan_maps.h"
#include "kernel/send_maps.h"

/* As how_agent() in bpf/exec.bpf.c does. */
static void add_to_filter(u64 filter[4], u64 name)
{
	u32 bit = name * 0x9e3779b97f4a7c15ULL >> 56;

	filter[bit >> 6] |= 1ULL << (bit & 63);
}

int tables_size(struct backstop_bpf *s, const struct tiers *tiers, const struct kernel_tables *t)
{
	int r;

	s->rodata->scan_filter_mask = scan_maps_mask(t->scan);
	s->rodata->scan_bucket_mask = t->scan->buckets_count - 1;
	for (u32 i = 0; i < t->agents_count; i++)
		add_to_filter((u64 *)s->rodata->agent_filter, t->agents[i].name);
	r = scan_maps_size(s->obj, "scan", t->scan);
	if (!r)
		r = delete_maps_size(s, tiers, t);
	if (!r)
		r = send_maps_size(s, tiers, t);
	if (!r)
		r = bpf_map__set_max_entries(s->maps.connect_nets, MAX(t->nets->nets_count, 1U));
	if (!r)
		r = bpf_map__set_max_entries(s->maps.connect_ports, MAX(t->nets->ports_count, 1U));
	return r;
}

static int fill_nets(struct backstop_bpf *s, const struct net_tables *t)
{
	int r = 0;

	for (u32 i = 0; i < t->ports_count && !r; i++)
		r = bpf_map_update_elem(bpf_map__fd(s->maps.connect_ports), &i, t->ports[i], 0);
	for (u32 i = 0; i < t->nets_count && !r; i++) {
		struct {
			u32 bits;
			u8 addr[16];
		} key = { .bits = t->nets[i].bits };

		memcpy(key.addr, t->nets[i].addr, sizeof(key.addr));
		r = bpf_map_update_elem(bpf_map__fd(s->maps.connect_nets), &key, &t->nets[i].ports,
					0);
	}
	return r;
}

static int fill_agents(struct backstop_bpf *s, const struct agent_key *keys, u32 count)
{
	int r = 0;

	for (u32 i = 0; i < count && !r; i++) {
		u32 how = keys[i].how;

		r = bpf_map_update_elem(bpf_map__fd(s->maps.agent_keys), &keys[i].name, &how, 0);
	}
	return r;
}

int tables_fill(struct backstop_bpf *s, const struct kernel_tables *t)
{
	int r = scan_maps_fill(s->obj, "scan", t->scan);

	if (!r)
		r = fill_nets(s, t->nets);
	if (!r)
		r = fill_agents(s, t->agents, t->agents_count);
	if (!r)
		r = send_maps_fill(s, t);
	return r ?: delete_maps_fill(s, t);
}

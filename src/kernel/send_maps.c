#include "kernel/send_maps.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <bpf/bpf.h>

#include "backstop/ends.h"
#include "kernel/delete_maps.h"
#include "kernel/internal.h"
#include "kernel/scan_maps.h"

int send_maps_size(struct backstop_bpf *s, const struct tiers *tiers, const struct kernel_tables *t)
{
	u32 works = maps_count_works();
	int r = bpf_map__set_max_entries(s->maps.send_works, works);

	s->rodata->send_works_mask = works - 1;
	bpf_program__set_autoload(s->progs.pages_sendpage, false);
	if (!r)
		r = bpf_map__set_max_entries(s->maps.send_scans, works);
	if (r || !t->sends || !t->sends->rules_count)
		return r;
	if (getrandom((void *)s->rodata->send_key, sizeof(s->rodata->send_key), 0) < 0)
		return -errno;
	s->rodata->send_tables = true;
	s->rodata->send_observes = t->observes;
	s->rodata->send_unhooked = tier_of_use(tiers, TIER_SEND) == BS_TIER_TRACE;
	s->rodata->send_sendpage = !s->rodata->send_unhooked && tiers->has_sendpage;
	bpf_program__set_autoload(s->progs.pages_sendpage, s->rodata->send_sendpage);
	s->rodata->send_filter_mask = scan_maps_mask(t->sends);
	s->rodata->send_bucket_mask = t->sends->buckets_count - 1;
	return scan_maps_size(s->obj, "send", t->sends);
}

void send_maps_keep(struct backstop_bpf *s, const struct backstop_bpf *old)
{
	if (s->rodata->send_tables && old->rodata->send_tables)
		memcpy((void *)s->rodata->send_key, (const void *)old->rodata->send_key,
		       sizeof(s->rodata->send_key));
}

static int fill_ends(struct backstop_bpf *s, const struct scan_tables *t)
{
	_cleanup_free_ u8 *table = calloc(1, BS_ENDS_SIZE);
	const u32 zero = 0;

	if (!table)
		return -ENOMEM;
	for (u32 i = 0; i < t->ends_count; i++)
		table[t->ends[i] & BS_ENDS_MASK] |= (u8)(t->ends[i] >> BS_END_BEFORE);
	return bpf_map_update_elem(bpf_map__fd(s->maps.send_ends), &zero, table, BPF_ANY);
}

int send_maps_fill(struct backstop_bpf *s, const struct kernel_tables *t)
{
	int r;

	if (!s->rodata->send_tables)
		return 0;
	r = scan_maps_fill(s->obj, "send", t->sends);
	return r ? r : fill_ends(s, t->sends);
}

/* ---- packets: each of the host costs something while these are attached */

static int attach_egress(struct kernel *k, struct backstop_bpf *s, u32 generation, int cgroup)
{
	int r = kernel_attach_one(k, generation, s->progs.send_egress, cgroup,
				  &s->links.send_egress);

	if (!r)
		__atomic_store_n(&s->bss->shared.state.packets, 1, __ATOMIC_SEQ_CST);
	return r;
}

/* Where hooks ask, those that leave are looked at when that is first asked for. */
int kernel_attach_packets(struct kernel *k, struct backstop_bpf *s, u32 generation, int cgroup)
{
	int r = kernel_attach_one(k, generation, s->progs.names_ingress, cgroup,
				  &s->links.names_ingress);

	if (!r && s->rodata->send_sendpage)
		r = kernel_attach_one(k, generation, s->progs.pages_sendpage, -1,
				      &s->links.pages_sendpage);
	if (r || !(s->rodata->send_unhooked || s->bss->shared.state.packets))
		return r;
	return attach_egress(k, s, generation, cgroup);
}

static void drop_packets(struct kernel *k)
{
	struct backstop_bpf *s = k->skel;

	__atomic_store_n(&s->bss->shared.state.packets, 0, __ATOMIC_SEQ_CST);
	kernel_detach_one(k, s->progs.names_ingress, &s->links.names_ingress);
	kernel_detach_one(k, s->progs.pages_sendpage, &s->links.pages_sendpage);
	kernel_detach_one(k, s->progs.send_egress, &s->links.send_egress);
	kernel_drop_libraries(k);
}

int kernel_watch_packets(struct kernel *k, bool on)
{
	struct backstop_bpf *s = k->skel;
	_cleanup_close_ int cgroup = -1;

	if (!on) {
		drop_packets(k);
		return 0;
	}
	if (s->links.names_ingress || k->blind)
		return 0;
	cgroup = kernel_open_cgroup();
	return cgroup < 0 ? cgroup : kernel_attach_packets(k, s, k->generation, cgroup);
}

int kernel_look_at_packets(struct kernel *k)
{
	_cleanup_close_ int cgroup = -1;

	if (k->skel->links.send_egress)
		return 0;
	cgroup = kernel_open_cgroup();
	return cgroup < 0 ? cgroup : attach_egress(k, k->skel, k->generation, cgroup);
}

int kernel_say(struct kernel *k, const struct bs_send *of, u32 say)
{
	const struct bs_said said = { .position = of->position, .say = say };

	return bpf_map_update_elem(bpf_map__fd(k->skel->maps.stream_says), &of->stream, &said,
				   BPF_ANY);
}

int kernel_let_go_packets(struct kernel *k, u64 cookie, u32 end)
{
	return bpf_map_update_elem(bpf_map__fd(k->skel->maps.egress_grants), &cookie, &end,
				   BPF_ANY);
}

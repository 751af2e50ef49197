#include "kernel/delete_maps.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <bpf/bpf.h>

#include "kernel/internal.h"
#include "kernel/scan_maps.h"

u32 maps_count_works(void)
{
	int cpus = libbpf_num_possible_cpus();
	u32 n = 32;

	while (cpus > 0 && n < 2 * (u32)cpus)
		n *= 2;
	return n;
}

static u64 first_bytes(const char *name)
{
	char bytes[sizeof(u64)] = { 0 };
	u64 word;

	memcpy(bytes, name, strnlen(name, sizeof(bytes)));
	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* As is_build_name() in bpf/delete.bpf.c does. */
static void add_to_filter(u64 filter[4], const char *name)
{
	u32 bit = first_bytes(name) * 0x9e3779b97f4a7c15ULL >> 56;

	filter[bit >> 6] |= 1ULL << (bit & 63);
}

static u32 size_names(struct backstop_bpf *s, const char *const *names)
{
	u32 n = 0;

	for (; names && names[n]; n++)
		add_to_filter((u64 *)s->rodata->build_filter, names[n]);
	return n;
}

/* Of the operations, what no security hook sees. */
static u32 unhooked(const struct tiers *t)
{
	u32 ops = 0;

	for (size_t i = 0; i < tier_hooks_count; i++)
		if (!t->of[i])
			ops |= tier_hooks[i].ops;
	return ops;
}

int delete_maps_size(struct backstop_bpf *s, const struct tiers *tiers,
		     const struct kernel_tables *t)
{
	u32 works = maps_count_works(), names = size_names(s, t->build_output);
	int r = bpf_map__set_max_entries(s->maps.delete_works, works);

	s->rodata->delete_works_mask = works - 1;
	s->rodata->delete_unhooked = unhooked(tiers);
	bpf_program__set_autoload(s->progs.delete_done, s->rodata->delete_unhooked);
	if (getrandom((u64 *)&s->rodata->place_seed, sizeof(u64), 0) < 0)
		return -errno;
	s->rodata->burst_limit = t->burst.count;
	s->rodata->burst_bucket =
		MAX(t->burst.seconds, 1U) * 1000000000ULL / (BS_BURST_BUCKETS - 1);
	if (!r)
		r = bpf_map__set_max_entries(s->maps.delete_scans, works);
	if (!r)
		r = bpf_map__set_max_entries(s->maps.build_output, MAX(names, 1U));
	if (r || !t->deletes)
		return r;
	s->rodata->delete_tables = true;
	s->rodata->delete_filter_mask = scan_maps_mask(t->deletes);
	s->rodata->delete_bucket_mask = t->deletes->buckets_count - 1;
	return scan_maps_size(s->obj, "delete", t->deletes);
}

int delete_maps_fill(struct backstop_bpf *s, const struct kernel_tables *t)
{
	int fd = bpf_map__fd(s->maps.build_output), r = 0;
	u32 one = 1;

	for (int i = 0; t->build_output && t->build_output[i] && !r; i++) {
		char key[BS_BUILD_NAME] = { 0 };
		size_t len = strlen(t->build_output[i]);

		if (len >= sizeof(key))
			return -ENAMETOOLONG;
		memcpy(key, t->build_output[i], len);
		r = bpf_map_update_elem(fd, key, &one, 0);
	}
	if (!r && t->deletes)
		r = scan_maps_fill(s->obj, "delete", t->deletes);
	return r;
}

/* ---- for the guard */

int kernel_watch_deletions(struct kernel *k, bool on)
{
	struct bpf_program *prog = k->skel->progs.delete_done;
	struct bpf_link **link = &k->skel->links.delete_done;
	int r = kernel_demand(k, TIER_BY_DELETES, on);

	if (on == !!*link || (on && !k->skel->rodata->delete_unhooked))
		return r;
	if (on)
		return kernel_attach_one(k, k->generation, prog, -1, link) ?: r;
	kernel_drop_link(k, prog);
	bpf_link__destroy(*link);
	*link = NULL;
	return r;
}

int kernel_burst(struct kernel *k, u32 tgid, u64 start, enum bs_burst what)
{
	int fd = bpf_map__fd(k->skel->maps.processes);
	struct bs_process p;

	if (bpf_map_lookup_elem(fd, &tgid, &p))
		return -ESRCH;
	p.start = start;
	p.burst = what;
	return bpf_map_update_elem(fd, &tgid, &p, BPF_EXIST) ? -ESRCH : 0;
}

int kernel_spare(struct kernel *k, u64 place)
{
	u32 one = 1;

	return bpf_map_update_elem(bpf_map__fd(k->skel->maps.spared), &place, &one, BPF_ANY)
		       ? -errno
		       : 0;
}

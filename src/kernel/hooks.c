/* The security hooks, and the tripwire. */
#include "kernel/internal.h"

bool kernel_has_tripwire(const struct kernel *k)
{
	return k->skel && k->skel->links.tripwire_enter;
}

/* Its link lives by its pin alone. */
static int attach_hook(struct kernel *k, struct backstop_bpf *s, u32 generation, size_t hook,
		       enum bs_tier tier)
{
	struct bpf_link *link = NULL;
	int r = kernel_attach_one(k, generation, tier_program(s, hook, tier), -1, &link);

	bpf_link__destroy(link);
	return r;
}

bool kernel_attach_hooks(struct kernel *k, struct backstop_bpf *s, u32 generation)
{
	bool all = true;

	for (size_t i = 0; i < tier_hooks_count; i++)
		for (int tier = BS_TIER_FMOD_RET; tier < BS_TIERS; tier++) {
			int r;

			if ((tier_hooks[i].on_demand && !kernel_has_tripwire(k)) ||
			    !tier_is_wanted(&k->tiers, i, tier))
				continue;
			r = attach_hook(k, s, generation, i, tier);
			if (r)
				tier_fail(&k->tiers, i, tier, r);
			all = all && !r;
		}
	return all;
}

/* One of the hooks that cannot be attached is none to be told: the tripwire is there. */
static void set_fence(struct kernel *k, bool on)
{
	for (size_t i = 0; i < tier_hooks_count; i++) {
		enum bs_tier tier = k->tiers.of[i];

		if (!tier_hooks[i].on_demand || !tier)
			continue;
		if (on)
			attach_hook(k, k->skel, k->generation, i, tier);
		else
			kernel_drop_link(k, tier_program(k->skel, i, tier));
	}
}

int kernel_set_tripwire(struct kernel *k, bool on)
{
	struct bpf_program *prog = k->skel->progs.tripwire_enter;
	struct bpf_link **link = &k->skel->links.tripwire_enter;
	int r;

	if (on == !!*link)
		return 0;
	set_fence(k, on);
	if (on) {
		r = kernel_attach_one(k, k->generation, prog, -1, link);
		if (r)
			set_fence(k, false);
		return r;
	}
	kernel_drop_link(k, prog);
	bpf_link__destroy(*link);
	*link = NULL;
	return 0;
}

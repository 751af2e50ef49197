/* The security hooks, and the tripwire. */
#include <errno.h>
#include <unistd.h>

#include "kernel/internal.h"

bool kernel_has_tripwire(const struct kernel *k)
{
	return k->skel && k->skel->links.tripwire_enter;
}

static bool is_demanded(const struct kernel *k, size_t hook)
{
	u32 by = tier_hooks[hook].on_demand;

	return !by || by & k->demand;
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

			if (!is_demanded(k, i) || !tier_is_wanted(&k->tiers, i, tier))
				continue;
			r = attach_hook(k, s, generation, i, tier);
			if (r)
				tier_fail(&k->tiers, i, tier, r);
			all = all && !r;
		}
	return all;
}

#define PATIENCE_US (10 * 1000)
#define PATIENCES   50

/* It may be on its way out since a moment ago: a program cannot be attached twice. */
static int attach_again(struct kernel *k, size_t hook, enum bs_tier tier)
{
	int r = -EBUSY;

	for (int i = 0; i < PATIENCES && r == -EBUSY; i++) {
		if (i)
			usleep(PATIENCE_US);
		r = kernel_take_back_link(k, tier_program(k->skel, hook, tier));
		if (r)
			r = attach_hook(k, k->skel, k->generation, hook, tier);
	}
	return r;
}

static int set_hook(struct kernel *k, size_t hook, bool on)
{
	enum bs_tier tier = k->tiers.of[hook];

	if (!tier)
		return 0;
	if (on)
		return attach_again(k, hook, tier);
	kernel_let_go_link(k, tier_program(k->skel, hook, tier));
	return 0;
}

int kernel_demand(struct kernel *k, enum tier_demand by, bool on)
{
	bool changes = !!(k->demand & by) != on;
	u32 others = k->demand & ~by;
	int r = 0;

	for (size_t i = 0; i < tier_hooks_count && changes; i++)
		if (tier_hooks[i].on_demand & by && !(tier_hooks[i].on_demand & others)) {
			int err = set_hook(k, i, on); /* all are tried */

			r = r ?: err;
		}
	k->demand = on ? others | by : others;
	if (changes && !on)
		pins_sweep(&k->pins);
	return r;
}

int kernel_set_tripwire(struct kernel *k, bool on)
{
	struct bpf_program *prog = k->skel->progs.tripwire_enter;
	struct bpf_program *late = k->skel->progs.tripwire_late;
	struct bpf_link **link = &k->skel->links.tripwire_enter;
	struct bpf_link **late_link = &k->skel->links.tripwire_late;
	int r;

	if (on == !!*link)
		return 0;
	if (on) {
		/* where a hook of the fence is not, the tripwire is */
		kernel_demand(k, TIER_BY_FENCE, true);
		r = kernel_attach_one(k, k->generation, prog, -1, link);
		if (r)
			kernel_demand(k, TIER_BY_FENCE, false);
		else if (k->has_late)
			kernel_attach_one(k, k->generation, late, -1, late_link);
		return r;
	}
	kernel_detach_one(k, prog, link);
	kernel_detach_one(k, late, late_link);
	kernel_demand(k, TIER_BY_FENCE, false);
	return 0;
}

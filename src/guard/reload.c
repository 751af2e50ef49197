#include "guard/reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "guard/compile.h"
#include "guard/hold.h"
#include "guard/library.h"
#include "guard/link.h"
#include "guard/protect.h"
#include "guard/workspace.h"
#include "policy/send.h"

static bool is_compiled(const struct guard *g)
{
	return !g->options.policy && g->options.settings;
}

/* What the command line said stays. */
static void apply_settings(struct guard *g)
{
	const struct settings *s = policy_settings(g->policy);

	if (!g->options.mode_given)
		g->options.mode = s->mode;
	if (!g->options.timeout_given)
		g->options.hold_timeout = s->hold_timeout;
	g->recorded.fsync = s->journal.fsync;
	if (g->journal)
		journal_set_limits(g->journal, s->journal.segment_size, s->journal.keep,
				   s->journal.segment_age);
}

#define OUTPUT_MAX 256 /* names */

static const char *const *list_build_output(const struct policy *p)
{
	static const char *names[OUTPUT_MAX + 1];
	const char *name;
	u32 n = 0;

	while (n < OUTPUT_MAX && (name = policy_build_output(p, n)))
		names[n++] = name;
	names[n] = NULL;
	return names;
}

/* A connect or a deletion is frozen only to prevent it: the other modes learn of it by its event.
 * So they do of what is sent, which has one only where it would be asked about. */
void reload_tables(const struct guard *g, const struct policy *p, struct kernel_tables *ret)
{
	static const struct net_tables none;
	enum mode mode = g->options.mode_given ? g->options.mode : policy_settings(p)->mode;

	*ret = (struct kernel_tables) { .scan = policy_scan_tables(p),
					.nets = mode == MODE_ENFORCE ? policy_net_tables(p) : &none,
					.sends = policy_send_tables(p),
					.observes = mode != MODE_ENFORCE };
	if (mode == MODE_ENFORCE) {
		ret->deletes = policy_delete_tables(p);
		ret->burst = policy_burst(p);
	}
	ret->build_output = list_build_output(p);
	if (policy_settings(p)->follow_agents && !g->options.embedded)
		ret->agents = policy_agent_keys(p, &ret->agents_count);
}

static char *image_path(const struct guard *g)
{
	char *path;

	if (!is_compiled(g))
		return g->options.policy ? strdup(g->options.policy) : NULL;
	return asprintf(&path, "%s/policy.image", g->options.state_dir) < 0 ? NULL : path;
}

/* A guard that comes up with the policy of before is better than none. */
static int compile_first(struct guard *g)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	int r = policy_fresh(g->image, g->options.settings) == 1 ? 0 : compile_policy(g, &err);

	if (!r)
		return 0;
	log_error("%s", strbuf_str(&err));
	if (access(g->image, R_OK))
		return r;
	log_warning("the policy that was compiled before is used");
	return 0;
}

int reload_first(struct guard *g)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	int r;

	g->image = image_path(g);
	if (!g->image)
		return log_errno(-ENOMEM, "cannot start");
	r = is_compiled(g) ? compile_first(g) : 0;
	if (r)
		return r;
	r = policy_open(g->image, &g->policy, &err);
	if (r) {
		log_error("%s", strbuf_str(&err));
		return r;
	}
	apply_settings(g);
	return 0;
}

/* The new policy is in force from the next event on. */
static void swap(struct guard *g, struct policy *p)
{
	struct policy *old = g->policy;

	g->policy = p;
	library_forget_all(g); /* what was passed over may be probed now */
	apply_settings(g);
	workspace_reload_all(g);
	hold_drop_policy(g, old);
	policy_spare_scan(p);
}

static int reload(struct guard *g, struct strbuf *err)
{
	_cleanup_(policy_free_ptr) struct policy *p = NULL;
	struct kernel_tables t;
	int r = is_compiled(g) ? compile_policy(g, err) : 0;

	if (!r)
		r = policy_open(g->image, &p, err);
	if (r)
		return r;
	reload_tables(g, p, &t);
	r = kernel_reload(g->kernel, &t, err);
	if (!r)
		swap(g, TAKE_PTR(p));
	if (!r)
		protect_fill(g);
	return r;
}

/* A reload attaches all security hooks anew. */
static void report_tier(struct guard *g, const struct tiers *before)
{
	_cleanup_strbuf_ struct strbuf was = STRBUF_INIT, is = STRBUF_INIT;

	tier_describe(before, &was);
	tier_describe(kernel_tiers(g->kernel), &is);
	if (!strcmp(strbuf_str(&was), strbuf_str(&is)))
		return;
	g->host.tier = tier_name(kernel_tier(g->kernel));
	log_warning("the kernel did not take all security hooks again: tier %s, before: %s; "
		    "'backstop doctor' says what is missing; a restart tries them again",
		    strbuf_str(&is), strbuf_str(&was));
	report_guard(g, NULL, "tier changed", "tier %s, before the reload: %s", strbuf_str(&is),
		     strbuf_str(&was));
}

int guard_reload(struct guard *g, struct strbuf *err)
{
	const struct tiers before = *kernel_tiers(g->kernel);
	int r;

	if (g->reloading) {
		strbuf_adds(err, "a reload is under way");
		return -EBUSY;
	}
	g->reloading = true;
	r = reload(g, err);
	g->reloading = false;
	link_reloaded(g);
	if (r)
		report_guard(g, NULL, "reload failed", "policy %s stays in force: %s",
			     policy_version(g->policy), strbuf_str(err));
	else
		report_guard(g, NULL, "policy loaded", "policy %s, mode %s",
			     policy_version(g->policy), mode_name(g->options.mode));
	report_tier(g, &before);
	report_blind(g);
	return r;
}

void reload_asked(struct guard *g)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;

	if (guard_reload(g, &err))
		log_error("%s; the policy in force stays", strbuf_str(&err));
	else
		log_info("SIGHUP: policy %s, mode %s", policy_version(g->policy),
			 mode_name(g->options.mode));
}

/* What `backstop status` shows. */
#include <unistd.h>

#include "guard/figures.h"
#include "guard/internal.h"
#include "guard/unseen.h"

static unsigned int open_holds_of(const struct guard *g, const struct session *s)
{
	const struct hold *h;
	unsigned int n = 0;

	LIST_FOREACH (h, &g->holds, entry)
		n += h->counted && h->exec && h->exec->session_id == s->id;
	return n;
}

static void describe_session(struct guard *g, struct json *j, const struct session *s)
{
	struct bs_session counts = { 0 };

	kernel_get_session(g->kernel, s->id, &counts);
	json_open_object(j, NULL);
	json_put_string(j, "id", s->name);
	json_put_string(j, "agent", s->agent);
	json_put_string(j, "subagents", s->subagents);
	json_put_int(j, "pid", s->root);
	json_put_uint(j, "uid", s->uid);
	json_put_string(j, "user", users_name(g->users, s->uid));
	json_put_string(j, "tty", s->tty);
	json_put_string(j, "workspace", s->workspace);
	json_put_bool(j, "project", s->project); /* its own file is in effect */
	json_put_bool(j, "unattended", s->unattended);
	json_put_int(j, "started_ms", s->started_ms);
	json_put_uint(j, "tasks", counts.tasks);
	json_put_uint(j, "execs", counts.execs);
	json_put_uint(j, "connects", counts.connects);
	json_put_uint(j, "deletes", counts.deletes);
	json_put_uint(j, "holds", s->holds);
	json_put_uint(j, "open_holds", open_holds_of(g, s));
	json_close_object(j);
}

static void describe_losses(struct guard *g, struct json *j)
{
	static const char *const names[] = {
		[BS_LOSS_EVENT] = "event", [BS_LOSS_DECISION] = "decision", [BS_LOSS_ARGS] = "args",
		[BS_LOSS_SLOT] = "slot",   [BS_LOSS_LABEL] = "label",	    [BS_LOSS_STOP] = "stop",
	};
	const volatile struct bs_counters *c = kernel_counters(g->kernel);

	_Static_assert(ARRAY_SIZE(names) == BS_LOSS_COUNT, "a name for each cause");
	json_open_object(j, "losses");
	for (int i = 0; i < BS_LOSS_COUNT; i++)
		json_put_uint(j, names[i], c->losses[i]);
	json_put_uint(j, "hook", kernel_missed(g->kernel));
	json_put_uint(j, "journal", journal_get_counts(g->journal).lost);
	json_put_uint(j, "explanation", g->explanations_lost);
	json_close_object(j);
}

static void describe_events(const struct guard *g, struct json *j)
{
	struct report_counts counts;

	report_counts(g, &counts);
	json_open_object(j, "events");
	json_put_uint(j, "made", counts.made);
	json_put_uint(j, "recorded", counts.recorded);
	json_put_uint(j, "lost", counts.lost);
	json_close_object(j);
}

static void describe_counters(struct guard *g, struct json *j)
{
	const volatile struct bs_counters *c = kernel_counters(g->kernel);
	struct journal_counts journal = journal_get_counts(g->journal);

	json_open_object(j, "counters");
	json_put_uint(j, "execs", c->execs);
	json_put_uint(j, "connects", c->connects);
	json_put_uint(j, "deletes", c->deletes);
	json_put_uint(j, "uncounted", c->uncounted);
	json_put_uint(j, "unscanned", c->unscanned);
	json_put_uint(j, "candidates", c->candidates);
	json_put_uint(j, "shaken", c->shaken);
	json_put_uint(j, "stopped", c->stopped);
	json_put_uint(j, "tripped", c->tripped);
	json_put_uint(j, "late", c->late);
	json_put_uint(j, "unshaken", c->unshaken);
	json_put_uint(j, "fenced", c->fenced);
	json_put_uint(j, "tampers", c->tampers);
	json_put_uint(j, "events", c->events);
	json_close_object(j);
	json_open_object(j, "journal");
	json_put_uint(j, "written", journal.written);
	json_put_uint(j, "lost", journal.lost);
	json_put_int(j, "error", journal.last_error);
	json_close_object(j);
}

static void describe_policy(struct guard *g, struct json *j)
{
	const struct settings *s = policy_settings(g->policy);

	json_put_string(j, "mode", mode_name(g->options.mode));
	json_put_string(j, "settings", g->options.settings);
	json_put_string(j, "policy", g->options.policy);
	json_put_string(j, "policy_version", policy_version(g->policy));
	json_put_uint(j, "signatures", policy_signature_count(g->policy));
	json_put_bool(j, "follows_agents", s->follow_agents && !g->options.embedded);
	json_put_bool(j, "notifies", s->notify);
	json_put_string(j, "approvers", s->approvers);
	json_put_uint(j, "hold_timeout", g->options.hold_timeout);
}

/* What the security hooks give, and what it costs where they do not. */
static void describe_tiers(const struct guard *g, struct json *j)
{
	const struct tiers *t = kernel_tiers(g->kernel);

	json_open_array(j, "tiers");
	for (int u = 0; u < TIER_USES; u++) {
		_cleanup_strbuf_ struct strbuf why = STRBUF_INIT;
		enum bs_tier tier = tier_of_use(t, u);

		tier_explain(t, u, &why);
		json_open_object(j, NULL);
		json_put_string(j, "use", tier_uses[u].name);
		json_put_string(j, "tier", tier_name(tier));
		json_put_string(j, "why", why.len ? strbuf_str(&why) : NULL);
		json_put_string(j, "cost", tier ? NULL : tier_uses[u].cost);
		json_close_object(j);
	}
	json_close_array(j);
}

const char *guard_approvers(const struct guard *g)
{
	return policy_settings(g->policy)->approvers;
}

void guard_describe_status(struct guard *g, struct json *j)
{
	struct session *s;

	json_put_int(j, "pid", getpid());
	json_put_int(j, "keeper", getppid());
	json_put_uint(j, "restarts", g->options.restarts);
	json_put_string(j, "version", BACKSTOP_VERSION);
	json_put_string(j, "tier", g->host.tier);
	describe_tiers(g, j);
	json_put_string(j, "blind", kernel_blind(g->kernel)); /* why connects are not seen */
	json_put_bool(j, "embedded", g->options.embedded);
	json_put_int(j, "uptime_ms", now_ms() - g->started_ms);
	json_put_string(j, "scheduling", g->realtime ? "fifo" : "normal");
	describe_policy(g, j);
	json_put_uint(j, "holds", g->open_holds);
	json_open_array(j, "sessions");
	map_for_each (&g->sessions, s)
		describe_session(g, j, s);
	json_close_array(j);
	unseen_describe(g, j);
	describe_losses(g, j);
	describe_events(g, j);
	describe_counters(g, j);
	figures_describe(g, j);
}

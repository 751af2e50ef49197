#include "guard/figures.h"

#include <string.h>

#define MS 1000000ULL
#define S  1000000000ULL

/* In nanoseconds: a decision takes some 100 microseconds, or what it takes to ask git. */
static const u64 decision_bounds[FIGURES_BUCKETS] = {
	MS / 20, MS / 10, 150000,  MS / 4,   600000,   MS, 2500000, 5 * MS,
	10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, S,  5 * S,
};
/* A freeze is as short, or as long as a human takes. */
static const u64 freeze_bounds[FIGURES_BUCKETS] = {
	MS / 10, MS / 4, 600000, MS,	  5 * MS,  25 * MS, 100 * MS, S,
	5 * S,	 15 * S, 60 * S, 180 * S, 300 * S, 600 * S, 3600 * S,
};

static const char *const kinds[FIGURES_KINDS] = { "exec", "connect", "delete", "send" };
static const char *const ends[FIGURES_ENDS] = { "approved", "rejected", "timeout", "ended" };

static void observe(struct histogram *h, const u64 *bounds, u64 ns)
{
	size_t i = 0;

	while (i < FIGURES_BUCKETS && ns > bounds[i])
		i++;
	h->counts[i]++;
	h->sum_ns += ns;
}

static size_t kind_of(const struct exec *x)
{
	if (exec_is_deletion(x))
		return 2;
	if (exec_is_sending(x))
		return x->sent.source == BS_SEND_UNIX ? 1 : 3;
	return x->kind == BS_SLOT_CONNECT;
}

void figures_action(struct guard *g, const struct exec *x, enum ocsf_disposition disposition,
		    enum verdict verdict)
{
	u64 *counts = g->figures.actions[kind_of(x)];

	switch (disposition) {
	case OCSF_ALLOWED:
		counts[VERDICT_ALLOW]++;
		break;
	case OCSF_ALERT:
		counts[VERDICT_ALERT]++;
		break;
	case OCSF_DELAYED:
		counts[VERDICT_HOLD]++;
		break;
	case OCSF_BLOCKED:
		counts[verdict == VERDICT_KILL ? VERDICT_KILL : VERDICT_DENY]++;
		break;
	default:
		break;
	}
}

void figures_decided(struct guard *g, enum ocsf_disposition disposition, u64 ns)
{
	observe(&g->figures.decision, decision_bounds, ns);
	if (disposition != OCSF_DELAYED)
		observe(&g->figures.freeze, freeze_bounds, ns);
}

static size_t end_of(const struct hold *h, enum ocsf_disposition disposition)
{
	if (disposition == OCSF_APPROVED)
		return 0;
	if (disposition == OCSF_REJECTED)
		return 1;
	return h->by && !strcmp(h->by, "timeout") ? 2 : 3;
}

void figures_finding(struct guard *g, const struct decision *d, const struct hold *h,
		     enum ocsf_disposition disposition, u64 ns)
{
	if (!h || !h->counted || disposition == OCSF_DELAYED) {
		g->figures.findings[d->finding.severity][d->verdict]++;
		return;
	}
	g->figures.ends[end_of(h, disposition)]++;
	observe(&g->figures.freeze, freeze_bounds, ns);
}

/* ---- as JSON */

static void describe_verdicts(struct json *j, const char *key, const u64 *counts)
{
	json_open_object(j, key);
	for (int v = 0; v < VERDICT_COUNT; v++)
		json_put_uint(j, verdict_name(v), counts[v]);
	json_close_object(j);
}

static void describe_histogram(struct json *j, const char *key, const struct histogram *h,
			       const u64 *bounds)
{
	u64 count = 0;

	json_open_object(j, key);
	json_open_array(j, "buckets");
	for (int i = 0; i < FIGURES_BUCKETS; i++) {
		count += h->counts[i];
		json_open_object(j, NULL);
		json_put_uint(j, "le_ns", bounds[i]);
		json_put_uint(j, "count", count);
		json_close_object(j);
	}
	json_close_array(j);
	json_put_uint(j, "count", count + h->counts[FIGURES_BUCKETS]);
	json_put_uint(j, "sum_ns", h->sum_ns);
	json_close_object(j);
}

static void describe_counts(const struct guard *g, struct json *j)
{
	json_open_object(j, "actions");
	for (int k = 0; k < FIGURES_KINDS; k++)
		describe_verdicts(j, kinds[k], g->figures.actions[k]);
	json_close_object(j);
	json_open_object(j, "findings");
	for (int s = 0; s < SEVERITY_COUNT; s++)
		describe_verdicts(j, severity_name(s), g->figures.findings[s]);
	json_close_object(j);
	json_open_object(j, "holds_ended");
	for (int e = 0; e < FIGURES_ENDS; e++)
		json_put_uint(j, ends[e], g->figures.ends[e]);
	json_close_object(j);
}

static void describe_rings(const struct guard *g, struct json *j)
{
	static const char *const names[KERNEL_RINGS] = { "decisions", "events" };

	json_open_object(j, "rings");
	for (int i = 0; i < KERNEL_RINGS; i++) {
		struct ring_use use = kernel_ring_use(g->kernel, i);

		json_open_object(j, names[i]);
		json_put_uint(j, "size", use.size);
		json_put_uint(j, "used", use.used);
		json_put_uint(j, "peak", use.peak);
		json_close_object(j);
	}
	json_close_object(j);
}

/* 0: none is open. */
static int64_t oldest_hold(const struct guard *g)
{
	const struct hold *h;
	int64_t oldest = 0;

	LIST_FOREACH (h, &g->holds, entry)
		if (h->counted && (!oldest || h->since_ms < oldest))
			oldest = h->since_ms;
	return oldest;
}

void figures_describe(const struct guard *g, struct json *j)
{
	int64_t oldest = oldest_hold(g);

	json_put_int(j, "oldest_hold_ms", oldest ? MAX(now_ms() - oldest, 0) : 0);
	describe_counts(g, j);
	describe_histogram(j, "decision", &g->figures.decision, decision_bounds);
	describe_histogram(j, "freeze", &g->figures.freeze, freeze_bounds);
	describe_rings(g, j);
}

#include "serve/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "serve/exposition.h"

#define NS 1e-9
#define MS 1e-3

/* ---- the guard's figures, by where they stand in its status */

/* "counters.execs"; NULL where there is no such thing. */
static const json_t *at(const json_t *j, const char *place)
{
	char name[64];

	while (j && *place) {
		size_t n = strcspn(place, ".");

		snprintf(name, sizeof(name), "%.*s", (int)n, place);
		j = json_object_get(j, name);
		place += n + (place[n] == '.');
	}
	return j;
}

static double number(const json_t *j)
{
	return json_is_true(j) ? 1 : json_number_value(j);
}

/* A string, or "" */
static const char *text(const json_t *j, const char *place)
{
	const char *s = json_string_value(at(j, place));

	return s ? s : "";
}

static const struct single {
	const char *name;
	enum metric_type type;
	const char *place;
	double unit;
	const char *help;
} singles[] = {
	{ "backstop_guard_restarts", METRIC_COUNTER, "restarts", 1,
	  "Times that the keeper had to start the guard anew." },
	{ "backstop_policy_signatures", METRIC_GAUGE, "signatures", 1,
	  "Signatures of the policy in force." },
	{ "backstop_holds", METRIC_GAUGE, "holds", 1, "Holds that wait for a human." },
	{ "backstop_hold_oldest_age_seconds", METRIC_GAUGE, "oldest_hold_ms", MS,
	  "Age of the oldest open hold, 0 where none is open." },
	{ "backstop_hold_timeout_seconds", METRIC_GAUGE, "hold_timeout", 1,
	  "Time after which a hold is denied." },
	{ "backstop_candidates", METRIC_COUNTER, "counters.candidates", 1,
	  "Actions that the kernel asked the guard about." },
	{ "backstop_candidates_stopped", METRIC_COUNTER, "counters.stopped", 1,
	  "Candidates that were stopped as no answer came within the hand-shake." },
	{ "backstop_tripped", METRIC_COUNTER, "counters.tripped", 1,
	  "Held tasks that ran all the same, and were killed." },
	{ "backstop_tampers", METRIC_COUNTER, "counters.tampers", 1,
	  "What sessions were refused to do to the guard." },
	{ "backstop_deletions_uncounted", METRIC_COUNTER, "counters.uncounted", 1,
	  "Deletions of scratch and build output, which are no events." },
	{ "backstop_events_made", METRIC_COUNTER, "events.made", 1,
	  "Events that the kernel made." },
	{ "backstop_events_lost", METRIC_GAUGE, "events.lost", 1,
	  "Events that are not in the journal; one that is found late is lost no more." },
	{ "backstop_journal_lines", METRIC_COUNTER, "journal.written", 1,
	  "Lines that the guard wrote into the journal." },
	{ "backstop_journal_lines_lost", METRIC_COUNTER, "journal.lost", 1,
	  "Lines that could not be written into the journal." },
};

static void put_singles(struct exposition *e, const json_t *status)
{
	for (size_t i = 0; i < ARRAY_SIZE(singles); i++) {
		const struct single *s = &singles[i];
		const json_t *value = at(status, s->place);

		if (!value)
			continue;
		exposition_begin(e, s->name, s->type, s->help);
		exposition_put(e, NULL, 0, number(value) * s->unit);
	}
}

/* Objects whose members become labels, one level or two; `member` of the last, where it is set. */
static const struct group {
	const char *name;
	enum metric_type type;
	const char *place, *label, *inner, *member, *help;
} groups[] = {
	{ "backstop_actions", METRIC_COUNTER, "actions", "action", "verdict", NULL,
	  "Actions of sessions, by kind and verdict." },
	{ "backstop_findings", METRIC_COUNTER, "findings", "severity", "verdict", NULL,
	  "Matches of signatures, by severity and by what was done." },
	{ "backstop_holds_ended", METRIC_COUNTER, "holds_ended", "outcome", NULL, NULL,
	  "Holds that are over: approved, rejected by a human, timed out, or ended otherwise." },
	{ "backstop_losses", METRIC_COUNTER, "losses", "cause", NULL, NULL,
	  "What was lost, by cause." },
	{ "backstop_ring_size_bytes", METRIC_GAUGE, "rings", "ring", NULL, "size",
	  "Size of the ring that the kernel fills." },
	{ "backstop_ring_used_bytes", METRIC_GAUGE, "rings", "ring", NULL, "used",
	  "Bytes in it that the guard has not taken." },
	{ "backstop_ring_peak_bytes", METRIC_GAUGE, "rings", "ring", NULL, "peak",
	  "The most that the guard has found in it." },
};

static void put_members(struct exposition *e, const struct group *g, const char *outer,
			const json_t *members)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)members, name, value)
	{
		const struct label labels[] = { { g->label, outer ? outer : name },
						{ g->inner, name } };

		exposition_put(e, labels, outer ? 2 : 1,
			       number(g->member ? json_object_get(value, g->member) : value));
	}
}

static void put_group(struct exposition *e, const struct group *g, const json_t *object)
{
	const char *name;
	json_t *value;

	exposition_begin(e, g->name, g->type, g->help);
	if (!g->inner) {
		put_members(e, g, NULL, object);
		return;
	}
	json_object_foreach((json_t *)object, name, value)
	{
		put_members(e, g, name, value);
	}
}

static void put_groups(struct exposition *e, const json_t *status)
{
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (at(status, groups[i].place))
			put_group(e, &groups[i], at(status, groups[i].place));
}

/* A number as both formats write it: "1.0", "5e-05" */
static void format_bound(double bound, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%.9g", bound);

	if (!strpbrk(buf, ".e"))
		snprintf(buf + n, size - n, ".0");
}

static void put_histogram(struct exposition *e, const char *name, const json_t *h, const char *help)
{
	struct label le = { "le", "+Inf" };
	const json_t *bucket;
	char bound[32];
	size_t i;

	if (!h)
		return;
	exposition_begin(e, name, METRIC_HISTOGRAM, help);
	json_array_foreach(at(h, "buckets"), i, bucket)
	{
		format_bound(number(at(bucket, "le_ns")) * NS, bound, sizeof(bound));
		exposition_put_part(e, "_bucket", &(struct label) { "le", bound }, 1,
				    number(at(bucket, "count")));
	}
	exposition_put_part(e, "_bucket", &le, 1, number(at(h, "count")));
	exposition_put_part(e, "_sum", NULL, 0, number(at(h, "sum_ns")) * NS);
	exposition_put_part(e, "_count", NULL, 0, number(at(h, "count")));
}

/* ---- sessions, together by agent */

#define AGENTS_MAX 64 /* whoever starts a session may name its agent: the rest are "other" */

static void add_to(json_t *agent, const char *name, json_int_t n)
{
	json_object_set_new(agent, name,
			    json_integer(json_integer_value(json_object_get(agent, name)) + n));
}

static void add_session(json_t *agents, const json_t *session)
{
	const char *name = text(session, "agent");

	if (!json_object_get(agents, name) && json_object_size(agents) >= AGENTS_MAX)
		name = "other";
	if (!json_object_get(agents, name))
		json_object_set_new(agents, name, json_object());
	add_to(json_object_get(agents, name), "sessions", 1);
	add_to(json_object_get(agents, name), "tasks", json_integer_value(at(session, "tasks")));
}

static void put_sessions(struct exposition *e, const json_t *sessions)
{
	static const struct group by_agent[] = {
		{ "backstop_sessions", METRIC_GAUGE, NULL, "agent", NULL, "sessions",
		  "Sessions that are open, by agent." },
		{ "backstop_session_tasks", METRIC_GAUGE, NULL, "agent", NULL, "tasks",
		  "Threads of the open sessions, by agent." },
	};
	json_t *agents = json_object(), *session;
	size_t i;

	json_array_foreach((json_t *)sessions, i, session)
	{
		add_session(agents, session);
	}
	for (i = 0; i < ARRAY_SIZE(by_agent); i++)
		put_group(e, &by_agent[i], agents);
	json_decref(agents);
}

/* ---- what is said in words */

static void put_info(struct exposition *e, const char *name, const char *help,
		     const struct label *labels, size_t count)
{
	exposition_begin(e, name, METRIC_INFO, help);
	exposition_put(e, labels, count, 1);
}

static void put_words(struct exposition *e, const json_t *status)
{
	const struct label guard[] = { { "version", text(status, "version") },
				       { "tier", text(status, "tier") },
				       { "mode", text(status, "mode") },
				       { "scheduling", text(status, "scheduling") } };
	const struct label policy[] = { { "version", text(status, "policy_version") } };
	const json_t *tier;
	size_t i;

	put_info(e, "backstop_guard", "The guard that runs.", guard, ARRAY_SIZE(guard));
	put_info(e, "backstop_policy", "The policy in force.", policy, 1);
	exposition_begin(e, "backstop_tier", METRIC_INFO, "What the security hooks are used for.");
	json_array_foreach(at(status, "tiers"), i, tier)
	{
		const struct label labels[] = { { "use", text(tier, "use") },
						{ "tier", text(tier, "tier") } };

		exposition_put(e, labels, 2, 1);
	}
}

/* ---- all of the guard */

static void put_gauge(struct exposition *e, const char *name, double value, const char *help)
{
	exposition_begin(e, name, METRIC_GAUGE, help);
	exposition_put(e, NULL, 0, value);
}

static void put_events_waiting(struct exposition *e, const json_t *events)
{
	double waiting = number(at(events, "made")) - number(at(events, "recorded")) -
			 number(at(events, "lost"));

	put_gauge(e, "backstop_events_waiting", MAX(waiting, 0),
		  "Events that are neither in the journal nor lost.");
}

static void put_guard(struct exposition *e, const json_t *status)
{
	put_words(e, status);
	put_gauge(e, "backstop_guard_uptime_seconds", number(at(status, "uptime_ms")) * MS,
		  "Time since the guard was started.");
	put_gauge(e, "backstop_blind", json_is_string(at(status, "blind")),
		  "1: connects are neither seen nor held.");
	put_gauge(e, "backstop_journal_failing", number(at(status, "journal.error")) != 0,
		  "1: the guard cannot write the journal.");
	put_singles(e, status);
	put_events_waiting(e, at(status, "events"));
	put_groups(e, status);
	put_sessions(e, at(status, "sessions"));
	put_histogram(e, "backstop_decision_duration_seconds", at(status, "decision"),
		      "Time from a candidate's freeze to the guard's decision.");
	put_histogram(e, "backstop_freeze_duration_seconds", at(status, "freeze"),
		      "Time that candidates were frozen, until they went on or were refused.");
}

/* ---- the journal and those who read it */

static void put_journal(struct exposition *e, const struct facts *f)
{
	if (!f->journal_known)
		return;
	put_gauge(e, "backstop_journal_size_bytes", f->journal_bytes,
		  "Bytes that the journal takes up.");
	put_gauge(e, "backstop_journal_segments", f->journal_segments, "Files of the journal.");
	put_gauge(e, "backstop_recorder_lag_bytes", f->recorder_behind,
		  "Bytes of the journal that the database does not have yet.");
	put_gauge(
		e, "backstop_recorder_lag_seconds", f->recorder_behind_ms * MS,
		"Age of the oldest event that the database does not have yet, 0 where it has all.");
}

static void put_counter(struct exposition *e, const char *name, uint64_t value, const char *help)
{
	exposition_begin(e, name, METRIC_COUNTER, help);
	exposition_put(e, NULL, 0, value);
}

static void put_database(struct exposition *e, const struct facts *f)
{
	static const char *const kinds[EVENT_KINDS] = {
		[EVENT_EXEC] = "exec",	   [EVENT_EXIT] = "exit",	[EVENT_CONNECT] = "connect",
		[EVENT_DELETE] = "delete", [EVENT_FINDING] = "finding", [EVENT_GUARD] = "guard",
	};

	put_counter(e, "backstop_recorder_lines", f->recorder.lines,
		    "Lines of the journal that the database has.");
	put_counter(e, "backstop_recorder_lines_skipped", f->recorder.skipped,
		    "Lines of the journal that are no events.");
	if (!f->database_known)
		return;
	exposition_begin(e, "backstop_recorded_events", METRIC_COUNTER,
			 "Events that the database has, by kind.");
	for (int k = EVENT_NONE + 1; k < EVENT_KINDS; k++)
		exposition_put(e, &(struct label) { "kind", kinds[k] }, 1, f->events[k]);
}

static double exporter_value(const struct facts *f, size_t i, int which)
{
	const struct export_figures *x = &f->exporters[i];

	switch (which) {
	case 0:
		return f->exporters_behind[i];
	case 1:
		return x->lines;
	case 2:
		return x->refused;
	case 3:
		return x->failures;
	default:
		return x->failing;
	}
}

static void put_exporters(struct exposition *e, const struct facts *f)
{
	static const struct single all[] = {
		{ "backstop_exporter_lag_bytes", METRIC_GAUGE, NULL, 0,
		  "Bytes of the journal that the sink does not have yet." },
		{ "backstop_exporter_lines", METRIC_COUNTER, NULL, 0,
		  "Lines that the sink was given." },
		{ "backstop_exporter_refused", METRIC_COUNTER, NULL, 0,
		  "Lines that the sink will never take, and that were left out." },
		{ "backstop_exporter_failures", METRIC_COUNTER, NULL, 0,
		  "Times that the sink did not take what it was given." },
		{ "backstop_exporter_failing", METRIC_GAUGE, NULL, 0,
		  "1: the sink takes nothing." },
	};

	for (size_t m = 0; f->exporter_count && m < ARRAY_SIZE(all); m++) {
		exposition_begin(e, all[m].name, all[m].type, all[m].help);
		for (size_t i = 0; i < f->exporter_count; i++)
			exposition_put(e, &(struct label) { "sink", f->exporters[i].name }, 1,
				       exporter_value(f, i, (int)m));
	}
}

void metrics_write(struct strbuf *out, bool openmetrics, const json_t *status,
		   const struct facts *f)
{
	struct exposition e = { .out = out, .openmetrics = openmetrics };
	const struct label build = { "version", BACKSTOP_VERSION };

	put_info(&e, "backstop_build", "The release that answers.", &build, 1);
	put_gauge(&e, "backstop_up", status != NULL, "1: the guard answers.");
	if (status)
		put_guard(&e, status);
	put_journal(&e, f);
	put_database(&e, f);
	put_exporters(&e, f);
	exposition_end(&e);
}

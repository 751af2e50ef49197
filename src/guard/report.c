/* What the guard says to the journal, and to those who watch. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"
#include "base/log.h"
#include "guard/internal.h"

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

u64 boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

int64_t boot_to_ms(u64 ns)
{
	return now_ms() - (int64_t)(boot_ns() - ns) / 1000000;
}

/* A journal that cannot be written changes no verdict: what is lost is counted, said once, and
 * stated in the journal when there is room. */
static void publish(struct guard *g, const struct strbuf *line)
{
	bool failed_before = journal_get_counts(g->journal).last_error != 0;
	int r = strbuf_error(line) ?: journal_append(g->journal, strbuf_str(line), line->len);

	if (!r)
		r = journal_flush(g->journal);

	if (r && !failed_before)
		log_errno(r, "the journal in %s cannot be written (events are counted as lost)",
			  g->options.state_dir);
	control_publish(g->control, strbuf_str(line), line->len);
}

void report_sync(struct guard *g)
{
	journal_sync(
		g->journal); /* its failure is that of the append before it, which was reported */
}

static size_t fill_ancestors(const struct guard *g, const struct exec *x, struct ocsf_process *ret)
{
	size_t n = 0;

	for (int i = 0; i < BS_ANCESTORS && x->ancestors[i] > 0; i++) {
		const struct process *p = map_get(&g->processes, x->ancestors[i]);

		ret[n] = (struct ocsf_process) { .pid = x->ancestors[i] };
		if (p) {
			ret[n].start_ns = p->start;
			ret[n].path = p->path;
			ret[n].command = p->command;
		}
		n++;
		if (x->session && (pid_t)x->ancestors[i] == x->session->root)
			break;
	}
	return n;
}

static void fill_process(struct guard *g, const struct exec *x, char *tty, size_t size,
			 struct ocsf_process *ret)
{
	tty_name(x->tty, tty, size);
	*ret = (struct ocsf_process) {
		.pid = x->tgid,
		.start_ns = x->start,
		.created_ms = boot_to_ms(x->start),
		.path = x->path,
		.argv = x->argv,
		.cwd = x->cwd,
		.tty = tty[0] ? tty : NULL,
		.cgroup = paths_cgroup(g->paths, x->cgroup),
		.uid = x->uid,
		.euid = x->euid,
		.user = users_name(g->users, x->uid),
		.truncated = x->truncated,
	};
}

static void fill_event(struct guard *g, const struct session *s, struct ocsf_event *ret)
{
	*ret = (struct ocsf_event) {
		.time_ms = now_ms(),
		.sequence = ++g->sequence,
		.session = s ? s->name : NULL,
		.agent = s && s->agent[0] ? s->agent : NULL,
		.policy_version = policy_version(g->policy),
		.mode = mode_name(g->options.mode),
	};
}

void report_exec(struct guard *g, const struct exec *x, enum ocsf_disposition disposition)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	struct ocsf_process ancestors[BS_ANCESTORS];
	struct ocsf_event e;
	char tty[32];

	fill_event(g, x->session, &e);
	e.time_ms = boot_to_ms(x->time);
	fill_process(g, x, tty, sizeof(tty), &e.process);
	e.ancestors = ancestors;
	e.ancestor_count = fill_ancestors(g, x, ancestors);
	e.disposition = disposition;
	e.latency_ns = x->flags & BS_EXEC_CANDIDATE ? boot_ns() - x->time : 0;
	ocsf_exec(&line, &g->host, &e);
	publish(g, &line);
}

void report_finding(struct guard *g, const struct exec *x, const struct decision *d,
		    const struct hold *h, enum ocsf_disposition disposition, u64 latency_ns)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	const struct finding *f = &d->finding;
	struct ocsf_process ancestors[BS_ANCESTORS];
	struct ocsf_event e;
	char tty[32], id[128];

	fill_event(g, x->session, &e);
	fill_process(g, x, tty, sizeof(tty), &e.process);
	e.ancestors = ancestors;
	e.ancestor_count = fill_ancestors(g, x, ancestors);
	e.disposition = disposition;
	snprintf(id, sizeof(id), "%s.%s", f->pack ?: "", f->id ?: "");
	e.signature = f->id ? id : NULL;
	e.verdict = verdict_name(d->verdict);
	e.severity = severity_name(f->severity);
	e.why = f->why;
	e.instead = f->instead;
	e.technique = f->technique;
	e.carrier = f->carrier;
	e.hold = h ? h->id : d->approval;
	e.by = h ? h->by : NULL;
	e.reason = h && h->because ? h->because : d->reason;
	e.latency_ns = latency_ns;
	ocsf_finding(&line, &g->host, &e);
	publish(g, &line);
}

void report_exit(struct guard *g, const struct bs_exit_event *x)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	const struct process *p = map_get(&g->processes, x->head.tgid);
	struct ocsf_event e;

	if (!p || p->start != x->start)
		return; /* a fork that never exec'ed: nothing of it is in the journal */
	fill_event(g, session_get(g, x->head.session), &e);
	e.time_ms = boot_to_ms(x->head.time);
	e.process.pid = x->head.tgid;
	e.process.start_ns = x->start;
	e.process.path = p->path;
	e.process.command = p->command;
	e.process.exit_code = x->code;
	e.disposition = OCSF_ALLOWED;
	ocsf_exit(&line, &g->host, &e);
	publish(g, &line);
}

void report_guard(struct guard *g, const struct session *s, const char *name, const char *fmt, ...)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	_cleanup_free_ char *message = NULL;
	struct ocsf_event e;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&message, fmt, args) < 0)
		message = NULL;
	va_end(args);
	fill_event(g, s, &e);
	e.disposition = OCSF_ALLOWED;
	ocsf_guard(&line, &g->host, &e, name, message ?: name);
	publish(g, &line);
}

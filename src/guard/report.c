/* What the guard says to the journal, and to those who watch. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"
#include "base/log.h"
#include "guard/figures.h"
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
static void say_failure(struct guard *g, bool failed_before, int r)
{
	if (r && !failed_before)
		log_errno(r, "the journal in %s cannot be written (events are counted as lost)",
			  g->options.state_dir);
}

static int write_out(struct guard *g, bool sync)
{
	if (g->recorded.fsync != FSYNC_DECISIONS)
		sync = g->recorded.fsync == FSYNC_ALWAYS;
	return sync ? journal_sync_later(g->journal) : journal_flush(g->journal);
}

static void publish(struct guard *g, const struct strbuf *line)
{
	bool failed_before = journal_get_counts(g->journal).last_error != 0;
	int r = strbuf_error(line) ?: journal_append(g->journal, strbuf_str(line), line->len);

	if (!r && !g->recorded.batch)
		r = write_out(g, false);
	say_failure(g, failed_before, r);
	control_publish(g->control, strbuf_str(line), line->len);
}

void report_batch(struct guard *g)
{
	g->recorded.batch = true;
}

void report_flush(struct guard *g)
{
	bool failed_before = journal_get_counts(g->journal).last_error != 0;
	int r = write_out(g, g->recorded.sync);

	g->recorded.batch = g->recorded.sync = false;
	say_failure(g, failed_before, r);
}

#define SYNC_MAX_MS 10000

void report_sync_later(struct guard *g)
{
	bool failed_before = journal_get_counts(g->journal).last_error != 0;

	g->recorded.sync = g->recorded.batch;
	if (!g->recorded.batch)
		say_failure(g, failed_before, write_out(g, true));
}

/* Others wait to be decided, now or while the disk works: the guard goes on with them. */
void report_sync(struct guard *g)
{
	int fd;

	report_sync_later(g);
	if (g->recorded.batch || g->draining || g->recorded.fsync == FSYNC_NEVER)
		return;
	fd = journal_sync_fd(g->journal);
	if (fd >= 0 && !guard_pause(g, fd, SYNC_MAX_MS))
		log_warning("the disk of %s has not answered for %d s: decisions go on without it",
			    g->options.state_dir, SYNC_MAX_MS / 1000);
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
		.argv = exec_shown(x),
		.command = x->command,
		.cwd = x->cwd,
		.tty = tty[0] ? tty : NULL,
		.cgroup = paths_cgroup(g->paths, x->cgroup),
		.uid = x->uid,
		.euid = x->euid,
		.user = users_name(g->users, x->uid),
		.truncated = x->truncated,
		.environment = x->environment,
		.fresh = x->fresh,
	};
}

/* The sequence goes on with the guard after this one. */
static u64 next_sequence(struct guard *g)
{
	g->sequence++;
	if (g->kernel)
		kernel_shared(g->kernel)->state.sequence = g->sequence;
	return g->sequence;
}

static void fill_event(struct guard *g, const struct session *s, u64 number, bool found,
		       struct ocsf_event *ret)
{
	*ret = (struct ocsf_event) {
		.time_ms = now_ms(),
		.sequence = next_sequence(g),
		.session = s ? s->name : NULL,
		.agent = s && s->agent[0] ? s->agent : NULL,
		.policy_version = policy_version(g->policy),
		.mode = mode_name(g->options.mode),
	};
	recorded_mark(g, number, found, ret);
}

/* What lines about actions have in common. */
struct told {
	struct ocsf_event event;
	struct ocsf_process ancestors[BS_ANCESTORS];
	struct ocsf_deletion deletion;
	struct ocsf_sending sending;
	char tty[32];
};

static void fill_deletion(const struct exec *x, struct ocsf_deletion *ret)
{
	const struct object *o = &x->object;

	*ret = (struct ocsf_deletion) {
		.op = o->id.op,
		.path = o->path ?: "",
		.inner = o->inner,
		.inode = o->id.inode,
		.dev = o->id.dev,
		.bytes = o->bytes,
		.links = o->links,
		.burst = x->flags & BS_DELETE_BURST ? o->burst : 0,
		.done = x->kind == BS_SLOT_DELETED,
		.program_pid = (pid_t)x->program,
		.program_start_ns = x->program_start,
	};
}

static void tell_object(const struct exec *x, struct told *t)
{
	t->event.dest = x->kind == BS_SLOT_CONNECT || exec_is_sending(x) ? &x->dest : NULL;
	t->event.hostname = x->sent.name;
	if (exec_is_sending(x)) {
		t->sending = send_shown(x);
		t->event.sending = &t->sending;
	}
	if (exec_is_deletion(x)) {
		fill_deletion(x, &t->deletion);
		t->event.deletion = &t->deletion;
	}
}

static void tell(struct guard *g, const struct exec *x, enum ocsf_disposition disposition,
		 struct told *t)
{
	fill_event(g, x->session, x->number, x->found, &t->event);
	fill_process(g, x, t->tty, sizeof(t->tty), &t->event.process);
	t->event.ancestors = t->ancestors;
	t->event.ancestor_count = fill_ancestors(g, x, t->ancestors);
	tell_object(x, t);
	t->event.disposition = disposition;
}

void report_describe(struct guard *g, const struct exec *x, struct strbuf *out)
{
	struct told t = { 0 };

	fill_process(g, x, t.tty, sizeof(t.tty), &t.event.process);
	tell_object(x, &t);
	ocsf_action(out, &t.event);
}

static bool is_candidate(const struct exec *x)
{
	return x->flags &
	       (x->kind == BS_SLOT_EXEC ? (u32)BS_EXEC_CANDIDATE : (u32)BS_CONNECT_CANDIDATE);
}

static bool is_frozen(const struct exec *x)
{
	return is_candidate(x) && x->slot < BS_SLOTS;
}

void report_unknown(struct guard *g, const struct exec *x, enum ocsf_disposition disposition,
		    const char *reason)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	struct told t;

	if (x->number && report_is_recorded(g, x->number))
		return;
	tell(g, x, disposition, &t);
	t.event.time_ms = boot_to_ms(x->time);
	t.event.reason = reason;
	if (is_candidate(x) && !reason)
		t.event.latency_ns = boot_ns() - x->time;
	if (t.event.deletion)
		ocsf_delete(&line, &g->host, &t.event);
	else if (t.event.dest)
		ocsf_connect(&line, &g->host, &t.event);
	else
		ocsf_exec(&line, &g->host, &t.event);
	publish(g, &line);
}

/* What comes again was counted by the guard before this one. */
void report_decided(struct guard *g, const struct exec *x, enum ocsf_disposition disposition,
		    enum verdict verdict, const char *reason)
{
	if (!numbers_has(&g->recorded.before, x->number)) {
		figures_action(g, x, disposition, verdict);
		if (is_frozen(x) && !reason)
			figures_decided(g, disposition, boot_ns() - x->time);
	}
	report_unknown(g, x, disposition, reason);
}

void report_action(struct guard *g, const struct exec *x, enum ocsf_disposition disposition)
{
	report_decided(g, x, disposition, VERDICT_ALLOW, NULL);
}

/* What a guard before this one found in an event that comes again is not found twice. */
void report_finding(struct guard *g, const struct exec *x, const struct decision *d,
		    const struct hold *h, enum ocsf_disposition disposition, u64 latency_ns)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	const struct finding *f = &d->finding;
	struct ocsf_event *e;
	struct told t;
	char id[128];

	if (!h && numbers_has(&g->recorded.before, x->number))
		return;
	tell(g, x, disposition, &t);
	e = &t.event;
	snprintf(id, sizeof(id), "%s.%s", f->pack ?: "", f->id ?: "");
	e->signature = f->id ? id : NULL;
	e->verdict = verdict_name(d->verdict);
	e->severity = severity_name(f->severity);
	e->why = f->why;
	e->instead = f->instead;
	e->technique = f->technique;
	e->carrier = f->carrier;
	e->context = f->context;
	e->hold = h ? h->id : d->approval;
	e->by = h ? h->by : NULL;
	e->reason = h && h->because ? h->because : d->reason;
	e->latency_ns = latency_ns;
	figures_finding(g, d, h, disposition, latency_ns);
	ocsf_finding(&line, &g->host, e);
	publish(g, &line);
}

/* Of a fork that never exec'ed only its number and its start are known. */
void report_exit(struct guard *g, const struct bs_exit_event *x)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	const struct process *p = map_get(&g->processes, x->head.tgid);
	struct ocsf_event e;

	if (x->head.number && report_is_recorded(g, x->head.number))
		return;
	fill_event(g, session_get(g, x->head.session), x->head.number, false, &e);
	e.time_ms = boot_to_ms(x->head.time);
	e.process.pid = x->head.tgid;
	e.process.start_ns = x->start;
	if (p && p->start == x->start) {
		e.process.path = p->path;
		e.process.command = p->command;
	}
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
	fill_event(g, s, g->recorded.of, false, &e);
	g->recorded.of = 0;
	e.disposition = OCSF_ALLOWED;
	ocsf_guard(&line, &g->host, &e, name, message ?: name);
	publish(g, &line);
}

void report_blind(struct guard *g)
{
	const char *why = kernel_blind(g->kernel);

	if (g->blind == !!why)
		return;
	g->blind = why;
	if (!why) {
		report_guard(g, NULL, "connects seen", "connects are seen again");
		return;
	}
	log_warning("connects are neither seen nor held: %s", why);
	report_guard(g, NULL, "connects not seen", "connects are neither seen nor held: %s", why);
}

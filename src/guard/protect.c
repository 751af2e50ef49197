#include "guard/protect.h"

#include <errno.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"
#include "guard/protect_files.h"

#define SETTLE	       (200 * 1000) /* microseconds between a change and a new filling */
#define EXPLAIN_PERIOD 10000	    /* ms in which a session is told at most EXPLAIN_MAX times */
#define EXPLAIN_MAX    5
#define WATCHED	       (IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_ONLYDIR)

/* ---- the files */

static void refill(void *data)
{
	struct guard *g = data;

	g->protected.later = NULL;
	protect_fill(g);
}

static void on_change(void *data, _unused_ uint32_t events)
{
	struct guard *g = data;
	char ignored[4096];

	while (read(g->protected.watch, ignored, sizeof(ignored)) > 0)
		;
	if (!g->protected.later)
		loop_add_timer(g->loop, SETTLE, refill, g, &g->protected.later);
}

static void watch(void *data, const char *directory)
{
	const struct guard *g = data;

	if (g->protected.watch >= 0)
		inotify_add_watch(g->protected.watch, directory, WATCHED);
}

/* Those of before go with their descriptor. */
static void watch_anew(struct guard *g)
{
	loop_remove(g->protected.source);
	g->protected.source = NULL;
	if (g->protected.watch > 0)
		close(g->protected.watch);
	g->protected.watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (g->protected.watch >= 0)
		loop_add_fd(g->loop, g->protected.watch, EPOLLIN, on_change, g,
			    &g->protected.source);
}

void protect_fill(struct guard *g)
{
	if (kernel_tier(g->kernel) == BS_TIER_TRACE)
		return;
	watch_anew(g);
	g->protected.files = protect_files(g, watch, g);
	log_debug("%u files are protected from sessions", g->protected.files);
}

void protect_end(struct guard *g)
{
	loop_remove(g->protected.source);
	loop_remove(g->protected.later);
	if (g->protected.watch > 0)
		close(g->protected.watch);
}

/* ---- what was tried, in words */

static void add_target(struct strbuf *sb, u32 tgid)
{
	if (tgid == (u32)getpid())
		strbuf_adds(sb, "the guard");
	else if (tgid == (u32)getppid())
		strbuf_adds(sb, "the guard's keeper");
	else
		strbuf_addf(sb, "process %u, which is held or not of this session", tgid);
}

static void add_signal(struct strbuf *sb, u32 signo)
{
	const char *name = sigabbrev_np((int)signo);

	if (name)
		strbuf_addf(sb, "SIG%s to ", name);
	else
		strbuf_addf(sb, "signal %u to ", signo);
}

static const char *const verbs[BS_TAMPERS] = {
	[BS_TAMPER_TRACE] = "tracing ",
	[BS_TAMPER_BPF] = "bpf()",
	[BS_TAMPER_SCHEDULE] = "changing the scheduling of ",
	[BS_TAMPER_LIMIT] = "changing the limits of ",
	[BS_TAMPER_PROC] = "writing to /proc of ",
	[BS_TAMPER_KERNEL] = "writing to ",
	[BS_TAMPER_MODULE] = "loading or removing a kernel module",
	[BS_TAMPER_WRITE] = "writing to ",
	[BS_TAMPER_REMOVE] = "removing ",
	[BS_TAMPER_RENAME] = "renaming ",
	[BS_TAMPER_LINK] = "making a link to ",
	[BS_TAMPER_CREATE] = "making ",
	[BS_TAMPER_CHANGE] = "changing mode, owner or attributes of ",
	[BS_TAMPER_LOCK] = "locking ",
	[BS_TAMPER_WATCH] = "being asked before others open ",
	[BS_TAMPER_MOUNT] = "mounting on ",
	[BS_TAMPER_UNMOUNT] = "unmounting ",
	[BS_TAMPER_CGROUP] = "writing to the guard's cgroup: ",
	[BS_TAMPER_MOVE] = "moving to another cgroup: ",
};

static void describe(const struct bs_tamper_event *e, struct strbuf *sb)
{
	if (e->what == BS_TAMPER_SIGNAL)
		add_signal(sb, e->detail);
	else if (e->what < BS_TAMPERS && verbs[e->what])
		strbuf_adds(sb, verbs[e->what]);
	else
		strbuf_adds(sb, "something unknown");
	if (e->target)
		add_target(sb, e->target);
	if (e->what == BS_TAMPER_BPF)
		strbuf_addf(sb, " with command %u", e->detail);
	if (e->name[0])
		escape_bytes(sb, e->name, strnlen(e->name, sizeof(e->name)));
	if (e->times > 1)
		strbuf_addf(sb, ", %u times", e->times);
}

/* ---- telling */

static const struct finding finding = {
	.verdict = VERDICT_DENY,
	.severity = SEVERITY_CRITICAL,
	.pack = "self",
	.id = "tamper",
	.why = "A session may not stop, trace or change what guards it.",
	.instead = "ask a human to do it outside of the session",
	.technique = "T1562.001",
	.signature = (u32)-1,
};

/* At most so often: an agent can try any number of things. */
static bool may_explain(struct guard *g)
{
	int64_t now = now_ms();

	if (now - g->protected.since_ms >= EXPLAIN_PERIOD || now < g->protected.since_ms) {
		g->protected.since_ms = now;
		g->protected.explained = 0;
	}
	return g->protected.explained++ < EXPLAIN_MAX;
}

/* Who tried may be gone already, as kill(1) is: then who started it. */
static void explain(struct guard *g, const struct bs_tamper_event *e, const char *what)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "backstop: denied: %s\n", what);
	strbuf_adds(&sb, "backstop: why: a session may not stop, trace or change what guards it "
			 "(self.tamper, critical)\n");
	strbuf_addf(&sb, "backstop: instead: %s\n", finding.instead);
	if (!explain_text(g, e->head.tgid, e->head.session, &sb) &&
	    !explain_text(g, e->parent, e->head.session, &sb))
		g->explanations_lost++;
}

static struct exec *decode(struct guard *g, const struct bs_tamper_event *e)
{
	struct exec *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	exec_take_head(g, x, &e->head, e->start, e->uid);
	x->cgroup = e->cgroup;
	if (exec_read_proc(g, x))
		process_copy(g, x, e->parent);
	return x;
}

void protect_event(struct guard *g, const struct bs_tamper_event *e)
{
	_cleanup_strbuf_ struct strbuf what = STRBUF_INIT;
	_cleanup_(exec_free_ptr) struct exec *x = decode(g, e);
	struct decision d = { .verdict = VERDICT_DENY, .finding = finding };

	if (!x)
		return;
	describe(e, &what);
	d.reason = strbuf_str(&what);
	if (may_explain(g)) {
		log_warning("session %s: process %u was refused: %s",
			    x->session ? x->session->name : "?", x->tgid, d.reason);
		explain(g, e, d.reason);
	}
	report_finding(g, x, &d, NULL, OCSF_BLOCKED, 0);
}

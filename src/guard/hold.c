/* Frozen tasks: seized, so that no SIGCONT wakes them, until they are let go, refused or killed.
 *
 * All ptrace calls come from this thread, as the kernel demands. The stop is never shown to
 * anybody: a task that the kernel had to stop is continued as soon as it has trapped, which it does
 * in ptrace's own stop. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/proc.h"
#include "guard/candidate.h"
#include "guard/internal.h"

#define SIGNALS_PERIOD (100 * 1000) /* microseconds between looks for a Ctrl-C or a hang-up */

static struct hold *hold_find(const struct guard *g, u32 tgid)
{
	struct hold *h;

	LIST_FOREACH (h, &g->holds, entry)
		if (h->tgid == tgid)
			return h;
	return NULL;
}

bool hold_has_slot(const struct guard *g, u32 slot, u32 ticket)
{
	struct hold *h;

	LIST_FOREACH (h, &g->holds, entry)
		if (h->slot == slot && h->ticket == ticket)
			return true;
	return false;
}

static void hold_free(struct guard *g, struct hold *h)
{
	LIST_REMOVE(h, entry);
	loop_remove(h->timeout);
	if (h->counted && --g->open_holds == 0) {
		loop_remove(g->watch_signals);
		g->watch_signals = NULL;
		kernel_set_tripwire(g->kernel, false);
	}
	slot_free(g, h->slot, h->ticket);
	close_fd(&h->pidfd);
	exec_free(h->exec);
	free(h->by);
	free(h->because);
	free(h);
}

/* Those who stop with their child (su, sudo, script), once they have seen it stop. */
struct waker {
	LIST_ENTRY(waker) entry;
	struct guard *guard;
	u32 ancestors[BS_ANCESTORS];
	u64 wait; /* microseconds to the next look */
};
#define WAKER_FIRST 10000
#define WAKER_LAST  1000000

static void waker_free(struct waker *w)
{
	LIST_REMOVE(w, entry);
	free(w);
}

static void wake(void *data)
{
	struct waker *w = data;

	for (int i = 0; i < BS_ANCESTORS && w->ancestors[i] > 1; i++) {
		struct proc_stat s;

		if (!proc_read_stat(w->ancestors[i], &s) && s.state == 'T' &&
		    !hold_find(w->guard, w->ancestors[i]))
			kill(w->ancestors[i], SIGCONT);
	}
	w->wait *= 2;
	if (w->wait > WAKER_LAST || loop_add_timer(w->guard->loop, w->wait, wake, w, NULL))
		waker_free(w);
}

void wake_ancestors(struct guard *g, const struct exec *x)
{
	struct waker *w = malloc(sizeof(*w));

	if (!w)
		return;
	*w = (struct waker) { .guard = g, .wait = WAKER_FIRST };
	memcpy(w->ancestors, x->ancestors, sizeof(w->ancestors));
	LIST_INSERT_HEAD(&g->wakers, w, entry);
	wake(w);
}

static void label_approved(struct guard *g, const struct hold *h)
{
	struct bs_label label = { .session = h->exec->session_id,
				  .approval = h->decision.approval };
	int r = kernel_set_label(g->kernel, h->pidfd, &label);

	if (r && r != -ESRCH)
		log_errno(
			r,
			"cannot note the approval of hold %llu: what follows from it is held again",
			(unsigned long long)h->id);
}

/* Carries out the outcome; the task has trapped. A killed one is freed when its death is reported.
 */
static void hold_finish(struct guard *g, struct hold *h)
{
	if (h->outcome == HOLD_REFUSE && refuse_task(h->tgid))
		h->outcome = HOLD_KILL;
	if (h->outcome == HOLD_KILL) {
		pidfd_send_signal(h->pidfd, SIGKILL, NULL, 0);
		return;
	}
	if (h->outcome == HOLD_RELEASE && h->exec && h->decision.approval)
		label_approved(g, h);
	slot_free(g, h->slot, h->ticket);
	if (h->outcome == HOLD_REFUSE)
		kill(h->tgid, SIGCONT); /* discards a Ctrl-Z, which would keep it from ending */
	ptrace(PTRACE_DETACH, h->tgid, NULL, NULL);
	hold_free(g, h);
}

static void hold_set_outcome(struct guard *g, struct hold *h, enum hold_outcome outcome)
{
	h->outcome = outcome;
	if (h->trapped)
		hold_finish(g, h);
}

/* A human, the clock or a signal ended an open hold. */
static void hold_decide(struct guard *g, struct hold *h, enum hold_outcome outcome,
			enum ocsf_disposition disposition, const char *by, const char *because)
{
	h->by = by ? strdup(by) : NULL;
	h->because = because ? strdup(because) : NULL;
	if (outcome == HOLD_RELEASE && disposition == OCSF_APPROVED) {
		map_set(&g->approvals, h->id,
			(void *)(uintptr_t)(1ULL + h->decision.finding.signature));
		h->decision.approval = h->id;
	}
	report_finding(g, h->exec, &h->decision, h, disposition, boot_ns() - h->exec->time);
	report_sync(g);
	if (outcome != HOLD_RELEASE) {
		explain_end(g, h);
		grant_remember(g, h);
	}
	hold_set_outcome(g, h, outcome);
}

static void hold_timed_out(void *data)
{
	struct hold *h = data;
	char because[64];

	h->timeout = NULL;
	snprintf(because, sizeof(because), "nobody answered within %u s",
		 h->guard->options.hold_timeout);
	hold_decide(h->guard, h, HOLD_REFUSE, OCSF_BLOCKED, "timeout", because);
}

#define SIGNAL_BIT(n) (1ULL << ((n)-1))
static const uint64_t not_fatal = SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH) |
				  SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) |
				  SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU);

/* The lowest pending signal that ends the task as soon as it goes on; 0: none. It just exec'ed, so
 * nothing is caught. */
static int fatal_signal(pid_t pid)
{
	struct proc_signals s;
	uint64_t deadly;

	if (proc_read_signals(pid, &s) || s.init)
		return 0;
	deadly = s.pending & ~s.blocked & ~s.ignored & ~not_fatal;
	return deadly ? __builtin_ctzll(deadly) + 1 : 0;
}

/* Ctrl-C or a closed terminal ends a held command: it is let go into the signal that waits for it.
 */
static void look_for_signals(void *data)
{
	struct guard *g = data;
	struct hold *h, *next;

	g->watch_signals = NULL;
	for (h = LIST_FIRST(&g->holds); h; h = next) {
		char because[64];
		int signo;

		next = LIST_NEXT(h, entry);
		if (!h->counted || h->outcome != HOLD_OPEN || !h->trapped)
			continue;
		signo = fatal_signal(h->tgid);
		if (!signo)
			continue;
		snprintf(because, sizeof(because), "it was sent SIG%s", sigabbrev_np(signo) ?: "?");
		hold_decide(g, h, HOLD_RELEASE, OCSF_BLOCKED, "signal", because);
	}
	if (g->open_holds && !g->watch_signals)
		loop_add_timer(g->loop, SIGNALS_PERIOD, look_for_signals, g, &g->watch_signals);
}

/* The hold waits for a human. */
static void hold_open(struct guard *g, struct hold *h)
{
	uint64_t limit = g->options.hold_timeout;

	h->since_ms = now_ms();
	h->expires_ms = h->since_ms + limit * 1000;
	h->counted = true;
	if (h->exec->session)
		h->exec->session->holds++;
	loop_add_timer(g->loop, limit * 1000 * 1000, hold_timed_out, h, &h->timeout);
	if (g->open_holds++ > 0)
		return;
	if (kernel_set_tripwire(g->kernel, true))
		log_warning("the tripwire cannot be attached: holds rest on ptrace alone");
	loop_add_timer(g->loop, SIGNALS_PERIOD, look_for_signals, g, &g->watch_signals);
}

/* What a verdict means for a task that was seized. */
static void hold_begin(struct guard *g, struct hold *h)
{
	const struct decision *d = &h->decision;
	enum ocsf_disposition disposition = d->verdict == VERDICT_HOLD	  ? OCSF_DELAYED
					    : d->verdict >= VERDICT_DENY  ? OCSF_BLOCKED
					    : d->verdict == VERDICT_ALERT ? OCSF_ALERT
									  : OCSF_ALLOWED;

	if (d->verdict == VERDICT_HOLD)
		hold_open(g, h);
	report_exec(g, h->exec, disposition);
	if (d->finding.id)
		report_finding(g, h->exec, d, h, disposition, boot_ns() - h->exec->time);
	if (d->verdict >= VERDICT_HOLD)
		report_sync(g);
	if (d->verdict >= VERDICT_HOLD || g->options.mode == MODE_SHADOW)
		explain_start(g, h);
	if (d->verdict == VERDICT_HOLD)
		return;
	if (d->verdict >= VERDICT_DENY && d->finding.verdict == VERDICT_HOLD)
		grant_remember(g, h);
	hold_set_outcome(g, h,
			 d->verdict == VERDICT_KILL   ? HOLD_KILL
			 : d->verdict == VERDICT_DENY ? HOLD_REFUSE
						      : HOLD_RELEASE);
}

/* What cannot be traced cannot be held. */
static void hold_kill(struct guard *g, struct exec *x, struct decision d, int pidfd, int err)
{
	if (pidfd >= 0)
		pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	slot_free(g, x->slot, x->ticket);
	if (err != -ESRCH) {
		d.reason = "it could not be held: another process traces it";
		report_finding(g, x, &d, NULL, OCSF_BLOCKED, 0);
	}
}

void hold_seize(struct guard *g, struct exec *exec, const struct decision *d)
{
	_cleanup_(exec_free_ptr) struct exec *x = exec;
	_cleanup_close_ int pidfd = pidfd_open(x->tgid, 0);
	struct hold *h = calloc(1, sizeof(*h));

	if (pidfd < 0 || !h || ptrace(PTRACE_SEIZE, x->tgid, NULL, (void *)PTRACE_O_EXITKILL)) {
		hold_kill(g, x, *d, pidfd, -errno);
		free(h);
		return;
	}
	ptrace(PTRACE_INTERRUPT, x->tgid, NULL, NULL);
	if (!slot_take(g, x->slot, x->ticket, BS_SLOT_SEIZED) && slot_unstop(g, x))
		wake_ancestors(g, x);
	h->guard = g;
	h->id = d->verdict == VERDICT_HOLD || d->finding.verdict == VERDICT_HOLD ? ++g->last_hold
										 : 0;
	h->tgid = x->tgid;
	h->slot = x->slot;
	h->ticket = x->ticket;
	h->pidfd = TAKE_FD(pidfd);
	h->decision = *d;
	h->exec = TAKE_PTR(x);
	LIST_INSERT_HEAD(&g->holds, h, entry);
	hold_begin(g, h);
	hold_reap(g);
}

/* It trapped: the kernel's own stop, if there was one, is lifted, and what was decided meanwhile is
 * done. */
static void hold_trapped(struct guard *g, struct hold *h)
{
	if (h->trapped)
		return;
	h->trapped = true;
	if (h->outcome != HOLD_OPEN)
		hold_finish(g, h);
}

static void hold_gone(struct guard *g, struct hold *h)
{
	if (h->outcome == HOLD_OPEN) {
		h->because = strdup("the process was killed");
		report_finding(g, h->exec, &h->decision, h, OCSF_BLOCKED,
			       boot_ns() - h->exec->time);
	}
	hold_free(g, h);
}

void hold_reap(struct guard *g)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		struct hold *h = hold_find(g, pid);

		if (!h)
			continue;
		if (!WIFSTOPPED(status))
			hold_gone(g, h);
		else if (status >> 16 == PTRACE_EVENT_STOP)
			hold_trapped(g, h);
		else
			ptrace(PTRACE_CONT, pid, NULL, (void *)(long)WSTOPSIG(status));
	}
}

static struct hold *hold_by_id(const struct guard *g, u64 id)
{
	struct hold *h;

	LIST_FOREACH (h, &g->holds, entry)
		if (id && h->id == id && h->counted && h->outcome == HOLD_OPEN)
			return h;
	return NULL;
}

int guard_approve(struct guard *g, uint64_t id, const char *by, struct strbuf *err)
{
	struct hold *h = hold_by_id(g, id);

	if (!h)
		return grant_approve(g, id, by, err);
	if (!exec_args_unchanged(h->exec)) {
		strbuf_addf(err,
			    "hold %llu is denied: its arguments were changed while it was held",
			    (unsigned long long)id);
		hold_decide(g, h, HOLD_REFUSE, OCSF_BLOCKED, "guard",
			    "its arguments were changed while it was held");
		return -EPERM;
	}
	hold_decide(g, h, HOLD_RELEASE, OCSF_APPROVED, by, NULL);
	return 0;
}

int guard_deny(struct guard *g, uint64_t id, const char *by, const char *reason, struct strbuf *err)
{
	struct hold *h = hold_by_id(g, id);

	if (!h) {
		strbuf_addf(err,
			    "there is no open hold %llu: 'backstop pending' lists what is open",
			    (unsigned long long)id);
		return -ENOENT;
	}
	hold_decide(g, h, HOLD_REFUSE, OCSF_REJECTED, by, reason);
	return 0;
}

/* The guard is about to leave: what is held is refused, and nothing of it has run. */
void hold_end_all(struct guard *g, const char *why)
{
	struct hold *h, *next;

	while (!LIST_EMPTY(&g->wakers))
		waker_free(LIST_FIRST(&g->wakers));
	for (h = LIST_FIRST(&g->holds); h; h = next) {
		next = LIST_NEXT(h, entry);
		if (h->outcome == HOLD_OPEN)
			hold_decide(g, h, HOLD_REFUSE, OCSF_BLOCKED, "guard", why);
	}
	for (int i = 0; i < 1000 && !LIST_EMPTY(&g->holds); i++) {
		usleep(1000);
		hold_reap(g);
	}
	while ((h = LIST_FIRST(&g->holds))) {
		pidfd_send_signal(h->pidfd, SIGKILL, NULL, 0);
		hold_free(g, h);
	}
}

static void describe_hold(struct guard *g, struct json *j, const struct hold *h)
{
	const struct exec *x = h->exec;
	const struct finding *f = &h->decision.finding;
	char id[64];

	snprintf(id, sizeof(id), "%s.%s", f->pack ?: "", f->id ?: "");
	json_open_object(j, NULL);
	json_put_uint(j, "id", h->id);
	json_put_string(j, "session", x->session ? x->session->name : NULL);
	json_put_string(j, "agent", x->session ? x->session->agent : NULL);
	json_put_uint(j, "pid", x->tgid);
	json_put_uint(j, "uid", x->uid);
	json_put_string(j, "user", users_name(g->users, x->uid));
	json_put_string(j, "verdict", verdict_name(h->decision.verdict));
	json_put_string(j, "signature", id);
	json_put_string(j, "severity", severity_name(f->severity));
	json_put_string(j, "why", f->why);
	json_put_string(j, "instead", f->instead);
	json_put_argv(j, "argv", x->argv);
	json_put_string(j, "cwd", x->cwd);
	json_put_int(j, "since_ms", h->since_ms);
	json_put_int(j, "expires_ms", h->expires_ms);
	json_close_object(j);
}

void guard_describe_pending(struct guard *g, struct json *j)
{
	json_open_array(j, "holds");
	for (u64 id = 1; g->open_holds && id <= g->last_hold; id++) {
		const struct hold *h = hold_by_id(g, id);

		if (h)
			describe_hold(g, j, h);
	}
	json_close_array(j);
}

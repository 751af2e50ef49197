/* Frozen tasks, which the keeper has seized for us, until they are let go, refused or killed. */
#include "guard/hold.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/log.h"
#include "base/proc.h"
#include "guard/candidate.h"
#include "guard/inquiry.h"
#include "guard/link.h"
#include "guard/slot.h"
#include "guard/tripwire.h"
#include "policy/context.h"

#define SIGNALS_PERIOD (100 * 1000) /* microseconds between looks for a Ctrl-C or a hang-up */

static struct hold *find_slot(const struct guard *g, u32 slot, u32 ticket)
{
	struct hold *h;

	LIST_FOREACH (h, &g->holds, entry)
		if (h->slot == slot && h->ticket == ticket)
			return h;
	return NULL;
}

bool hold_has_slot(const struct guard *g, u32 slot, u32 ticket)
{
	return find_slot(g, slot, ticket);
}

bool hold_is_undecided(const struct guard *g, u32 slot, u32 ticket)
{
	const struct hold *h = find_slot(g, slot, ticket);

	return h && h->inquiry && !h->id;
}

static struct bs_slot *slot_of(const struct hold *h)
{
	return &kernel_slots(h->guard->kernel)[h->slot];
}

static bool restarts(const struct hold *h)
{
	return slot_restarts(h->exec->kind);
}

/* Has its program not begun? Else a thread of it is held. */
static bool is_exec(const struct hold *h)
{
	return h->exec->kind == BS_SLOT_EXEC;
}

/* Can nothing but its end keep it from going on? */
static bool goes_on(const struct hold *h)
{
	return h->exec->kind == BS_SLOT_DELETED || h->exec->kind == BS_SLOT_SENDING;
}

/* ---- from first to last */

static struct hold *hold_new(struct guard *g, struct exec *x, const struct decision *d)
{
	int pidfd = pidfd_open(x->tgid, 0);
	struct hold *h = pidfd < 0 && errno != ESRCH ? NULL : calloc(1, sizeof(*h));

	if (!h) {
		close_fd(&pidfd);
		return NULL;
	}
	*h = (struct hold) {
		.guard = g,
		.exec = x,
		.decision = *d,
		.policy = g->policy,
		.tid = x->kind == BS_SLOT_EXEC ? x->tgid : x->tid,
		.slot = x->slot,
		.ticket = x->ticket,
		.pidfd = pidfd,
	};
	LIST_INSERT_HEAD(&g->holds, h, entry);
	return h;
}

static void uncount(struct hold *h)
{
	struct guard *g = h->guard;

	if (!h->counted)
		return;
	h->counted = false;
	if (!restarts(h) && --g->open_execs == 0)
		tripwire_rest(g);
	if (--g->open_holds > 0)
		return;
	loop_remove(g->watch_signals);
	g->watch_signals = NULL;
}

void hold_drop_policy(struct guard *g, struct policy *p)
{
	struct hold *h;

	if (p == g->policy)
		return;
	LIST_FOREACH (h, &g->holds, entry)
		if (h->policy == p)
			return;
	policy_free(p);
}

static void hold_free(struct hold *h)
{
	LIST_REMOVE(h, entry);
	inquiry_free(h->inquiry);
	loop_remove(h->timeout);
	uncount(h);
	if (h->remembered)
		grant_remember(h->guard, h);
	hold_drop_policy(h->guard, h->policy);
	close_fd(&h->pidfd);
	exec_free(h->exec);
	free(h->by);
	free(h->because);
	free(h);
}

void hold_free_all(struct guard *g)
{
	wake_end(g);
	while (!LIST_EMPTY(&g->holds))
		hold_free(LIST_FIRST(&g->holds));
}

/* An approved hold covers what follows from it, as far as it can be noted. */
static void check_noted(const struct hold *h, int r)
{
	if (r && r != -ESRCH)
		log_errno(
			r,
			"cannot note the approval of hold %llu: what follows from it is held again",
			(unsigned long long)h->id);
}

static void label_approved(struct guard *g, const struct hold *h)
{
	struct bs_label label = { .session = h->exec->session_id,
				  .approval = h->decision.approval };

	check_noted(h, kernel_set_label(g->kernel, h->pidfd, &label));
}

static void answer_call(struct hold *h, bool release)
{
	candidate_answer(h->guard, h->exec, release ? BS_ANSWER_PASS : BS_ANSWER_REFUSE);
	if (!release)
		send_refused(h->guard, h->exec);
}

/* Carries out the outcome; the task has trapped. A killed one is freed when its death is reported.
 */
static void hold_finish(struct hold *h)
{
	struct guard *g = h->guard;
	bool release = h->outcome == HOLD_RELEASE;
	enum keeper_op op = KEEPER_LET_GO;

	if (!release)
		send_cut(h->exec);
	if (h->outcome == HOLD_KILL || (!release && goes_on(h))) {
		pidfd_send_signal(h->pidfd, SIGKILL, NULL, 0);
		return;
	}
	if (restarts(h))
		answer_call(h, release);
	else if (!release)
		op = KEEPER_REFUSE;
	else if (h->decision.approval && is_exec(h))
		label_approved(g, h);
	else
		send_released(g, h->exec);
	if (release)
		send_push(h->exec);
	if (release && h->decision.approval && !exec_is_deletion(h->exec) &&
	    (!exec_is_sending(h->exec) || h->exec->sent.again))
		pass_remember(g, h->exec, h->decision.approval);
	link_tell(g, op, h->slot, h->ticket);
	hold_free(h);
}

static void set_outcome(struct hold *h, enum hold_outcome outcome)
{
	h->outcome = outcome;
	if (h->trapped)
		hold_finish(h);
}

u64 signature_key(const struct finding *f)
{
	u64 hash = 14695981039346656037ULL; /* FNV-1a: the same in every policy */

	for (const char *c = f->pack ?: ""; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 1099511628211ULL;
	hash *= 1099511628211ULL;
	for (const char *c = f->id ?: ""; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 1099511628211ULL;
	return hash;
}

static void remember_deletion(struct hold *h, bool released)
{
	struct guard *g = h->guard;

	delete_remember(g, h->exec, &h->decision, !released);
	if (released && restarts(h))
		delete_is_gone(g, h->exec);
}

void hold_decide(struct hold *h, enum hold_outcome outcome, enum ocsf_disposition disposition,
		 const char *by, const char *because)
{
	struct guard *g = h->guard;

	h->by = by ? strdup(by) : NULL;
	h->because = because ? strdup(because) : NULL;
	if (outcome == HOLD_RELEASE && disposition == OCSF_APPROVED) {
		check_noted(h, kernel_put_approval(g->kernel, h->id,
						   signature_key(&h->decision.finding)));
		h->decision.approval = h->id;
	}
	if (exec_is_deletion(h->exec))
		remember_deletion(h, outcome == HOLD_RELEASE);
	report_finding(g, h->exec, &h->decision, h, disposition, boot_ns() - h->exec->time);
	report_sync(g);
	if (outcome != HOLD_RELEASE) {
		explain_end(g, h);
		h->remembered = true;
	}
	set_outcome(h, outcome);
}

static void hold_timed_out(void *data)
{
	struct hold *h = data;
	char because[64];

	h->timeout = NULL;
	snprintf(because, sizeof(because), "nobody answered within %lld s",
		 (long long)(h->expires_ms - h->since_ms) / 1000);
	hold_decide(h, HOLD_REFUSE, OCSF_BLOCKED, "timeout", because);
}

/* ---- signals to held tasks */

#define SIGNAL_BIT(n) (1ULL << ((n)-1))
static const uint64_t not_fatal = SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH) |
				  SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) |
				  SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU);
/* What people and time-outs send; a program that runs may handle any other. */
static const uint64_t ending = SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGTERM) | SIGNAL_BIT(SIGHUP) |
			       SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGALRM);

/* The lowest pending signal that ends the hold; 0: none. A program that was just exec'ed catches
 * nothing, and ends with it as soon as it goes on. */
static int ending_signal(const struct hold *h)
{
	struct proc_signals s;
	uint64_t deadly;

	if (proc_read_signals(h->tid, &s) || (s.init && is_exec(h)))
		return 0;
	deadly = s.pending & ~s.blocked & ~s.ignored & (is_exec(h) ? ~not_fatal : ending);
	return deadly ? __builtin_ctzll(deadly) + 1 : 0;
}

/* Ctrl-C or a closed terminal ends a held command: it is let go into the signal that waits for it.
 * A connect or a deletion fails first. */
static void end_by_signal(struct hold *h, int signo)
{
	char because[64];

	snprintf(because, sizeof(because), "it was sent SIG%s", sigabbrev_np(signo) ?: "?");
	hold_decide(h, is_exec(h) ? HOLD_RELEASE : HOLD_REFUSE, OCSF_BLOCKED, "signal", because);
}

/* A thread that another one's exec ended is gone without a word to its tracer. */
static bool is_lost(const struct hold *h)
{
	struct proc_stat s;

	return !is_exec(h) && proc_read_stat(h->tid, &s) == -ESRCH;
}

static void look_for_signals(void *data);

/* `took`: microseconds of the look before this one, of which thousands of holds must not make the
 * guard's only work. */
static void look_later(struct guard *g, u64 took)
{
	u64 wait = MAX((u64)SIGNALS_PERIOD, 4 * took);
	int r = loop_add_timer(g->loop, wait, look_for_signals, g, &g->watch_signals);

	if (r)
		log_errno(r, "signals to held tasks are not looked for");
}

static void look_for_signals(void *data)
{
	struct guard *g = data;
	struct hold *h, *next;
	u64 began = boot_ns();

	g->watch_signals = NULL;
	for (h = LIST_FIRST(&g->holds); h; h = next) {
		int signo;

		next = LIST_NEXT(h, entry);
		if (!h->counted || h->outcome != HOLD_OPEN || !h->trapped)
			continue;
		signo = ending_signal(h);
		if (signo) {
			end_by_signal(h, signo);
		} else if (is_lost(h)) {
			link_tell(g, KEEPER_LET_GO, h->slot, h->ticket);
			hold_gone(g, h->slot, h->ticket);
		}
	}
	if (g->open_holds && !g->watch_signals)
		look_later(g, (boot_ns() - began) / 1000);
}

/* ---- begin */

static void count(struct hold *h)
{
	struct guard *g = h->guard;

	h->counted = true;
	if (!restarts(h) && g->open_execs++ == 0)
		tripwire_set(g);
	if (g->open_holds++ == 0)
		look_later(g, 0);
}

/* The hold waits for a human, from `since_ms` on. */
static void hold_open(struct hold *h, int64_t since_ms)
{
	struct guard *g = h->guard;
	int64_t left;
	int r;

	h->since_ms = since_ms;
	h->expires_ms = since_ms + g->options.hold_timeout * 1000LL;
	left = h->expires_ms - now_ms();
	slot_of(h)->since_ms = since_ms;
	r = loop_add_timer(g->loop, MAX(left, 0) * 1000, hold_timed_out, h, &h->timeout);
	if (r)
		log_errno(r, "hold %llu waits without a limit", (unsigned long long)h->id);
	count(h);
}

static enum ocsf_disposition disposition_of(enum verdict v)
{
	static const enum ocsf_disposition all[VERDICT_COUNT] = {
		[VERDICT_ALLOW] = OCSF_ALLOWED, [VERDICT_ALERT] = OCSF_ALERT,
		[VERDICT_HOLD] = OCSF_DELAYED,	[VERDICT_DENY] = OCSF_BLOCKED,
		[VERDICT_KILL] = OCSF_BLOCKED,
	};

	return all[v];
}

/* What a verdict means for a task that was seized. */
static void hold_begin(struct hold *h)
{
	struct guard *g = h->guard;
	const struct decision *d = &h->decision;
	enum ocsf_disposition disposition = disposition_of(d->verdict);

	if (d->verdict == VERDICT_HOLD)
		hold_open(h, now_ms());
	report_decided(g, h->exec, disposition, d->verdict, NULL);
	if (d->finding.id)
		report_finding(g, h->exec, d, h, disposition, boot_ns() - h->exec->time);
	if (d->verdict >= VERDICT_HOLD) /* nothing is let go: the disk is not waited for */
		report_sync_later(g);
	if (d->verdict >= VERDICT_HOLD ||
	    (g->options.mode == MODE_SHADOW && d->finding.verdict >= VERDICT_HOLD))
		explain_start(g, h);
	if (d->verdict == VERDICT_HOLD) {
		notify_hold(g, h);
		return;
	}
	h->remembered = d->verdict >= VERDICT_DENY && d->finding.verdict == VERDICT_HOLD;
	set_outcome(h, d->verdict == VERDICT_KILL   ? HOLD_KILL
		       : d->verdict == VERDICT_DENY ? HOLD_REFUSE
						    : HOLD_RELEASE);
}

/* The number stands in the slot before the task is held: the guard after this one goes on with it.
 */
static void take_number(struct hold *h)
{
	struct guard *g = h->guard;
	const struct decision *d = &h->decision;

	if (d->verdict != VERDICT_HOLD && d->finding.verdict != VERDICT_HOLD)
		return;
	h->id = ++g->last_hold;
	kernel_shared(g->kernel)->state.last_hold = h->id;
	slot_of(h)->hold = h->id;
	if (d->verdict == VERDICT_HOLD && h->exec->session) {
		h->exec->session->holds++;
		session_keep(g, h->exec->session);
	}
}

/* What cannot be traced cannot be held. */
static void hold_fail(struct hold *h, int err)
{
	struct guard *g = h->guard;
	struct decision d = h->decision;

	if (restarts(h))
		candidate_settle(g, h->exec, false);
	else
		pidfd_send_signal(h->pidfd, SIGKILL, NULL, 0);
	slot_free(slot_of(h), h->ticket);
	if (err != -ESRCH) {
		d.reason = "it could not be held: another process traces it";
		report_finding(g, h->exec, &d, NULL, OCSF_BLOCKED, 0);
	}
	hold_free(h);
}

void hold_settle(struct hold *h)
{
	if (h->id && h->decision.verdict == VERDICT_HOLD) { /* the human knows of it */
		hold_open(h, slot_of(h)->since_ms ?: (u64)now_ms());
		return;
	}
	if (!h->id)
		take_number(h);
	hold_begin(h);
}

void hold_seize(struct guard *g, struct exec *x, const struct decision *d)
{
	struct hold *h = hold_new(g, x, d);
	int r;

	if (!h) {
		kill(x->tgid, SIGKILL);
		exec_free(x);
		return;
	}
	if (!d->pending)
		take_number(h);
	r = link_seize(g, h->tid, h->slot, h->ticket);
	if (r < 0) {
		hold_fail(h, r);
		return;
	}
	if (r > 0)
		wake_ancestors(g, x);
	if (d->pending)
		hold_inquire(h);
	else
		hold_begin(h);
}

void hold_restore(struct guard *g, u32 slot, u32 ticket)
{
	struct exec *x = candidate_from_slot(g, slot, ticket);
	struct hold *h = NULL;
	struct decision d;

	if (x) {
		x->context = x->kind == BS_SLOT_EXEC ? context_new((pid_t)x->tgid) : NULL;
		decide(g, x, &d);
		h = hold_new(g, x, &d);
	}
	if (!h) { /* it is gone, or cannot be decided on; a system call asks again */
		if (!slot_restarts(kernel_slots(g->kernel)[slot].kind))
			kill(kernel_slots(g->kernel)[slot].tgid, SIGKILL);
		exec_free(x);
		return;
	}
	h->id = slot_of(h)->hold;
	if (d.pending)
		hold_inquire(h);
	else
		hold_settle(h);
}

/* ---- what the keeper says */

/* What was decided meanwhile is done. */
void hold_trapped(struct guard *g, u32 slot, u32 ticket)
{
	struct hold *h = find_slot(g, slot, ticket);

	if (!h && slot_restarts(kernel_slots(g->kernel)[slot].kind))
		link_tell(g, KEEPER_LET_GO, slot, ticket);
	if (!h || h->trapped)
		return;
	h->trapped = true;
	send_keep_back(h->exec);
	if (h->outcome != HOLD_OPEN)
		hold_finish(h);
}

void hold_gone(struct guard *g, u32 slot, u32 ticket)
{
	struct hold *h = find_slot(g, slot, ticket);

	if (!h)
		return;
	if (h->outcome == HOLD_OPEN && !h->inquiry) {
		h->because = strdup("the process was killed");
		report_finding(g, h->exec, &h->decision, h, OCSF_BLOCKED,
			       boot_ns() - h->exec->time);
	} else if (h->inquiry) {
		report_unknown(g, h->exec, OCSF_BLOCKED, "the process was killed");
	}
	hold_free(h);
}

/* ---- the end */

#define END_WAIT_MS 10
#define END_WAITS   100

/* Until the system calls that were refused have failed, or their threads are gone: the hooks must
 * still be there. */
static void wait_for_answers(struct guard *g, const u32 *tids, unsigned int count)
{
	unsigned int i = 0;

	for (int n = 0; n < END_WAITS && i < count; n++) {
		struct bs_waiting w;
		struct proc_stat st;

		while (i < count &&
		       (kernel_get_waiting(g->kernel, tids[i], &w) || proc_read_stat(tids[i], &st)))
			i++;
		if (i < count)
			usleep(1000);
	}
}

unsigned int hold_end_all(struct guard *g, const char *why)
{
	unsigned int open = 0, calls = 0;
	u32 tids[BS_SLOTS];
	struct hold *h, *next;

	wake_end(g);
	hold_end_inquiries(g);
	LIST_FOREACH (h, &g->holds, entry)
		if (restarts(h) && calls < BS_SLOTS)
			tids[calls++] = h->tid;
	report_batch(g); /* nothing is let go: the disk is waited for once */
	for (h = LIST_FIRST(&g->holds); h; h = next) {
		next = LIST_NEXT(h, entry);
		if (h->outcome != HOLD_OPEN)
			continue;
		hold_decide(h, HOLD_REFUSE, OCSF_BLOCKED, "guard", why);
		open++;
	}
	report_flush(g);
	for (int i = 0; i < END_WAITS && !LIST_EMPTY(&g->holds); i++)
		link_pump(g, END_WAIT_MS);
	while ((h = LIST_FIRST(&g->holds))) {
		pidfd_send_signal(h->pidfd, SIGKILL, NULL, 0);
		hold_free(h);
	}
	wait_for_answers(g, tids, calls);
	return open;
}

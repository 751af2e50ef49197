/* Candidates: from the ring of decisions to a verdict, while the task waits in the kernel. */
#include "guard/candidate.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "guard/fetch.h"
#include "guard/figures.h"
#include "guard/hold.h"
#include "guard/lookup.h"
#include "guard/slot.h"
#include "guard/tripwire.h"
#include "policy/context.h"

static struct bs_slot *slot_of(const struct guard *g, const struct exec *x)
{
	return &kernel_slots(g->kernel)[x->slot];
}

static void report_decision(struct guard *g, const struct exec *x, const struct decision *d,
			    enum ocsf_disposition disposition)
{
	report_decided(g, x, disposition, d->verdict, d->again ? d->reason : NULL);
}

/* The connection is recorded. */
static bool is_harmless_write(const struct exec *x, const struct decision *d)
{
	return exec_is_sending(x) && x->sent.source != BS_SEND_UNIX && !d->finding.id;
}

static void report_allowed(struct guard *g, const struct exec *x, const struct decision *d)
{
	bool alert = d->verdict == VERDICT_ALERT;

	if (is_harmless_write(x, d)) {
		figures_decided(g, OCSF_ALLOWED, boot_ns() - x->time);
		return;
	}
	report_decision(g, x, d, alert ? OCSF_ALERT : OCSF_ALLOWED);
	if (d->finding.id && !d->again)
		report_finding(g, x, d, NULL,
			       alert	     ? OCSF_ALERT
			       : d->approval ? OCSF_APPROVED
					     : OCSF_ALLOWED,
			       boot_ns() - x->time);
	if (x->kind == BS_SLOT_EXEC)
		process_exec(g, x);
	if (exec_is_deletion(x))
		delete_is_gone(g, x);
}

static void report_blocked(struct guard *g, const struct exec *x, const struct decision *d)
{
	report_decision(g, x, d, OCSF_BLOCKED);
	if (!d->again)
		report_finding(g, x, d, NULL, OCSF_BLOCKED, boot_ns() - x->time);
}

static bool is_shadowed(const struct guard *g, const struct decision *d)
{
	return g->options.mode == MODE_SHADOW && d->finding.verdict > VERDICT_ALERT;
}

/* The kernel's SIGSTOP is taken back. */
static void unstop(struct guard *g, const struct exec *x)
{
	if (slot_let_go(slot_of(g, x), x->ticket))
		wake_ancestors(g, x);
}

/* ---- execs */

/* It waits in the kernel, which kills it unless it is allowed: a tracer could swallow any stop. */
static void decide_traced(struct guard *g, const struct exec *x, struct decision *d)
{
	if (d->verdict <= VERDICT_ALERT && slot_take(slot_of(g, x), x->ticket, BS_SLOT_ALLOWED)) {
		report_allowed(g, x, d);
		return;
	}
	if (d->verdict > VERDICT_ALERT) {
		d->verdict = VERDICT_KILL;
		d->reason = "it is being traced, and could not be held";
		explain_action(g, x, d);
	} else {
		d->reason = "it is being traced, and no answer came in time";
	}
	slot_free(slot_of(g, x), x->ticket);
	report_blocked(g, x, d);
}

#define TRACED_MS 4 /* the kernel waits for little longer */

static void decide_what_cannot_wait(struct guard *g, const struct exec *x, struct decision *d)
{
	if (x->context->looks.pending) {
		lookup_wait(g, x, TRACED_MS);
		decide(g, x, d);
	}
	if (d->pending)
		decide_at_once(g, x, d);
}

static void decide_exec(struct guard *g, struct exec *exec)
{
	_cleanup_(exec_free_ptr) struct exec *x = exec;
	struct decision d;

	x->context = context_new((pid_t)x->tgid);
	decide(g, x, &d);
	if (d.finding.id || d.pending)
		exec_read_environment(x);
	if (x->flags & BS_EXEC_TRACED) {
		if (d.pending)
			decide_what_cannot_wait(g, x, &d);
		decide_traced(g, x, &d);
		return;
	}
	if (!d.pending && d.verdict <= VERDICT_ALERT && !is_shadowed(g, &d) && !d.approval) {
		if (!slot_take(slot_of(g, x), x->ticket, BS_SLOT_ALLOWED))
			unstop(g, x);
		report_allowed(g, x, &d);
		agent_seen(g, x);
		return;
	}
	process_exec(g, x);
	agent_seen(g, x);
	hold_seize(g, TAKE_PTR(x), &d);
}

/* ---- connects and deletions */

void candidate_answer(struct guard *g, const struct exec *x, enum bs_answer answer)
{
	struct bs_waiting w;
	int r;

	if (kernel_get_waiting(g->kernel, x->tid, &w) || w.slot != x->slot || w.ticket != x->ticket)
		return; /* its thread asks for something else by now */
	w.answer = answer;
	if (x->kind == BS_SLOT_SEND)
		w.flags |= x->sent.say << BS_SAY_SHIFT;
	r = kernel_answer_connect(g->kernel, x->tid, &w);
	if (r && r != -ENOENT)
		log_errno(r, "thread %u cannot be answered: what it does is asked about again",
			  x->tid);
}

bool candidate_settle(struct guard *g, const struct exec *x, bool pass)
{
	struct bs_slot *s = slot_of(g, x);

	if (exec_is_sending(x))
		send_say(g, x);
	if (slot_take(s, x->ticket, pass ? BS_SLOT_ALLOWED : BS_SLOT_REFUSED))
		return true;
	if (slot_state(s, x->ticket) == BS_SLOT_FREE)
		return false;
	candidate_answer(g, x, pass ? BS_ANSWER_PASS : BS_ANSWER_REFUSE);
	unstop(g, x);
	return true;
}

static void allow_call(struct guard *g, const struct exec *x, struct decision *d)
{
	if (is_shadowed(g, d) && !d->again)
		explain_action(g, x, d);
	if (candidate_settle(g, x, true) || g->options.mode != MODE_ENFORCE) {
		report_allowed(g, x, d);
		return;
	}
	d->reason = "it could not wait, and no answer came in time";
	report_blocked(g, x, d);
}

/* No hold, as its system call fails by itself: the agent reads why first. */
static void refuse_call(struct guard *g, const struct exec *x, const struct decision *d)
{
	if (!d->again)
		explain_action(g, x, d);
	if (d->verdict == VERDICT_KILL)
		kill(x->tgid, SIGKILL);
	candidate_settle(g, x, false);
	send_refused(g, x);
	report_blocked(g, x, d);
	if (!d->again)
		report_sync(g);
}

/* The flags of connects and deletions are the same. */
static void deny_what_cannot_wait(const struct exec *x, struct decision *d)
{
	if (d->verdict != VERDICT_HOLD || !(x->flags & (BS_CONNECT_FIXED | BS_CONNECT_TRACED)))
		return;
	d->verdict = VERDICT_DENY;
	d->reason = x->flags & BS_CONNECT_TRACED ? "it is being traced, and could not be held"
						 : "this system call cannot be held";
}

/* What is held is remembered once it is decided. */
static void remember(struct guard *g, const struct exec *x, struct decision *d)
{
	if (!exec_is_deletion(x) || d->verdict == VERDICT_HOLD)
		return;
	delete_remember(g, x, d, d->verdict > VERDICT_ALERT);
	delete_spare(g, x, d);
}

static void decide_call(struct guard *g, struct exec *exec)
{
	_cleanup_(exec_free_ptr) struct exec *x = exec;
	struct decision d;

	decide(g, x, &d);
	deny_what_cannot_wait(x, &d);
	remember(g, x, &d);
	if (d.verdict <= VERDICT_ALERT)
		allow_call(g, x, &d);
	else if (d.verdict == VERDICT_HOLD)
		hold_seize(g, TAKE_PTR(x), &d);
	else
		refuse_call(g, x, &d);
}

/* It has happened: all that can be stopped is what follows. */
static void decide_deleted(struct guard *g, struct exec *exec)
{
	_cleanup_(exec_free_ptr) struct exec *x = exec;
	struct decision d;

	decide(g, x, &d);
	remember(g, x, &d);
	if (x->flags & BS_DELETE_TRACED) {
		decide_traced(g, x, &d);
	} else if (d.verdict <= VERDICT_ALERT) {
		if (is_shadowed(g, &d) && !d.again)
			explain_action(g, x, &d);
		if (!slot_take(slot_of(g, x), x->ticket, BS_SLOT_ALLOWED))
			unstop(g, x);
		report_allowed(g, x, &d);
	} else {
		delete_is_gone(g, x);
		hold_seize(g, TAKE_PTR(x), &d);
	}
}

/* It is yet to be encrypted, and can be kept back by the end of its process alone. */
static void decide_sending(struct guard *g, struct exec *exec)
{
	_cleanup_(exec_free_ptr) struct exec *x = exec;
	struct decision d;

	decide(g, x, &d);
	if (d.verdict > VERDICT_ALERT && !(x->flags & BS_SEND_TRACED)) {
		hold_seize(g, TAKE_PTR(x), &d);
		return;
	}
	if (is_shadowed(g, &d) && !d.again)
		explain_action(g, x, &d);
	send_say(g, x);
	send_released(g, x);
	if (x->flags & BS_SEND_TRACED) {
		decide_traced(g, x, &d);
		return;
	}
	if (!slot_take(slot_of(g, x), x->ticket, BS_SLOT_ALLOWED)) {
		unstop(g, x);
		send_push(x);
	}
	report_allowed(g, x, &d);
}

/* ---- of all kinds */

void candidate_decide(struct guard *g, struct exec *x)
{
	if (slot_restarts(x->kind))
		decide_call(g, x);
	else if (x->kind == BS_SLOT_DELETED)
		decide_deleted(g, x);
	else if (x->kind == BS_SLOT_SENDING)
		decide_sending(g, x);
	else
		decide_exec(g, x);
	fence_rest(g);
}

void candidate_passed(struct guard *g, struct exec *x)
{
	struct decision d;

	decide(g, x, &d);
	send_released(g, x);
	if (is_harmless_write(x, &d))
		return;
	if (d.verdict > VERDICT_ALERT) {
		d.verdict = VERDICT_ALERT;
		d.reason =
			x->session && x->session->project
				? "the kernel does not ask about all that a workspace's own file "
				  "tightens"
				: "the policy was changed meanwhile";
	}
	remember(g, x, &d);
	if (d.finding.id && !d.again && !exec_read_proc(g, x) && is_shadowed(g, &d))
		explain_action(g, x, &d);
	if (exec_is_deletion(x))
		delete_is_gone(g, x);
	report_decision(g, x, &d, d.verdict == VERDICT_ALERT ? OCSF_ALERT : OCSF_ALLOWED);
	if (d.finding.id && !d.again)
		report_finding(g, x, &d, NULL,
			       d.verdict == VERDICT_ALERT ? OCSF_ALERT : OCSF_ALLOWED, 0);
}

void candidate_missed(struct guard *g, const struct exec *x)
{
	bool call = x->kind != BS_SLOT_EXEC;
	bool refused = x->flags & (call ? BS_CONNECT_REFUSED : BS_EXEC_KILLED);
	bool down = x->flags & (call ? BS_CONNECT_DOWN : BS_EXEC_DOWN);
	struct decision d = { .finding.signature = (u32)-1 };

	if (refused) {
		d.verdict = call ? VERDICT_DENY : VERDICT_KILL;
		d.reason = down	  ? "no guard ran, and when_down is kill"
			   : call ? "too many actions are held: it was refused"
				  : "too many actions are held: it was killed";
		report_blocked(g, x, &d);
		return;
	}
	decide(g, x, &d);
	d.verdict = MIN(d.verdict, VERDICT_ALERT);
	d.reason = "no guard ran, and when_down is allow";
	report_allowed(g, x, &d);
}

bool candidate_is_known(const struct guard *g, u32 slot, u32 ticket, bool asks)
{
	if (hold_has_slot(g, slot, ticket) || fetch_has_slot(g, slot, ticket))
		return true;
	return !asks && slot_state(&kernel_slots(g->kernel)[slot], ticket) == BS_SLOT_FREE;
}

void candidate_event(struct guard *g, const struct bs_exec_event *e)
{
	struct exec *x;

	if (e->slot < BS_SLOTS &&
	    candidate_is_known(g, e->slot, e->ticket, e->flags & BS_EXEC_TRACED))
		return;
	x = exec_decode(g, e);
	if (!x) {
		log_error("out of memory: process %u, which could be destructive, is killed",
			  e->head.tgid);
		kill(e->head.tgid, SIGKILL);
		return;
	}
	if (e->slot < BS_SLOTS) {
		candidate_decide(g, x);
		return;
	}
	candidate_missed(g, x);
	exec_free(x);
}

struct exec *candidate_from_slot(struct guard *g, u32 slot, u32 ticket)
{
	switch ((enum bs_slot_kind)kernel_slots(g->kernel)[slot].kind) {
	case BS_SLOT_CONNECT:
		return connect_from_slot(g, slot, ticket);
	case BS_SLOT_DELETE:
	case BS_SLOT_DELETED:
		return delete_from_slot(g, slot, ticket);
	case BS_SLOT_SEND: /* it asks anew, with its bytes */
	case BS_SLOT_SENDING:
		return NULL;
	default:
		return exec_from_slot(g, slot, ticket);
	}
}

#define EVENT_MS 500 /* after which the event of a stopped thread is lost */

/* Its event may have come after all were read. */
static bool may_be_told(struct bs_slot *s)
{
	if (!s->since_ms)
		s->since_ms = (u64)now_ms();
	return now_ms() - (int64_t)s->since_ms < EVENT_MS;
}

/* True: it is to be looked at again. */
static bool sweep_stopped(struct guard *g, u32 slot, u32 ticket)
{
	struct bs_slot *s = &kernel_slots(g->kernel)[slot];
	struct exec *x = candidate_from_slot(g, slot, ticket);

	if (x) {
		candidate_decide(g, x);
		return false;
	}
	if (s->kind == BS_SLOT_SENDING && may_be_told(s))
		return true;
	if (slot_restarts(s->kind)) /* it asks again, unless it is gone */
		slot_unstop(s, ticket);
	else if (s->kind == BS_SLOT_SENDING) /* nobody knows what it is about to send */
		kill((pid_t)s->tgid, SIGKILL);
	slot_free(s, ticket);
	return false;
}

bool candidate_sweep(struct guard *g, u64 end)
{
	bool waits = false;
	u32 i = g->sweep_at;

	do {
		const struct bs_slot *s = &kernel_slots(g->kernel)[i];
		u32 word = __atomic_load_n(&s->word, __ATOMIC_SEQ_CST), ticket = word >> 3;

		/* it may be one whose event was lost, and will be stopped then */
		waits |= slot_is_open(word);
		if (BS_SLOT_STATE(word) == BS_SLOT_STOPPED && !hold_has_slot(g, i, ticket) &&
		    !fetch_has_slot(g, i, ticket))
			waits |= sweep_stopped(g, i, ticket);
		i = (i + 1) % BS_SLOTS;
	} while (i && boot_ns() < end);
	g->sweep_at = i;
	return waits;
}

void candidate_free_stale(struct guard *g)
{
	for (u32 i = 0; i < BS_SLOTS; i++) {
		struct bs_slot *s = &kernel_slots(g->kernel)[i];
		u32 word = __atomic_load_n(&s->word, __ATOMIC_SEQ_CST);

		if (BS_SLOT_STATE(word) == BS_SLOT_SEIZED && !hold_has_slot(g, i, word >> 3))
			slot_free(s, word >> 3);
	}
}

/* Candidates: from the ring of decisions to a verdict, while the task waits in the kernel. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/log.h"
#include "base/proc.h"
#include "guard/candidate.h"

static u32 *slot_word(const struct guard *g, u32 slot)
{
	return &kernel_slots(g->kernel)[slot].word;
}

bool slot_take(struct guard *g, u32 slot, u32 ticket, enum bs_slot_state state)
{
	u32 asked = BS_SLOT_WORD(ticket, BS_SLOT_ASKED);

	return __atomic_compare_exchange_n(slot_word(g, slot), &asked, BS_SLOT_WORD(ticket, state),
					   false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void slot_free(struct guard *g, u32 slot, u32 ticket)
{
	static const enum bs_slot_state owned[] = { BS_SLOT_ASKED, BS_SLOT_SEIZED, BS_SLOT_STOPPING,
						    BS_SLOT_STOPPED };

	for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
		u32 word = BS_SLOT_WORD(ticket, owned[i]);

		if (__atomic_compare_exchange_n(slot_word(g, slot), &word,
						BS_SLOT_WORD(ticket, BS_SLOT_FREE), false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return;
	}
}

static enum bs_slot_state slot_state(const struct guard *g, u32 slot, u32 ticket)
{
	u32 word = __atomic_load_n(slot_word(g, slot), __ATOMIC_SEQ_CST);

	return word >> 3 == ticket ? BS_SLOT_STATE(word) : BS_SLOT_FREE;
}

#define STOPPING_MAX_NS 1000000000ULL

/* A SIGCONT discards a SIGSTOP only once that is pending. STOPPING lasts some nanoseconds, or as
 * long as the host of a virtual machine keeps its CPU away. */
bool slot_unstop(struct guard *g, const struct exec *x)
{
	u64 end = boot_ns() + STOPPING_MAX_NS;
	struct proc_stat st;
	bool seen;

	while (slot_state(g, x->slot, x->ticket) == BS_SLOT_STOPPING && boot_ns() < end)
		usleep(10);
	seen = !proc_read_stat(x->tgid, &st) && st.state == 'T';
	kill(x->tgid, SIGCONT);
	return seen;
}

static void report_allowed(struct guard *g, const struct exec *x, const struct decision *d)
{
	bool alert = d->verdict == VERDICT_ALERT;

	report_exec(g, x, alert ? OCSF_ALERT : OCSF_ALLOWED);
	if (d->finding.id)
		report_finding(g, x, d, NULL,
			       alert	     ? OCSF_ALERT
			       : d->approval ? OCSF_APPROVED
					     : OCSF_ALLOWED,
			       boot_ns() - x->time);
	process_exec(g, x);
}

/* It waits in the kernel, which kills it unless it is allowed: a tracer could swallow any stop. */
static void decide_traced(struct guard *g, const struct exec *x, struct decision *d)
{
	_cleanup_close_ int pidfd = -1;

	if (d->verdict <= VERDICT_ALERT && slot_take(g, x->slot, x->ticket, BS_SLOT_ALLOWED)) {
		report_allowed(g, x, d);
		return;
	}
	if (d->verdict > VERDICT_ALERT) {
		pidfd = pidfd_open(x->tgid, 0);
		d->verdict = VERDICT_KILL;
		d->reason = "it is being traced, and could not be held";
		if (pidfd >= 0)
			explain_to(g, pidfd, 0, x, d);
	} else {
		d->reason = "it is being traced, and no answer came in time";
	}
	slot_free(g, x->slot, x->ticket);
	report_exec(g, x, OCSF_BLOCKED);
	report_finding(g, x, d, NULL, OCSF_BLOCKED, boot_ns() - x->time);
}

static void candidate_decide(struct guard *g, struct exec *exec)
{
	_cleanup_(exec_free_ptr) struct exec *x = exec;
	bool shadowed;
	struct decision d;

	decide(g, x, &d);
	shadowed = g->options.mode == MODE_SHADOW && d.finding.verdict > VERDICT_ALERT;
	if (x->flags & BS_EXEC_TRACED) {
		decide_traced(g, x, &d);
		return;
	}
	if (d.verdict <= VERDICT_ALERT && !shadowed && !d.approval) {
		if (!slot_take(g, x->slot, x->ticket, BS_SLOT_ALLOWED)) {
			if (slot_unstop(g, x))
				wake_ancestors(g, x);
			slot_free(g, x->slot, x->ticket);
		}
		report_allowed(g, x, &d);
		return;
	}
	process_exec(g, x);
	hold_seize(g, TAKE_PTR(x), &d);
}

/* The kernel had no slot for it, so it is dead. */
static void candidate_killed(struct guard *g, const struct exec *x)
{
	struct decision d = { .verdict = VERDICT_KILL,
			      .reason = "too many actions are held: it was killed" };

	d.finding.signature = (u32)-1;
	report_exec(g, x, OCSF_BLOCKED);
	report_finding(g, x, &d, NULL, OCSF_BLOCKED, 0);
}

void candidate_event(struct guard *g, const struct bs_exec_event *e)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;
	enum bs_slot_state state;

	if (e->slot < BS_SLOTS) {
		state = slot_state(g, e->slot, e->ticket);
		if (hold_has_slot(g, e->slot, e->ticket) ||
		    (state == BS_SLOT_FREE && !(e->flags & BS_EXEC_TRACED)))
			return; /* found by its slot before its event was read */
	}
	x = exec_decode(g, e);
	if (!x) {
		log_error("out of memory: process %u, which could be destructive, is killed",
			  e->head.tgid);
		kill(e->head.tgid, SIGKILL);
		return;
	}
	if (e->slot >= BS_SLOTS)
		candidate_killed(g, x);
	else
		candidate_decide(g, TAKE_PTR(x));
}

void candidate_sweep(struct guard *g)
{
	for (u32 i = 0; i < BS_SLOTS; i++) {
		u32 word = __atomic_load_n(slot_word(g, i), __ATOMIC_SEQ_CST), ticket = word >> 3;
		struct exec *x;

		if (BS_SLOT_STATE(word) != BS_SLOT_STOPPED || hold_has_slot(g, i, ticket))
			continue;
		x = exec_from_slot(g, i, ticket);
		if (x)
			candidate_decide(g, x);
		else
			slot_free(g, i, ticket); /* it is gone */
	}
}

/* Asking about a system call before it does anything.
 *
 * A candidate's system call returns -ERESTARTNOINTR, restarts, comes here again, and so on, until
 * the guard has answered or the keeper has trapped its thread: then it goes on, fails with EPERM,
 * or waits in the trap. Other threads are not disturbed, and the guard may run on the same CPU
 * meanwhile. For a restart the thread must believe that a signal is pending: it is sent SIGSTOP,
 * and SIGCONT, which takes the SIGSTOP back. Only where no answer comes for long is it really
 * stopped.
 *
 * The side that includes this header defines, before it:
 *	bool send_stop(struct bs_waiting *w), bool send_cont(struct bs_waiting *w)
 *		send the current thread SIGSTOP, SIGCONT; false where they could not
 */
#ifndef BPF_RESTART_H
#define BPF_RESTART_H

#include "call.h"
#include "hold.h"

/* How long a thread goes round before it is stopped, which other threads notice: the guard answers
 * in some 100 us, but the processor may be taken away from it, as from any guest of a busy host. */
#define ROUNDS_NS (500 * 1000 * 1000)

_Static_assert((int)BS_DELETE_CANDIDATE == (int)BS_CONNECT_CANDIDATE &&
		       (int)BS_DELETE_TRACED == (int)BS_CONNECT_TRACED &&
		       (int)BS_DELETE_FIXED == (int)BS_CONNECT_FIXED &&
		       (int)BS_DELETE_REFUSED == (int)BS_CONNECT_REFUSED &&
		       (int)BS_DELETE_DOWN == (int)BS_CONNECT_DOWN &&
		       (int)BS_SEND_DOWN == (int)BS_CONNECT_DOWN &&
		       (int)BS_SEND_FIXED == (int)BS_CONNECT_FIXED,
	       "what asks has one set of flags");

/* It would see our SIGCONT. */
static __always_inline bool handles_cont(struct task_struct *t)
{
	return (unsigned long)t->sighand->action[SIGCONT - 1].sa.sa_handler > 1;
}

/* What cannot be made to wait does not go on. */
static __always_inline int give_up(const struct place *p)
{
	COUNT(losses[BS_LOSS_STOP]);
	set_slot(p, BS_SLOT_FREE);
	return REFUSE;
}

static __always_inline int go_round(const struct place *p, struct bs_waiting *w)
{
	return send_stop(w) && send_cont(w) ? WAIT : give_up(p);
}

/* The slot is in state STOPPING, or STOPPED while the thread was woken by somebody else. */
static __always_inline int stop_call(const struct place *p, struct bs_waiting *w)
{
	if (!send_stop(w))
		return give_up(p);
	COUNT(stopped);
	set_slot(p, BS_SLOT_STOPPED);
	return WAIT;
}

/* It comes to wait, or comes again: what has become of its slot? */
static __always_inline int wait_on(const struct place *p, struct bs_waiting *w)
{
	u32 word = *(volatile u32 *)&p->slot->word;
	u32 stopping = BS_SLOT_WORD(p->ticket, BS_SLOT_STOPPING);
	u32 state = BS_SLOT_STATE(word);

	if (state == BS_SLOT_ALLOWED || state == BS_SLOT_REFUSED) {
		COUNT(shaken);
		w->flags |= p->slot->say << BS_SAY_SHIFT;
		set_slot(p, BS_SLOT_FREE);
		return state == BS_SLOT_ALLOWED ? PASS : REFUSE;
	}
	if (state == BS_SLOT_STOPPED || state == BS_SLOT_STOPPING)
		return stop_call(p, w);
	/* Its tracer has it: it traps before it comes again, and a stop would outlast its hold. */
	if (state == BS_SLOT_SEIZED && BPF_CORE_READ(bpf_get_current_task_btf(), ptrace))
		return go_round(p, w);
	if (!shared.state.down && bpf_ktime_get_ns() < w->until)
		return go_round(p, w);
	if (__sync_val_compare_and_swap(&p->slot->word, word, stopping) != word)
		return go_round(p, w); /* answered this moment */
	return stop_call(p, w);
}

/* One that cannot restart waits in the kernel, and is refused without an answer. */
static __always_inline int ask_once(const struct place *p, struct bs_waiting *w)
{
	enum bs_slot_state s = ask(p, BS_SLOT_FREE);

	w->flags |= p->slot->say << BS_SAY_SHIFT;
	set_slot(p, BS_SLOT_FREE);
	return s == BS_SLOT_ALLOWED ? PASS : REFUSE;
}

/* Notes what thread `tid` asks for. NULL: there is no room, and it is refused. */
static __always_inline struct bs_waiting *note_waiting(u32 tid, const struct bs_waiting *init)
{
	struct bs_waiting *w = bpf_map_lookup_elem(&waiting, &tid);

	if (w)
		leave_slot(w);
	w = bpf_map_update_elem(&waiting, &tid, init, BPF_ANY)
		    ? NULL
		    : bpf_map_lookup_elem(&waiting, &tid);
	if (!w)
		COUNT(losses[BS_LOSS_SLOT]);
	return w;
}

static __always_inline bool is_same_meeting(const struct bs_meeting *a, const struct bs_meeting *b)
{
	return a->inode == b->inode && a->parent_inode == b->parent_inode && a->builds == b->builds;
}

/* This very call, which asks or waits already; NULL: it is a new one. */
static __always_inline struct bs_waiting *find_waiting(u32 tid, const struct bs_waiting *same)
{
	struct bs_waiting *w = bpf_map_lookup_elem(&waiting, &tid);

	return w && w->kind == same->kind && w->key[0] == same->key[0] &&
			       w->key[1] == same->key[1] && w->key[2] == same->key[2] &&
			       is_same_meeting(&w->meeting, &same->meeting)
		       ? w
		       : NULL;
}

/* It comes again: PASS or REFUSE, which ends it, or WAIT; -1: it must ask anew. */
static __always_inline int come_again(struct bs_waiting *w)
{
	u32 at = w->slot;
	struct place p = { .ticket = w->ticket, .at = at };

	if (w->answer)
		return w->answer == BS_ANSWER_PASS ? PASS : REFUSE;
	p.slot = bpf_map_lookup_elem(&slots, &at);
	if (!p.slot || p.slot->word >> 3 != w->ticket ||
	    BS_SLOT_STATE(p.slot->word) == BS_SLOT_FREE)
		return -1;
	return wait_on(&p, w);
}

/* While no guard runs, as the owner wants it; WAIT: the candidate is frozen. */
static __always_inline int decide_down(struct bs_waiting *w)
{
	u32 down = shared.state.down;

	if (down != BS_DOWN_ALLOW && down != BS_DOWN_KILL)
		return WAIT;
	w->flags |= BS_CONNECT_DOWN;
	if (down == BS_DOWN_ALLOW)
		return PASS;
	w->flags |= BS_CONNECT_REFUSED;
	return REFUSE;
}

/* Freezes a candidate, whose flags are in `w` from now on: it asks in *ret. Where that has no slot
 * the verdict is returned, else WAIT. The caller sends the event, and then calls wait_call(). */
static __always_inline int freeze_call(struct bs_waiting *w, const struct bs_event *e, u64 start,
				       struct place *ret)
{
	int verdict = decide_down(w);

	*ret = (struct place) { .at = BS_NO_SLOT };
	if (verdict != WAIT)
		return verdict;
	*ret = claim_slot(w->kind, e, start);
	w->slot = ret->at;
	w->ticket = ret->ticket;
	if (ret->slot)
		return WAIT;
	w->flags |= BS_CONNECT_REFUSED;
	return REFUSE;
}

static __always_inline int wait_call(const struct place *p, struct bs_waiting *w)
{
	if (w->flags & (BS_CONNECT_FIXED | BS_CONNECT_TRACED))
		return ask_once(p, w);
	return wait_on(p, w);
}

/* What waits no more is forgotten. */
static __always_inline void forget_waiting(int verdict, u32 tid)
{
	if (verdict != WAIT)
		bpf_map_delete_elem(&waiting, &tid);
}

#endif

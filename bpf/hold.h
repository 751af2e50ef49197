/* Freezing a candidate: its slot, the short wait for the guard, the stop. */
#ifndef BPF_HOLD_H
#define BPF_HOLD_H

#include "shared.h"

/* How long a candidate waits in the kernel for the guard to take it over, so that no parent sees a
 * stop and no SIGCONT lifts it. The guard answers in some 40 us; only where the machine is
 * overloaded does it come to this.
 *
 * On the CPU where the guard wakes up it does not wait, as the guard could not run meanwhile: a
 * realtime task wakes where it ran last. There the guard takes the CPU before the task returns to
 * user mode, and so before the task looks at its signals; the guard takes the SIGSTOP back, and
 * nobody sees a stop either. */
#define WAIT_NS (5 * 1000 * 1000)

struct place {
	struct bs_slot *slot; /* NULL: all are taken */
	u32 at, ticket;
};

struct slot_search {
	u32 at;
	u32 word;
	struct bs_slot *slot;
};

static long slot_probe(u32 i, void *data)
{
	struct slot_search *c = data;
	u32 at = (c->at + i) & (BS_SLOTS - 1);
	struct bs_slot *s = bpf_map_lookup_elem(&slots, &at);
	u32 word;

	if (!s)
		return 1;
	word = s->word;
	if (BS_SLOT_STATE(word) != BS_SLOT_FREE ||
	    __sync_val_compare_and_swap(&s->word, word, c->word) != word)
		return 0;
	c->at = at;
	c->slot = s;
	return 1;
}

static __always_inline struct place claim_slot(enum bs_slot_kind kind, const struct bs_event *e,
					       u64 start)
{
	u32 ticket = (__sync_fetch_and_add(&shared.state.tickets, 1) + 1) & 0x1fffffff;
	struct slot_search c = { .at = e->tid * 2654435761U >> 20,
				 .word = BS_SLOT_WORD(ticket, BS_SLOT_CLAIMED) };
	struct bs_slot *s;

	bpf_loop(BS_SLOT_PROBES, slot_probe, &c, 0);
	s = c.slot;
	if (!s) {
		COUNT(losses[BS_LOSS_SLOT]);
		return (struct place) { .at = BS_NO_SLOT };
	}
	s->tgid = e->tgid;
	s->tid = e->tid;
	s->kind = kind;
	s->start = start;
	s->session = e->session;
	s->number = e->number;
	s->hold = 0;
	s->since_ms = 0;
	s->say = 0;
	s->word = BS_SLOT_WORD(ticket, BS_SLOT_ASKED);
	return (struct place) { .slot = s, .at = c.at, .ticket = ticket };
}

static __always_inline void send_decision(struct bs_event *e, u32 size)
{
	if (bpf_ringbuf_output(&decisions, e, size, BPF_RB_FORCE_WAKEUP))
		COUNT(losses[BS_LOSS_DECISION]);
}

struct wait {
	struct bs_slot *slot;
	u32 word;
	u64 end;
};

static long wait_step(u32 i, void *data)
{
	struct wait *c = data;

	if (*(volatile u32 *)&c->slot->word != c->word)
		return 1;
	return bpf_ktime_get_ns() > c->end;
}

static __always_inline void wait_for_guard(struct bs_slot *s, u32 asked)
{
	struct wait c = { .slot = s, .word = asked };

	if (shared.state.down || bpf_get_smp_processor_id() == shared.state.guard_cpu)
		return;
	c.end = bpf_ktime_get_ns() + WAIT_NS;
	bpf_loop(1 << 20, wait_step, &c, 0);
}

/* Waits a moment for the guard's answer; without one, the slot becomes `otherwise`. Returns the
 * state that the guard left, or BS_SLOT_ASKED. */
static __always_inline enum bs_slot_state ask(const struct place *p, enum bs_slot_state otherwise)
{
	u32 asked = BS_SLOT_WORD(p->ticket, BS_SLOT_ASKED), word;

	wait_for_guard(p->slot, asked);
	word = __sync_val_compare_and_swap(&p->slot->word, asked,
					   BS_SLOT_WORD(p->ticket, otherwise));
	if (word == asked)
		return BS_SLOT_ASKED;
	COUNT(shaken);
	return BS_SLOT_STATE(word);
}

static __always_inline void set_slot(const struct place *p, enum bs_slot_state state)
{
	p->slot->word = BS_SLOT_WORD(p->ticket, state);
}

/* Nobody will come for the answer: the thread has ended, or the handler of a signal has jumped away
 * from its system call. What is seized or stopped the guard frees. It has a frame of its own, as
 * 512 bytes of stack are little. */
static __noinline int leave_slot(const struct bs_waiting *w)
{
	u32 at = w->slot, word, state;
	struct bs_slot *s = bpf_map_lookup_elem(&slots, &at);

	for (int i = 0; s && i < 2; i++) { /* it may be answered this moment */
		word = s->word;
		state = BS_SLOT_STATE(word);
		if (word >> 3 != w->ticket || (state != BS_SLOT_ASKED && state != BS_SLOT_ALLOWED &&
					       state != BS_SLOT_REFUSED))
			return 0;
		if (__sync_val_compare_and_swap(&s->word, word, word & ~7U) == word)
			return 0;
	}
	return 0;
}

/* ---- of a task that goes on when it is continued: an exec, or a deletion that has happened */

static __always_inline void stop_task(const struct place *p)
{
	COUNT(stopped);
	shared.state.frozen = 1; /* behind STOPPING, which the guard sees where it clears this */
	if (bpf_send_signal_thread(SIGSTOP)) {
		COUNT(losses[BS_LOSS_STOP]);
		bpf_send_signal(SIGKILL);
	}
	set_slot(p, BS_SLOT_STOPPED);
}

/* A traced task is allowed while it waits here, or dies: its tracer could swallow any stop. */
static __always_inline void ask_traced(const struct place *p)
{
	if (ask(p, BS_SLOT_FREE) != BS_SLOT_ALLOWED)
		bpf_send_signal(SIGKILL);
	set_slot(p, BS_SLOT_FREE);
}

static __always_inline void ask_guard(const struct place *p)
{
	enum bs_slot_state s = ask(p, BS_SLOT_STOPPING);

	if (s == BS_SLOT_ASKED)
		stop_task(p);
	else if (s == BS_SLOT_ALLOWED)
		set_slot(p, BS_SLOT_FREE);
}

#endif

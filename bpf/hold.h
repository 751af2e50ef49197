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
const volatile u64 wait_ns = 5 * 1000 * 1000;

static u32 tickets;

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

static __always_inline struct bs_slot *claim_slot(struct task_struct *t, struct bs_label *l,
						  struct bs_exec_event *e)
{
	u32 ticket = (__sync_fetch_and_add(&tickets, 1) + 1) & 0x1fffffff;
	struct slot_search c = { .at = t->tgid * 2654435761U >> 20,
				 .word = BS_SLOT_WORD(ticket, BS_SLOT_CLAIMED) };

	bpf_loop(BS_SLOT_PROBES, slot_probe, &c, 0);
	if (!c.slot)
		return NULL;
	c.slot->tgid = t->tgid;
	c.slot->start = t->start_boottime;
	c.slot->session = l->session;
	l->slot = c.at + 1;
	e->slot = c.at;
	e->ticket = ticket;
	c.slot->word = BS_SLOT_WORD(ticket, BS_SLOT_ASKED);
	return c.slot;
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

static __always_inline void stop_task(struct bs_slot *s, u32 ticket)
{
	COUNT(stopped);
	if (bpf_send_signal_thread(SIGSTOP)) {
		COUNT(losses[BS_LOSS_STOP]);
		bpf_send_signal(SIGKILL);
	}
	s->word = BS_SLOT_WORD(ticket, BS_SLOT_STOPPED);
}

static __always_inline void wait_for_guard(struct bs_slot *s, u32 asked)
{
	struct wait c = { .slot = s, .word = asked };

	c.end = bpf_ktime_get_ns() + wait_ns;
	bpf_loop(1 << 20, wait_step, &c, 0);
}

/* A traced task is allowed while it waits here, or dies: its tracer could swallow any stop. */
static __always_inline void ask_traced(struct bs_slot *s, u32 ticket)
{
	u32 asked = BS_SLOT_WORD(ticket, BS_SLOT_ASKED);
	u32 none = BS_SLOT_WORD(ticket, BS_SLOT_FREE);

	if (bpf_get_smp_processor_id() != guard_cpu)
		wait_for_guard(s, asked);
	if (__sync_val_compare_and_swap(&s->word, asked, none) !=
	    BS_SLOT_WORD(ticket, BS_SLOT_ALLOWED))
		bpf_send_signal(SIGKILL);
	s->word = none;
}

static __always_inline void ask_guard(struct bs_slot *s, u32 ticket)
{
	u32 asked = BS_SLOT_WORD(ticket, BS_SLOT_ASKED);
	u32 stopping = BS_SLOT_WORD(ticket, BS_SLOT_STOPPING);
	u32 word;

	if (bpf_get_smp_processor_id() != guard_cpu)
		wait_for_guard(s, asked);
	word = __sync_val_compare_and_swap(&s->word, asked, stopping);
	if (word == asked) {
		stop_task(s, ticket);
		return;
	}
	COUNT(shaken);
	if (BS_SLOT_STATE(word) == BS_SLOT_ALLOWED)
		s->word = BS_SLOT_WORD(ticket, BS_SLOT_FREE);
}

#endif

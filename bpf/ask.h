/* Asking about what is sent before its system call does anything, as restart.h does. */
#ifndef BPF_ASK_H
#define BPF_ASK_H

#include "send.h"

static __always_inline bool send_stop(struct bs_waiting *w)
{
	return !bpf_send_signal_thread(SIGSTOP);
}

static __always_inline bool send_cont(struct bs_waiting *w)
{
	return !bpf_send_signal_thread(SIGCONT);
}

#include "restart.h"

/* What is given to a global function is no map's value any more, for the verifiers of kernels
 * before 6.2: of such no helper takes a key or a value. */
static __always_inline struct send_work *own_work(const struct send_work *w)
{
	u32 at = w ? w->index : ~0U;

	return bpf_map_lookup_elem(&send_works, &at);
}

static __always_inline void tell(struct send_work *w)
{
	struct bs_send_event *e = &w->event;
	u32 size;

	e->copied = w->fill;
	size = sizeof(*e) + w->fill;
	e->head.size = size;
	e->head.time = bpf_ktime_get_boot_ns();
	if (size <= sizeof(*e) + BS_SEND_DATA)
		send_decision(&e->head, size);
}

static __always_inline void look(struct bs_waiting *w, u32 source)
{
	struct task_struct *t = bpf_get_current_task_btf();

	if (t->ptrace)
		w->flags |= BS_SEND_TRACED;
	if (!is_send_call(t) && !(source == BS_SEND_UNIX && is_connect_call(t)))
		w->flags |= BS_SEND_FIXED;
	if (handles_cont(t))
		w->until = 0;
}

/* Asks about what `same` names; the event's bytes are in data[]. */
static __always_inline int ask_for(struct send_work *w)
{
	struct bs_send_event *e = &w->event;
	struct bs_waiting *b;
	struct place p = {};
	int verdict;

	COUNT(candidates);
	w->same.flags = e->flags | BS_SEND_CANDIDATE;
	w->same.until = bpf_ktime_get_ns() + ROUNDS_NS;
	b = note_waiting(e->head.tid, &w->same);
	if (!b) {
		e->flags |= BS_SEND_CANDIDATE | BS_SEND_REFUSED;
		tell(w);
		return REFUSE;
	}
	look(b, e->source);
	verdict = freeze_call(b, &e->head, e->start, &p);
	e->flags = b->flags;
	e->slot = p.at;
	e->ticket = p.ticket;
	tell(w);
	if (p.slot)
		verdict = wait_call(&p, b);
	w->said = b->flags >> BS_SAY_SHIFT;
	return verdict;
}

#endif

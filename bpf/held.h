/* Which tasks are held, and what others may not do to them. */
#ifndef BPF_HELD_H
#define BPF_HELD_H

#include "shared.h"

static __always_inline bool is_frozen_slot(const struct bs_slot *s, u32 tid)
{
	u32 state;

	if (!s || s->tid != tid)
		return false;
	state = BS_SLOT_STATE(s->word);
	return state >= BS_SLOT_SEIZED && state <= BS_SLOT_STOPPED;
}

/* When it runs nothing stops it any more: it was stopped after an exec, after a deletion, or before
 * what it writes is encrypted. */
static __always_inline bool goes_on(const struct bs_slot *s)
{
	return s->kind == BS_SLOT_EXEC || s->kind == BS_SLOT_DELETED || s->kind == BS_SLOT_SENDING;
}

/* Its exec is held, and nothing of the new program may run; or what it has deleted is. */
static __always_inline bool is_exec_held(struct task_struct *t)
{
	struct bs_label *l = label_of(t);
	u32 at = l ? l->slot - 1 : BS_NO_SLOT;
	struct bs_slot *s = bpf_map_lookup_elem(&slots, &at);

	return is_frozen_slot(s, t->pid) && goes_on(s) &&
	       s->start == t->group_leader->start_boottime;
}

/* Its system call is held: a connect or a deletion. */
static __always_inline bool is_call_held(struct task_struct *t)
{
	u32 tid = t->pid, at;
	struct bs_waiting *w = bpf_map_lookup_elem(&waiting, &tid);
	struct bs_slot *s;

	if (!w)
		return false;
	at = w->slot;
	s = bpf_map_lookup_elem(&slots, &at);
	return is_frozen_slot(s, tid) && s->word >> 3 == w->ticket;
}

static __always_inline bool is_held(struct task_struct *t)
{
	return is_exec_held(t) || is_call_held(t);
}

/* A held task that runs was woken by the kernel itself, or by who outran all else: what it asks for
 * is refused, and it dies. A tripwire alone would come too late for its first system call. */
static __always_inline int fence(void)
{
	if (!shared.state.frozen || !is_exec_held(bpf_get_current_task_btf()))
		return 0;
	COUNT(fenced);
	bpf_send_signal(SIGKILL);
	return -EPERM;
}

/* The guard or its keeper acts. */
static __always_inline bool is_guard(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return tgid == shared.state.guard || tgid == shared.state.keeper;
}

/* Signals that stop or continue a held task are the guard's. Those that end it are not refused: a
 * held task may die at any time. */
static __always_inline int held_task_kill(struct task_struct *t, int sig)
{
	if (sig < SIGCONT || sig > SIGTTOU || is_guard() || !is_held(t))
		return 0;
	COUNT(unshaken);
	return -EPERM;
}

#endif

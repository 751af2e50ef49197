/* Lineage: who belongs to a session.
 *
 * tp_btf/task_newtask		a new task inherits its maker's label (threads and io_uring workers
 *				too)
 * tp_btf/sched_process_exit	says when a process, and when a session, is gone
 * tracepoint/task/task_newtask, tracepoint/sched/sched_process_exit
 *				what those were passed over for
 * iter/task			labels what runs already, when the guard asks for it
 */
#include "shared.h"
#include "hold.h"

#define LABEL_GONE (~0U) /* in label.slot: the task has been counted as gone */
#define PF_EXITING 0x4

/* `child` is not running yet. What can be labelled in no way would go unseen: its maker is killed.
 */
static __always_inline void give_label(struct task_struct *child, struct bs_label *label)
{
	pid_t tid = child->pid;

	if (bpf_task_storage_get(&labels, child, label, BPF_LOCAL_STORAGE_GET_F_CREATE))
		return;
	COUNT(losses[BS_LOSS_LABEL]);
	if (bpf_map_update_elem(&strays, &tid, label, BPF_ANY))
		bpf_send_signal(SIGKILL);
}

/* What was said of its maker's burst of deletions is said of it. */
static __always_inline void inherit_burst(struct bs_process *p, struct task_struct *t, u32 maker)
{
	struct bs_process *its = bpf_map_lookup_elem(&processes, &maker);

	if (!its || !its->burst || its->burst == BS_BURST_RESET)
		return;
	p->burst = its->burst;
	p->start = t->start_boottime;
}

/* False where there is no room: the connects of the process would go unseen. */
static __always_inline bool note_process(struct task_struct *t, u64 session, u32 maker)
{
	struct bs_process p = { .session = session };
	u32 tgid = t->tgid;

	if (t->pid != t->tgid)
		return true;
	inherit_burst(&p, t, maker);
	if (!bpf_map_update_elem(&processes, &tgid, &p, BPF_ANY))
		return true;
	COUNT(losses[BS_LOSS_LABEL]);
	return false;
}

static __always_inline void inherit(struct task_struct *child, const struct bs_label *mine)
{
	struct bs_label init = { .session = mine->session,
				 .approval = mine->approval,
				 .judged = mine->judged };
	struct bs_session *s;

	give_label(child, &init);
	if (!note_process(child, init.session, bpf_get_current_pid_tgid() >> 32))
		bpf_send_signal(SIGKILL);
	s = bpf_map_lookup_elem(&sessions, &init.session);
	if (s)
		__sync_fetch_and_add(&s->tasks, 1);
}

SEC("tp_btf/task_newtask")
int BPF_PROG(lineage_newtask, struct task_struct *child)
{
	struct bs_label *mine = label_of(bpf_get_current_task_btf());

	if (mine && is_acting() && !label_of(child))
		inherit(child, mine);
	return 0;
}

extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym __weak;
extern void bpf_task_release(struct task_struct *t) __ksym __weak;

LATE("task/task_newtask")
int newtask_late(struct trace_event_raw_task_newtask *ctx)
{
	struct bs_label *mine = label_of(bpf_get_current_task_btf());
	struct task_struct *child;

	if (!mine || !is_acting())
		return 0;
	child = bpf_task_from_pid(ctx->pid);
	if (!child)
		return 0;
	if (!label_of(child)) {
		COUNT(late);
		inherit(child, mine);
	}
	bpf_task_release(child);
	return 0;
}

static __always_inline void process_gone(struct task_struct *t, u64 session)
{
	struct bs_exit_event e = {};
	u32 tgid = t->tgid;

	bpf_map_delete_elem(&processes, &tgid);
	event_head(&e.head, BS_EVENT_EXIT, sizeof(e), session);
	e.start = t->group_leader->start_boottime;
	e.code = t->exit_code;
	emit(&e.head, sizeof(e));
}

/* Its number may be the next process's. */
static __always_inline void forget_guard(struct task_struct *t)
{
	u32 tid = t->pid;

	if (shared.state.guard == tid)
		shared.state.guard = 0;
	if (shared.state.keeper == tid)
		shared.state.keeper = 0;
}

static __always_inline void forget_waiting(u32 tid)
{
	struct bs_waiting *w = bpf_map_lookup_elem(&waiting, &tid);

	if (!w)
		return;
	leave_slot(w);
	bpf_map_delete_elem(&waiting, &tid);
}

/* False: it is not tracked, or was told before. */
static __always_inline bool task_gone(struct task_struct *t)
{
	struct bs_label *l = label_of(t);
	struct bs_session *s;
	struct bs_event end;
	u32 tid;

	forget_guard(t);
	if (!l || !is_acting() || __sync_lock_test_and_set(&l->slot, LABEL_GONE) == LABEL_GONE)
		return false;
	tid = t->pid;
	forget_waiting(tid);
	if (t->signal->live.counter == 0)
		process_gone(t, l->session);
	s = bpf_map_lookup_elem(&sessions, &l->session);
	if (s && __sync_fetch_and_sub(&s->tasks, 1) == 1) {
		event_head(&end, BS_EVENT_END, sizeof(end), l->session);
		emit(&end, sizeof(end));
	}
	if (shared.counters.losses[BS_LOSS_LABEL])
		bpf_map_delete_elem(&strays, &tid);
	return true;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(lineage_exit, struct task_struct *t)
{
	task_gone(t);
	return 0;
}

LATE("sched/sched_process_exit")
int exit_late(void *ctx)
{
	if (task_gone(bpf_get_current_task_btf()))
		COUNT(late);
	return 0;
}

/* ---- those that run already */

static __always_inline u64 adopted_by(struct task_struct *t)
{
	struct bs_label *l = label_of(t->real_parent);
	u32 tgid = t->tgid;
	struct bs_process *p;

	if (l)
		return l->session;
	p = bpf_map_lookup_elem(&processes, &tgid);
	return p ? p->session : 0;
}

/* A zombie, or a leader whose threads may go on: its exit is past, and nobody would count it as
 * gone. */
static __always_inline void adopt_dead(struct task_struct *t, u64 session)
{
	if (t->exit_state && t->signal->live.counter > 0)
		note_process(t, session, 0);
}

static __always_inline void adopt_task(struct task_struct *t, struct bs_label *init)
{
	struct bs_session *s;

	if (!bpf_task_storage_get(&labels, t, init, BPF_LOCAL_STORAGE_GET_F_CREATE))
		return;
	note_process(t, init->session, 0); /* the current task is the guard: it is only counted */
	s = bpf_map_lookup_elem(&sessions, &init->session);
	if (s)
		__sync_fetch_and_add(&s->tasks, 1);
	__sync_fetch_and_add(&shared.state.adopted, 1);
}

/* Labels a task whose process the guard has put into `processes`, or whose parent has a label. The
 * guard reads this iterator again and again until nothing is new. */
SEC("iter/task")
int lineage_adopt(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task;
	struct bs_label init = {};

	if (!t || label_of(t))
		return 0;
	init.session = adopted_by(t);
	if (init.session && t->flags & PF_EXITING)
		adopt_dead(t, init.session);
	else if (init.session)
		adopt_task(t, &init);
	return 0;
}

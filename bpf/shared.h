/* What the BPF files share: maps (defined in maps.bpf.c), counters and small helpers. */
#ifndef BPF_SHARED_H
#define BPF_SHARED_H

#include "kernel_types.h"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>

#include "backstop/event.h"

#define SIGKILL 9
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTTOU 22

#define EPERM	1

/* One label a tracked task, for as long as it lives. */
struct labels_map {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct bs_label);
};
extern struct labels_map labels SEC(".maps");

/* Labels of tasks for which storage could not be had (no memory, or a lock held below us), by tid.
 */
struct strays_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, pid_t);
	__type(value, struct bs_label);
};
extern struct strays_map strays SEC(".maps");

/* The guard puts a session in before it labels the first task; when full it refuses to start one.
 */
struct sessions_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BS_SESSIONS);
	__type(key, u64);
	__type(value, struct bs_session);
};
extern struct sessions_map sessions SEC(".maps");

/* The candidates that wait. The guard maps it. */
struct slots_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BS_SLOTS);
	__type(key, u32);
	__type(value, struct bs_slot);
};
extern struct slots_map slots SEC(".maps");

/* All that is seen, for the journal. Full: the event is lost and counted; no verdict depends on it.
 */
struct events_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024);
};
extern struct events_map events SEC(".maps");

/* Candidates' events. The guard's answer does not depend on one: it also finds them by their slots.
 */
struct decisions_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
};
extern struct decisions_map decisions SEC(".maps");

/* Tracked processes, for programs that cannot read a label. */
struct processes_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BS_PROCESSES);
	__type(key, u32);
	__type(value, struct bs_process);
};
extern struct processes_map processes SEC(".maps");

/* Connects that ask or wait, by tid. */
struct waiting_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BS_WAITING);
	__type(key, u32);
	__type(value, struct bs_waiting);
};
extern struct waiting_map waiting SEC(".maps");

extern struct bs_shared shared; /* alone in .bss, which the next guard's programs take over */

/* Programs of two guards, or of two policies, are attached for a moment beside each other; those of
 * this generation act. The older ones run first, so an action in that moment may be seen twice, but
 * never goes unseen. */
extern const volatile u32 generation;

/* The file that has this name, or NULL, to be checked. The verifiers of kernels before 6.13 take a
 * d_inode for never NULL: they drop a check of it, and the load behind has no safety net. */
static __always_inline struct inode *inode_of(struct dentry *dentry)
{
	return BPF_CORE_READ(dentry, d_inode) ? dentry->d_inode : NULL;
}

#define OVERLAYFS_MAGIC 0x794c7630

/* What tells a file from another that had its number before. On overlayfs numbers of several layers
 * meet, and its own inodes have no generation: that of the upper layer's file is taken, whose
 * dentry stands behind the inode; 0 for a file of a lower layer. */
static __always_inline u32 generation_of(struct inode *i)
{
	struct dentry *upper = NULL;

	if (i->i_sb->s_magic != OVERLAYFS_MAGIC)
		return i->i_generation;
	bpf_probe_read_kernel(&upper, sizeof(upper), (void *)i + bpf_core_type_size(struct inode));
	return upper ? BPF_CORE_READ(upper, d_inode, i_generation) | 1 : 0;
}

static __always_inline struct bs_protect_key inode_key(struct inode *i)
{
	return (struct bs_protect_key) { i->i_ino, i->i_sb->s_dev, generation_of(i) };
}

#define COUNT(field) __sync_fetch_and_add(&shared.counters.field, 1)

static __always_inline bool is_acting(void)
{
	return shared.state.generation == generation;
}

static __always_inline struct bs_label *label_of(struct task_struct *t)
{
	struct bs_label *l = bpf_task_storage_get(&labels, t, NULL, 0);
	pid_t tid;

	if (l || !shared.counters.losses[BS_LOSS_LABEL])
		return l;
	tid = t->pid;
	return bpf_map_lookup_elem(&strays, &tid);
}

/* Kernels from 7.2 on preempt tasks in tracepoints, and pass over a program that another task of
 * the CPU is in. What that would lose has a second program, at the same tracepoint of perf, where
 * tasks are never preempted: it does what the first has not done. */
#define LATE(what) SEC("tracepoint/" what)

static __always_inline void event_head_of(struct bs_event *e, u16 type, u32 size, u64 session,
					  u32 tgid, u32 tid)
{
	e->type = type;
	e->size = size;
	e->number = 0;
	e->time = bpf_ktime_get_boot_ns();
	e->session = session;
	e->tgid = tgid;
	e->tid = tid;
}

static __always_inline void event_head(struct bs_event *e, u16 type, u32 size, u64 session)
{
	u64 id = bpf_get_current_pid_tgid();

	event_head_of(e, type, size, session, id >> 32, id);
}

static __always_inline void number_event(struct bs_event *e)
{
	e->number = COUNT(events) + 1;
}

#define WAKE_EVERY 64 /* events between looks at how full the ring is */

/* Wakes the guard only when it sleeps, or when a quarter of the ring waits: a wake-up costs more
 * than all else here. */
static __always_inline u64 wake_flag(u64 made)
{
	if (!shared.state.guard_polls)
		return BPF_RB_FORCE_WAKEUP;
	if (made % WAKE_EVERY || bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) < 1024 * 1024)
		return BPF_RB_NO_WAKEUP;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void emit(struct bs_event *e, u32 size)
{
	number_event(e);
	if (bpf_ringbuf_output(&events, e, size, wake_flag(e->number)))
		COUNT(losses[BS_LOSS_EVENT]);
}

#endif

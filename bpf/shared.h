/* What the BPF files share: maps (defined in maps.bpf.c), counters and small helpers. */
#ifndef BPF_SHARED_H
#define BPF_SHARED_H

#include "kernel_types.h"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "backstop/event.h"

#define SIGKILL 9
#define SIGSTOP 19

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

extern struct bs_counters counters;
extern u32 guard_cpu;	/* where the guard wakes up; ~0: not known */
extern u32 guard_polls; /* the guard looks at `events` by itself: it need not be woken */

#define COUNT(field) __sync_fetch_and_add(&counters.field, 1)

static __always_inline struct bs_label *label_of(struct task_struct *t)
{
	struct bs_label *l = bpf_task_storage_get(&labels, t, NULL, 0);
	pid_t tid;

	if (l || !counters.losses[BS_LOSS_LABEL])
		return l;
	tid = t->pid;
	return bpf_map_lookup_elem(&strays, &tid);
}

static __always_inline void event_head(struct bs_event *e, u16 type, u32 size,
				       struct task_struct *t, u64 session)
{
	e->type = type;
	e->size = size;
	e->time = bpf_ktime_get_boot_ns();
	e->session = session;
	e->tgid = t->tgid;
	e->tid = t->pid;
}

#define WAKE_EVERY 64 /* events between looks at how full the ring is */

/* Wakes the guard only when it sleeps, or when a quarter of the ring waits: a wake-up costs more
 * than all else here. */
static __always_inline u64 wake_flag(u64 made)
{
	if (!guard_polls)
		return BPF_RB_FORCE_WAKEUP;
	if (made % WAKE_EVERY || bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) < 1024 * 1024)
		return BPF_RB_NO_WAKEUP;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void emit(struct bs_event *e, u32 size)
{
	u64 made = COUNT(events);

	if (bpf_ringbuf_output(&events, e, size, wake_flag(made)))
		COUNT(losses[BS_LOSS_EVENT]);
}

#endif

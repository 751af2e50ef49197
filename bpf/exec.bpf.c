/* exec: what is a tracked task about to run?
 *
 * tp_btf/sched_process_exec	the new image is loaded, argv is on its stack, no instruction of it
 *has run: scans argv, reports the exec, and freezes a candidate
 */
#include "shared.h"
#include "hold.h"
#include "scan.h"

/* One event under construction; args are scanned where they lie. The room behind lets the verifier
 * see that a chunk that starts anywhere in data[] stays inside. */
struct work {
	struct bs_scan scan;
	struct bs_exec_event event;
	u8 data[BS_EVENT_DATA_MAX + BS_CHUNK + 2 * BS_BLOCK];
	struct bs_args_event more;
	u8 more_data[BS_CHUNK + 2 * BS_BLOCK];
};

/* Scratch, one a CPU: this tracepoint runs with preemption off. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct work);
} works SEC(".maps");

/* Events of candidates. The guard's answer does not depend on one: it also finds them by their
 * slots. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} decisions SEC(".maps");

/* Global functions: the verifier walks each once, not once a path that leads to it. */
__noinline int scan_data(struct work *w, u32 at, u32 len)
{
	const void *table = scan_table();

	if (!w || !table || len > BS_CHUNK)
		return 0;
	at &= 2047; /* BS_NAME_MAX + 256 + BS_CWD_MAX is below */
	__builtin_memset(w->data + at + len, 0, BS_BLOCK);
	bs_scan_chunk(&w->scan, table, w->data + at, len);
	return 0;
}

__noinline int scan_more(struct work *w, u32 len)
{
	const void *table = scan_table();

	if (!w || !table || len > BS_CHUNK)
		return 0;
	__builtin_memset(w->more_data + len, 0, BS_BLOCK);
	bs_scan_chunk(&w->scan, table, w->more_data, len);
	return 0;
}

__noinline int scan_result(struct work *w)
{
	return w ? bs_scan_end(&w->scan, NULL) : 1;
}

struct cwd_walk {
	struct work *w;
	struct dentry *dentry, *root;
	struct vfsmount *mnt, *root_mnt;
	u32 at;	 /* where the next component goes, in data[] */
	u32 end; /* what cwd may fill */
};

/* From a mount's root up to where it is mounted; false at the very top. */
static __always_inline bool cwd_cross(struct cwd_walk *c)
{
	struct mount *m = (void *)c->mnt - bpf_core_field_offset(struct mount, mnt);
	struct mount *up = BPF_CORE_READ(m, mnt_parent);

	if (up == m)
		return false;
	c->dentry = BPF_CORE_READ(m, mnt_mountpoint);
	c->mnt = (void *)up + bpf_core_field_offset(struct mount, mnt);
	return true;
}

/* Writes one component, or crosses a mount; 1 at the task's root, or where there is no room. */
static long cwd_step(u32 i, void *data)
{
	struct cwd_walk *c = data;
	struct dentry *dentry = c->dentry;
	struct vfsmount *mnt = c->mnt;
	u32 at = c->at;
	long n;

	if (dentry == c->root && mnt == c->root_mnt)
		return 1;
	if (dentry == BPF_CORE_READ(mnt, mnt_root))
		return !cwd_cross(c);
	if (at > BS_NAME_MAX + 256 + BS_CWD_MAX - 256 || at > c->end - 256) {
		c->w->event.cwd_deep = 1;
		return 1;
	}
	n = bpf_probe_read_kernel_str(c->w->data + at, 256, BPF_CORE_READ(dentry, d_name.name));
	if (n <= 0)
		return 1;
	c->at = at + n;
	c->dentry = BPF_CORE_READ(dentry, d_parent);
	return 0;
}

/* The working directory as the task sees it; returns where it ends in data[]. */
static __always_inline u32 read_cwd(struct work *w, struct task_struct *t, u32 at)
{
	struct fs_struct *fs = t->fs;
	struct cwd_walk c = {
		.w = w,
		.dentry = BPF_CORE_READ(fs, pwd.dentry),
		.mnt = BPF_CORE_READ(fs, pwd.mnt),
		.root = BPF_CORE_READ(fs, root.dentry),
		.root_mnt = BPF_CORE_READ(fs, root.mnt),
		.at = at,
		.end = at + BS_CWD_MAX,
	};

	w->event.cwd_deep = 0;
	if (bpf_loop(2 * BS_CWD_PARTS, cwd_step, &c, 0) == 2 * BS_CWD_PARTS)
		w->event.cwd_deep = 1;
	w->event.cwd_len = c.at - at;
	return c.at;
}

/* The file's base name, then the name as given to execve, scanned as one; returns where they end in
 * data[]. */
static __always_inline u32 read_names(struct work *w, struct linux_binprm *bprm)
{
	const unsigned char *file = BPF_CORE_READ(bprm, file, f_path.dentry, d_name.name);
	u32 at = 0;
	long n;

	n = bpf_probe_read_kernel_str(w->data, BS_NAME_MAX, bprm->filename);
	w->event.name_len = n > 0 ? n : 0;
	at = w->event.name_len & (BS_NAME_MAX * 2 - 1);
	n = bpf_probe_read_kernel_str(w->data + at, 256, file);
	w->event.file_len = n > 0 ? n : 0;
	return at + (w->event.file_len & 511);
}

static __always_inline void read_ids(struct bs_exec_event *e, struct task_struct *t,
				     struct linux_binprm *bprm)
{
	const struct cred *cred = t->cred;
	struct inode *inode = BPF_CORE_READ(bprm, file, f_inode);
	struct tty_struct *tty = t->signal->tty;

	e->start = t->start_boottime;
	e->cgroup = bpf_get_current_cgroup_id();
	e->uid = cred->uid.val;
	e->euid = cred->euid.val;
	e->gid = cred->gid.val;
	e->flags = cred->uid.val != cred->euid.val || cred->gid.val != cred->egid.val
			   ? BS_EXEC_SETID
			   : 0;
	e->inode = BPF_CORE_READ(inode, i_ino);
	e->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	e->tty = 0;
	if (tty) {
		struct tty_driver *d = BPF_CORE_READ(tty, driver);

		e->tty = (BPF_CORE_READ(d, major) << 20) + BPF_CORE_READ(d, minor_start) +
			 BPF_CORE_READ(tty, index);
	}
	if (BPF_CORE_READ(inode, i_nlink) == 0)
		e->flags |= BS_EXEC_DELETED;
}

static __always_inline void read_ancestors(struct bs_exec_event *e, struct task_struct *t)
{
#pragma clang loop unroll(full)
	for (int i = 0; i < BS_ANCESTORS; i++) {
		t = t->real_parent;
		e->ancestors[i] = t->tgid;
	}
}

/* At most a chunk. The barrier keeps the compiler from proving, and dropping, the bound that the
 * verifier of 6.1 needs. */
static __always_inline u32 chunk_of(u64 rest)
{
	u32 len = rest < BS_CHUNK ? rest : BS_CHUNK;

	asm volatile("" : "+r"(len));
	return len > BS_CHUNK ? BS_CHUNK : len;
}

struct args_walk {
	struct work *w;
	struct task_struct *task;
	unsigned long start;
	u32 total;
	u32 failed;
};

/* Chunk i + 1 of argv: scanned, and sent ahead of the exec event. */
static long args_step(u32 i, void *data)
{
	struct args_walk *a = data;
	struct work *w = a->w;
	u32 offset = (i + 1) * BS_CHUNK, len;

	if (offset >= a->total)
		return 1;
	len = chunk_of(a->total - offset);
	if (bpf_probe_read_user(w->more_data, len, (void *)(a->start + offset))) {
		a->failed = 1;
		return 1;
	}
	scan_more(w, len);
	event_head(&w->more.head, BS_EVENT_ARGS, sizeof(w->more) + len, a->task,
		   w->event.head.session);
	w->more.offset = offset;
	w->more.len = len;
	emit(&w->more.head, sizeof(w->more) + (len & (2 * BS_CHUNK - 1)));
	return 0;
}

/* Reads and scans argv; returns where its first chunk ends in data[]. */
static __always_inline u32 read_args(struct work *w, struct task_struct *t, u32 at)
{
	struct args_walk a = { .w = w, .task = t, .start = t->mm->arg_start };
	u64 total = t->mm->arg_end - a.start;
	u32 len = chunk_of(total);

	at &= 2047;
	a.total = total < BS_SCAN_MAX ? total : BS_SCAN_MAX;
	w->event.args_total = total < 0xffffffff ? total : 0xffffffff;
	if (total > BS_SCAN_MAX)
		w->event.flags |= BS_EXEC_TOO_LONG;
	if (bpf_probe_read_user(w->data + at, len, (void *)a.start)) {
		w->event.flags |= BS_EXEC_UNREADABLE;
		len = 0;
	}
	scan_data(w, at, len);
	if (a.total > BS_CHUNK)
		bpf_loop(BS_SCAN_MAX / BS_CHUNK, args_step, &a, 0);
	if (a.failed)
		w->event.flags |= BS_EXEC_UNREADABLE;
	w->event.args_len = len;
	return at + len;
}

static __always_inline bool is_candidate(struct work *w)
{
	const u32 unsure = BS_EXEC_UNREADABLE | BS_EXEC_TOO_LONG;

	return scan_result(w) || w->event.flags & unsure;
}

/* Sends the event of a candidate and freezes it. */
static __always_inline void freeze(struct work *w, struct task_struct *t, struct bs_label *l,
				   u32 size)
{
	struct bs_exec_event *e = &w->event;
	struct bs_slot *s = claim_slot(t, l, e);

	COUNT(candidates);
	e->flags |= BS_EXEC_CANDIDATE;
	if (t->ptrace)
		e->flags |= BS_EXEC_TRACED;
	if (!s) {
		COUNT(losses[BS_LOSS_SLOT]);
		e->flags |= BS_EXEC_KILLED;
		bpf_send_signal(SIGKILL);
	}
	COUNT(events);
	if (bpf_ringbuf_output(&decisions, e, size, BPF_RB_FORCE_WAKEUP))
		COUNT(losses[BS_LOSS_DECISION]);
	if (!s)
		return;
	if (e->flags & BS_EXEC_TRACED)
		ask_traced(s, e->ticket);
	else
		ask_guard(s, e->ticket);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_loaded, struct task_struct *t, pid_t old_pid, struct linux_binprm *bprm)
{
	struct bs_label *l = label_of(t);
	struct bs_session *session;
	struct work *w;
	u32 zero = 0, at, size;

	if (!l)
		return 0;
	w = bpf_map_lookup_elem(&works, &zero);
	if (!w)
		return 0;
	COUNT(execs);
	session = bpf_map_lookup_elem(&sessions, &l->session);
	if (session)
		__sync_fetch_and_add(&session->execs, 1);
	w->event.head.session = l->session;
	w->event.approval = l->approval;
	w->event.slot = BS_NO_SLOT;
	read_ids(&w->event, t, bprm);
	read_ancestors(&w->event, t);
	at = read_names(w, bprm) & 1023;
	bs_scan_begin(&w->scan, scan_start);
	scan_data(w, 0, at);
	at = read_cwd(w, t, at);
	at = read_args(w, t, at);
	size = sizeof(w->event) + (at & (2 * BS_CHUNK - 1));
	event_head(&w->event.head, BS_EVENT_EXEC, size, t, l->session);
	if (is_candidate(w))
		freeze(w, t, l, size);
	else
		emit(&w->event.head, size);
	return 0;
}

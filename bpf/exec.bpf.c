/* exec: what is a tracked task about to run?
 *
 * lsm.s/bprm_committed_creds	a moment before, where one may sleep: touches argv, which may be
 *				swapped out, as the kernel does itself before the next
 * tp_btf/sched_process_exec	the new image is loaded, argv is on its stack, no instruction of it
 *				has run: scans argv, reports the exec, and freezes a candidate
 * tracepoint/sched/sched_process_exec
 *				does the same for what the former was passed over for, or has not
 *				come to
 */
#include "shared.h"
#include "hold.h"
#include "scan.h"

#define BS_HEAD_MAX (BS_NAME_MAX + BS_FILE_MAX + BS_ARGV0_MAX)

/* One event under construction. data[] has room behind for a block of zeros, which ends the scan's
 * chunk. */
struct work {
	struct bs_scan scan;
	struct bs_exec_event event;
	u8 data[BS_EVENT_DATA_MAX + BS_FILE_MAX];
	u64 args, args_end; /* where argv is that is to be read yet */
	u32 scans;	    /* it has to be scanned */
	struct bs_args_event more;
	u8 more_data[BS_CHUNK + BS_PADDING];
};

#define PATH_OWNER	    struct work
#define PATH_ROOM	    BS_EVENT_DATA_MAX
#define PATH_NOTE(w, at, n) ((void)0)
#include "path.h"

/* Scratch, for each CPU and program: of those that enter a program on a CPU, while another task is
 * preempted in it there, none gets in. */
enum { WORK_LOADED, WORK_LATE, WORKS };
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WORKS);
	__type(key, u32);
	__type(value, struct work);
} works SEC(".maps");

/* As `judged` in a label, of threads that have none: those which may become an agent, by tid. One
 * that is forgotten is looked at twice. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u64);
} strangers SEC(".maps");

/* How an untracked exec may be the start of an agent, by the first 8 bytes of its name. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BS_AGENT_KEYS);
	__type(key, u64);
	__type(value, u32);
} agent_keys SEC(".maps");

/* What is in `agent_keys`, roughly: bit (key * 2^64 / golden ratio) >> 56. All other execs go their
 * way. */
const volatile u64 agent_filter[4];

/* Global functions: the verifier walks each once, not once a path that leads to it. */
__noinline int scan_bytes(struct work *w, u32 at, u32 len, u32 more)
{
	const void *table = scan_table();
	u8 *data;

	if (!w || !table || at > offsetof(struct work, more_data) || len > BS_CHUNK)
		return 0;
	data = (u8 *)w + at;
	if (!more)
		__builtin_memset(data + len, 0, BS_PADDING);
	bs_scan_chunk(&w->scan, table, data, len, more);
	return 0;
}

__noinline int scan_head(struct work *w, u32 len, u32 whole)
{
	const void *table = scan_table();

	if (!w || !table || len > BS_HEAD_MAX)
		return 1;
	bs_scan_begin_head(&w->scan, table);
	scan_bytes(w, offsetof(struct work, data), len, 0);
	return bs_scan_end_head(&w->scan, table, whole);
}

__noinline int scan_result(struct work *w)
{
	const void *table = scan_table();

	return w && table ? bs_scan_end(&w->scan, table) : 1;
}

/* The working directory as the task sees it, behind `start` in data[]. */
__noinline int read_cwd(struct work *w, u32 start)
{
	struct fs_struct *fs = bpf_get_current_task_btf()->fs;
	struct path_walk c = { .w = w,
			       .len = &w->event.cwd_len,
			       .start = start,
			       .most = PATH_ROOM,
			       .dentry = fs->pwd.dentry,
			       .mnt = fs->pwd.mnt,
			       .root = fs->root.dentry,
			       .root_mnt = fs->root.mnt };

	if (!w || start > PATH_ROOM)
		return 0;
	w->event.cwd_len = 0;
	w->event.cwd_deep = !path_walk(&c);
	return 0;
}

/* The name as given to execve, then the file's base name; returns where they end in data[]. */
static __always_inline u32 read_names(struct work *w, struct file *file, const char *name)
{
	const unsigned char *base = file->f_path.dentry->d_name.name;
	long n;
	u32 at;

	n = bpf_probe_read_kernel_str(w->data, BS_NAME_MAX, name);
	at = n > 0 ? n & (2 * BS_NAME_MAX - 1) : 0;
	w->event.name_len = at;
	n = bpf_probe_read_kernel_str(w->data + at, BS_FILE_MAX, base);
	n = n > 0 ? n & (2 * BS_FILE_MAX - 1) : 0;
	w->event.file_len = n;
	return at + n;
}

static __always_inline u32 tty_of(struct task_struct *t)
{
	struct tty_struct *tty = t->signal->tty;
	struct tty_driver *d;

	if (!tty)
		return 0;
	d = tty->driver;
	return (d->major << 20) + d->minor_start + tty->index;
}

static __always_inline s64 changed_at(const struct inode *inode)
{
	const struct inode___ctime *old = (const void *)inode;
	const struct inode___hidden_ctime *hidden = (const void *)inode;
	const struct inode___ctime_sec *now = (const void *)inode;

	if (bpf_core_field_exists(now->i_ctime_sec))
		return now->i_ctime_sec;
	if (bpf_core_field_exists(hidden->__i_ctime))
		return hidden->__i_ctime.tv_sec;
	return bpf_core_field_exists(old->i_ctime) ? old->i_ctime.tv_sec : 0;
}

static __always_inline void read_file(struct bs_exec_event *e, struct inode *inode)
{
	e->inode = inode->i_ino;
	e->dev = inode->i_sb->s_dev;
	e->changed = changed_at(inode);
	if (inode->i_nlink == 0)
		e->flags |= BS_EXEC_DELETED;
}

/* Up to the session's first process. */
static __always_inline void read_ancestors(struct bs_exec_event *e, struct task_struct *t, u32 root)
{
	u32 tgid = t->tgid;

	for (int i = 0; i < BS_ANCESTORS; i++) {
		if (tgid != root) {
			t = t->real_parent;
			tgid = t->tgid;
			e->ancestors[i] = tgid;
		} else {
			e->ancestors[i] = 0;
		}
	}
}

/* For each pointer that is followed the verifier looks a name up among all that the kernel has. */
__noinline int read_task(struct work *w, u32 root)
{
	struct task_struct *t = bpf_get_current_task_btf();
	const struct cred *cred = t->cred;
	struct mm_struct *mm = t->mm;
	struct bs_exec_event *e;

	if (!w)
		return 0;
	e = &w->event;
	w->args = mm->arg_start;
	w->args_end = mm->arg_end;
	e->start = t->start_boottime;
	e->cgroup = bpf_get_current_cgroup_id();
	e->uid = cred->uid.val;
	e->euid = cred->euid.val;
	e->gid = cred->gid.val;
	e->tty = tty_of(t);
	e->flags = 0;
	if (e->uid != e->euid || e->gid != cred->egid.val)
		e->flags |= BS_EXEC_SETID;
	read_file(e, mm->exe_file->f_inode);
	read_ancestors(e, t, root);
	return 0;
}

/* At most a chunk. The barrier keeps the compiler from proving, and dropping, the bound that the
 * verifier of 6.1 needs. */
static __always_inline u32 chunk_of(u64 rest)
{
	u32 len = rest < BS_CHUNK ? rest : BS_CHUNK;

	asm volatile("" : "+r"(len));
	return len > BS_CHUNK ? BS_CHUNK : len;
}

static __always_inline void send_args(struct work *w, u32 len)
{
	if (!w->event.head.session)
		return;
	event_head(&w->more.head, BS_EVENT_ARGS, sizeof(w->more) + len, w->event.head.session);
	if (bpf_ringbuf_output(&events, &w->more, sizeof(w->more) + len, wake_flag(0)))
		COUNT(losses[BS_LOSS_ARGS]);
}

/* One more chunk of argv: scanned, and sent ahead of the exec event. Not 0: it cannot be read. */
__noinline int read_part(struct work *w, u64 at, u32 len, u32 part)
{
	if (!w || len > BS_CHUNK)
		return 1;
	if (bpf_probe_read_user(w->more_data, len, (void *)at))
		return 1;
	if (w->scans)
		scan_bytes(w, offsetof(struct work, more_data), len, len == BS_CHUNK);
	w->more.part = part;
	w->more.len = len;
	send_args(w, len);
	return 0;
}

static long args_step(u32 i, void *data)
{
	struct work *w = *(struct work **)data;
	u32 len;

	if (w->args >= w->args_end)
		return 1;
	len = chunk_of(w->args_end - w->args);
	if (read_part(w, w->args, len, i)) {
		w->event.flags |= BS_EXEC_UNREADABLE;
		return 1;
	}
	w->args += len;
	return 0;
}

/* The names and argv[0] behind them: whose rules could match? */
static __always_inline void read_head(struct work *w, u32 names)
{
	bool whole = w->event.name_len < BS_NAME_MAX && w->event.file_len < BS_FILE_MAX;
	long n;

	names &= 1023;
	n = bpf_probe_read_user_str(w->data + names, BS_ARGV0_MAX, (void *)w->args);
	if (n <= 0 || n >= BS_ARGV0_MAX)
		whole = false;
	w->scans = scan_head(w, names + (n > 0 ? n & (2 * BS_ARGV0_MAX - 1) : 0), whole);
}

/* Reads argv behind the names, and scans all of it where that is needed; returns where its first
 * part ends in data[]. */
static __always_inline u32 read_args(struct work *w, u32 names)
{
	u64 total = w->args_end - w->args;
	u32 len = chunk_of(total);

	names &= 1023; /* BS_NAME_MAX + BS_FILE_MAX is below */
	if (len > BS_CHUNK - names)
		len = (BS_CHUNK - names) & ~(BS_BLOCK - 1);
	w->event.args_total = total < 0xffffffff ? total : 0xffffffff;
	if (total > BS_SCAN_MAX) {
		w->event.flags |= BS_EXEC_TOO_LONG;
		w->args_end = w->args + BS_SCAN_MAX;
	}
	if (bpf_probe_read_user(w->data + names, len, (void *)w->args)) {
		w->event.flags |= BS_EXEC_UNREADABLE;
		len = 0;
	}
	w->event.args_len = len;
	if (w->scans)
		scan_bytes(w, offsetof(struct work, data) + names, len, len < total);
	w->args += len;
	if (len && w->args < w->args_end)
		bpf_loop(BS_SCAN_MAX / BS_CHUNK + 1, args_step, &w, 0);
	return names + len;
}

static __always_inline bool is_candidate(struct work *w)
{
	const u32 unsure = BS_EXEC_UNREADABLE | BS_EXEC_TOO_LONG;

	return scan_result(w) || w->event.flags & unsure;
}

/* While no guard runs, as the owner wants it; true where the candidate is not frozen. */
static __always_inline bool decide_down(struct bs_exec_event *e)
{
	u32 down = shared.state.down;

	if (down != BS_DOWN_ALLOW && down != BS_DOWN_KILL)
		return false;
	e->flags |= BS_EXEC_DOWN;
	if (down == BS_DOWN_KILL) {
		e->flags |= BS_EXEC_KILLED;
		bpf_send_signal(SIGKILL);
	}
	return true;
}

/* Sends the event of a candidate and freezes it. */
static __always_inline void freeze(struct work *w, struct task_struct *t, struct bs_label *l,
				   u32 size)
{
	struct bs_exec_event *e = &w->event;
	struct place p = {};

	COUNT(candidates);
	e->flags |= BS_EXEC_CANDIDATE;
	if (t->ptrace)
		e->flags |= BS_EXEC_TRACED;
	number_event(&e->head);
	if (!decide_down(e)) {
		p = claim_slot(BS_SLOT_EXEC, &e->head, e->start);
		e->slot = p.at;
		e->ticket = p.ticket;
		l->slot = p.at + 1;
		if (!p.slot) {
			e->flags |= BS_EXEC_KILLED;
			bpf_send_signal(SIGKILL);
		}
	}
	send_decision(&e->head, size);
	if (!p.slot)
		return;
	if (e->flags & BS_EXEC_TRACED)
		ask_traced(&p);
	else
		ask_guard(&p);
}

/* An untracked exec that may be an agent's: the guard gets a moment to label it, but no more than
 * that. A late guard labels it while it runs, with all that it started. */
static __always_inline void ask_agent(struct work *w, u32 size)
{
	struct bs_exec_event *e = &w->event;
	struct place p;

	e->flags |= BS_EXEC_AGENT;
	p = claim_slot(BS_SLOT_AGENT, &e->head, e->start);
	e->slot = p.at;
	e->ticket = p.ticket;
	send_decision(&e->head, size);
	if (!p.slot)
		return;
	ask(&p, BS_SLOT_FREE);
	set_slot(&p, BS_SLOT_FREE);
}

static __always_inline u32 how_agent(struct task_struct *t)
{
	u64 name = *(u64 *)t->comm;
	u32 bit, *how;

	bit = name * 0x9e3779b97f4a7c15ULL >> 56;
	if (!(agent_filter[bit >> 6 & 3] >> (bit & 63) & 1))
		return 0;
	how = bpf_map_lookup_elem(&agent_keys, &name);
	return how ? *how : 0;
}

/* Begins the event; returns where the names end in data[]. */
static __always_inline u32 read_exec(struct work *w, struct bs_label *l, struct file *file,
				     const char *name)
{
	u64 session = l ? l->session : 0;
	struct bs_session *s = bpf_map_lookup_elem(&sessions, &session);
	struct bs_exec_event *e = &w->event;

	if (s)
		__sync_fetch_and_add(&s->execs, 1);
	e->head.session = session;
	e->approval = l ? l->approval : 0;
	e->slot = BS_NO_SLOT;
	read_task(w, s ? s->root : 0);
	return read_names(w, file, name);
}

/* Ends the event with what stands behind `at` in data[]; returns its size. */
static __always_inline u32 end_exec(struct work *w, u32 at)
{
	struct bs_exec_event *e = &w->event;
	u32 size;

	at &= 2 * BS_CHUNK - 1;
	read_cwd(w, at);
	size = sizeof(*e) + ((at + e->cwd_len) & (2 * BS_CHUNK - 1));
	event_head(&e->head, BS_EVENT_EXEC, size, e->head.session);
	return size;
}

/* ---- which was looked at: by programs that acted a moment ago too */

static __always_inline u64 stranger(struct task_struct *t)
{
	return t->start_boottime + t->self_exec_id;
}

static __always_inline bool is_judged(struct task_struct *t, struct bs_label *l)
{
	u32 tid = t->pid;
	u64 *judged;

	if (l && l->judged)
		return l->judged == t->self_exec_id;
	judged = bpf_map_lookup_elem(&strangers, &tid);
	return judged && *judged == stranger(t);
}

static __always_inline void note_judged(struct task_struct *t, struct bs_label *l)
{
	u64 judged = stranger(t);
	u32 tid = t->pid;

	if (l)
		l->judged = t->self_exec_id;
	else
		bpf_map_update_elem(&strangers, &tid, &judged, BPF_ANY);
}

/* False: this exec is nobody's business, or not any more. */
static __always_inline bool begin_work(struct task_struct *t, struct bs_label *l, u32 which,
				       u32 *ret_how)
{
	*ret_how = l ? 0 : how_agent(t);
	if ((!l && !*ret_how) || !is_acting() || is_judged(t, l))
		return false;
	note_judged(t, l);
	if (which == WORK_LATE)
		COUNT(late);
	return true;
}

/* ---- before */

#define PAGE 4096 /* the smallest that any kernel has */

struct touch {
	unsigned long at, end;
};

static long touch_step(u32 i, void *data)
{
	struct touch *t = data;
	u8 byte;

	if (t->at >= t->end)
		return 1;
	bpf_copy_from_user(&byte, sizeof(byte), (void *)t->at);
	t->at = (t->at | (PAGE - 1)) + 1;
	return 0;
}

/* The stack is the new image's already, and will yet be moved. argv lies at its end, and the
 * environment behind. */
SEC("lsm.s/bprm_committed_creds")
int BPF_PROG(lsm_bprm_committed_creds, struct linux_binprm *bprm)
{
	struct touch t = { .at = bprm->p, .end = bprm->exec };

	if (!is_acting() || !label_of(bpf_get_current_task_btf()))
		return 0;
	bpf_loop(BS_SCAN_MAX / PAGE + 1, touch_step, &t, 0);
	return 0;
}

/* ---- the hooks */

/* It has other libraries now. */
static __always_inline void forget_looked(u32 tgid)
{
	struct bs_process *p = bpf_map_lookup_elem(&processes, &tgid);

	if (p)
		p->looked = 0;
}

static __always_inline void look(struct task_struct *t, u32 which, struct file *file,
				 const char *name)
{
	struct work *w = bpf_map_lookup_elem(&works, &which);
	struct bs_label *l = label_of(t);
	u32 at, size, how;

	if (!w || !begin_work(t, l, which, &how))
		return;
	at = read_exec(w, l, file, name);
	read_head(w, at);
	size = end_exec(w, read_args(w, at));
	if (!l) {
		if (how == BS_AGENT_ASK || is_candidate(w))
			ask_agent(w, size);
		return;
	}
	COUNT(execs);
	forget_looked(t->tgid);
	if (is_candidate(w))
		freeze(w, t, l, size);
	else
		emit(&w->event.head, size);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_loaded, struct task_struct *t, pid_t old_pid, struct linux_binprm *bprm)
{
	look(t, WORK_LOADED, bprm->file, bprm->filename);
	return 0;
}

/* All of perf are one program to the tracepoint, in the place of the first that came: beside other
 * tracers this one runs before the other, and does all of its work. */
LATE("sched/sched_process_exec")
int exec_late(struct trace_event_raw_sched_process_exec *ctx)
{
	struct task_struct *t = bpf_get_current_task_btf();

	look(t, WORK_LATE, t->mm->exe_file,
	     (const char *)ctx + (ctx->__data_loc_filename & 0xffff));
	return 0;
}

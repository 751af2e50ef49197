/* deleted: what a tracked task has deleted where no security hook could refuse it.
 *
 * tp_btf/sys_exit	attached while a session is alive, where a hook is missing: looks at
 *			what the call was given, and stops a candidate
 *
 * Whether a rename replaced something nobody can tell any more: a protected path is taken for
 * replaced, and no burst counts it. Of a truncated file nobody knows the former length: only those
 * that are empty now are looked at, unless this very call made them.
 */
#include "shared.h"
#include "delete.h"
#include "held.h"
#include "hold.h"

#define AT_FDCWD     (-100)
#define AT_REMOVEDIR 0x200
#define O_TRUNC	     0x200
#define S_IFREG	     0x8000
#define GIVEN_COPY   PATH_ROOM /* in data[]: the path once more, taken apart */

extern const volatile u32 delete_unhooked;

/* What a system call did, by what it was given. */
struct call {
	u32 op; /* 0: nothing */
	s32 fd; /* of the file, or -1: by path */
	s32 dirfd;
	const char *path;
	u32 old_dirfd; /* of a rename */
	const char *old_path;
	s64 from; /* of a file: content from here on */
};

struct call_args {
	u64 nr, a[5];
	long ret;
};

/* The number of the same call in 64 bits; 0: none that deletes. */
static __always_inline u64 native_number(u64 nr)
{
	switch (nr) {
	case 5:
		return 2;
	case 8:
		return 85;
	case 10:
		return 87;
	case 38:
		return 82;
	case 40:
		return 84;
	case 92:
	case 193:
		return 76;
	case 93:
	case 194:
		return 77;
	case 295:
		return 257;
	case 301:
		return 263;
	case 302:
		return 264;
	case 324:
		return 285;
	case 353:
		return 316;
	case 437:
		return 437;
	}
	return 0;
}

static __always_inline bool is_truncating_how(u64 how)
{
	u64 flags = 0;

	bpf_probe_read_user(&flags, sizeof(flags), (void *)how);
	return flags & O_TRUNC;
}

static __always_inline void decode_open(struct call *c, const struct call_args *a, bool truncates)
{
	c->op = truncates ? BS_DELETE_TRUNCATE : 0;
	c->fd = a->ret;
}

static __always_inline void decode_rename(struct call *c, s32 from, u64 old, s32 to, u64 new,
					  u32 flags)
{
	c->op = flags & RENAME_TWO_WAY ? BS_DELETE_EXCHANGE : BS_DELETE_RENAME;
	c->old_dirfd = from;
	c->old_path = (const char *)old;
	c->dirfd = to;
	c->path = (const char *)new;
}

static __always_inline void decode_call(struct call *c, const struct call_args *a)
{
	const u64 *p = a->a;

	c->fd = -1;
	c->dirfd = AT_FDCWD;
	c->path = (const char *)p[0];
	switch (a->nr) {
	case 87: /* unlink */
		c->op = BS_DELETE_UNLINK;
		break;
	case 84: /* rmdir */
		c->op = BS_DELETE_RMDIR;
		break;
	case 263: /* unlinkat */
		c->op = p[2] & AT_REMOVEDIR ? BS_DELETE_RMDIR : BS_DELETE_UNLINK;
		c->dirfd = p[0];
		c->path = (const char *)p[1];
		break;
	case 82: /* rename */
		decode_rename(c, AT_FDCWD, p[0], AT_FDCWD, p[1], 0);
		break;
	case 264: /* renameat */
		decode_rename(c, p[0], p[1], p[2], p[3], 0);
		break;
	case 316: /* renameat2 */
		decode_rename(c, p[0], p[1], p[2], p[3], p[4]);
		break;
	case 76: /* truncate */
		c->op = p[1] ? 0 : BS_DELETE_TRUNCATE;
		break;
	case 77: /* ftruncate */
		c->op = p[1] ? 0 : BS_DELETE_TRUNCATE;
		c->fd = p[0];
		break;
	case 2: /* open */
		decode_open(c, a, p[1] & O_TRUNC);
		break;
	case 85: /* creat */
		decode_open(c, a, true);
		break;
	case 257: /* openat */
		decode_open(c, a, p[2] & O_TRUNC);
		break;
	case 437: /* openat2 */
		decode_open(c, a, is_truncating_how(p[2]));
		break;
	case 285: /* fallocate */
		c->op = p[1] & FALLOC_LOSES ? BS_DELETE_PUNCH : 0;
		c->fd = p[0];
		c->from = p[2];
		break;
	}
}

/* Is it one of them? Most calls are not, and go their way. */
static __always_inline bool read_call(struct call_args *ret, struct pt_regs *regs)
{
	struct task_struct *t = bpf_get_current_task_btf();

	ret->nr = call_number(regs);
	if (!is_compat(t)) {
		if (!is_deleting_number(ret->nr))
			return false;
		ret->a[0] = regs->di;
		ret->a[1] = regs->si;
		ret->a[2] = regs->dx;
		ret->a[3] = regs->r10;
		ret->a[4] = regs->r8;
		return true;
	}
	ret->nr = native_number(ret->nr);
	ret->a[0] = (u32)regs->bx;
	ret->a[1] = (u32)regs->cx;
	ret->a[2] = (u32)regs->dx;
	ret->a[3] = (u32)regs->si;
	ret->a[4] = (u32)regs->di;
	return ret->nr;
}

/* ---- the path */

/* Pointers that were read, not followed: the verifier takes them for numbers. */
static __always_inline struct file *file_of(s32 fd)
{
	struct fdtable *table = bpf_get_current_task_btf()->files->fdt;
	struct file *file = NULL;

	if (fd >= 0 && (u32)fd < table->max_fds)
		bpf_probe_read_kernel(&file, sizeof(file), table->fd + fd);
	return file;
}

static __always_inline struct path_walk walk_from(struct delete_work *w, u16 *len, u32 start)
{
	struct fs_struct *fs = bpf_get_current_task_btf()->fs;

	return (struct path_walk) { .w = w,
				    .len = len,
				    .start = start,
				    .most = start + BS_DELETE_PATH,
				    .root = fs->root.dentry,
				    .root_mnt = fs->root.mnt };
}

/* Of a file: its last component is the path, the others are the directory. */
static __always_inline void read_file_path(struct delete_work *w, struct file *file)
{
	struct path_walk c = walk_from(w, &w->event.inner_len, 0);
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	u32 leaf;

	c.mnt = BPF_CORE_READ(file, f_path.mnt);
	begin_path(w, c.len);
	w->uncounted = path_walk_far(&c, dentry) && is_uncounted(w);
	leaf = bpf_probe_read_kernel_str(w->data + GIVEN_COPY, BS_FILE_MAX, w->data);
	w->event.path_len = leaf;
	w->event.inner_len -= leaf;
}

/* The directory that a relative path begins in, behind the path. */
static __always_inline void read_dir(struct delete_work *w, s32 dirfd)
{
	struct path_walk c = walk_from(w, &w->event.inner_len, w->event.path_len & 2047);
	struct fs_struct *fs = bpf_get_current_task_btf()->fs;
	struct file *file = dirfd == AT_FDCWD ? NULL : file_of(dirfd);
	struct dentry *dentry = fs->pwd.dentry;

	c.mnt = fs->pwd.mnt;
	if (file) {
		dentry = BPF_CORE_READ(file, f_path.dentry);
		c.mnt = BPF_CORE_READ(file, f_path.mnt);
	}
	w->parts = 1; /* all are directories */
	if (!path_walk_far(&c, dentry))
		w->event.flags |= BS_DELETE_CUT;
}

struct given_walk {
	struct delete_work *w;
	u32 start;
};

/* Takes the copy of a path apart at its slashes. */
static long given_step(u32 i, void *data)
{
	struct given_walk *g = data;
	struct delete_work *w = g->w;
	u32 at = (GIVEN_COPY + i) & (BS_CHUNK - 1), start = g->start;
	u8 c = w->data[at];

	if (c && c != '/')
		return 0;
	w->data[at] = 0;
	w->parts = !!c; /* the last is no directory */
	w->leaf = start;
	w->leaf_end = i > start ? i + 1 : 0;
	if (i > start)
		delete_note(w, (GIVEN_COPY + start) & (BS_CHUNK - 1), i - start + 1);
	g->start = i + 1;
	return !c;
}

#define GIVEN_TMP 0x2f706d742fULL	/* "/tmp/" */
#define GIVEN_VAR 0x706d742f7261762fULL /* "/var/tmp" */
#define GIVEN_SHM 0x6d68732f7665642fULL /* "/dev/shm" */

static __always_inline bool is_given_scratch(const struct delete_work *w)
{
	u64 first = *(const u64 *)w->data;

	if ((first & 0xffffffffffULL) == GIVEN_TMP)
		return true;
	return w->data[8] == '/' && (first == GIVEN_VAR || first == GIVEN_SHM);
}

/* Global: the verifier walks it once, not once a path that leads to it. 1: it is there. */
__noinline int read_given_path(struct delete_work *w, u64 path, s32 dirfd)
{
	struct given_walk g = { .w = w };
	u32 build;
	long n;

	if (!w)
		return 0;
	n = bpf_probe_read_user_str(w->data, BS_DELETE_PATH, (const void *)path);
	if (n <= 1)
		return 0;
	if (n == BS_DELETE_PATH) { /* longer than that: nobody knows what it names */
		w->asks = 1;
		w->uncounted = 0;
		return 1;
	}
	w->event.path_len = n;
	bpf_probe_read_kernel(w->data + GIVEN_COPY, BS_DELETE_PATH, w->data);
	begin_path(w, &w->event.inner_len);
	bpf_loop(BS_DELETE_PATH, given_step, &g, 0);
	build = w->build;
	begin_path(w, &w->event.inner_len);
	w->uncounted = build || is_given_scratch(w);
	if (w->data[0] != '/') {
		read_dir(w, dirfd);
		w->uncounted = build || is_uncounted(w);
	}
	return 1;
}

/* ---- what becomes of it */

/* While no guard runs, as the owner wants it; true where the candidate is not stopped. */
static __always_inline bool decide_down(struct bs_delete_event *e)
{
	u32 down = shared.state.down;

	if (down != BS_DOWN_ALLOW && down != BS_DOWN_KILL)
		return false;
	e->flags |= BS_DELETE_DOWN;
	if (down == BS_DOWN_KILL) {
		e->flags |= BS_DELETE_REFUSED;
		bpf_send_signal(SIGKILL);
	}
	return true;
}

/* Takes a slot for a candidate; without one it is killed, or goes on without a guard. */
static __always_inline struct place claim_place(struct bs_delete_event *e, struct bs_label *l)
{
	struct place p = {};

	COUNT(candidates);
	e->flags |= BS_DELETE_CANDIDATE;
	if (bpf_get_current_task_btf()->ptrace)
		e->flags |= BS_DELETE_TRACED;
	number_event(&e->head);
	if (decide_down(e))
		return p;
	p = claim_slot(BS_SLOT_DELETED, &e->head, e->start);
	e->slot = p.at;
	e->ticket = p.ticket;
	l->slot = p.at + 1;
	if (!p.slot) {
		e->flags |= BS_DELETE_REFUSED;
		bpf_send_signal(SIGKILL);
	}
	return p;
}

/* Its event has been sent. */
static __always_inline void stop_candidate(const struct place *p, bool traced)
{
	if (!p->slot)
		return;
	if (traced)
		ask_traced(p);
	else
		ask_guard(p);
}

/* Sends the event of a candidate, gives its memory back and stops the task. */
static __always_inline void freeze(struct delete_work *w, struct bs_label *l)
{
	struct place p = claim_place(&w->event, l);
	bool traced = w->event.flags & BS_DELETE_TRACED;

	send_decision(&w->event.head, delete_size(&w->event));
	delete_release(w);
	stop_candidate(&p, traced);
}

static __always_inline void begin_event(struct bs_delete_event *e, struct bs_label *l, u32 op)
{
	struct task_struct *t = bpf_get_current_task_btf();

	event_head(&e->head, BS_EVENT_DELETE, sizeof(*e), l->session);
	e->start = t->group_leader->start_boottime;
	e->inode = e->parent_inode = e->bytes = e->place = 0;
	e->dev = e->links = 0;
	e->op = op;
	e->flags = BS_DELETE_DONE;
	e->uid = t->cred->uid.val;
	e->parent = t->real_parent->tgid;
	e->slot = BS_NO_SLOT;
	e->ticket = e->burst = 0;
	e->path_len = e->inner_len = 0;
	e->dirfd = AT_FDCWD;
}

static __always_inline void begin_work(struct delete_work *w, struct bs_label *l, u32 op)
{
	begin_event(&w->event, l, op);
	w->quiet = 0;
	delete_begin(w);
}

/* No memory is free to say what it was: a candidate, of which the guard knows no more than that. */
static __noinline int freeze_unknown(struct bs_label *l, u32 op)
{
	struct bs_delete_event e = {};
	struct place p;

	COUNT(unscanned);
	begin_event(&e, l, op);
	p = claim_place(&e, l);
	send_decision(&e.head, sizeof(e));
	stop_candidate(&p, e.flags & BS_DELETE_TRACED);
	return 0;
}

/* Gives the memory back. */
static __always_inline void judge_done(struct delete_work *w, struct bs_label *l)
{
	int verdict = delete_weigh(w);

	if (verdict == WAIT) {
		freeze(w, l);
		return;
	}
	if (verdict == REFUSE)
		bpf_send_signal(SIGKILL);
	delete_send(w, verdict);
}

/* Global, as read_given_path(). */
__noinline int done_at(struct bs_label *l, u32 op, u64 path, s32 dirfd, u32 quiet)
{
	struct delete_work *w;

	if (!l)
		return 0;
	w = delete_claim();
	if (!w)
		return freeze_unknown(l, op);
	begin_work(w, l, op);
	w->quiet = quiet;
	w->event.dirfd = dirfd;
	if (read_given_path(w, path, dirfd))
		judge_done(w, l);
	else
		delete_release(w);
	return 0;
}

/* It is asked about both names: that the replaced file may go says nothing of the one that moved.
 * Where the first is held already, the task's label tells of that. */
static __always_inline void done_rename(struct bs_label *l, const struct call *c)
{
	u32 slot;
	bool held;

	done_at(l, c->op, (u64)c->path, c->dirfd, true);
	slot = l->slot;
	held = is_exec_held(bpf_get_current_task_btf());
	done_at(l, c->op == BS_DELETE_RENAME ? BS_DELETE_MOVE : c->op, (u64)c->old_path,
		c->old_dirfd, false);
	if (held)
		l->slot = slot;
}

static __always_inline void done_to_file(struct bs_label *l, u32 op, s32 fd, s64 from)
{
	struct file *file = file_of(fd);
	struct inode *inode = file ? BPF_CORE_READ(file, f_inode) : NULL;
	struct delete_work *w;

	if (!inode || (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG ||
	    !BPF_CORE_READ(inode, i_nlink))
		return;
	if (op == BS_DELETE_TRUNCATE ? BPF_CORE_READ(file, f_mode) & FMODE_CREATED
				     : BPF_CORE_READ(inode, i_size) <= from)
		return;
	w = delete_claim();
	if (!w) {
		freeze_unknown(l, op);
		return;
	}
	begin_work(w, l, op);
	w->event.inode = BPF_CORE_READ(inode, i_ino);
	w->event.dev = BPF_CORE_READ(inode, i_sb, s_dev);
	w->event.links = BPF_CORE_READ(inode, i_nlink);
	read_file_path(w, file);
	judge_done(w, l);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(delete_done, struct pt_regs *regs, long ret)
{
	struct call_args args = { .ret = ret };
	struct call c = {};
	struct bs_label *l;

	if (ret < 0 || !read_call(&args, regs))
		return 0;
	l = label_of(bpf_get_current_task_btf());
	if (!l || !is_acting())
		return 0;
	decode_call(&c, &args);
	if (!(delete_unhooked >> (c.op & 31) & 1))
		return 0;
	if (c.fd >= 0)
		done_to_file(l, c.op, c.fd, c.from);
	else if (c.old_path)
		done_rename(l, &c);
	else
		done_at(l, c.op, (u64)c.path, c.dirfd, false);
	return 0;
}

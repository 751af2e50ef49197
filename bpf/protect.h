/* What sessions may not do to those who guard them, root included. The bodies of the security
 * hooks; each is 0, or -EPERM, which has been told the guard. What an untracked task pays is at
 * most the look-up of its label.
 *
 * The files are known by their inodes: the guard opens each one, and file_open notes it as the
 * hooks will see it (protect_learn). */
#ifndef BPF_PROTECT_H
#define BPF_PROTECT_H

#include "shared.h"
#include "held.h"

#define FMODE_WRITE	    0x2
#define O_TRUNC		    01000

#define PROC_MAGIC	    0x9fa0
#define BPF_MAGIC	    0xcafe4a11
#define CGROUP_MAGIC	    0x27e0eb
#define CGROUP2_MAGIC	    0x63677270
#define BINFMT_MAGIC	    0x42494e4d

#define PTRACE_MODE_ATTACH  0x2

#define CAP_DAC_OVERRIDE    1
#define CAP_DAC_READ_SEARCH 2
#define CAP_SYS_MODULE	    16
#define CAP_SYS_ADMIN	    21
#define CAP_BPF		    39

#define MS_REMOUNT	    32
#define MS_MOVE		    8192
#define MS_PROPAGATION	    (1 << 17 | 1 << 18 | 1 << 19 | 1 << 20)

#define FS_IOC_SETFLAGS	    0x40086602
#define FS_IOC32_SETFLAGS   0x40046602
#define FS_IOC_FSSETXATTR   0x401c5820

#define F_UNLCK		    2

#define FAN_PERMISSIONS	    0x170000 /* open, access, exec, before access */

#define TS_COMPAT	    0x2 /* x86: a 32-bit system call */

struct protected_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BS_PROTECTED_MAX);
	__type(key, struct bs_protect_key);
	__type(value, struct bs_protected);
};
extern struct protected_map protected SEC(".maps");

/* Tells it, and is -EPERM. Of `e` all but the head and the process is filled in. */
__noinline int protect_refuse(struct bs_tamper_event *e);

static __always_inline struct bs_label *protect_label(void)
{
	return label_of(bpf_get_current_task_btf());
}

/* The guard that a session started is of that session. */
static __always_inline bool is_restrained(void)
{
	return protect_label() && !is_guard();
}

/* These have frames of their own, as 512 bytes of stack are little. */
static __noinline int refuse(u32 what, u32 detail, u32 target)
{
	struct bs_tamper_event e = { .what = what, .detail = detail, .target = target };

	return protect_refuse(&e);
}

static __noinline int refuse_file(u32 what, struct dentry *d)
{
	struct bs_tamper_event e = { .what = what };

	bpf_probe_read_kernel_str(e.name, sizeof(e.name), d->d_name.name);
	return protect_refuse(&e);
}

/* ---- the guard's processes */

/* The keeper and what it started: a guard that is only coming up is its child too. */
static __always_inline bool is_guards(struct task_struct *t)
{
	u32 tgid = BPF_CORE_READ(t, tgid), keeper = shared.state.keeper;

	return tgid == shared.state.guard || tgid == keeper ||
	       (keeper && (u32)BPF_CORE_READ(t, real_parent, tgid) == keeper);
}

static __always_inline int protect_task_kill(struct task_struct *t, int sig)
{
	if (!sig || !is_guards(t) || !is_restrained())
		return 0;
	return refuse(BS_TAMPER_SIGNAL, sig, t->tgid);
}

/* Whoever it was that arranged for it, and on whatever stack we are. */
static __always_inline int protect_file_send_sigiotask(struct task_struct *t)
{
	return is_guards(t) ? -EPERM : 0;
}

/* Its slot is taken: what it does waits for its decision, or will in a moment. */
static __always_inline bool is_asking(struct task_struct *t)
{
	struct bs_label *l = label_of(t);
	u32 at = l ? l->slot - 1 : BS_NO_SLOT;
	struct bs_slot *s = bpf_map_lookup_elem(&slots, &at);

	return s && s->tid == (u32)t->pid && s->start == t->start_boottime &&
	       BS_SLOT_STATE(s->word) != BS_SLOT_FREE;
}

/* Attaching, /proc/PID/mem, process_vm_readv and _writev, pidfd_getfd. Reading the rest of /proc is
 * not. Tracers are welcome within their own session. */
static __always_inline int protect_ptrace_access_check(struct task_struct *t, unsigned int mode)
{
	struct bs_label *mine, *its;

	if (!(mode & PTRACE_MODE_ATTACH))
		return 0;
	mine = protect_label();
	if (!mine || is_guard())
		return 0;
	its = label_of(t);
	if (its && its->session == mine->session && !is_asking(t) && !is_held(t) && !is_guards(t))
		return 0;
	return refuse(BS_TAMPER_TRACE, mode, t->tgid);
}

static __always_inline int protect_schedule(struct task_struct *t)
{
	if (!is_guards(t) || !is_restrained())
		return 0;
	return refuse(BS_TAMPER_SCHEDULE, 0, t->tgid);
}

static __always_inline int protect_task_setrlimit(struct task_struct *t, unsigned int resource)
{
	if (!is_guards(t) || !is_restrained())
		return 0;
	return refuse(BS_TAMPER_LIMIT, resource, t->tgid);
}

/* ---- the kernel's own means */

/* What it could do by bpf() that the rest cannot: reach what is not its own. */
static __always_inline bool has_bpf_power(void)
{
	const struct cred *c = bpf_get_current_task_btf()->cred;
	u64 power = 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_SYS_ADMIN |
		    1ULL << CAP_BPF;
	u64 caps = 0;

	if (c->euid.val == 0)
		return true;
	bpf_core_read(&caps, sizeof(caps), &c->cap_effective);
	return caps & power && c->user_ns->level == 0;
}

static __always_inline int protect_bpf(int cmd)
{
	if (!is_restrained() || !has_bpf_power())
		return 0;
	return refuse(BS_TAMPER_BPF, cmd, 0);
}

/* init_module, finit_module, delete_module: others only ask whether they could. */
static __always_inline bool is_module_call(void)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(t);
	u64 nr = regs->orig_ax;

	if (t->thread_info.status & TS_COMPAT)
		return nr == 128 || nr == 129 || nr == 350;
	nr &= ~0x40000000ULL; /* x32 */
	return nr == 175 || nr == 176 || nr == 313;
}

static __always_inline int protect_capable(int cap)
{
	if (cap != CAP_SYS_MODULE || !is_restrained() || !is_module_call())
		return 0;
	return refuse(BS_TAMPER_MODULE, 0, 0);
}

/* ---- files */

static __always_inline u32 protection(struct inode *i)
{
	struct bs_protect_key key = inode_key(i);
	struct bs_protected *p = bpf_map_lookup_elem(&protected, &key);

	return p ? p->flags : 0;
}

/* The file itself, or what is in a directory of ours. */
static __always_inline bool is_ours(struct dentry *d)
{
	struct inode *i = inode_of(d);
	u32 own = i ? protection(i) : 0;

	return own & (BS_PROTECT_FILE | BS_PROTECT_INSIDE) ||
	       protection(d->d_parent->d_inode) & BS_PROTECT_INSIDE;
}

/* And those above. */
static __always_inline bool is_our_place(struct dentry *d)
{
	struct inode *i = inode_of(d);

	return (i && protection(i)) || protection(d->d_parent->d_inode) & BS_PROTECT_INSIDE;
}

/* Both of 24 bytes, aligned, with zeros behind. */
static __always_inline bool same_name(const char *a, const char *b)
{
	const u64 *x = (const void *)a, *y = (const void *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

/* No name may be made where ours are, nor one that systemd would take for ours. */
static __always_inline bool is_closed(struct dentry *d)
{
	u32 flags = protection(d->d_parent->d_inode);
	static const char ours[24] __attribute__((aligned(8))) = BS_OUR_NAME;
	char name[24] __attribute__((aligned(8))) = "";

	if (flags & (BS_PROTECT_INSIDE | BS_PROTECT_CGROUP))
		return true;
	if (!(flags & BS_PROTECT_UNITS))
		return false;
	bpf_probe_read_kernel_str(name, sizeof(BS_OUR_NAME), d->d_name.name); /* its beginning */
	return same_name(name, ours);
}

/* The guard opens a file to say that it is ours. */
static __always_inline int protect_learn(struct file *file)
{
	struct bs_protected p = {}, *old;
	struct bs_protect_key key;

	if (shared.state.learner != (u32)bpf_get_current_pid_tgid())
		return 0;
	key = inode_key(file->f_inode);
	p.fill = shared.state.learner_fill;
	p.flags = shared.state.learner_flags;
	old = bpf_map_lookup_elem(&protected, &key);
	if (old && old->fill == p.fill)
		p.flags |= old->flags;
	if (!bpf_map_update_elem(&protected, &key, &p, BPF_ANY))
		__sync_fetch_and_add(&shared.state.learned, 1);
	return 0;
}

/* Whose is this file in /proc? NULL: nobody's, as in /proc/sys. */
static __always_inline struct task_struct *proc_owner(struct file *file)
{
	struct inode *i = BPF_CORE_READ(file, f_inode);
	struct proc_inode *p = (void *)i - bpf_core_field_offset(struct proc_inode, vfs_inode);
	struct hlist_node *first = BPF_CORE_READ(p, pid, tasks[0].first);

	return first ? (void *)first - bpf_core_field_offset(struct task_struct, pid_links) : NULL;
}

/* Settings that end or disarm what they like: sysrq kills all processes, without ftrace no security
 * hook is called, ptrace_scope 3 keeps the keeper from holding anything, sched_rt_runtime_us stops
 * realtime tasks; the last name programs that the kernel starts as root, in no session. */
static __always_inline bool is_fatal_setting(struct dentry *d)
{
	static const char names[][24] __attribute__((aligned(8))) = {
		"sysrq-trigger", "ftrace_enabled", "ptrace_scope", "sched_rt_runtime_us",
		"core_pattern",	 "modprobe",	   "poweroff_cmd",
	};
	char name[24] __attribute__((aligned(8))) = "";

	bpf_probe_read_kernel_str(name, sizeof(name), d->d_name.name);
	return same_name(name, names[0]) || same_name(name, names[1]) ||
	       same_name(name, names[2]) || same_name(name, names[3]) ||
	       same_name(name, names[4]) || same_name(name, names[5]) || same_name(name, names[6]);
}

static __always_inline int protect_proc(struct file *file)
{
	struct task_struct *owner = proc_owner(file);

	if (owner && is_guards(owner))
		return refuse(BS_TAMPER_PROC, 0, BPF_CORE_READ(owner, tgid));
	if (!owner && is_fatal_setting(file->f_path.dentry))
		return refuse_file(BS_TAMPER_KERNEL, file->f_path.dentry);
	return 0;
}

/* The kernel starts a cgroup's release_agent as root, in no session. */
static __always_inline int protect_cgroup(struct dentry *d)
{
	static const char agent[24] __attribute__((aligned(8))) = "release_agent";
	char name[24] __attribute__((aligned(8))) = "";

	if (protection(d->d_parent->d_inode) & BS_PROTECT_CGROUP)
		return refuse_file(BS_TAMPER_CGROUP, d);
	bpf_probe_read_kernel_str(name, sizeof(name), d->d_name.name);
	return same_name(name, agent) ? refuse_file(BS_TAMPER_KERNEL, d) : 0;
}

static __always_inline int protect_file_open(struct file *file)
{
	struct dentry *d;
	u64 magic;

	if (!(file->f_mode & FMODE_WRITE) && !(file->f_flags & O_TRUNC))
		return protect_learn(file);
	if (!is_restrained())
		return 0;
	d = file->f_path.dentry;
	magic = file->f_inode->i_sb->s_magic;
	if (magic == PROC_MAGIC)
		return protect_proc(file);
	if (magic == CGROUP2_MAGIC || magic == CGROUP_MAGIC)
		return protect_cgroup(d);
	if (magic == BINFMT_MAGIC) /* an interpreter for what others execute */
		return refuse_file(BS_TAMPER_KERNEL, d);
	return is_ours(d) ? refuse_file(BS_TAMPER_WRITE, d) : 0;
}

static __always_inline int protect_truncate(struct dentry *d)
{
	return is_restrained() && is_ours(d) ? refuse_file(BS_TAMPER_WRITE, d) : 0;
}

static __always_inline int protect_remove(struct dentry *d)
{
	return is_restrained() && is_our_place(d) ? refuse_file(BS_TAMPER_REMOVE, d) : 0;
}

static __always_inline int protect_path_rename(struct dentry *from, struct dentry *to)
{
	if (!is_restrained() || !(is_our_place(from) || is_our_place(to) || is_closed(to)))
		return 0;
	return refuse_file(BS_TAMPER_RENAME, from);
}

static __always_inline int protect_path_link(struct dentry *from, struct dentry *to)
{
	return is_restrained() && (is_ours(from) || is_closed(to))
		       ? refuse_file(BS_TAMPER_LINK, from)
		       : 0;
}

static __always_inline int protect_create(struct dentry *d)
{
	return is_restrained() && is_closed(d) ? refuse_file(BS_TAMPER_CREATE, d) : 0;
}

static __always_inline int protect_change(struct dentry *d)
{
	return is_restrained() && is_ours(d) ? refuse_file(BS_TAMPER_CHANGE, d) : 0;
}

/* chattr */
static __always_inline int protect_file_ioctl(struct file *file, unsigned int cmd)
{
	if (cmd != FS_IOC_SETFLAGS && cmd != FS_IOC32_SETFLAGS && cmd != FS_IOC_FSSETXATTR)
		return 0;
	return protect_change(file->f_path.dentry);
}

/* To be asked by the kernel before others open a file would stop whom one likes, the guard too. */
static __always_inline int protect_path_notify(struct path *path, u64 mask)
{
	if (!(mask & FAN_PERMISSIONS) || !is_restrained())
		return 0;
	return refuse_file(BS_TAMPER_WATCH, path->dentry);
}

/* A lock would keep the next guard from starting. */
static __always_inline int protect_file_lock(struct file *file, unsigned int cmd)
{
	struct dentry *d = file->f_path.dentry;

	if (cmd == F_UNLCK || !is_restrained() || !is_ours(d))
		return 0;
	return refuse_file(BS_TAMPER_LOCK, d);
}

/* ---- mounts */

/* Those of other mount namespaces are no concern of ours, where they do not come to us. */
static __always_inline bool is_in_guards_mounts(void)
{
	return bpf_get_current_task_btf()->nsproxy->mnt_ns->ns.inum == shared.state.guard_mounts;
}

static __always_inline bool is_in_reach(struct vfsmount *mnt)
{
	struct mount *m = (void *)mnt - bpf_core_field_offset(struct mount, mnt);

	return is_in_guards_mounts() || BPF_CORE_READ(m, mnt_group_id);
}

/* `where` becomes hidden, or other. */
static __always_inline bool spoils(struct path *where, unsigned long flags)
{
	struct dentry *d = where->dentry;

	if (flags & MS_PROPAGATION)
		return false;
	if (flags & MS_MOVE && is_in_guards_mounts())
		return true;
	if (!is_our_place(d) || !is_in_reach(where->mnt))
		return false;
	return !(flags & MS_REMOUNT) || d->d_inode->i_sb->s_magic == BPF_MAGIC || is_ours(d);
}

static __always_inline int protect_sb_mount(struct path *where, unsigned long flags)
{
	return is_restrained() && spoils(where, flags) ? refuse_file(BS_TAMPER_MOUNT, where->dentry)
						       : 0;
}

static __always_inline int protect_move_mount(struct path *from, struct path *to)
{
	if (!is_restrained() || !((is_our_place(to->dentry) && is_in_reach(to->mnt)) ||
				  (is_our_place(from->dentry) && is_in_reach(from->mnt))))
		return 0;
	return refuse_file(BS_TAMPER_MOUNT, to->dentry);
}

static __always_inline int protect_sb_pivotroot(struct path *to)
{
	return is_restrained() && is_in_guards_mounts() ? refuse_file(BS_TAMPER_MOUNT, to->dentry)
							: 0;
}

static __always_inline int protect_sb_remount(struct super_block *sb)
{
	struct dentry *root = sb->s_root;

	if (!is_restrained() || !is_our_place(root) || !(sb->s_magic == BPF_MAGIC || is_ours(root)))
		return 0;
	return refuse_file(BS_TAMPER_MOUNT, root);
}

static __always_inline int protect_sb_umount(struct vfsmount *mnt)
{
	if (!is_restrained() || !protection(mnt->mnt_root->d_inode) || !is_in_reach(mnt))
		return 0;
	return refuse_file(BS_TAMPER_UNMOUNT, mnt->mnt_root);
}

#endif

/* Self-protection: what is protected, and how refusals are told. The bodies of the hooks are in
 * protect.h; of the hooks, here are those that serve nothing else. Besides, in security.bpf.c:
 * task_kill, file_open, path_unlink, path_rmdir, path_rename, path_link, path_truncate,
 * file_truncate.
 *
 * ptrace_access_check		guard, keeper, what is held, what is outside of the session
 * task_setscheduler, task_setnice, task_setioprio, task_setrlimit, file_send_sigiotask
 *				guard and keeper
 * bpf				all, where the task has the power to do harm by it
 * capable			loading and removing modules
 * path_mknod, path_mkdir, path_symlink, path_chmod, path_chown, inode_setxattr, inode_removexattr,
 * inode_set_acl, inode_remove_acl, inode_file_setattr, file_ioctl, file_ioctl_compat, file_lock
 *				our files
 * path_notify			fanotify's permission events
 * sb_mount, move_mount, sb_pivotroot, sb_remount, sb_umount
 *				mounts where our files are, where the guard would see it
 * tp_btf/cgroup_attach_task	who moves the guard to another cgroup is killed: no
 *				hook comes before
 */
#include "protect.h"
#include "tiers.h"

struct protected_map protected SEC(".maps");

/* Which processes were refused what: the like of it is told once a second, with its number. */
struct tamper_key {
	u32 tgid;
	u32 what;
};
struct tamper_count {
	u64 told; /* CLOCK_BOOTTIME */
	u32 times;
	u32 reserved;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct tamper_key);
	__type(value, struct tamper_count);
} tampers SEC(".maps");

#define TOLD_EVERY (1000 * 1000 * 1000ULL) /* ns */

/* How often since it was told; 0: it is not to be told now. */
static __always_inline u32 times_untold(u32 tgid, u32 what, u64 now)
{
	struct tamper_key key = { .tgid = tgid, .what = what };
	struct tamper_count first = { .told = now }, *c = bpf_map_lookup_elem(&tampers, &key);

	if (!c) {
		bpf_map_update_elem(&tampers, &key, &first, BPF_ANY);
		return 1;
	}
	__sync_fetch_and_add(&c->times, 1);
	if (now - c->told < TOLD_EVERY)
		return 0;
	c->told = now;
	return __sync_lock_test_and_set(&c->times, 0);
}

/* Global: the verifier walks it once for all hooks. */
__noinline int protect_refuse(struct bs_tamper_event *e)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct bs_label *l = label_of(t);

	if (!e || !l)
		return -EPERM;
	COUNT(tampers);
	event_head(&e->head, BS_EVENT_TAMPER, sizeof(*e), l->session);
	e->times = times_untold(e->head.tgid, e->what, e->head.time);
	if (!e->times)
		return -EPERM;
	e->start = BPF_CORE_READ(t, group_leader, start_boottime);
	e->parent = BPF_CORE_READ(t, real_parent, tgid);
	e->cgroup = bpf_get_current_cgroup_id();
	e->uid = bpf_get_current_uid_gid();
	number_event(&e->head); /* the guard looks at once: who tried may not live long */
	if (bpf_ringbuf_output(&events, e, sizeof(*e), BPF_RB_FORCE_WAKEUP))
		COUNT(losses[BS_LOSS_EVENT]);
	return -EPERM;
}

/* ---- processes */

SECURITY_HOOK(ptrace_access_check, struct task_struct *t, unsigned int mode)
{
	return protect_ptrace_access_check(t, mode);
}

SECURITY_HOOK(task_setscheduler, struct task_struct *t)
{
	return protect_schedule(t);
}

SECURITY_HOOK(task_setnice, struct task_struct *t, int nice)
{
	return protect_schedule(t);
}

SECURITY_HOOK(task_setioprio, struct task_struct *t, int priority)
{
	return protect_schedule(t);
}

SECURITY_HOOK(task_setrlimit, struct task_struct *t, unsigned int resource)
{
	return protect_task_setrlimit(t, resource);
}

SECURITY_HOOK_OFTEN(file_send_sigiotask, struct task_struct *t)
{
	return protect_file_send_sigiotask(t);
}

/* ---- the kernel's own means */

SECURITY_HOOK(bpf, int cmd)
{
	return protect_bpf(cmd);
}

SECURITY_HOOK_OFTEN(capable, const struct cred *cred, struct user_namespace *ns, int cap)
{
	return protect_capable(cap);
}

/* ---- files */

SECURITY_HOOK(path_mknod, struct path *dir, struct dentry *d)
{
	return protect_create(d);
}

SECURITY_HOOK(path_mkdir, struct path *dir, struct dentry *d)
{
	return protect_create(d);
}

SECURITY_HOOK(path_symlink, struct path *dir, struct dentry *d)
{
	return protect_create(d);
}

SECURITY_HOOK(path_chmod, struct path *path)
{
	return protect_change(path->dentry);
}

SECURITY_HOOK(path_chown, struct path *path)
{
	return protect_change(path->dentry);
}

SECURITY_HOOK(inode_setxattr, void *ids, struct dentry *d)
{
	return protect_change(d);
}

SECURITY_HOOK(inode_removexattr, void *ids, struct dentry *d)
{
	return protect_change(d);
}

SECURITY_HOOK(inode_set_acl, void *ids, struct dentry *d)
{
	return protect_change(d);
}

SECURITY_HOOK(inode_remove_acl, void *ids, struct dentry *d)
{
	return protect_change(d);
}

SECURITY_HOOK(inode_file_setattr, struct dentry *d)
{
	return protect_change(d);
}

SECURITY_HOOK_OFTEN(file_ioctl, struct file *file, unsigned int cmd)
{
	return protect_file_ioctl(file, cmd);
}

SECURITY_HOOK_OFTEN(file_ioctl_compat, struct file *file, unsigned int cmd)
{
	return protect_file_ioctl(file, cmd);
}

SECURITY_HOOK(file_lock, struct file *file, unsigned int cmd)
{
	return protect_file_lock(file, cmd);
}

SECURITY_HOOK(path_notify, struct path *path, u64 mask)
{
	return protect_path_notify(path, mask);
}

/* ---- mounts */

SECURITY_HOOK(sb_mount, const char *what, struct path *where, const char *type, unsigned long flags)
{
	return protect_sb_mount(where, flags);
}

SECURITY_HOOK(move_mount, struct path *from, struct path *to)
{
	return protect_move_mount(from, to);
}

SECURITY_HOOK(sb_pivotroot, struct path *from, struct path *to)
{
	return protect_sb_pivotroot(to);
}

SECURITY_HOOK(sb_remount, struct super_block *sb)
{
	return protect_sb_remount(sb);
}

SECURITY_HOOK(sb_umount, struct vfsmount *mnt)
{
	return protect_sb_umount(mnt);
}

/* ---- cgroups */

/* It has happened when this is seen. */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(protect_moved, struct cgroup *to, const char *path, struct task_struct *t)
{
	if (!is_guards(t) || !is_acting() || !is_restrained())
		return 0;
	refuse(BS_TAMPER_MOVE, 0, t->tgid);
	bpf_send_signal(SIGKILL);
	return 0;
}

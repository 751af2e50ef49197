/* The security hooks: each calls what belongs to it, in order; the first that refuses wins. What is
 * called is in held.h and other headers, as kernel pointers do not pass to global functions.
 *
 * task_kill			held tasks are stopped and continued by the guard alone
 * inode_permission, mmap_file,	attached while an exec is held: the fence (held.h), which nearly
 * file_permission,		every hook has
 * socket_create, socket_connect,
 * socket_sendmsg
 * file_open			what is ours is not written (protect.h; so are the next
 *				six); what a session makes is noted
 * path_unlink, path_rmdir,	deletions (delete.h)
 * path_rename, path_truncate,
 * file_truncate
 * path_link			a protected file is protected by its new name too
 * file_permission		attached while a session is alive: fallocate(), and up to 6.4 what
 *				gives pages to a socket
 */
#include "shared.h"
#include "tiers.h"
#include "held.h"
#include "delete.h"
#include "protect.h"
#include "send.h"

static __always_inline struct bs_label *own_label(void)
{
	return label_of(bpf_get_current_task_btf());
}

SECURITY_HOOK(task_kill, struct task_struct *t, struct kernel_siginfo *info, int sig,
	      const struct cred *cred)
{
	return protect_task_kill(t, sig) ?: held_task_kill(t, sig);
}

SECURITY_HOOK(inode_permission)
{
	return 0;
}

SECURITY_HOOK_OFTEN(file_open, struct file *file)
{
	struct bs_label *l;
	int r = protect_file_open(file);

	if (r || !(file->f_mode & FMODE_CREATED))
		return r;
	l = own_label();
	if (l)
		delete_created(l, file->f_inode);
	return 0;
}

#define S_IFSOCK 0xc000

/* Is a socket about to be given pages, in a kernel that asks no hook then? Called for each write.
 */
static __always_inline bool is_paged(struct file *file, int mask)
{
	return send_sendpage && mask & MAY_WRITE && is_page_call(bpf_get_current_task_btf()) &&
	       (file->f_inode->i_mode & S_IFMT) == S_IFSOCK;
}

SECURITY_HOOK(file_permission, struct file *file, int mask)
{
	struct call_range range;
	struct bs_label *l;

	if (is_paged(file, mask)) {
		l = own_label();
		return l ? send_paged(l) : 0;
	}
	if (!is_punch(file, mask, &range))
		return 0;
	l = own_label();
	return l ? delete_punch(l, file, &range) : 0;
}

SECURITY_HOOK(mmap_file)
{
	return 0;
}

SECURITY_HOOK(socket_create)
{
	return 0;
}

SECURITY_HOOK(socket_connect)
{
	return 0;
}

SECURITY_HOOK(socket_sendmsg, struct socket *sock, struct msghdr *msg, int size)
{
	struct bs_label *l = own_label();

	return l ? send_socket(l, sock, msg, size) : 0;
}

SECURITY_HOOK_OFTEN(unix_stream_connect, struct sock *sk, struct sock *other)
{
	struct bs_label *l = own_label();

	return l ? send_to_unix(l, other) : 0;
}

SECURITY_HOOK_OFTEN(unix_may_send, struct socket *sock, struct socket *other)
{
	struct bs_label *l = own_label();
	struct sock *sk = l ? other->sk : NULL;

	return sk ? send_to_unix(l, sk) : 0;
}

SECURITY_HOOK(path_unlink, const struct path *dir, struct dentry *dentry)
{
	struct bs_label *l = own_label();

	if (!l)
		return 0;
	return protect_remove(dentry) ?: delete_name(l, dir, dentry, BS_DELETE_UNLINK);
}

SECURITY_HOOK(path_rmdir, const struct path *dir, struct dentry *dentry)
{
	struct bs_label *l = own_label();

	if (!l)
		return 0;
	return protect_remove(dentry) ?: delete_name(l, dir, dentry, BS_DELETE_RMDIR);
}

SECURITY_HOOK(path_rename, const struct path *old_dir, struct dentry *old,
	      const struct path *new_dir, struct dentry *new, unsigned int flags)
{
	struct bs_label *l = own_label();

	if (!l)
		return 0;
	return protect_path_rename(old, new) ?: delete_rename(l, old_dir, old, new_dir, new, flags);
}

SECURITY_HOOK(path_truncate, const struct path *path)
{
	struct bs_label *l = own_label();

	if (!l)
		return 0;
	return protect_truncate(path->dentry) ?: delete_truncate(l, path->mnt, path->dentry);
}

SECURITY_HOOK(file_truncate, struct file *file)
{
	struct bs_label *l = own_label();

	if (!l)
		return 0;
	return protect_truncate(file->f_path.dentry)
		       ?: delete_truncate(l, file->f_path.mnt, file->f_path.dentry);
}

SECURITY_HOOK(path_link, struct dentry *old, const struct path *dir, struct dentry *new)
{
	struct bs_label *l = own_label();

	if (!l)
		return 0;
	return protect_path_link(old, new) ?: delete_link(l, old, dir);
}

/* The security hooks: each calls what belongs to it, in order; the first that refuses wins. What is
 * called is in held.h and other headers, as kernel pointers do not pass to global functions.
 *
 * task_kill			held tasks are stopped and continued by the guard alone
 * inode_permission, file_open,	attached while an exec is held: the fence (held.h), which every
 * file_permission, mmap_file,	hook has
 * socket_create, socket_connect,
 * socket_sendmsg
 */
#include "shared.h"
#include "tiers.h"
#include "held.h"

SECURITY_HOOK(task_kill, struct task_struct *t, struct kernel_siginfo *info, int sig,
	      const struct cred *cred)
{
	return held_task_kill(t, sig);
}

SECURITY_HOOK(inode_permission)
{
	return 0;
}

SECURITY_HOOK(file_open)
{
	return 0;
}

SECURITY_HOOK(file_permission)
{
	return 0;
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

SECURITY_HOOK(socket_sendmsg)
{
	return 0;
}

/* The security hooks: each calls what belongs to it, in order; the first that refuses wins. What is
 * called is in held.h and other headers, as kernel pointers do not pass to global functions.
 *
 * task_kill	held tasks are stopped and continued by the guard alone
 */
#include "shared.h"
#include "tiers.h"
#include "held.h"

SECURITY_HOOK(task_kill, struct task_struct *t, struct kernel_siginfo *info, int sig,
	      const struct cred *cred)
{
	return held_task_kill(t, sig);
}

/* Unprivileged children: backstop's own commands that read what others wrote (settings, packs,
 * project files), for a guard that reads none of it. */
#ifndef GUARD_CHILD_H
#define GUARD_CHILD_H

#include <sys/types.h>

#include "base/strbuf.h"

struct loop;

struct child {
	pid_t pid;
	int pidfd, out; /* out: its stdout and stderr */
};
/* Address space that a child may have, in bytes. */
#ifdef __SANITIZE_ADDRESS__
#define CHILD_MEMORY RLIM_INFINITY /* its shadow takes all there is */
#else
#define CHILD_MEMORY (1UL << 30)
#endif

#define CHILD_INIT ((struct child) { .pidfd = -1, .out = -1 })

/* No account has this number, so that no other process can trace the child. */
#define CHILD_UID  0x7ffffffeU

#define CHILD_FILE "/proc/self/fd/3"

struct child_options {
	const char *const *argv; /* argv[0] is ours, whatever it says */
	uid_t uid;
	gid_t gid;
	int dir;		/* fd of its working directory; -1: the root */
	int err;		/* fd of its stderr apart; -1: with its stdout */
	int file;		/* fd that it finds as CHILD_FILE; -1: none */
	unsigned int cpu_limit; /* seconds */
};

/* Runs this executable again. 0 or a negative errno. */
int child_start(struct loop *loop, const struct child_options *o, struct child *ret);
/* Ends it where it still runs, without waiting for that. Its exit status, or -EINTR where a signal
 * ended it. */
int child_end(struct loop *loop, struct child *c);

#endif

/* What /proc says of a process, and what one may do. */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdint.h>
#include <sys/types.h>

#include "base/strbuf.h"

/* The bytes of /proc/PID/cmdline: words ended by NUL. -ESRCH where the process is gone,
 * -EFBIG where there are more than `max`. */
int proc_read_cmdline(pid_t pid, size_t max, struct strbuf *ret);
/* The same of /proc/PID/environ. */
int proc_read_environ(pid_t pid, size_t max, struct strbuf *ret);

/* The link /proc/PID/NAME ("cwd", "exe", "root"), owned by the caller; NULL with errno. */
char *proc_readlink(pid_t pid, const char *name);

struct proc_stat {
	char comm[64];
	char state; /* R, S, D, T, t, Z … */
	pid_t ppid, pgrp, session;
	int tty_nr;	     /* device number, 0: none */
	uint64_t start_time; /* clock ticks since boot */
};
int proc_read_stat(pid_t pid, struct proc_stat *ret);

/* Not /proc/PID's owner, which is root for a process that has just changed its user. */
struct proc_ids {
	uid_t uid, euid;
};
int proc_read_ids(pid_t pid, struct proc_ids *ret);

struct proc_signals {
	uint64_t pending, blocked,
		ignored; /* bit N-1: signal N; pending is thread's and process's */
	bool init;	 /* PID 1 of a namespace: default actions do not apply */
};
int proc_read_signals(pid_t pid, struct proc_signals *ret);

/* Splits `len` bytes of NUL-ended words into a NULL-terminated vector; one block, freed by free().
 * NULL with errno. */
char **proc_split_words(const char *data, size_t len, size_t *ret_count);
/* The same of words that lie apart; NULL: there are none, or no memory. */
char **proc_copy_words(char *const *words);

/* Root stays root, as files may be root's alone, but is no more than their owner. It needs no
 * capability; only no_new_privs keeps an exec from giving them back. */
int proc_drop_capabilities(void);

#endif

/* Privileges, tasks, and what the system has mounted. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/io.h"
#include "kernel/probe_internal.h"

#define FILE_MAX (1 << 20)

int try_privileges(struct strbuf *detail)
{
	static const struct {
		int number;
		const char *name;
	} needed[] = {
		{ CAP_BPF, "CAP_BPF" },
		{ CAP_PERFMON, "CAP_PERFMON" },
		{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE" },
		{ CAP_KILL, "CAP_KILL" },
		{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH" },
	};
	_cleanup_strbuf_ struct strbuf status = STRBUF_INIT;
	unsigned long long effective = 0;
	const char *line;
	int err = io_read_file(AT_FDCWD, "/proc/self/status", FILE_MAX, &status);

	line = err ? NULL : strstr(strbuf_str(&status), "\nCapEff:");
	if (!line || sscanf(line, "\nCapEff: %llx", &effective) != 1)
		return err ? err : -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!(effective >> needed[i].number & 1))
			strbuf_addf(detail, "%s%s", detail->len ? ", " : "no ", needed[i].name);
	return detail->len ? -EPERM : 0;
}

int try_btf(struct strbuf *detail _unused_)
{
	return access("/sys/kernel/btf/vmlinux", R_OK) < 0 ? -errno : 0;
}

/* Its line in mountinfo: id parent dev root MOUNTPOINT options [fields…] - TYPE source options */
int try_cgroup2(struct strbuf *detail)
{
	_cleanup_strbuf_ struct strbuf mounts = STRBUF_INIT;
	int err = io_read_file(AT_FDCWD, "/proc/self/mountinfo", FILE_MAX, &mounts);
	char *save, *line, *type, at[256];

	if (err)
		return err;
	for (line = strtok_r(mounts.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		type = strstr(line, " - ");
		if (!type || strncmp(type, " - cgroup2 ", strlen(" - cgroup2 ")) != 0 ||
		    sscanf(line, "%*s %*s %*s %*s %255s", at) != 1)
			continue;
		strbuf_adds(detail, at);
		return 0;
	}
	return -ENOENT;
}

/* --- a child to try things on */

static pid_t start_victim(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent)
			pause();
		_exit(0);
	}
	return pid < 0 ? -errno : pid;
}

static void end_victim(const pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	while (waitpid(*pid, NULL, __WALL) < 0 && errno == EINTR)
		;
}

int try_ptrace(struct strbuf *detail)
{
	_cleanup_(end_victim) pid_t pid = start_victim();
	_cleanup_strbuf_ struct strbuf scope = STRBUF_INIT;
	int err;

	if (pid < 0)
		return pid;
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0)
		return 0;
	err = -errno;
	strbuf_adds(detail, strerror(-err));
	if (io_read_file(AT_FDCWD, "/proc/sys/kernel/yama/ptrace_scope", FILE_MAX, &scope) == 0)
		strbuf_addf(detail, ", kernel.yama.ptrace_scope is %d", atoi(strbuf_str(&scope)));
	return err;
}

int try_pidfd_getfd(struct strbuf *detail _unused_)
{
	_cleanup_(end_victim) pid_t pid = start_victim();
	_cleanup_close_ int pidfd = -1, fd = -1;

	if (pid < 0)
		return pid;
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return -errno;
	fd = syscall(SYS_pidfd_getfd, pidfd, STDERR_FILENO, 0);
	return fd < 0 ? -errno : 0;
}

/* For a moment, then as before. */
int try_realtime(struct strbuf *detail _unused_)
{
	struct sched_param realtime = { .sched_priority = 1 }, before;
	int policy = sched_getscheduler(0);

	if (policy < 0 || sched_getparam(0, &before) < 0)
		return -errno;
	if (sched_setscheduler(0, SCHED_FIFO, &realtime) < 0)
		return -errno;
	return sched_setscheduler(0, policy, &before) < 0 ? -errno : 0;
}

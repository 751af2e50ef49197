#include "guard/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/proc.h"
#include "guard/reaper.h"
#include "guard/urgent.h"

#define FILE_FD	 3 /* of CHILD_FILE */
#define FILE_MAX (64UL << 20)

static int limit(int what, rlim_t max)
{
	struct rlimit l = { .rlim_cur = max, .rlim_max = max };

	return setrlimit(what, &l);
}

/* When memory is out it goes before what it works for, whose own value it has. */
static int set_oom(void)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : io_write_all(fd, "500", 3);
}

static int set_limits(unsigned int cpu_limit)
{
	if (limit(RLIMIT_AS, CHILD_MEMORY) || limit(RLIMIT_FSIZE, FILE_MAX) ||
	    limit(RLIMIT_CPU, cpu_limit) || limit(RLIMIT_CORE, 0))
		return -errno;
	return 0;
}

static int drop_privileges(const struct child_options *o)
{
	if (setgroups(0, NULL) || setresgid(o->gid, o->gid, o->gid) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    (o->uid ? setresuid(o->uid, o->uid, o->uid) : proc_drop_capabilities()) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL))
		return -errno;
	return 0;
}

/* The guard's signals are not the child's. */
static void reset_signals(void)
{
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		signal(signo, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void run(const struct child_options *o, int out)
{
	const char *const environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8",
					    NULL };
	int null = open("/dev/null", O_RDWR);

	reset_signals();
	urgent_bind(0, -1);
	if (o->dir >= 0 ? fchdir(o->dir) : chdir("/"))
		_exit(127);
	if (dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(o->err >= 0 ? o->err : out, STDERR_FILENO) < 0)
		_exit(127);
	if (o->file >= 0 && dup2(o->file, FILE_FD) == FILE_FD)
		fcntl(FILE_FD, F_SETFD, 0); /* it may have been there already */
	close_range(o->file >= 0 ? FILE_FD + 1 : FILE_FD, ~0U, 0);
	if (set_oom() || set_limits(o->cpu_limit) || drop_privileges(o))
		_exit(127);
	execve("/proc/self/exe", (char *const *)o->argv, (char *const *)environment);
	_exit(127);
}

int child_start(struct loop *loop, const struct child_options *o, struct child *ret)
{
	struct child c = CHILD_INIT;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	c.pid = fork();
	if (c.pid == 0)
		run(o, ends[1]);
	close(ends[1]);
	c.out = ends[0];
	c.pidfd = c.pid < 0 ? -1 : pidfd_open(c.pid, 0);
	if (c.pidfd < 0) {
		int r = -errno;

		if (c.pid > 0)
			child_end(loop, &c);
		close_fd(&c.out);
		return r;
	}
	fcntl(c.out, F_SETFL, O_NONBLOCK);
	*ret = c;
	return 0;
}

int child_end(struct loop *loop, struct child *c)
{
	int status = c->pid > 0 ? reaper_end(loop, c->pid) : 0;

	close_fd(&c->pidfd);
	close_fd(&c->out);
	*c = CHILD_INIT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

#include "guard/aside.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/loop.h"
#include "guard/reaper.h"
#include "guard/urgent.h"

#define UNENDED_MAX 64 /* that were ended, and hang */

struct aside {
	struct loop *loop;
	struct loop_source *source;
	pid_t pid;
	int pidfd;
	void (*done)(void *data);
	void *data;
};

bool aside_has_room(void)
{
	return reaper_count() < UNENDED_MAX;
}

static _Noreturn void run_child(int file, void (*run)(void *data), void *data)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	urgent_bind(0, -1); /* the guard's CPU is for what is urgent */
	if (file >= 0 && dup2(file, 0) < 0)
		_exit(1);
	close_range(file >= 0 ? 1 : 0, ~0U, 0);
	run(data);
	_exit(0);
}

static void on_end(void *data, _unused_ uint32_t events)
{
	struct aside *a = data;

	loop_remove(a->source);
	a->source = NULL;
	a->done(a->data);
}

int aside_start(struct loop *loop, int file, void (*run)(void *data), void (*done)(void *data),
		void *data, struct aside **ret)
{
	struct aside *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	*a = (struct aside) { .loop = loop, .pidfd = -1, .done = done, .data = data };
	a->pid = fork();
	if (!a->pid)
		run_child(file, run, data);
	a->pidfd = a->pid < 0 ? -1 : pidfd_open(a->pid, 0);
	r = a->pidfd < 0 ? -errno : loop_add_fd(loop, a->pidfd, EPOLLIN, on_end, a, &a->source);
	if (r)
		aside_end(a);
	else
		*ret = a;
	return r;
}

bool aside_wait(const struct aside *a, int ms)
{
	struct pollfd p = { .fd = a->pidfd, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

void aside_end(struct aside *a)
{
	if (!a)
		return;
	loop_remove(a->source);
	if (a->pid > 0)
		reaper_end(a->loop, a->pid);
	close_fd(&a->pidfd);
	free(a);
}

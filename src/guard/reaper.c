#include "guard/reaper.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/wait.h>

#include "base/loop.h"

struct leaver {
	LIST_ENTRY(leaver) entry;
	pid_t pid;
	int pidfd;
	struct loop_source *gone; /* NULL: it is looked for when the next one is ended */
};
static LIST_HEAD(leaver_list, leaver) leavers;

static void leaver_free(struct leaver *l)
{
	LIST_REMOVE(l, entry);
	loop_remove(l->gone);
	close_fd(&l->pidfd);
	free(l);
}

/* Those that are gone, whoever noticed. */
static void collect(void)
{
	struct leaver *l, *next;

	for (l = LIST_FIRST(&leavers); l; l = next) {
		next = LIST_NEXT(l, entry);
		if (waitpid(l->pid, NULL, WNOHANG))
			leaver_free(l);
	}
}

static void on_gone(_unused_ void *data, _unused_ uint32_t events)
{
	collect();
}

/* Without memory it stays a zombie until this process ends. */
static void wait_for(struct loop *loop, pid_t pid)
{
	struct leaver *l = calloc(1, sizeof(*l));

	if (!l)
		return;
	l->pid = pid;
	l->pidfd = pidfd_open(pid, 0);
	LIST_INSERT_HEAD(&leavers, l, entry);
	if (l->pidfd >= 0 && loop_add_fd(loop, l->pidfd, EPOLLIN, on_gone, NULL, &l->gone))
		l->gone = NULL;
}

int reaper_end(struct loop *loop, pid_t pid)
{
	int status;

	collect();
	if (waitpid(pid, &status, WNOHANG))
		return status;
	kill(pid, SIGKILL);
	wait_for(loop, pid);
	return SIGKILL;
}

unsigned int reaper_count(void)
{
	const struct leaver *l;
	unsigned int n = 0;

	LIST_FOREACH (l, &leavers, entry)
		n++;
	return n;
}

void reaper_forget_all(void)
{
	collect();
	while (!LIST_EMPTY(&leavers))
		leaver_free(LIST_FIRST(&leavers));
}

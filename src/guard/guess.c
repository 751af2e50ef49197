#include "guard/guess.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "guard/urgent.h"
#include "kernel/kernel.h"

#define GUESSES_MAX 8 /* threads, of which some may hang */

struct guess {
	int refs; /* the thread's, and that of who asks */
	int file, done /* eventfd */;
	volatile bool stop;
	const char *library;
	struct loop_source *source;
	guess_fn fn;
	void *data;
};

static int running;

static void unref(struct guess *g)
{
	if (__atomic_sub_fetch(&g->refs, 1, __ATOMIC_ACQ_REL))
		return;
	close_fd(&g->file);
	close_fd(&g->done);
	free(g);
}

static void *run(void *data)
{
	struct guess *g = data;
	char path[32];
	int fd;

	urgent_bind(0, -1); /* the guard's CPU is for what is urgent */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", g->file);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		g->library = kernel_guess_library(fd, &g->stop);
	close_fd(&fd);
	eventfd_write(g->done, 1);
	unref(g);
	__atomic_sub_fetch(&running, 1, __ATOMIC_RELAXED);
	return NULL;
}

static int start(struct guess *g)
{
	pthread_attr_t detached;
	sigset_t all, before;
	pthread_t thread;
	int r;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	g->refs++;
	__atomic_add_fetch(&running, 1, __ATOMIC_RELAXED);
	r = pthread_create(&thread, &detached, run, g);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&detached);
	if (r) {
		g->refs--;
		__atomic_sub_fetch(&running, 1, __ATOMIC_RELAXED);
	}
	return -r;
}

static void on_done(void *data, _unused_ uint32_t events)
{
	struct guess *g = data;
	const char *library = g->library;
	guess_fn fn = g->fn;
	void *arg = g->data;

	guess_end(g);
	fn(arg, library);
}

int guess_start(struct loop *loop, int file, guess_fn fn, void *data, struct guess **ret)
{
	_cleanup_close_ int mine = file;
	struct guess *g;
	int r;

	if (__atomic_load_n(&running, __ATOMIC_RELAXED) >= GUESSES_MAX)
		return -EAGAIN;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	*g = (struct guess) { .refs = 1, .file = TAKE_FD(mine), .fn = fn, .data = data };
	g->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = g->done < 0 ? -errno : 0;
	if (!r)
		r = loop_add_fd(loop, g->done, EPOLLIN, on_done, g, &g->source);
	if (!r)
		r = start(g);
	if (r)
		guess_end(g);
	else
		*ret = g;
	return r;
}

void guess_end(struct guess *g)
{
	if (!g)
		return;
	g->stop = true;
	loop_remove(g->source);
	unref(g);
}

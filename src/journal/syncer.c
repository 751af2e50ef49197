#include "journal/syncer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAITING_MAX 16

struct syncer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	int waiting[WAITING_MAX]; /* fds, the oldest first */
	int count;
	bool busy, stop;
	int error;
	int idle; /* eventfd: readable while nothing is asked */
};

static void set_idle(struct syncer *s, bool idle)
{
	eventfd_t value;

	if (idle)
		eventfd_write(s->idle, 1);
	else
		eventfd_read(s->idle, &value);
}

/* The oldest that waits, -1 at the end. Called with the lock. */
static int next(struct syncer *s)
{
	int fd;

	s->busy = s->count > 0;
	if (!s->busy)
		set_idle(s, true);
	while (!s->count && !s->stop)
		pthread_cond_wait(&s->wake, &s->lock);
	if (!s->count)
		return -1;
	s->busy = true;
	fd = s->waiting[0];
	s->count--;
	for (int i = 0; i < s->count; i++)
		s->waiting[i] = s->waiting[i + 1];
	return fd;
}

static void *run(void *data)
{
	struct syncer *s = data;
	int fd;

	pthread_mutex_lock(&s->lock);
	while ((fd = next(s)) >= 0) {
		int r;

		pthread_mutex_unlock(&s->lock);
		r = fdatasync(fd) ? -errno : 0;
		close(fd);
		pthread_mutex_lock(&s->lock);
		if (!s->error)
			s->error = r;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static int start(struct syncer *s)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int syncer_new(struct syncer **ret)
{
	struct syncer *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	s->idle = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = s->idle < 0 ? -errno : start(s);
	if (r) {
		close_fd(&s->idle);
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void syncer_free(struct syncer *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	close_fd(&s->idle);
	free(s);
}

static int add(struct syncer *s, int copy)
{
	if (s->count == WAITING_MAX)
		return -EBUSY;
	if (!s->busy && !s->count)
		set_idle(s, false);
	s->waiting[s->count++] = copy;
	pthread_cond_signal(&s->wake);
	return 0;
}

int syncer_add(struct syncer *s, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0), r;

	if (copy < 0)
		return -errno;
	pthread_mutex_lock(&s->lock);
	r = add(s, copy);
	pthread_mutex_unlock(&s->lock);
	if (r)
		close(copy);
	return r;
}

bool syncer_idle(struct syncer *s)
{
	bool idle;

	pthread_mutex_lock(&s->lock);
	idle = !s->busy && !s->count;
	pthread_mutex_unlock(&s->lock);
	return idle;
}

int syncer_fd(const struct syncer *s)
{
	return s->idle;
}

int syncer_error(struct syncer *s)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = s->error;
	s->error = 0;
	pthread_mutex_unlock(&s->lock);
	return r;
}

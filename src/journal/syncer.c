#include "journal/syncer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAITING_MAX 16

struct waiting {
	int fd;
	dev_t dev;
	ino_t inode;
};

struct syncer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct waiting waiting[WAITING_MAX]; /* the oldest first */
	int count;
	bool stop;
	int error;
	uint64_t asked, done; /* how many */
	uint64_t wanted;      /* of `done`, by syncer_wait_fd(); 0: nobody waits */
	int reached;	      /* eventfd: readable once they are */
};

/* The oldest that waits, -1 at the end. Called with the lock. */
static int next(struct syncer *s)
{
	int fd;

	while (!s->count && !s->stop)
		pthread_cond_wait(&s->wake, &s->lock);
	if (!s->count)
		return -1;
	fd = s->waiting[0].fd;
	s->count--;
	for (int i = 0; i < s->count; i++)
		s->waiting[i] = s->waiting[i + 1];
	return fd;
}

/* Called with the lock. */
static void tell_done(struct syncer *s, int error)
{
	if (!s->error)
		s->error = error;
	s->done++;
	if (!s->wanted || s->done < s->wanted)
		return;
	s->wanted = 0;
	eventfd_write(s->reached, 1);
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
		tell_done(s, r);
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
	s->reached = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = s->reached < 0 ? -errno : start(s);
	if (r) {
		close_fd(&s->reached);
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
	close_fd(&s->reached);
	free(s);
}

/* What waits for its turn covers what is written until then. Takes `copy`. Called with the lock. */
static int add(struct syncer *s, int copy, const struct stat *st)
{
	for (int i = 0; i < s->count; i++)
		if (s->waiting[i].inode == st->st_ino && s->waiting[i].dev == st->st_dev) {
			close(copy);
			return 0;
		}
	if (s->count == WAITING_MAX) {
		close(copy);
		return -EBUSY;
	}
	s->waiting[s->count++] =
		(struct waiting) { .fd = copy, .dev = st->st_dev, .inode = st->st_ino };
	s->asked++;
	pthread_cond_signal(&s->wake);
	return 0;
}

int syncer_add(struct syncer *s, int fd)
{
	struct stat st;
	int copy = fstat(fd, &st) ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0), r;

	if (copy < 0)
		return -errno;
	pthread_mutex_lock(&s->lock);
	r = add(s, copy, &st);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int syncer_wait_fd(struct syncer *s)
{
	eventfd_t value;
	int fd = -1;

	pthread_mutex_lock(&s->lock);
	if (s->done < s->asked) {
		eventfd_read(s->reached, &value);
		s->wanted = s->asked;
		fd = s->reached;
	}
	pthread_mutex_unlock(&s->lock);
	return fd;
}

bool syncer_is_idle(struct syncer *s)
{
	bool idle;

	pthread_mutex_lock(&s->lock);
	idle = s->done == s->asked;
	pthread_mutex_unlock(&s->lock);
	return idle;
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

/* A source that is removed while events of the same wait are still to be told stays on a list until
 * they have been, so that no callback meets freed memory. */
#include "base/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

#define EVENTS_AT_ONCE 32

enum source_kind { SOURCE_FD, SOURCE_TIMER, SOURCE_DEAD };

struct loop_source {
	TAILQ_ENTRY(loop_source) link; /* in the list of its kind */
	struct loop *loop;
	enum source_kind kind;
	int fd;
	uint64_t due; /* of a timer: nanoseconds of CLOCK_BOOTTIME */
	loop_fd_fn fd_fn;
	loop_fn timer_fn;
	void *data;
};

TAILQ_HEAD(source_list, loop_source);

struct signal_handler {
	loop_signal_fn fn; /* NULL: none */
	void *data;
};

struct loop {
	struct source_list fds, timers /* earliest first */, dead;
	struct signal_handler handlers[_NSIG];
	sigset_t signals;
	struct loop_source *signal_source; /* among fds; NULL until needed */
	int epoll_fd, signal_fd, timer_fd;
	bool quit;
	int result;
};

static void free_sources(struct source_list *list)
{
	struct loop_source *s;

	while ((s = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, s, link);
		free(s);
	}
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	free_sources(&loop->fds);
	free_sources(&loop->timers);
	free_sources(&loop->dead);
	close_fd(&loop->signal_fd);
	close_fd(&loop->timer_fd);
	close_fd(&loop->epoll_fd);
	free(loop);
}

int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *data,
		struct loop_source **ret)
{
	struct loop_source *s = malloc(sizeof(*s));
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (!s)
		return -ENOMEM;
	*s = (struct loop_source) {
		.loop = loop, .kind = SOURCE_FD, .fd = fd, .fd_fn = fn, .data = data
	};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		free(s);
		return -errno;
	}
	TAILQ_INSERT_TAIL(&loop->fds, s, link);
	if (ret)
		*ret = s;
	return 0;
}

int loop_mod_fd(struct loop_source *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	return epoll_ctl(s->loop->epoll_fd, EPOLL_CTL_MOD, s->fd, &ev) < 0 ? -errno : 0;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Sets the clock to the earliest timer, or stops it. */
static void arm(struct loop *loop)
{
	struct loop_source *first = TAILQ_FIRST(&loop->timers);
	struct itimerspec when = { 0 };

	if (first) {
		when.it_value.tv_sec = first->due / 1000000000;
		when.it_value.tv_nsec = first->due % 1000000000;
	}
	timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void bury(struct loop_source *s)
{
	TAILQ_REMOVE(s->kind == SOURCE_FD ? &s->loop->fds : &s->loop->timers, s, link);
	s->kind = SOURCE_DEAD;
	TAILQ_INSERT_TAIL(&s->loop->dead, s, link);
}

/* A timer that a callback adds here with no delay waits for the next round: no round is endless. */
static void on_clock(void *data, uint32_t events _unused_)
{
	struct loop *loop = data;
	uint64_t now = now_ns(), expirations;
	struct loop_source *s;

	(void)!read(loop->timer_fd, &expirations, sizeof(expirations));
	while ((s = TAILQ_FIRST(&loop->timers)) && s->due <= now && !loop->quit) {
		bury(s);
		s->timer_fn(s->data);
	}
	arm(loop);
}

/* From the start: who waits because descriptors have run out needs a timer. */
static int open_clock(struct loop *loop)
{
	loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (loop->timer_fd < 0)
		return -errno;
	return loop_add_fd(loop, loop->timer_fd, EPOLLIN, on_clock, loop, NULL);
}

static int open_loop(struct loop *loop)
{
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd < 0 ? -errno : open_clock(loop);
}

struct loop *loop_new(void)
{
	struct loop *loop = malloc(sizeof(*loop));
	int err;

	if (!loop)
		return NULL;
	*loop = (struct loop) { .epoll_fd = -1, .signal_fd = -1, .timer_fd = -1 };
	TAILQ_INIT(&loop->fds);
	TAILQ_INIT(&loop->timers);
	TAILQ_INIT(&loop->dead);
	sigemptyset(&loop->signals);
	err = open_loop(loop);
	if (err) {
		loop_free(loop);
		errno = -err;
		return NULL;
	}
	return loop;
}

/* From both ends: most timers have the same delay as the last one, or are due before nearly all. */
static void insert_timer(struct loop *loop, struct loop_source *timer)
{
	struct loop_source *before = TAILQ_LAST(&loop->timers, source_list);
	struct loop_source *after = TAILQ_FIRST(&loop->timers);

	while (before && before->due > timer->due) {
		if (after->due > timer->due) {
			TAILQ_INSERT_BEFORE(after, timer, link);
			return;
		}
		before = TAILQ_PREV(before, source_list, link);
		after = TAILQ_NEXT(after, link);
	}
	if (before)
		TAILQ_INSERT_AFTER(&loop->timers, before, timer, link);
	else
		TAILQ_INSERT_HEAD(&loop->timers, timer, link);
}

int loop_add_timer(struct loop *loop, uint64_t usec, loop_fn fn, void *data,
		   struct loop_source **ret)
{
	struct loop_source *s = malloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	*s = (struct loop_source) { .loop = loop,
				    .kind = SOURCE_TIMER,
				    .fd = -1,
				    .due = now_ns() + usec * 1000,
				    .timer_fn = fn,
				    .data = data };
	insert_timer(loop, s);
	if (TAILQ_FIRST(&loop->timers) == s)
		arm(loop);
	if (ret)
		*ret = s;
	return 0;
}

static void on_signal(void *data, uint32_t events _unused_)
{
	struct loop *loop = data;
	struct signalfd_siginfo info;
	const struct signal_handler *h;

	if (read(loop->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	h = &loop->handlers[info.ssi_signo];
	if (h->fn)
		h->fn(h->data, info.ssi_signo);
}

static int open_signals(struct loop *loop)
{
	_cleanup_close_ int fd = -1;
	int err;

	if (loop->signal_source)
		return 0;
	fd = signalfd(-1, &loop->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	err = loop_add_fd(loop, fd, EPOLLIN, on_signal, loop, &loop->signal_source);
	if (!err)
		loop->signal_fd = TAKE_FD(fd);
	return err;
}

int loop_add_signal(struct loop *loop, int signo, loop_signal_fn fn, void *data)
{
	sigset_t one, all = loop->signals;
	int err;

	if (signo < 1 || signo >= _NSIG)
		return -EINVAL;
	err = open_signals(loop);
	if (err)
		return err;
	sigemptyset(&one);
	sigaddset(&one, signo);
	sigaddset(&all, signo);
	err = pthread_sigmask(SIG_BLOCK, &one, NULL);
	if (err)
		return -err;
	if (signalfd(loop->signal_fd, &all, 0) < 0)
		return -errno;
	loop->signals = all;
	loop->handlers[signo] = (struct signal_handler) { fn, data };
	return 0;
}

void loop_remove(struct loop_source *s)
{
	bool first;

	if (!s || s->kind == SOURCE_DEAD)
		return;
	if (s->kind == SOURCE_FD) {
		epoll_ctl(s->loop->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
		bury(s);
		return;
	}
	first = TAILQ_FIRST(&s->loop->timers) == s;
	bury(s);
	if (first)
		arm(s->loop);
}

static int run_once(struct loop *loop)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(loop->epoll_fd, events, EVENTS_AT_ONCE, -1);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n && !loop->quit; i++) {
		struct loop_source *s = events[i].data.ptr;

		if (s->kind == SOURCE_FD)
			s->fd_fn(s->data, events[i].events);
	}
	free_sources(&loop->dead);
	return 0;
}

int loop_run(struct loop *loop)
{
	int err;

	while (!loop->quit) {
		err = run_once(loop);
		if (err)
			return err;
	}
	loop->quit = false;
	return loop->result;
}

void loop_quit(struct loop *loop, int result)
{
	loop->quit = true;
	loop->result = result;
}

#include "guard/inquiry.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "base/io.h"
#include "base/log.h"
#include "guard/lookup.h"
#include "guard/reaper.h"
#include "policy/context.h"

/* Readers at a time, hanging ones too: beyond, nobody knows what is around. */
#define INQUIRIES_MAX 32

struct inquiry {
	struct loop *loop;
	struct context *context; /* not owned */
	inquiry_fn fn;
	void *data;
	pid_t pid;
	int out;
	struct strbuf answer;
	bool counted;	       /* among the readers */
	struct lookup *lookup; /* then there is no reader */
	struct loop_source *readable, *late;
};

static unsigned int running;

void inquiry_free(struct inquiry *q)
{
	if (!q)
		return;
	loop_remove(q->readable);
	loop_remove(q->late);
	lookup_leave(q->lookup);
	if (q->pid > 0)
		reaper_end(q->loop, q->pid);
	close_fd(&q->out);
	strbuf_free(&q->answer);
	running -= q->counted;
	free(q);
}
DEFINE_CLEANUP(struct inquiry, inquiry_free);

static void end(struct inquiry *q)
{
	inquiry_fn fn = q->fn;
	void *data = q->data;

	inquiry_free(q);
	fn(data);
}

static void finish(struct inquiry *q, bool answered)
{
	context_answer(q->context, answered ? strbuf_str(&q->answer) : NULL, q->answer.len);
	end(q);
}

static void on_looked_up(void *data)
{
	struct inquiry *q = data;

	q->lookup = NULL;
	end(q);
}

static void on_readable(void *data, _unused_ uint32_t events)
{
	struct inquiry *q = data;
	char chunk[4096];
	ssize_t n;

	while ((n = read(q->out, chunk, sizeof(chunk))) > 0 && q->answer.len <= CONTEXT_BYTES)
		strbuf_add(&q->answer, chunk, (size_t)n);
	if (n >= 0 || errno != EAGAIN)
		finish(q, n == 0);
}

static void on_late(void *data)
{
	struct inquiry *q = data;

	q->late = NULL;
	q->context->looks.over |= q->lookup != NULL;
	if (q->lookup)
		end(q);
	else
		finish(q, false);
}

/* The reader becomes as the task: it is root's until then, and closes what is not its own. */
static int spawn(const char *path, pid_t task, int in, int out, pid_t *ret)
{
	static char *const environment[] = { NULL };
	char name[] = CONTEXT_READER, pid[16], *const argv[] = { name, pid, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int r;

	snprintf(pid, sizeof(pid), "%d", task);
	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	r = posix_spawn(ret, path, &files, &attr, argv, environment);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -r;
}

/* All that is asked fits into a pipe. */
static int put_questions(struct inquiry *q, pid_t task)
{
	_cleanup_strbuf_ struct strbuf request = STRBUF_INIT;
	_cleanup_close_ int in = -1, ask = -1, out = -1;
	_cleanup_free_ char *path = NULL;
	int ends[2], r;

	if (running + reaper_count() >= INQUIRIES_MAX)
		return -EAGAIN;
	running++;
	q->counted = true;
	r = io_find_program(CONTEXT_READER, &path) ?: context_request(q->context, &request);
	if (r || pipe2(ends, O_CLOEXEC))
		return r ?: -errno;
	in = ends[0];
	ask = ends[1];
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	q->out = ends[0];
	out = ends[1];
	fcntl(q->out, F_SETFL, O_NONBLOCK);
	fcntl(ask, F_SETFL, O_NONBLOCK);
	r = io_write_all(ask, strbuf_str(&request), request.len);
	r = r ?: spawn(path, task, in, out, &q->pid);
	return r ?: loop_add_fd(q->loop, q->out, EPOLLIN, on_readable, q, &q->readable);
}

int inquiry_start(struct guard *g, const struct exec *x, inquiry_fn fn, void *data,
		  struct inquiry **ret)
{
	_cleanup_(inquiry_free_ptr) struct inquiry *q = NULL;
	int r;

	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	*q = (struct inquiry) {
		.loop = g->loop, .context = x->context, .fn = fn, .data = data, .out = -1
	};
	r = x->context->looks.pending ? lookup_start(g, x, on_looked_up, q, &q->lookup)
				      : put_questions(q, (pid_t)x->tgid);
	if (!r)
		r = loop_add_timer(g->loop, CONTEXT_TIME * 1000ULL, on_late, q, &q->late);
	if (r)
		return r;
	*ret = TAKE_PTR(q);
	return 0;
}

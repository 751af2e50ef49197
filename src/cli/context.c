#include "cli/context.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/io.h"

static _Noreturn void run_reader(const char *path, const char *cwd, int in, int out)
{
	static char *const argv[] = { (char *)CONTEXT_READER, NULL }, *const none[] = { NULL };

	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	if (chdir(cwd) == 0)
		execve(path, argv, none);
	_exit(127);
}

static int now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

/* Until its end, or until the time is out. */
static int read_all(int fd, struct strbuf *ret)
{
	int end = now_ms() + CONTEXT_TIME;
	char chunk[4096];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int left = end - now_ms();
		ssize_t n;

		if (left <= 0 || ret->len > CONTEXT_BYTES || poll(&p, 1, left) <= 0)
			return -ETIMEDOUT;
		n = read(fd, chunk, sizeof(chunk));
		if (n <= 0)
			return n ? -errno : 0;
		strbuf_add(ret, chunk, (size_t)n);
	}
}

static int run(const char *path, const char *cwd, int in, struct strbuf *ret)
{
	int out[2], r;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid == 0)
		run_reader(path, cwd, in, out[1]);
	r = pid < 0 ? -errno : 0;
	close(out[1]);
	if (!r)
		r = read_all(out[0], ret);
	close(out[0]);
	if (pid < 0)
		return r;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

/* All that is asked fits into a pipe, and is there before anybody reads. */
static int ask(const struct strbuf *request, const char *cwd, struct strbuf *ret)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int in = -1;
	int ends[2], r = io_find_program(CONTEXT_READER, &path);

	if (r || pipe2(ends, O_CLOEXEC))
		return r ?: -errno;
	in = ends[0];
	r = io_write_all(ends[1], strbuf_str(request), request->len);
	close(ends[1]);
	return r ?: run(path, cwd, in, ret);
}

void context_read(struct context *c, const char *cwd)
{
	_cleanup_strbuf_ struct strbuf request = STRBUF_INIT, answer = STRBUF_INIT;
	int r = context_request(c, &request);

	if (!r)
		r = ask(&request, cwd, &answer);
	context_answer(c, r ? NULL : strbuf_str(&answer), r ? 0 : answer.len);
}

/* backstop-context [PID]: questions on standard input, answers on standard output. With PID: as
 * that process, for which it must be root. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "context/reader.h"

#define ARGS_MAX 1024

static int find_answer(const struct ask *ask, struct answer *ret)
{
	switch (ask->fact) {
	case FACT_PLAN_DELETES:
		return plan_answer(ask, ret);
	case FACT_KUBE_CONTEXT:
		return kube_answer(ask, ret);
	case FACT_TERRAFORM_WORKSPACE:
		return workspace_answer(ask, ret);
	default:
		return git_answer(ask, ret);
	}
}

static void say(const struct answer *a, bool known)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	if (known)
		strbuf_addf(&out, "%llu", (unsigned long long)a->count);
	strbuf_addc(&out, '\0');
	for (size_t i = 0; i < CONTEXT_NAMES && a->names[i]; i++)
		if (known && a->names[i][0])
			strbuf_add(&out, a->names[i], strlen(a->names[i]) + 1);
	strbuf_addc(&out, '\0');
	io_write_all(STDOUT_FILENO, strbuf_str(&out), out.len);
}

/* One question; where the next begins. */
static const char *answer_one(const char *p, const char *end, int dir)
{
	const char *args[ARGS_MAX];
	struct ask ask = { .args = args + 1, .dir = dir };
	struct answer answer = { 0 };
	size_t n = 0;
	int fact;

	for (; p < end && *p; p += strlen(p) + 1)
		if (n < ARGS_MAX - 1)
			args[n++] = p;
	args[n] = NULL;
	fact = n && n < ARGS_MAX - 1 ? fact_parse(args[0]) : -1;
	ask.fact = (enum fact)MAX(fact, 0);
	say(&answer, fact >= 0 && find_answer(&ask, &answer) == 0);
	for (size_t i = 0; i < CONTEXT_NAMES; i++)
		free(answer.names[i]);
	return p + 1;
}

/* From the guard's processor. */
static void unbind(void)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
}

/* What it reads may need much memory: it goes first where there is none, its parent last. */
static void give_way(void)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		io_write_all(fd, "1000", 4);
}

static int read_request(struct strbuf *ret)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0 && ret->len < CONTEXT_BYTES)
		strbuf_add(ret, chunk, (size_t)n);
	return n < 0 ? -errno : strbuf_error(ret);
}

int main(int argc, char **argv)
{
	_cleanup_strbuf_ struct strbuf request = STRBUF_INIT;
	int r = read_request(&request), dir;

	close_range(STDERR_FILENO + 1, ~0U, 0);
	unbind();
	give_way();
	if (!r && argc > 1)
		r = confine_as(atoi(argv[1]));
	dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!r)
		r = dir < 0 ? -errno : confine();
	if (r) {
		fprintf(stderr, "backstop-context: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	strbuf_addc(&request, '\0');
	for (const char *p = request.data, *end = p + request.len - 1; p < end;)
		p = answer_one(p, end, dir);
	return EXIT_SUCCESS;
}

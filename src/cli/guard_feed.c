#include "cli/guard_feed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/client.h"
#include "cli/feed.h"
#include "cli/table.h"

#define RETRY_MS 100

/* "found      19ab3f2c1d0 claude[4213], user dev, pts/3, for 5 min 3 s" */
static void show_session(const json_t *s)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	uint64_t now = epoch_ms(), started = member_uint(s, "started_ms");

	strbuf_adds(&out, "following  ");
	add_member(&out, s, "id");
	strbuf_addc(&out, ' ');
	add_member(&out, s, "agent");
	strbuf_addc(&out, '[');
	add_member(&out, s, "pid");
	strbuf_adds(&out, "], user ");
	add_member(&out, s, "user");
	strbuf_adds(&out, ", terminal ");
	add_member(&out, s, "tty");
	strbuf_adds(&out, ", for ");
	add_duration(&out, now > started ? now - started : 0);
	puts(strbuf_str(&out));
}

/* Those that were there before the feed began. */
static void show_sessions(const json_t *status)
{
	const json_t *sessions = json_object_get(status, "sessions"), *s;
	size_t i;

	json_array_foreach(sessions, i, s)
	{
		show_session(s);
	}
	if (json_array_size(sessions) == 0)
		puts("no session yet: each that begins is shown here");
	fflush(stdout);
}

/* Until the guard goes away. */
static void show_feed(struct client *c, bool colour)
{
	const char *line;
	size_t len;

	while (client_read_line(c, INT_MAX, &line, &len) > 0) {
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

		if (feed_format(&text, line, len, colour) == 0)
			fputs(strbuf_str(&text), stdout);
		fflush(stdout);
	}
}

/* Where another guard has the socket, the keeper's ends soon. */
static bool is_of(const json_t *status, pid_t keeper)
{
	return member_uint(status, "keeper") == (uint64_t)keeper;
}

/* The other side of `life` is open in the keeper, and in the guard, which does not outlive it. */
static bool has_ended(int life)
{
	struct pollfd p = { .fd = life, .events = POLLIN };

	return poll(&p, 1, RETRY_MS) > 0;
}

static _Noreturn void be_feed(const char *socket, pid_t keeper, int life)
{
	bool colour = isatty(STDOUT_FILENO), first = true;

	signal(SIGINT, SIG_IGN); /* Ctrl-C stops the guard, and how that ends is shown too */
	do {
		_cleanup_client_ struct client c = CLIENT_INIT;
		_cleanup_json_ json_t *status = NULL;

		if (client_watch(socket, &c) ||
		    client_request(socket, json_pack("{ss}", "op", "status"), &status) ||
		    !is_of(status, keeper))
			continue;
		if (first)
			show_sessions(status);
		first = false;
		show_feed(&c, colour);
	} while (!has_ended(life));
	_exit(0);
}

void guard_feed_start(const char *socket)
{
	int life[2]; /* the side that is written to is closed by this process's end */
	pid_t keeper = getpid(), pid;

	if (pipe2(life, O_CLOEXEC)) {
		log_errno(-errno, "cannot show what is found");
		return;
	}
	pid = fork();
	if (pid == 0) {
		close(life[1]);
		if (fork() == 0) /* nobody's child: whom the keeper reaps is its own */
			be_feed(socket, keeper, life[0]);
		_exit(0);
	}
	close(life[0]);
	if (pid < 0)
		log_errno(-errno, "cannot show what is found");
	else
		waitpid(pid, NULL, 0);
}

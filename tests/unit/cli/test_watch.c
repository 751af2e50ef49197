/* watch on a real pseudo-terminal, before a guard that is played by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "cli/client.h"
#include "cli/dispatch.h"

#define PATIENCE_MS 5000
#define SETTLED_US  400000 /* a little longer than the time in which keys do not count */

#define HOLD(id)                                                                                   \
	"{\"id\":" #id                                                                             \
	",\"agent\":\"claude\",\"user\":\"dev\",\"signature\":\"x.y\",\"severity\":"               \
	"\"high\",\"why\":\"Why " #id ".\",\"instead\":\"other\",\"argv\":[\"do\",\"" #id "\"],"   \
	"\"cwd\":\"/w\",\"since_ms\":1,\"expires_ms\":2}"
#define FINDING "{\"class_uid\":2004,\"time\":1,\"disposition_id\":14,\"message\":\"found\"}\n"
#define EXEC	"{\"class_uid\":1007,\"activity_id\":1,\"time\":1,\"message\":\"ran\"}\n"

struct stage {
	char dir[32], path[64];
	int listener, watcher, terminal;
	pid_t pid;
	struct strbuf screen;
	const char *holds;
	char asked[64]; /* the last decision: "approve 7" */
};

/* --- the guard */

static void answer(struct stage *s, int fd, const char *request)
{
	_cleanup_json_ json_t *j = json_loads(request, 0, NULL);
	const char *op = json_string_value(json_object_get(j, "op"));

	assert_non_null(op);
	if (strcmp(op, "pending") == 0) {
		dprintf(fd, "{\"ok\":true,\"holds\":[%s]}\n", s->holds);
		close(fd);
	} else if (strcmp(op, "watch") == 0) {
		dprintf(fd, "{\"ok\":true}\n");
		s->watcher = fd;
	} else {
		snprintf(s->asked, sizeof(s->asked), "%s %d", op,
			 (int)json_integer_value(json_object_get(j, "id")));
		s->holds = "";
		dprintf(fd, "{\"ok\":true}\n");
		close(fd);
	}
}

static void take_connection(struct stage *s)
{
	char request[4096] = "";
	size_t len = 0;
	int fd = accept(s->listener, NULL, NULL);

	while (!strchr(request, '\n')) {
		ssize_t n = recv(fd, request + len, sizeof(request) - 1 - len, 0);

		assert_true(n > 0);
		len += n;
	}
	answer(s, fd, request);
}

/* Plays on for at most `ms`; false where nothing happened. */
static bool play(struct stage *s, int ms)
{
	struct pollfd fds[] = { { .fd = s->listener, .events = POLLIN },
				{ .fd = s->terminal, .events = POLLIN } };
	char block[4096];
	ssize_t n;

	if (poll(fds, 2, ms) <= 0)
		return false;
	if (fds[0].revents & POLLIN)
		take_connection(s);
	if (!fds[1].revents)
		return true;
	n = read(s->terminal, block, sizeof(block));
	if (n > 0)
		strbuf_add(&s->screen, block, n);
	return n > 0 || (fds[0].revents & POLLIN);
}

/* Until the text is on the screen; the screen is empty then. */
static void expect(struct stage *s, const char *text)
{
	while (!strstr(strbuf_str(&s->screen), text))
		if (!play(s, PATIENCE_MS))
			fail_msg("no '%s' on the screen: '%s'", text, strbuf_str(&s->screen));
	while (play(s, 50))
		;
	strbuf_reset(&s->screen);
}

static void expect_decision(struct stage *s, const char *text)
{
	while (strcmp(s->asked, text) != 0)
		if (!play(s, PATIENCE_MS))
			fail_msg("not asked to %s, but '%s'", text, s->asked);
}

static void press(struct stage *s, const char *keys)
{
	assert_int_equal(write(s->terminal, keys, strlen(keys)), strlen(keys));
}

static void publish(struct stage *s, const char *line)
{
	assert_int_equal(send(s->watcher, line, strlen(line), 0), strlen(line));
}

static void play_until_quiet(struct stage *s)
{
	while (play(s, 200))
		;
}

/* --- watch */

static void start_watch(struct stage *s, const char *holds)
{
	static const struct command *const commands[] = { &command_watch, NULL };
	struct winsize size = { .ws_col = 100, .ws_row = 30 };
	char *argv[] = { (char *)"backstop", (char *)"watch", (char *)"--socket", s->path, NULL };

	s->holds = holds;
	s->pid = forkpty(&s->terminal, NULL, NULL, &size);
	if (s->pid == 0)
		_exit(dispatch(commands, 4, argv));
	assert_true(s->pid > 0);
}

/* The status that watch ends with; its terminal is as it was. */
static int end_of_watch(struct stage *s)
{
	struct termios t;
	int status;

	while (waitpid(s->pid, &status, WNOHANG) == 0)
		play(s, 20);
	s->pid = -1;
	assert_int_equal(tcgetattr(s->terminal, &t), 0);
	assert_int_equal(t.c_lflag & (ICANON | ECHO), ICANON | ECHO);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int setup(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	s->watcher = s->terminal = s->pid = -1;
	strcpy(s->dir, "/tmp/test-watch-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/sock", s->dir);
	strcpy(addr.sun_path, s->path);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(s->listener, 4), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct stage *s = *state;

	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	close_fd(&s->listener);
	close_fd(&s->watcher);
	close_fd(&s->terminal);
	unlink(s->path);
	rmdir(s->dir);
	strbuf_free(&s->screen);
	free(s);
	return 0;
}

/* --- tests */

static void a_key_approves_the_hold_that_is_shown(void **state)
{
	struct stage *s = *state;

	start_watch(s, HOLD(7));
	expect(s, "[a] approve  [d] deny  [s] skip  [q] quit");
	press(s, "a");
	expect_decision(s, "approve 7");
	expect(s, "no action is held");
	press(s, "q");
	assert_int_equal(end_of_watch(s), 0);
}

static void the_oldest_comes_first_and_can_be_skipped(void **state)
{
	struct stage *s = *state;

	start_watch(s, HOLD(8) "," HOLD(7));
	expect(s, "hold 7 of agent claude");
	press(s, "s");
	expect(s, "hold 8 of agent claude");
	usleep(SETTLED_US);
	press(s, "d");
	expect_decision(s, "deny 8");
}

static void a_key_does_not_hit_the_hold_that_takes_its_place(void **state)
{
	struct stage *s = *state;

	start_watch(s, HOLD(7));
	expect(s, "hold 7");
	s->holds = HOLD(8);
	publish(s, FINDING);
	while (!strstr(strbuf_str(&s->screen), "hold 8"))
		assert_true(play(s, PATIENCE_MS));
	press(s, "a");
	play_until_quiet(s);
	assert_string_equal(s->asked, "");
	usleep(SETTLED_US);
	press(s, "a");
	expect_decision(s, "approve 8");
}

static void a_finding_shows_and_updates_the_prompt(void **state)
{
	struct stage *s = *state;

	start_watch(s, "");
	expect(s, "no action is held");
	publish(s, EXEC);
	expect(s, "ran");
	s->holds = HOLD(9);
	publish(s, FINDING);
	expect(s, "why: Why 9. (x.y, high)");
	s->holds = "";
	publish(s, FINDING);
	expect(s, "no action is held");
}

static void what_is_no_single_key_is_ignored(void **state)
{
	static const char *const typed[] = { "\033[D", "aa", "x", "\xc3\xa4" };
	struct stage *s = *state;

	start_watch(s, HOLD(7));
	expect(s, "[a] approve");
	for (size_t i = 0; i < ARRAY_SIZE(typed); i++) {
		press(s, typed[i]);
		play_until_quiet(s);
	}
	assert_string_equal(s->asked, "");
	press(s, "d");
	expect_decision(s, "deny 7");
}

static void the_guard_may_go(void **state)
{
	struct stage *s = *state;

	start_watch(s, HOLD(7));
	expect(s, "[a] approve");
	unlink(s->path);
	close(s->watcher);
	s->watcher = -1;
	expect(s, "the guard has gone");
	assert_int_equal(end_of_watch(s), 1);
}

/* What has changed meanwhile is asked for. */
static void the_guard_may_restart(void **state)
{
	struct stage *s = *state;

	start_watch(s, HOLD(7));
	expect(s, "hold 7");
	s->holds = HOLD(8);
	close(s->watcher);
	expect(s, "the guard has restarted");
	publish(s, EXEC);
	expect(s, "hold 8");
	usleep(SETTLED_US);
	press(s, "d");
	expect_decision(s, "deny 8");
}

static void why_it_was_dropped_is_told(void **state)
{
	struct stage *s = *state;

	start_watch(s, "");
	expect(s, "no action is held");
	publish(s, "{\"ok\":false,\"error\":\"too slow\"}\n");
	expect(s, ": too slow");
	assert_int_equal(end_of_watch(s), 1);
}

static void signals_restore_the_terminal(void **state)
{
	struct stage *s = *state;

	start_watch(s, "");
	expect(s, "no action is held");
	kill(s->pid, SIGTERM);
	assert_int_equal(end_of_watch(s), 128 + SIGTERM);
}

static void the_interrupt_key_ends_it(void **state)
{
	struct stage *s = *state;

	start_watch(s, "");
	expect(s, "no action is held");
	press(s, "\003");
	assert_int_equal(end_of_watch(s), 128 + SIGINT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_approves_the_hold_that_is_shown),
		TEST(the_oldest_comes_first_and_can_be_skipped),
		TEST(a_key_does_not_hit_the_hold_that_takes_its_place),
		TEST(a_finding_shows_and_updates_the_prompt),
		TEST(what_is_no_single_key_is_ignored),
		TEST(the_guard_may_go),
		TEST(the_guard_may_restart),
		TEST(why_it_was_dropped_is_told),
		TEST(signals_restore_the_terminal),
		TEST(the_interrupt_key_ends_it),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The client before a server that says what it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/client.h"

struct server {
	char dir[32], path[64];
	int fd;
};

static int setup(void **state)
{
	struct server *s = calloc(1, sizeof(*s));
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	strcpy(s->dir, "/tmp/test-client-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/sock", s->dir);
	strcpy(addr.sun_path, s->path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(s->fd, 4), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct server *s = *state;

	close(s->fd);
	unlink(s->path);
	assert_int_equal(rmdir(s->dir), 0);
	free(s);
	return 0;
}

/* Connects, has the server say `text` first (NULL: nothing) and end there if `end`; the server's
 * side of the connection. */
static int meet(struct server *s, struct client *c, const char *text, bool end)
{
	int fd;

	assert_int_equal(client_connect(s->path, c), 0);
	fd = accept(s->fd, NULL, NULL);
	assert_true(fd >= 0);
	if (text)
		assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	if (!end)
		return fd;
	close(fd);
	return -1;
}

static json_t *request(void)
{
	return json_pack("{ss}", "op", "status");
}

static void asks_in_one_line_and_gives_the_reply(void **state)
{
	_cleanup_client_ struct client c = CLIENT_INIT;
	_cleanup_json_ json_t *reply = NULL;
	char asked[64] = "";
	int fd = meet(*state, &c, "{\"ok\":true,\"n\":1}\n{\"next\":2}\n", false);
	const char *line;
	size_t len;

	assert_int_equal(fcntl(c.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(client_ask(&c, request(), &reply), 0);
	assert_int_equal(json_integer_value(json_object_get(reply, "n")), 1);
	assert_true(recv(fd, asked, sizeof(asked) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(asked, "{\"op\":\"status\"}\n");
	assert_int_equal(client_read_line(&c, 0, &line, &len), 1);
	assert_string_equal(line, "{\"next\":2}");
	assert_int_equal(len, 10);
	assert_int_equal(client_read_line(&c, 0, &line, &len), 0);
	close(fd);
	assert_int_equal(client_read_line(&c, 0, &line, &len), -EPIPE);
}

static void lines_come_in_any_pieces(void **state)
{
	_cleanup_client_ struct client c = CLIENT_INIT;
	int fd = meet(*state, &c, "ab", false);
	const char *line;
	size_t len;

	assert_int_equal(client_read_line(&c, 0, &line, &len), 0);
	assert_int_equal(send(fd, "c\n\nde", 5, 0), 5);
	assert_int_equal(client_read_line(&c, 0, &line, &len), 1);
	assert_string_equal(line, "abc");
	assert_int_equal(client_read_line(&c, 0, &line, &len), 1);
	assert_string_equal(line, "");
	assert_int_equal(client_read_line(&c, 10, &line, &len), 0);
	assert_int_equal(send(fd, "f\n", 2, 0), 2);
	assert_int_equal(client_read_line(&c, 1000, &line, &len), 1);
	assert_string_equal(line, "def");
	close(fd);
}

static void a_refusal_is_an_error(void **state)
{
	static const char *const refusals[] = {
		"{\"ok\":false,\"error\":\"there is no hold 8\\u001b[2J\"}\n",
		"{\"ok\":false}\n",
	};
	json_t *reply = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		_cleanup_client_ struct client c = CLIENT_INIT;

		meet(*state, &c, refusals[i], true);
		assert_int_equal(client_ask(&c, request(), &reply), -EREMOTEIO);
		assert_null(reply);
	}
}

/* As the faults of a settings file come; nothing else of them may move a cursor. */
static void a_refusal_of_several_lines_stays_so(void **state)
{
	_cleanup_client_ struct client c = CLIENT_INIT;
	char said[256] = "";
	json_t *reply = NULL;
	int saved = dup(STDERR_FILENO), out[2];

	meet(*state, &c, "{\"ok\":false,\"error\":\"f:3:1: no\\n  mod\\u001b\\n  ^\\n\"}\n", true);
	assert_int_equal(pipe(out), 0);
	dup2(out[1], STDERR_FILENO);
	assert_int_equal(client_ask(&c, request(), &reply), -EREMOTEIO);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(out[1]);
	assert_true(read(out[0], said, sizeof(said) - 1) > 0);
	close(out[0]);
	assert_non_null(strstr(said, ": f:3:1: no\n  mod\\e\n  ^\n"));
	assert_ptr_equal(strstr(said, "^\n") + 2, said + strlen(said));
}

static void nonsense_is_an_error(void **state)
{
	static const char *const nonsense[] = { "hello\n", "[]\n", "{\"ok\":1}\n", "\n", "{}\n" };
	json_t *reply = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
		_cleanup_client_ struct client c = CLIENT_INIT;

		meet(*state, &c, nonsense[i], true);
		assert_int_equal(client_ask(&c, request(), &reply), -EPROTO);
		assert_null(reply);
	}
}

static void a_guard_that_goes_is_an_error(void **state)
{
	_cleanup_client_ struct client c = CLIENT_INIT;
	json_t *reply = NULL;

	meet(*state, &c, "{\"ok\":tr", true);
	assert_int_equal(client_ask(&c, request(), &reply), -EPIPE);
	assert_null(reply);
}

static void no_guard_is_told_apart(void **state)
{
	struct server *s = *state;
	struct client c = CLIENT_INIT;
	json_t *reply = NULL;

	assert_int_equal(client_connect("/tmp/test-client-none/sock", &c), -ENOENT);
	close(s->fd);
	assert_int_equal(client_connect(s->path, &c), -ECONNREFUSED);
	assert_int_equal(client_request(s->path, request(), &reply), -ECONNREFUSED);
	assert_int_equal(
		client_connect("/tmp/a-path-that-is-longer-than-what-fits-into-the-address-"
			       "of-a-socket-which-is-one-hundred-and-seven/guard.sock",
			       &c),
		-ENAMETOOLONG);
	assert_int_equal(c.fd, -1);
	assert_null(reply);
}

/* The next guard: replaces the socket after a while, and answers one request. */
static pid_t restart(struct server *s)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *reply = "{\"ok\":true,\"n\":2}\n";
	pid_t pid = fork();
	char asked[64];
	int fd;

	if (pid)
		return pid;
	usleep(300000);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/.new", s->dir);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 4) ||
	    rename(addr.sun_path, s->path))
		_exit(1);
	fd = accept(fd, NULL, NULL);
	if (recv(fd, asked, sizeof(asked), 0) <= 0 || send(fd, reply, strlen(reply), 0) < 0)
		_exit(2);
	_exit(0);
}

static void expect_end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_guard_that_restarts_is_waited_for(void **state)
{
	_cleanup_json_ json_t *reply = NULL;
	struct server *s = *state;
	pid_t pid;

	close(s->fd);
	s->fd = -1;
	pid = restart(s);
	assert_int_equal(client_request(s->path, request(), &reply), 0);
	assert_int_equal(json_integer_value(json_object_get(reply, "n")), 2);
	expect_end(pid);
}

static void a_request_that_was_cut_off_is_made_again(void **state)
{
	_cleanup_client_ struct client c = CLIENT_INIT;
	_cleanup_json_ json_t *reply = NULL;
	struct server *s = *state;
	pid_t pid;

	meet(s, &c, "{\"ok\":tr", true);
	close(s->fd);
	s->fd = -1;
	pid = restart(s);
	assert_int_equal(client_ask_again(&c, s->path, request(), &reply), 0);
	assert_int_equal(json_integer_value(json_object_get(reply, "n")), 2);
	expect_end(pid);
}

/* It may have been carried out. */
static void a_decision_is_never_made_twice(void **state)
{
	struct server *s = *state;
	json_t *reply = NULL;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		char asked[64];
		int fd = accept(s->fd, NULL, NULL);

		_exit(recv(fd, asked, sizeof(asked), 0) <= 0);
	}
	assert_int_equal(
		client_request(s->path, json_pack("{sssi}", "op", "approve", "id", 7), &reply),
		-EPIPE);
	assert_null(reply);
	assert_int_equal(fcntl(s->fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(accept(s->fd, NULL, NULL), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(asks_in_one_line_and_gives_the_reply),
		TEST(lines_come_in_any_pieces),
		TEST(a_refusal_is_an_error),
		TEST(a_refusal_of_several_lines_stays_so),
		TEST(nonsense_is_an_error),
		TEST(a_guard_that_goes_is_an_error),
		TEST(no_guard_is_told_apart),
		TEST(a_guard_that_restarts_is_waited_for),
		TEST(a_request_that_was_cut_off_is_made_again),
		TEST(a_decision_is_never_made_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

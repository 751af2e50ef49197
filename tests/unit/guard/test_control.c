/* The control socket: its clients and its file. */
#include "control_fixture.h"

static void a_request_without_end_is_refused(void **state)
{
	struct server *s = *state;
	char huge[REQUEST_MAX + 1];
	int fd = join(s);

	memset(huge, '[', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	say(fd, huge);
	serve(s);
	assert_non_null(strstr(hear(fd), "at most 4096 bytes"));
	assert_string_equal(hear(fd), "(closed)");
	close(fd);
	fd = join(s);
	huge[REQUEST_MAX - 1] = '\n';
	say(fd, huge);
	serve(s);
	assert_non_null(strstr(hear(fd), "no JSON"));
	assert_string_equal(hear(fd), "");
	close(fd);
}

static void a_cut_off_request_is_refused(void **state)
{
	struct server *s = *state;
	int fd = join(s);

	say(fd, "{\"op\":\"approve\",\"id\":7}");
	serve(s);
	assert_string_equal(hear(fd), "");
	shutdown(fd, SHUT_WR);
	serve(s);
	assert_non_null(strstr(hear(fd), "cut off"));
	assert_string_equal(hear(fd), "(closed)");
	assert_string_equal(fake.asked, "");
	close(fd);
}

static void requests_come_in_any_pieces(void **state)
{
	struct server *s = *state;
	const char *two = "{\"op\":\"pending\"}\n{\"op\":\"status\"}\n";
	int fd = join(s);

	for (const char *p = two; *p; p++) {
		assert_int_equal(send(fd, p, 1, 0), 1);
		if (p == two || p[1] == '\0')
			serve(s);
	}
	assert_string_equal(hear(fd),
			    "{\"ok\":true,\"holds\":[]}\n{\"ok\":true,\"mode\":\"enforce\"}\n");
	shutdown(fd, SHUT_WR);
	serve(s);
	assert_string_equal(hear(fd), "(closed)");
	close(fd);
}

/* It reads nothing, so the replies fill its socket, and it is not read from any more. */
static void who_does_not_read_is_not_answered_for_ever(void **state)
{
	struct server *s = *state;
	const char *request = "{\"op\":\"nothing of this name is known\"}\n";
	size_t sent = 0;
	ssize_t n = 0;
	int fd = join(s);

	for (int i = 0; i < 100000 && n >= 0; i++) {
		n = send(fd, request, strlen(request), MSG_NOSIGNAL);
		sent += MAX(n, 0);
		if (n < 0) {
			serve(s);
			n = send(fd, request, 1, MSG_NOSIGNAL);
		}
	}
	assert_int_equal(n, -1);
	assert_int_equal(errno, EAGAIN);
	assert_true(sent < (1 << 20));
	assert_non_null(strstr(ask(s, "{\"op\":\"status\"}\n"), "\"ok\":true"));
	close(fd);
}

static void watchers_get_what_is_published(void **state)
{
	struct server *s = *state;
	int watcher = join(s), other = join(s);

	say(watcher, "{\"op\":\"watch\"}\n");
	serve(s);
	assert_string_equal(hear(watcher), "{\"ok\":true}\n");
	control_publish(s->control, "{\"a\":1}", 7);
	control_publish(s->control, "{\"a\":2}xx", 7);
	serve(s);
	assert_string_equal(hear(watcher), "{\"a\":1}\n{\"a\":2}\n");
	assert_string_equal(hear(other), "");
	control_publish(NULL, "", 0);
	close(other);
	close(watcher);
	control_publish(s->control, "{\"a\":3}", 7);
	serve(s);
}

/* Every line that arrives is whole, and the last one says why there are no more. */
static void a_watcher_that_does_not_read_is_dropped(void **state)
{
	_cleanup_strbuf_ struct strbuf all = STRBUF_INIT;
	struct server *s = *state;
	char line[1001];
	int watcher = join(s), lines = 0;
	char *end;

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	say(watcher, "{\"op\":\"watch\"}\n");
	serve(s);
	for (int i = 0; i < 2000; i++) {
		control_publish(s->control, line, sizeof(line) - 1);
		if (i % 100 == 0)
			serve(s);
	}
	for (const char *part = hear(watcher); strcmp(part, "(closed)") != 0;
	     part = hear(watcher)) {
		strbuf_adds(&all, part);
		serve(s);
	}
	assert_in_range(all.len, 10 * sizeof(line), CONTROL_QUEUE + (1 << 20));
	for (char *at = all.data; (end = strchr(at, '\n')); at = end + 1, lines++) {
		*end = '\0';
		if (lines == 0)
			assert_string_equal(at, "{\"ok\":true}");
		else if (end + 1 < all.data + all.len)
			assert_string_equal(at, line);
		else
			assert_non_null(
				strstr(at, "\"ok\":false,\"error\":\"this watcher did not read"));
	}
	assert_in_range(lines, 12, 1999);
	close(watcher);
}

static void clients_are_limited(void **state)
{
	struct server *s = *state;
	int fds[CONTROL_CLIENTS], fd;

	need_root();
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		fds[i] = join(s);
		serve(s);
	}
	fd = join(s);
	serve(s);
	assert_non_null(strstr(hear(fd), "64 clients are connected"));
	assert_string_equal(hear(fd), "(closed)");
	close(fd);
	close(fds[0]);
	serve(s);
	assert_non_null(strstr(ask(s, "{\"op\":\"status\"}\n"), "\"ok\":true"));
	for (int i = 1; i < CONTROL_CLIENTS; i++)
		close(fds[i]);
}

static void what_an_agent_starts_cannot_lock_humans_out(void **state)
{
	struct server *s = *state;
	int fds[CONTROL_CLIENTS];

	need_root();
	fake.labelled = 1;
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		fds[i] = join(s);
		serve(s);
	}
	assert_non_null(strstr(hear(fds[CONTROL_CLIENTS - 1]), "may not approve are connected"));
	fake.labelled = 0;
	assert_non_null(strstr(ask(s, "{\"op\":\"approve\",\"id\":7}\n"), "\"ok\":true"));
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		close(fds[i]);
}

static void a_second_guard_is_refused(void **state)
{
	struct server *s = *state;
	struct control *second = NULL;

	assert_int_equal(control_open(NULL, s->loop, s->path, false, 0, &second), -EADDRINUSE);
	assert_null(second);
	serve(s);
	assert_non_null(strstr(ask(s, "{\"op\":\"status\"}\n"), "\"ok\":true"));
}

static void a_stale_socket_is_replaced(void **state)
{
	struct server *s = *state;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	control_close(s->control);
	strcpy(addr.sun_path, s->path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	assert_int_equal(open_server(s), 0);
	assert_int_equal(stat(s->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	assert_non_null(strstr(ask(s, "{\"op\":\"status\"}\n"), "\"ok\":true"));
}

/* The next guard's socket takes the place of the old one in one step. */
static void a_kept_socket_waits_for_the_next_guard(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct server *s = *state;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	control_keep_socket(s->control);
	control_close(s->control);
	strcpy(addr.sun_path, s->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
	assert_int_equal(open_server(s), 0);
	assert_non_null(strstr(ask(s, "{\"op\":\"status\"}\n"), "\"ok\":true"));
}

static void the_socket_of_another_guard_stays(void **state)
{
	struct server *s = *state;
	struct control *other = NULL;

	assert_int_equal(unlink(s->path), 0);
	assert_int_equal(control_open(NULL, s->loop, s->path, false, 0, &other), 0);
	control_close(s->control);
	assert_int_equal(access(s->path, F_OK), 0);
	s->control = other;
}

static void what_is_no_socket_is_left_alone(void **state)
{
	struct server *s = *state;
	struct control *c = NULL;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/file", s->dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(control_open(NULL, s->loop, path, false, 0, &c), -EEXIST);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(control_open(NULL, s->loop, "/proc/none/guard.sock", false, 0, &c),
			 -ENOENT);
	assert_int_equal(
		control_open(NULL, s->loop,
			     "/tmp/a-path-that-is-longer-than-what-fits-into-the-address-of-a"
			     "-socket-which-is-one-hundred-and-seven/guard.sock",
			     false, 0, &c),
		-ENAMETOOLONG);
	assert_null(c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_without_end_is_refused),
		TEST(a_cut_off_request_is_refused),
		TEST(requests_come_in_any_pieces),
		TEST(who_does_not_read_is_not_answered_for_ever),
		TEST(watchers_get_what_is_published),
		TEST(a_watcher_that_does_not_read_is_dropped),
		TEST(clients_are_limited),
		TEST(what_an_agent_starts_cannot_lock_humans_out),
		TEST(a_second_guard_is_refused),
		TEST(a_stale_socket_is_replaced),
		TEST(a_kept_socket_waits_for_the_next_guard),
		TEST(the_socket_of_another_guard_stays),
		TEST(what_is_no_socket_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/notify.h"

static int manager = -1;

/* A manager's socket at `path`, '@' for an abstract one; NOTIFY_SOCKET names it. */
static void listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + strlen(path);

	memcpy(a.sun_path, path, strlen(path));
	if (path[0] == '@')
		a.sun_path[0] = '\0';
	else
		len++;
	manager = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_return_code(bind(manager, (struct sockaddr *)&a, len), errno);
	setenv("NOTIFY_SOCKET", path, 1);
}

static const char *received(void)
{
	static char text[256];
	ssize_t n = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static int set_up(void **state _unused_)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return 0;
}

static int tear_down(void **state _unused_)
{
	close_fd(&manager);
	manager = -1;
	return 0;
}

static void test_nobody_listens(void **state _unused_)
{
	assert_int_equal(notify("READY=1"), 0);
}

static void test_abstract(void **state _unused_)
{
	char path[64];

	snprintf(path, sizeof(path), "@backstop-notify-%d", getpid());
	listen_at(path);
	assert_int_equal(notify("READY=1\nSTATUS=%d holds", 3), 0);
	assert_string_equal(received(), "READY=1\nSTATUS=3 holds");
}

static void test_path(void **state _unused_)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/backstop-notify-%d", getpid());
	listen_at(path);
	assert_int_equal(notify("STOPPING=1"), 0);
	unlink(path);
	assert_string_equal(received(), "STOPPING=1");
}

static void test_reloading_says_when(void **state _unused_)
{
	unsigned long long usec = 0;
	char path[64];

	snprintf(path, sizeof(path), "@backstop-notify-%d", getpid());
	listen_at(path);
	assert_int_equal(notify_reloading(), 0);
	assert_int_equal(sscanf(received(), "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1);
	assert_true(usec > 0);
}

static void test_bad_addresses(void **state _unused_)
{
	char longer[200];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(notify("READY=1"), -EINVAL);
	setenv("NOTIFY_SOCKET", "@", 1);
	assert_int_equal(notify("READY=1"), -EINVAL);
	setenv("NOTIFY_SOCKET", longer, 1);
	assert_int_equal(notify("READY=1"), -ENAMETOOLONG);
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	assert_int_equal(notify("READY=1"), -ENOENT);
}

static void test_watchdog(void **state _unused_)
{
	char pid[16];

	assert_int_equal(notify_watchdog_usec(), 0);
	setenv("WATCHDOG_USEC", "2000000", 1);
	assert_int_equal(notify_watchdog_usec(), 2000000);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_watchdog_usec(), 2000000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_watchdog_usec(), 0);
}

int main(void)
{
#define NOTIFY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		NOTIFY_TEST(test_nobody_listens), NOTIFY_TEST(test_abstract),
		NOTIFY_TEST(test_path),		  NOTIFY_TEST(test_reloading_says_when),
		NOTIFY_TEST(test_bad_addresses),  NOTIFY_TEST(test_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

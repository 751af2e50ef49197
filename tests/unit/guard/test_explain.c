/* What a stopped child finds on its stderr. A write that waits ends in SIGALRM. */
#include "fixture.h"
#include "base/loop.h"
#include "guard/reaper.h"
#include "fake_kernel.h"

#include <pty.h>
#include <sys/socket.h>
#include <termios.h>

#define PATIENCE 10 /* seconds */

static const char held[] = "backstop: held: zap held\n"
			   "backstop: why: zaps everything (tool.hold, critical)\n"
			   "backstop: instead: zap plan\n"
			   "backstop: a human can allow it once: backstop approve 7\n";

static struct decision held_decision(void)
{
	return (struct decision) { .verdict = VERDICT_HOLD,
				   .finding = { .verdict = VERDICT_HOLD,
						.severity = SEVERITY_CRITICAL,
						.pack = "tool",
						.id = "hold",
						.why = "Zaps everything.",
						.instead = "zap plan" } };
}

/* Explains hold 7 to a child that has `fd` as its stderr, whose flags stay as they are. */
static void explain_held(int fd)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap\0held");
	struct hold h = { .id = 7, .exec = x, .decision = held_decision() };
	int flags = fcntl(fd, F_GETFL);
	pid_t pid = stopped_child(fd);

	h.pidfd = pidfd_open(pid, 0);
	assert_true(h.pidfd >= 0);
	alarm(PATIENCE);
	explain_start(&guard, &h);
	alarm(0);
	close(h.pidfd);
	end_child(pid);
	assert_int_equal(fcntl(fd, F_GETFL), flags);
}

static void assert_reads(int fd, const char *want)
{
	char got[8192];
	ssize_t n = read(fd, got, sizeof(got) - 1);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void assert_lost(unsigned int n)
{
	assert_int_equal(guard.explanations_lost, n);
}

static void test_pipe(void **state _unused_)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	explain_held(ends[1]);
	assert_reads(ends[0], held);
	assert_lost(0);
	close(ends[0]);
	close(ends[1]);
}

static void fill(int fd)
{
	char block[4096] = { 0 };
	int flags = fcntl(fd, F_GETFL);

	assert_int_equal(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	while (write(fd, block, 1) > 0)
		;
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(fcntl(fd, F_SETFL, flags), 0);
}

static void test_full_pipe(void **state _unused_)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	fill(ends[1]);
	explain_held(ends[1]);
	assert_lost(1);
	close(ends[0]);
	close(ends[1]);
}

static void test_pipe_that_nobody_reads(void **state _unused_)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN); /* as guard_start() does */
	explain_held(ends[1]);
	assert_lost(1);
	close(ends[1]);
}

static void test_sockets(void **state _unused_)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	int ends[2];

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		assert_int_equal(socketpair(AF_UNIX, types[i], 0, ends), 0);
		explain_held(ends[1]);
		assert_reads(ends[0], held);
		assert_lost(0);
		close(ends[0]);
		close(ends[1]);
	}
}

static void test_full_socket(void **state _unused_)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	fill(ends[1]);
	explain_held(ends[1]);
	assert_lost(1);
	close(ends[0]);
	close(ends[1]);
}

static void test_socket_that_nobody_reads(void **state _unused_)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	close(ends[0]);
	signal(SIGPIPE, SIG_DFL);
	explain_held(ends[1]);
	assert_lost(1);
	close(ends[1]);
}

static void open_tty(int *ret_master, int *ret_slave)
{
	struct termios raw;

	assert_int_equal(openpty(ret_master, ret_slave, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(*ret_slave, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(*ret_slave, TCSANOW, &raw), 0);
}

static void test_tty(void **state _unused_)
{
	int master, slave;

	open_tty(&master, &slave);
	explain_held(slave);
	assert_reads(master, held);
	assert_lost(0);
	close(master);
	close(slave);
}

/* Ctrl-S: the terminal takes nothing more. */
static void test_stopped_tty(void **state _unused_)
{
	int master, slave;

	open_tty(&master, &slave);
	assert_int_equal(tcflow(slave, TCOOFF), 0);
	explain_held(slave);
	assert_lost(1);
	close(master);
	close(slave);
}

static int open_file(int flags)
{
	char path[sizeof(state_dir) + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/stderr", state_dir);
	fd = open(path, O_CREAT | flags, 0600);
	assert_true(fd >= 0);
	return fd;
}

static void assert_file(const char *want)
{
	int fd = open_file(O_RDONLY);

	assert_reads(fd, want);
	close(fd);
}

static int set_up_loop(void **state)
{
	if (guard_set_up(state))
		return -1;
	guard.loop = loop_new();
	return guard.loop ? 0 : -1;
}

static void quit(void *data)
{
	loop_quit(data, 0);
}

/* Its children are through. */
static int tear_down_loop(void **state)
{
	int r = loop_add_timer(guard.loop, 100000, quit, guard.loop, NULL) ?: loop_run(guard.loop);

	explain_forget_all();
	reaper_forget_all();
	loop_free(guard.loop);
	guard.loop = NULL;
	return r ?: guard_tear_down(state);
}

static void test_file(void **state _unused_)
{
	static const int modes[] = { O_APPEND, 0 };
	char want[1024];

	snprintf(want, sizeof(want), "before\n%safter\n", held);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		int fd = open_file(O_RDWR | O_TRUNC | modes[i]);

		assert_int_equal(write(fd, "before\n", 7), 7);
		explain_held(fd);
		assert_int_equal(write(fd, "after\n", 6), 6);
		close(fd);
		assert_file(want);
		assert_lost(0);
	}
}

static void test_read_only_file(void **state _unused_)
{
	int fd = open_file(O_RDONLY);

	explain_held(fd);
	close(fd);
	assert_file("");
	assert_lost(1);
}

static void test_read_only_pipe(void **state _unused_)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	explain_held(ends[0]);
	assert_lost(1);
	close(ends[0]);
	close(ends[1]);
}

static void test_null_device(void **state _unused_)
{
	int fd = open("/dev/null", O_WRONLY);

	explain_held(fd);
	assert_lost(0);
	close(fd);
}

static void test_closed(void **state _unused_)
{
	explain_held(-1);
	assert_lost(1);
}

static void test_task_that_is_gone(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap\0held");
	struct hold h = { .id = 7, .exec = x, .decision = held_decision() };
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = stopped_child(ends[1]);
	h.pidfd = pidfd_open(pid, 0);
	end_child(pid);
	explain_start(&guard, &h);
	assert_lost(1);
	close(h.pidfd);
	close(ends[0]);
	close(ends[1]);
}

/* ---- what is said */

static struct {
	int pipe[2], pidfd;
	pid_t pid;
} child;

static int child_set_up(void **state)
{
	if (guard_set_up(state) || pipe(child.pipe))
		return -1;
	child.pid = stopped_child(child.pipe[1]);
	child.pidfd = pidfd_open(child.pid, 0);
	return child.pidfd < 0;
}

static int child_tear_down(void **state)
{
	end_child(child.pid);
	close(child.pidfd);
	close(child.pipe[0]);
	close(child.pipe[1]);
	return guard_tear_down(state);
}

static void assert_explains(u64 hold, const struct exec *x, const struct decision *d,
			    const char *want)
{
	explain_to(&guard, child.pidfd, hold, x, d);
	assert_reads(child.pipe[0], want);
}

static void test_verdicts(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap\0a b");
	struct decision d = held_decision();

	d.verdict = VERDICT_DENY;
	d.finding.instead = NULL;
	d.reason = "the session is unattended: nobody would answer";
	assert_explains(0, x, &d,
			"backstop: denied: zap 'a b'\n"
			"backstop: why: zaps everything (tool.hold, critical)\n"
			"backstop: the session is unattended: nobody would answer\n");
	d.verdict = VERDICT_KILL;
	d.reason = NULL;
	d.finding.why = NULL;
	assert_explains(0, x, &d, "backstop: killed: zap 'a b'\n");
}

static void test_shadow(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap\0held");
	struct decision d = held_decision();

	guard.options.mode = MODE_SHADOW;
	d.verdict = VERDICT_ALERT;
	d.reason = "mode shadow: nothing is prevented";
	assert_explains(7, x, &d,
			"backstop: would be held: zap held\n"
			"backstop: why: zaps everything (tool.hold, critical)\n"
			"backstop: instead: zap plan\n");
	d.finding.verdict = VERDICT_KILL;
	d.finding.why = "Odd";
	d.finding.instead = NULL;
	assert_explains(0, x, &d,
			"backstop: would be killed: zap held\n"
			"backstop: why: odd (tool.hold, critical)\n");
}

static void test_hostile_words(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x =
		NEW_EXEC("zap\0\033[2J\nbackstop: allowed\0\xff\r\0\xe2\x80\xae");
	struct decision d = held_decision();

	d.finding.why = d.finding.instead = NULL;
	assert_explains(0, x, &d,
			"backstop: held: zap $'\\e[2J\\nbackstop: allowed' $'\\xff\\r' "
			"$'\\xe2\\x80\\xae'\n");
}

static void test_long_command(void **state _unused_)
{
	char words[3000], got[8192];
	struct exec *x;
	struct decision d = held_decision();
	ssize_t n;

	memset(words, 'x', sizeof(words));
	x = new_exec(words, sizeof(words));
	explain_to(&guard, child.pidfd, 7, x, &d);
	n = read(child.pipe[0], got, sizeof(got) - 1);
	got[MAX(n, 0)] = '\0';
	assert_in_range(n, 400, 700);
	assert_non_null(strstr(got, "xxx…\nbackstop: why: "));
	assert_non_null(strstr(got, "backstop approve 7\n"));
	exec_free(x);
}

static void assert_ends(const char *by, const char *because, const char *want)
{
	_cleanup_free_ char *b = by ? strdup(by) : NULL, *c = because ? strdup(because) : NULL;
	const struct hold h = { .id = 7, .pidfd = child.pidfd, .by = b, .because = c };

	explain_end(&guard, &h);
	assert_reads(child.pipe[0], want);
}

static void test_end(void **state _unused_)
{
	assert_ends("uid 1000 (dev)", NULL, "backstop: denied: hold 7: by uid 1000 (dev)\n");
	assert_ends("uid 1000 (dev)", "not now",
		    "backstop: denied: hold 7: by uid 1000 (dev): not now\n");
	assert_ends("timeout", "nobody answered within 600 s",
		    "backstop: denied: hold 7: nobody answered within 600 s\n");
	assert_ends("guard", "the guard stops", "backstop: denied: hold 7: the guard stops\n");
	assert_ends("root", "no\n\033[2Jgo", "backstop: denied: hold 7: by root: no\\n\\e[2Jgo\n");
}

int main(void)
{
#define CHILD_TEST(name) cmocka_unit_test_setup_teardown(name, child_set_up, child_tear_down)
	const struct CMUnitTest tests[] = {
		GUARD_TEST(test_pipe),
		GUARD_TEST(test_full_pipe),
		GUARD_TEST(test_pipe_that_nobody_reads),
		GUARD_TEST(test_sockets),
		GUARD_TEST(test_full_socket),
		GUARD_TEST(test_socket_that_nobody_reads),
		GUARD_TEST(test_tty),
		GUARD_TEST(test_stopped_tty),
		cmocka_unit_test_setup_teardown(test_file, set_up_loop, tear_down_loop),
		GUARD_TEST(test_read_only_file),
		GUARD_TEST(test_read_only_pipe),
		GUARD_TEST(test_null_device),
		GUARD_TEST(test_closed),
		GUARD_TEST(test_task_that_is_gone),
		CHILD_TEST(test_verdicts),
		CHILD_TEST(test_shadow),
		CHILD_TEST(test_hostile_words),
		CHILD_TEST(test_long_command),
		CHILD_TEST(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

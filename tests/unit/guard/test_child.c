/* Children run this very program again: see main(). */
#include "fixture.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "guard/child.h"
#include "guard/reaper.h"

static int file = -1;

/* What the child finds itself to be. */
static int say_who(void)
{
	struct rlimit memory, cpu;
	char first = '-', oom[16] = "";
	int adj;
	int fd = open(CHILD_FILE, O_RDONLY);

	getrlimit(RLIMIT_AS, &memory);
	getrlimit(RLIMIT_CPU, &cpu);
	if (fd >= 0 && read(fd, &first, 1) != 1)
		first = '?';
	adj = open("/proc/self/oom_score_adj", O_RDONLY);
	if (read(adj, oom, sizeof(oom) - 1) < 0)
		return 1;
	printf("uid %u gid %u new %d limits %d %d file %c env %d root %d oom %d\n", getuid(),
	       getgid(), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), memory.rlim_cur == CHILD_MEMORY,
	       cpu.rlim_cur == 7, first, getenv("HOME") != NULL,
	       open("/proc/1/environ", O_RDONLY) >= 0, atoi(oom));
	fflush(stdout);
	fprintf(stderr, "on stderr\n");
	return 3;
}

static int set_up(void **state _unused_)
{
	guard.loop = loop_new();
	assert_non_null(guard.loop);
	if (geteuid()) {
		print_message("skipped: needs root\n");
		return 0;
	}
	file = memfd_create("file", MFD_CLOEXEC);
	return write(file, "x", 1) == 1 ? 0 : -1;
}

static int tear_down(void **state _unused_)
{
	reaper_forget_all();
	loop_free(guard.loop);
	close_fd(&file);
	file = -1;
	return 0;
}

static const char *run(uid_t uid, int err, int *ret_status)
{
	static char text[512];
	const char *const argv[] = { "backstop", "who", NULL };
	struct child_options o = { .argv = argv,
				   .uid = uid,
				   .gid = uid,
				   .dir = -1,
				   .err = err,
				   .file = file,
				   .cpu_limit = 7 };
	struct pollfd end = { .events = POLLIN };
	struct child c;
	ssize_t n;

	if (geteuid())
		skip();
	assert_int_equal(child_start(guard.loop, &o, &c), 0);
	end.fd = c.pidfd;
	assert_int_equal(poll(&end, 1, 20000), 1);
	n = read(c.out, text, sizeof(text) - 1);
	text[MAX(n, 0)] = '\0';
	*ret_status = child_end(guard.loop, &c);
	assert_int_equal(c.pidfd, -1);
	return text;
}

static void test_privileges_are_gone(void **state _unused_)
{
	int status;
	const char *said = run(CHILD_UID, -1, &status);

	assert_string_equal(said, "uid 2147483646 gid 2147483646 new 1 limits 1 1 file x env 0 "
				  "root 0 oom 500\non stderr\n");
	assert_int_equal(status, 3);
}

/* Root of a session may read its own files, and nothing else. */
static void test_root_without_capabilities(void **state _unused_)
{
	int status;
	const char *said = run(0, -1, &status);

	assert_string_equal(
		said, "uid 0 gid 0 new 1 limits 1 1 file x env 0 root 0 oom 500\non stderr\n");
}

static void test_stderr_apart(void **state _unused_)
{
	_cleanup_close_ int err = memfd_create("err", MFD_CLOEXEC);
	char text[32] = "";
	int status;
	const char *said = run(CHILD_UID, err, &status);

	assert_null(strstr(said, "stderr"));
	assert_int_equal(pread(err, text, sizeof(text) - 1, 0), 10);
	assert_string_equal(text, "on stderr\n");
}

static void test_end_of_one_that_runs(void **state _unused_)
{
	const char *const argv[] = { "backstop", "wait", NULL };
	struct child_options o = { .argv = argv,
				   .uid = CHILD_UID,
				   .gid = CHILD_UID,
				   .dir = -1,
				   .err = -1,
				   .file = -1,
				   .cpu_limit = 7 };
	struct child c;

	if (geteuid())
		skip();
	assert_int_equal(child_start(guard.loop, &o, &c), 0);
	assert_int_equal(child_end(guard.loop, &c), -EINTR);
}

int main(int argc, char **argv)
{
#define CHILD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CHILD_TEST(test_privileges_are_gone),
		CHILD_TEST(test_root_without_capabilities),
		CHILD_TEST(test_stderr_apart),
		CHILD_TEST(test_end_of_one_that_runs),
	};

	if (argc > 1 && !strcmp(argv[1], "who"))
		return say_who();
	if (argc > 1)
		return pause();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

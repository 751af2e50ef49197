/* Real children, frozen where the guard freezes them: behind the exec, before the first
 * instruction. */
#include "fixture.h"
#include "guard/refuse.h"
#include "fake_kernel.h"

#include <sys/ptrace.h>
#include <sys/stat.h>

static char dir[64], marker[96];

static int set_up(void **state _unused_)
{
	strcpy(dir, "/tmp/backstop-refuse-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(marker, sizeof(marker), "%s/marker", dir);
	return 0;
}

static int tear_down(void **state _unused_)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	return system(command);
}

static void wait_for_event(pid_t pid, int event)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(status >> 16, event);
}

/* A child that is about to run the first instruction of `path`; -1: it could not be exec'ed. */
static pid_t frozen(const char *path, const char *const argv[])
{
	int go[2], status;
	pid_t pid;
	char c;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		close(go[1]);
		if (read(go[0], &c, 1) == 1)
			execv(path, (char *const *)argv);
		_exit(100);
	}
	assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC),
			 0);
	assert_int_equal(write(go[1], "x", 1), 1);
	close(go[0]);
	close(go[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		return -1;
	assert_int_equal(status >> 16, PTRACE_EVENT_EXEC);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
	assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	wait_for_event(pid, PTRACE_EVENT_STOP); /* on its way out of execve */
	return pid;
}

static int let_go(pid_t pid)
{
	int status;

	assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static pid_t frozen_touch(void)
{
	const char *const argv[] = { "touch", marker, NULL };

	return frozen("/usr/bin/touch", argv);
}

static void test_refused(void **state _unused_)
{
	pid_t pid = frozen_touch();

	assert_int_equal(refuse_task(pid), 0);
	assert_int_equal(let_go(pid), 126);
	assert_int_equal(access(marker, F_OK), -1);
}

/* The same child, not refused: it would have run. */
static void test_not_refused(void **state _unused_)
{
	pid_t pid = frozen_touch();

	assert_int_equal(let_go(pid), 0);
	assert_int_equal(access(marker, F_OK), 0);
}

/* What was written stood in the task's memory alone. */
static void test_file_is_untouched(void **state _unused_)
{
	test_refused(NULL);
	test_not_refused(NULL);
}

/* A program of 32 bits that exits with status 3. */
static void write_program32(const char *path)
{
	static const unsigned char program[] = {
		/* ELF header: 32 bits, little endian, an executable for i386, entry 0x10054 */
		0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 1, 0, 0, 0,
		0x54, 0, 1, 0, 52, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 52, 0, 32, 0, 1, 0, 0, 0, 0, 0,
		0, 0,
		/* program header: load 96 bytes at 0x10000, to read and run */
		1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 96, 0, 0, 0, 96, 0, 0, 0, 5, 0, 0,
		0, 0, 0x10, 0, 0,
		/* mov eax, 1; mov ebx, 3; int 0x80 */
		0xb8, 1, 0, 0, 0, 0xbb, 3, 0, 0, 0, 0xcd, 0x80
	};
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);

	assert_int_equal(write(fd, program, sizeof(program)), sizeof(program));
	close(fd);
}

static pid_t frozen_program32(void)
{
	const char *const argv[] = { "program", NULL };
	char path[96];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/program", dir);
	write_program32(path);
	pid = frozen(path, argv);
	if (pid < 0) {
		print_message("skipped: this kernel runs no programs of 32 bits\n");
		skip();
	}
	return pid;
}

static void test_program_of_32_bits(void **state _unused_)
{
	pid_t pid = frozen_program32();

	assert_int_equal(let_go(pid), 3);
	pid = frozen_program32();
	assert_int_equal(refuse_task(pid), 0);
	assert_int_equal(let_go(pid), 126);
}

static void test_task_that_is_gone(void **state _unused_)
{
	assert_int_equal(refuse_task(gone_child()), -ESRCH);
}

int main(void)
{
#define REFUSE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		REFUSE_TEST(test_refused),
		REFUSE_TEST(test_not_refused),
		REFUSE_TEST(test_file_is_untouched),
		REFUSE_TEST(test_program_of_32_bits),
		cmocka_unit_test(test_task_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Each test is a process of its own, confined for good. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "context/reader.h"

static int run(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) /* not by _exit(), where AddressSanitizer makes calls of its own */
		syscall(SYS_exit_group, confine() ? 99 : fn());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

#define REFUSED(call) (errno = 0, (long)(call) == -1 && errno == EPERM)

static int read_things(void)
{
	char c;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	return fd < 0 || read(fd, &c, 1) != 1 || fcntl(fd, F_GETFD) != FD_CLOEXEC || chdir("/") ||
	       REFUSED(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0));
}

static void test_reads(void **state)
{
	(void)state;
	assert_int_equal(run(read_things), 0);
}

static int write_files(void)
{
	static const int ways[] = { O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC, O_RDONLY | O_CREAT,
				    O_TMPFILE | O_RDWR };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (!REFUSED(open("/tmp", ways[i], 0600)) ||
		    !REFUSED(syscall(SYS_openat2, AT_FDCWD, "/tmp", NULL, 0)))
			return 1;
	return !REFUSED(unlink("/nowhere")) || !REFUSED(rename("/nowhere", "/x")) ||
	       !REFUSED(mkdir("/nowhere/x", 0700)) || !REFUSED(chmod("/nowhere", 0));
}

static void test_writes_no_file(void **state)
{
	(void)state;
	assert_int_equal(run(write_files), 0);
}

static int reach_others(void)
{
	struct rlimit none = { 0 };
	pid_t parent = getppid();

	return !REFUSED(kill(parent, 0)) || !REFUSED(socket(AF_UNIX, SOCK_STREAM, 0)) ||
	       !REFUSED(syscall(SYS_ptrace, PTRACE_ATTACH, parent, 0, 0)) ||
	       !REFUSED(prlimit(parent, RLIMIT_CPU, NULL, &none)) ||
	       !REFUSED(fcntl(STDOUT_FILENO, F_SETOWN, parent)) ||
	       !REFUSED(fcntl(STDOUT_FILENO, F_SETSIG, SIGKILL)) ||
	       !REFUSED(fcntl(STDOUT_FILENO, F_SETFL, O_ASYNC)) ||
	       !REFUSED(setpriority(PRIO_PROCESS, parent, 19));
}

static void test_reaches_no_other_process(void **state)
{
	(void)state;
	assert_int_equal(run(reach_others), 0);
}

static int run_code(void)
{
	char *const none[] = { NULL };
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return !REFUSED(mprotect(p, 4096, PROT_READ | PROT_EXEC)) ||
	       !REFUSED(mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) ||
	       !REFUSED(execve("/bin/true", none, none)) || !REFUSED(syscall(SYS_fork)) ||
	       !REFUSED(unshare(0));
}

static void test_runs_nothing(void **state)
{
	(void)state;
	assert_int_equal(run(run_code), 0);
}

static int work_for_ever(void)
{
	for (;;)
		getppid();
	return 0;
}

static void test_ends(void **state)
{
	int end;

	(void)state;
	end = run(work_for_ever);
	assert_true(end == -SIGKILL || end == -SIGXCPU);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_writes_no_file),
		cmocka_unit_test(test_reaches_no_other_process),
		cmocka_unit_test(test_runs_nothing),
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard/internal.h"
#include "policy/context.h"

/* A process with that environment. */
static pid_t start(char *const *environment)
{
	char *const argv[] = { (char[]) { "sleep" }, (char[]) { "600" }, NULL };
	int tube[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(tube, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		execve("/bin/sleep", argv, environment);
		_exit(98);
	}
	close(tube[1]);
	assert_int_equal(read(tube[0], &c, 1), 0); /* it has exec'ed */
	close(tube[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_names(void **state _unused_)
{
	char *const environment[] = { (char[]) { "PATH=/bin" }, (char[]) { "BASH_ENV=/tmp/x" },
				      (char[]) { "LD_PRELOAD=/tmp/secret.so" },
				      (char[]) { "MY_LD_PRELOAD=x" }, NULL };
	pid_t pid = start(environment);
	struct exec x = { .context = context_new(pid) };

	exec_read_environment(&x);
	assert_string_equal(x.environment[0], "LD_PRELOAD");
	assert_string_equal(x.environment[1], "BASH_ENV");
	assert_null(x.environment[2]);
	context_free(x.context);
	end(pid);
}

static void test_none(void **state _unused_)
{
	char *const environment[] = { (char[]) { "PATH=/bin" }, NULL };
	pid_t pid = start(environment);
	struct exec x = { .context = context_new(pid) }, unknown = { 0 };

	exec_read_environment(&x);
	assert_null(x.environment[0]);
	exec_read_environment(&unknown);
	assert_null(unknown.environment[0]);
	context_free(x.context);
	end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names),
					    cmocka_unit_test(test_none) };

	return cmocka_run_group_tests_name("environment", tests, NULL, NULL);
}

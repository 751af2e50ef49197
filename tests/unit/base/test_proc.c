#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/proc.h"

/* A child that sleeps until it is killed. */
static pid_t start_child(void (*prepare)(void))
{
	int fds[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prepare();
		(void)!write(fds[1], "x", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
	close(fds[1]);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static pid_t pid_of_nobody(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

static void test_cmdline(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	size_t count = 0;
	char **words;

	assert_int_equal(proc_read_cmdline(getpid(), 4096, &sb), 0);
	words = proc_split_words(sb.data, sb.len, &count);
	assert_int_equal(count, 1);
	assert_string_equal(words[0], program_invocation_name);
	free(words);
	assert_int_equal(proc_read_cmdline(getpid(), 2, &sb), -EFBIG);
	assert_int_equal(proc_read_cmdline(pid_of_nobody(), 4096, &sb), -ESRCH);
}

static void test_readlink(void **state _unused_)
{
	_cleanup_free_ char *cwd = proc_readlink(getpid(), "cwd");
	char want[4096];

	assert_string_equal(cwd, getcwd(want, sizeof(want)));
	errno = 0;
	assert_null(proc_readlink(pid_of_nobody(), "cwd"));
	assert_int_equal(errno, ENOENT);
}

static void take_hostile_name(void)
{
	prctl(PR_SET_NAME, ") Z 1 (\n9");
	setsid();
}

static void test_stat(void **state _unused_)
{
	pid_t pid = start_child(take_hostile_name);
	struct proc_stat st, self;

	assert_int_equal(proc_read_stat(pid, &st), 0);
	assert_int_equal(proc_read_stat(getpid(), &self), 0);
	end_child(pid);
	assert_string_equal(st.comm, ") Z 1 (\n9");
	assert_true(st.state == 'S' || st.state == 'R');
	assert_int_equal(st.ppid, getpid());
	assert_int_equal(st.pgrp, pid);
	assert_int_equal(st.session, pid);
	assert_int_equal(st.tty_nr, 0);
	assert_int_equal(self.state, 'R');
	assert_int_equal(self.session, getsid(0));
	assert_true(self.start_time > 0 && self.start_time <= st.start_time);
	assert_int_equal(proc_read_stat(pid, &st), -ESRCH);
}

static void set_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_DFL); /* a shell's background job ignores it */
	prctl(PR_SET_NAME, "x\nSigBlk:\t0");
	kill(getpid(), SIGTERM);
	raise(SIGUSR1);
}

static void test_signals(void **state _unused_)
{
	pid_t pid = start_child(set_signals);
	struct proc_signals s;

	assert_int_equal(proc_read_signals(pid, &s), 0);
	end_child(pid);
	assert_true(s.pending == (1ULL << (SIGTERM - 1) | 1ULL << (SIGUSR1 - 1)));
	assert_true(s.blocked == s.pending);
	assert_true(s.ignored & 1ULL << (SIGHUP - 1));
	assert_false(s.ignored & 1ULL << (SIGINT - 1));
	assert_false(s.init);
	assert_int_equal(proc_read_signals(pid, &s), -ESRCH);
}

static void test_init_of_a_namespace(void **state _unused_)
{
	struct proc_signals s;
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (unshare(CLONE_NEWPID) < 0)
			_exit(2);
		pid = start_child(set_signals);
		_exit(proc_read_signals(pid, &s) || !s.init);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 2) {
		print_message("skipped: no PID namespace can be made here (needs root)\n");
		skip();
	}
	assert_int_equal(status, 0);
	assert_int_equal(proc_read_signals(1, &s), 0);
	assert_true(s.init);
}

static void assert_words(const char *data, size_t len, size_t want_count, const char *const *want)
{
	size_t count = 99;
	char **words = proc_split_words(data, len, &count);

	assert_int_equal(count, want_count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(words[i], want[i]);
	assert_null(words[count]);
	free(words);
}

static void test_split_words(void **state _unused_)
{
	static const char *const want[] = { "a", "", "bc" };

	assert_words("a\0\0bc\0", 6, 3, want);
	assert_words("a\0\0bc", 5, 3, want);
	assert_words("a\0\0", 3, 2, want);
	assert_words("", 0, 0, want);
	assert_words(NULL, 0, 0, want);
}

static void test_copy_words(void **state _unused_)
{
	char *words[] = { (char *)"a", (char *)"", (char *)"bc", NULL }, *none[] = { NULL };
	char **copy = proc_copy_words(words);

	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(copy[i], words[i]);
		assert_ptr_not_equal(copy[i], words[i]);
	}
	assert_null(copy[3]);
	free(copy);
	assert_null(proc_copy_words(none));
	assert_null(proc_copy_words(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cmdline),
		cmocka_unit_test(test_readlink),
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_init_of_a_namespace),
		cmocka_unit_test(test_copy_words),
		cmocka_unit_test(test_split_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

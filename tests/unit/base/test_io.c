#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"

static char dir[64];

static int make_dir(void **state _unused_)
{
	strcpy(dir, "/tmp/backstop-io-XXXXXX");
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int remove_dir(void **state _unused_)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	return chdir("/") == 0 ? system(command) : -1;
}

static void test_read_file(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf big = STRBUF_INIT, got = STRBUF_INIT;
	_cleanup_close_ int dirfd = open(dir, O_PATH);

	for (int i = 0; i < 40000; i++)
		strbuf_addc(&big, i);
	assert_int_equal(io_replace_file("big", big.data, big.len, 0600), 0);
	assert_int_equal(io_read_file(dirfd, "big", big.len - 1, &got), -EFBIG);
	assert_null(got.data);
	strbuf_adds(&got, "old");
	assert_int_equal(io_read_file(dirfd, "big", big.len, &got), 0);
	assert_int_equal(got.len, big.len);
	assert_memory_equal(got.data, big.data, big.len);
	assert_int_equal(io_read_file(dirfd, "none", 10, &got), -ENOENT);
	assert_int_equal(io_read_file(dirfd, ".", 10, &got), -EISDIR);
	assert_int_equal(got.len, big.len);
}

static void test_read_empty_file(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;

	assert_int_equal(io_replace_file("empty", NULL, 0, 0600), 0);
	assert_int_equal(io_read_file(AT_FDCWD, "empty", 0, &got), 0);
	assert_int_equal(got.len, 0);
	assert_string_equal(strbuf_str(&got), "");
}

static void test_replace_file(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;
	struct stat st;

	assert_int_equal(io_replace_file("f", "one", 3, 0640), 0);
	assert_int_equal(io_replace_file("f", "two!", 4, 0604), 0);
	assert_int_equal(io_read_file(AT_FDCWD, "f", 100, &got), 0);
	assert_string_equal(got.data, "two!");
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	assert_int_equal(io_replace_file("no/f", "x", 1, 0600), -ENOENT);
}

static void test_failed_replacement_leaves_nothing(void **state _unused_)
{
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(mkdir("d/target", 0700), 0);
	assert_int_equal(io_replace_file("d/target", "x", 1, 0600), -EISDIR);
	assert_int_equal(rmdir("d/target"), 0);
	assert_int_equal(rmdir("d"), 0);
}

static void test_output_goes_to_what_is_there(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;
	char piped[2] = "";
	struct stat st;
	int fifo;

	assert_int_equal(io_write_output("plain", "a long text", 11, 0604), 0);
	assert_int_equal(stat("plain", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	assert_int_equal(symlink("plain", "to"), 0);
	assert_int_equal(io_write_output("to", "short", 5, 0600), 0);
	assert_int_equal(lstat("to", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(io_read_file(AT_FDCWD, "plain", 100, &got), 0);
	assert_string_equal(got.data, "short");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	fifo = open("fifo", O_RDWR | O_CLOEXEC);
	assert_int_equal(io_write_output("fifo", "x", 1, 0600), 0);
	assert_int_equal(read(fifo, piped, 1), 1);
	assert_string_equal(piped, "x");
	close(fifo);
	assert_int_equal(io_write_output(".", "x", 1, 0600), -EISDIR);
}

/* A pipe takes 64 KiB at a time, so that writing more means short writes. */
static void test_write_all_through_a_pipe(void **state _unused_)
{
	static char out[300000], in[300000];
	size_t got = 0;
	ssize_t n;
	int fds[2], status;
	pid_t pid;

	memset(out, 'x', sizeof(out));
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid)
		_exit(io_write_all(fds[1], out, sizeof(out)) ? 1 : 0);
	close(fds[1]);
	while ((n = read(fds[0], in + got, sizeof(in) - got)) > 0)
		got += n;
	assert_int_equal(got, sizeof(out));
	assert_memory_equal(in, out, sizeof(out));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fds[0]);
	assert_int_equal(io_write_all(-1, "x", 1), -EBADF);
}

static void test_mkdir_p(void **state _unused_)
{
	_cleanup_free_ char *deep = NULL;
	struct stat st;

	assert_true(asprintf(&deep, "%s/a//b/c/", dir) > 0);
	assert_int_equal(io_mkdir_p(deep, 0750), 0);
	assert_int_equal(stat("a/b/c", &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(io_mkdir_p("a/b/c", 0700), 0);
	assert_int_equal(stat("a/b/c", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(io_mkdir_p("r", 0700), 0);
	assert_int_equal(io_replace_file("file", "", 0, 0600), 0);
	assert_int_equal(io_mkdir_p("file", 0700), -ENOTDIR);
	assert_int_equal(io_mkdir_p("file/x", 0700), -ENOTDIR);
}

static void test_readlink(void **state _unused_)
{
	_cleanup_free_ char *target = NULL;

	assert_int_equal(symlink("/some where", "link"), 0);
	target = io_readlink(AT_FDCWD, "link");
	assert_string_equal(target, "/some where");
	errno = 0;
	assert_null(io_readlink(AT_FDCWD, "nothing"));
	assert_int_equal(errno, ENOENT);
}

static void test_exe_dir(void **state _unused_)
{
	_cleanup_free_ char *exe = io_readlink(AT_FDCWD, "/proc/self/exe");
	_cleanup_free_ char *exe_dir = io_exe_dir();

	assert_non_null(exe_dir);
	assert_int_equal(strncmp(exe, exe_dir, strlen(exe_dir)), 0);
	assert_int_equal(exe[strlen(exe_dir)], '/');
	assert_null(strchr(exe + strlen(exe_dir) + 1, '/'));
}

/* Beside this test are its like, and nowhere near is a libexec/backstop. */
static void test_find_program(void **state _unused_)
{
	_cleanup_free_ char *dir = io_exe_dir(), *found = NULL;

	assert_int_equal(io_find_program("test_io", &found), 0);
	assert_int_equal(strncmp(found, dir, strlen(dir)), 0);
	assert_string_equal(found + strlen(dir), "/test_io");
	free(TAKE_PTR(found));
	assert_int_equal(io_find_program("no-such", &found), -ENOENT);
	assert_null(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_read_empty_file),
		cmocka_unit_test(test_replace_file),
		cmocka_unit_test(test_failed_replacement_leaves_nothing),
		cmocka_unit_test(test_output_goes_to_what_is_there),
		cmocka_unit_test(test_write_all_through_a_pipe),
		cmocka_unit_test(test_mkdir_p),
		cmocka_unit_test(test_readlink),
		cmocka_unit_test(test_exe_dir),
		cmocka_unit_test(test_find_program),
	};

	umask(022);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

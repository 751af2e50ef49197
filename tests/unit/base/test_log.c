#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* What `say` writes on stderr. */
static void capture(void (*say)(void), char *ret, size_t size)
{
	int fds[2], old = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	dup2(fds[1], STDERR_FILENO);
	say();
	dup2(old, STDERR_FILENO);
	n = read(fds[0], ret, size - 1);
	ret[MAX(n, 0)] = '\0';
	close(old);
	close(fds[0]);
	close(fds[1]);
}

static void assert_said(void (*say)(void), const char *want)
{
	char got[512], with_name[512] = "";

	capture(say, got, sizeof(got));
	if (*want)
		snprintf(with_name, sizeof(with_name), "%s: %s\n", program_invocation_short_name,
			 want);
	assert_string_equal(got, with_name);
}

static void say_info(void)
{
	log_info("guard %d %s", 7, "ready");
}

static void say_words_of_a_child(void)
{
	log_error("%s", "x.yaml:1:1: no YAML\n");
}

static void say_debug(void)
{
	log_debug("ring full");
}

static void say_error(void)
{
	assert_int_equal(log_errno(-ENOENT, "cannot open %s", "x"), -ENOENT);
}

static void test_lines(void **state _unused_)
{
	assert_said(say_info, "guard 7 ready");
	assert_said(say_words_of_a_child, "x.yaml:1:1: no YAML");
	assert_said(say_error, "cannot open x: No such file or directory");
}

static void test_levels(void **state _unused_)
{
	assert_said(say_debug, "");
	log_set_level(LOG_DEBUG);
	assert_said(say_debug, "ring full");
	log_set_level(LOG_ERROR);
	assert_said(say_info, "");
	assert_said(say_error, "cannot open x: No such file or directory");
	log_set_level(LOG_INFO);
}

/* The last test: it stays so. */
static void test_file(void **state _unused_)
{
	int before = dup(STDERR_FILENO), ends[2], year, second, end = 0;
	char got[512];
	ssize_t n;

	log_to(0);
	assert_said(say_info, "guard 7 ready");
	assert_int_equal(pipe(ends), 0);
	log_to(ends[1]);
	say_info();
	dup2(before, STDERR_FILENO);
	close(before);
	n = read(ends[0], got, sizeof(got) - 1);
	close(ends[0]);
	assert_true(n > 0);
	got[n] = '\0';
	assert_int_equal(sscanf(got, "%d-%*d-%*d %*d:%*d:%d %n", &year, &second, &end), 2);
	assert_true(year >= 2020);
	assert_non_null(strstr(got + end, ": guard 7 ready\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

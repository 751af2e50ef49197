#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/io.h"
#include "cli/command.h"
#include "journal/journal.h"

/* The tool is run as a child whose options are given as the table of options would fill them in. */
static char dir[64];

#define EVENT(time, verdict, session)                                                              \
	"{\"class_uid\":2004,\"time\":" time ",\"message\":\"m" time "\",\"unmapped\":"            \
	"{\"backstop\":{\"verdict\":\"" verdict "\",\"session\":\"" session "\"}}}"

static const char *const lines[] = {
	EVENT("1", "hold", "a"), EVENT("2", "deny", "a"), "{\"torn",
	EVENT("3", "hold", "b"), EVENT("4", "hold", "a"),
};

static struct journal *open_journal(void)
{
	const struct journal_options o = { .dir = dir, .segment_max = 250 };
	struct journal *j = NULL;

	assert_int_equal(journal_open(&o, &j), 0);
	return j;
}

static int set_up(void **state _unused_)
{
	struct journal *j;

	strcpy(dir, "/tmp/backstop-log-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	j = open_journal();
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(journal_append(j, lines[i], strlen(lines[i])), 0);
	assert_int_equal(journal_flush(j), 0);
	journal_close(j);
	return 0;
}

static int tear_down(void **state _unused_)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	return system(command);
}

/* Sets the option of that name in the command's options struct. */
static void set_option(void *options, const char *name, const void *value)
{
	for (const struct option_def *o = command_log.options; o->name; o++) {
		char *field = (char *)options + o->offset;

		if (strcmp(o->name, name))
			continue;
		if (o->kind == OPTION_FLAG)
			*(bool *)field = true;
		else if (o->kind == OPTION_UINT)
			*(unsigned int *)field = atoi(value);
		else
			*(const char **)field = value;
		return;
	}
	fail_msg("no option %s", name);
}

/* Starts the command with name, value pairs ended by NULL; its stdout and stderr come from the
 * returned fds. */
static pid_t start_log(const char *const *pairs, int *ret_out, int *ret_err)
{
	void *options = calloc(1, command_log.options_size);
	int out[2], err[2];
	pid_t pid;

	set_option(options, "dir", dir);
	for (; *pairs; pairs += 2)
		set_option(options, pairs[0], pairs[1]);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		exit(command_log.run(options, 0, NULL));
	}
	close(out[1]);
	close(err[1]);
	free(options);
	*ret_out = out[0];
	*ret_err = err[0];
	return pid;
}

static void read_to_end(int fd, char *ret, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, ret + len, size - 1 - len)) > 0)
		len += n;
	ret[len] = '\0';
	close(fd);
}

static char out_text[65536], err_text[65536];

static int run_log(const char *const *pairs)
{
	int out, err, status;
	pid_t pid = start_log(pairs, &out, &err);

	read_to_end(out, out_text, sizeof(out_text));
	read_to_end(err, err_text, sizeof(err_text));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define RUN(...) run_log((const char *const[]) { __VA_ARGS__ __VA_OPT__(, ) NULL })

static void test_people(void **state _unused_)
{
	assert_int_equal(RUN(), 0);
	assert_non_null(strstr(out_text, " m1  ("));
	assert_non_null(strstr(out_text, " m4  ("));
	assert_null(strchr(out_text, '\033'));
	assert_non_null(strstr(err_text, "journal-0000000000000001.jsonl:3: not an event"));
}

static void test_json_is_the_journal_itself(void **state _unused_)
{
	assert_int_equal(RUN("json", ""), 0);
	assert_string_equal(out_text,
			    EVENT("1", "hold", "a") "\n" EVENT("2", "deny", "a") "\n" EVENT(
				    "3", "hold", "b") "\n" EVENT("4", "hold", "a") "\n");
}

static void test_filters(void **state _unused_)
{
	assert_int_equal(RUN("json", "", "verdict", "hold", "session", "a"), 0);
	assert_string_equal(out_text, EVENT("1", "hold", "a") "\n" EVENT("4", "hold", "a") "\n");
	assert_int_equal(RUN("json", "", "session", "none"), 0);
	assert_string_equal(out_text, "");
}

static void test_kind(void **state _unused_)
{
	assert_int_equal(RUN("json", "", "kind", "guard"), 0);
	assert_string_equal(out_text, "");
	assert_int_equal(RUN("json", "", "kind", "exec", "session", "b"), 0);
	assert_string_equal(out_text, EVENT("3", "hold", "b") "\n");
	assert_int_equal(RUN("kind", "network"), EXIT_USAGE);
	assert_non_null(strstr(
		err_text, "--kind network is none of exec, connect, send, delete, exit, guard"));
}

static void test_last_ones(void **state _unused_)
{
	assert_int_equal(RUN("json", "", "count", "1", "verdict", "hold"), 0);
	assert_string_equal(out_text, EVENT("4", "hold", "a") "\n");
	assert_int_equal(RUN("json", "", "count", "99", "verdict", "deny"), 0);
	assert_string_equal(out_text, EVENT("2", "deny", "a") "\n");
}

static void test_unknown_verdict(void **state _unused_)
{
	assert_int_equal(RUN("verdict", "held"), EXIT_USAGE);
	assert_non_null(strstr(err_text, "--verdict held is none of allow, alert, hold"));
	assert_string_equal(out_text, "");
}

static void test_no_journal(void **state _unused_)
{
	assert_int_equal(RUN("dir", "/nonexistent/journal"), EXIT_FAILURE);
	assert_non_null(strstr(err_text, "cannot read the journal in /nonexistent/journal: "
					 "No such file or directory; no guard has written there"));
	assert_int_equal(RUN("dir", "/nonexistent/journal", "fleet", ""), EXIT_FAILURE);
	assert_non_null(strstr(err_text, "'backstop serve --fleet' keeps it"));
}

static void test_follow(void **state _unused_)
{
	struct journal *j = open_journal();
	int out, err;
	pid_t pid = start_log(
		(const char *const[]) { "json", "", "follow", "", "count", "1", NULL }, &out, &err);
	FILE *stream = fdopen(out, "r");
	char text[256];

	assert_non_null(fgets(text, sizeof(text), stream));
	assert_string_equal(text, EVENT("4", "hold", "a") "\n");
	for (int i = 0; i < 20; i++) { /* over rotations */
		assert_int_equal(journal_append(j, lines[i % 2], strlen(lines[i % 2])), 0);
		assert_int_equal(journal_flush(j), 0);
		assert_non_null(fgets(text, sizeof(text), stream));
		assert_memory_equal(text, lines[i % 2], strlen(lines[i % 2]));
	}
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	fclose(stream);
	close(err);
	journal_close(j);
}

int main(void)
{
#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		LOG_TEST(test_people),		LOG_TEST(test_json_is_the_journal_itself),
		LOG_TEST(test_filters),		LOG_TEST(test_last_ones),
		LOG_TEST(test_unknown_verdict), LOG_TEST(test_kind),
		LOG_TEST(test_no_journal),	LOG_TEST(test_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

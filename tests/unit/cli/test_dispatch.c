#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/dispatch.h"

struct options {
	bool json;
	const char *reason;
};

static const struct option_def defs[] = {
	{ "json", 0, OPTION_FLAG, NULL, "print JSON", offsetof(struct options, json) },
	{ "reason", 'r', OPTION_STRING, "TEXT", "what the agent is told",
	  offsetof(struct options, reason) },
	{ 0 },
};

static int run_deny(const void *options, int argc, char **argv)
{
	const struct options *o = options;

	printf("deny %s %d %s %s\n", o->reason ? o->reason : "-", o->json, argv[0],
	       argv[argc] ? "?" : "end");
	return 11;
}

static int run_status(const void *options _unused_, int argc _unused_, char **argv _unused_)
{
	return 0;
}

static const struct command deny = {
	.name = "deny",
	.arguments = "ID",
	.help = "refuse a held action",
	.example = "backstop deny 7",
	.options = defs,
	.options_size = sizeof(struct options),
	.run = run_deny,
	.min_operands = 1,
	.max_operands = 1,
};
static const struct command status = {
	.name = "status", .help = "show the guard", .example = "backstop status", .run = run_status
};
static const struct command absent = { .name = "absent",
				       .help = "be another program",
				       .program = "no-such-program" };
static const struct command *const commands[] = { &deny, &status, &absent, NULL };

/* What one run printed on both streams. */
static char out[4096];

static int run(const char *const *words)
{
	char *argv[8] = { (char *)"backstop" };
	int argc = 1, saved[2] = { dup(1), dup(2) }, result;
	FILE *file = tmpfile();
	size_t n;

	for (; words && words[argc - 1]; argc++)
		argv[argc] = (char *)words[argc - 1];
	fflush(stdout);
	dup2(fileno(file), 1);
	dup2(fileno(file), 2);
	result = dispatch(commands, argc, argv);
	fflush(stdout);
	dup2(saved[0], 1);
	dup2(saved[1], 2);
	close(saved[0]);
	close(saved[1]);
	rewind(file);
	n = fread(out, 1, sizeof(out) - 1, file);
	out[n] = '\0';
	fclose(file);
	return result;
}

#define RUN(...) run((const char *const[]) { __VA_ARGS__, NULL })

static void runs_the_command(void **state)
{
	(void)state;
	assert_int_equal(RUN("deny", "7", "--reason", "no"), 11);
	assert_string_equal(out, "deny no 0 7 end\n");
	assert_int_equal(RUN("status"), 0);
	assert_string_equal(out, "");
}

static void the_table_makes_the_help(void **state)
{
	(void)state;
	assert_int_equal(RUN("--help"), 0);
	assert_non_null(strstr(out, "Usage: backstop COMMAND"));
	assert_non_null(strstr(out, "\n  deny      refuse a held action\n"));
	assert_non_null(strstr(out, "\n  status    show the guard\n"));
	assert_int_equal(RUN("deny", "--help"), 0);
	assert_string_equal(out, "Usage: backstop deny [OPTION…] ID\n\nrefuse a held action\n\n"
				 "Options:\n"
				 "      --json            print JSON\n"
				 "  -r, --reason TEXT     what the agent is told\n"
				 "  -h, --help            show this text\n\n"
				 "Example:\n  backstop deny 7\n");
	assert_int_equal(RUN("status", "-h"), 0);
	assert_non_null(strstr(out, "Usage: backstop status [OPTION…]\n"));
	assert_int_equal(RUN("--version"), 0);
	assert_string_equal(out, "backstop " BACKSTOP_VERSION "\n");
}

static void wrong_usage_is_told_and_exits_2(void **state)
{
	(void)state;
	assert_int_equal(run(NULL), EXIT_USAGE);
	assert_non_null(strstr(out, ": a command is missing: 'backstop --help' lists all\n"));
	assert_int_equal(RUN("dney"), EXIT_USAGE);
	assert_non_null(strstr(out, ": dney is no command of backstop: did you mean 'deny'? "));
	assert_int_equal(RUN("x\033[2J"), EXIT_USAGE);
	assert_null(strchr(out, '\033'));
	assert_non_null(strstr(out, "'backstop --help' lists all\n"));
	assert_int_equal(RUN("--verbose"), EXIT_USAGE);
	assert_non_null(strstr(out, ": --verbose is no option of backstop: "));
	assert_int_equal(RUN("deny"), EXIT_USAGE);
	assert_non_null(strstr(out, ": deny: an operand is missing: backstop deny ID\n"));
	assert_int_equal(RUN("deny", "7", "--jsn"), EXIT_USAGE);
	assert_non_null(strstr(out, "did you mean --json?"));
}

static void a_program_that_is_not_installed_is_told(void **state)
{
	(void)state;
	assert_int_equal(RUN("absent", "--help"), EXIT_FAILURE);
	assert_non_null(strstr(out, ": absent: cannot run no-such-program, which is installed with "
				    "backstop: No such file or directory\n"));
}

static void output_that_cannot_be_written_is_a_failure(void **state)
{
	char *argv[] = { (char *)"backstop", (char *)"--version", NULL };
	int saved[2] = { dup(1), dup(2) }, result;
	FILE *full = fopen("/dev/full", "w"), *null = fopen("/dev/null", "w");

	(void)state;
	fflush(stdout);
	dup2(fileno(full), 1);
	dup2(fileno(null), 2);
	result = dispatch(commands, 2, argv);
	dup2(saved[0], 1);
	dup2(saved[1], 2);
	close(saved[0]);
	close(saved[1]);
	fclose(full);
	fclose(null);
	clearerr(stdout);
	assert_int_equal(result, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_the_command),
		cmocka_unit_test(the_table_makes_the_help),
		cmocka_unit_test(wrong_usage_is_told_and_exits_2),
		cmocka_unit_test(a_program_that_is_not_installed_is_told),
		cmocka_unit_test(output_that_cannot_be_written_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

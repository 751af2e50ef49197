/* doctor on this machine, in a state directory and with a policy that the test chooses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/dispatch.h"

static char out[32768];

/* The exit status; what it printed is in `out`. */
static int run_doctor(const char *state_dir, const char *socket_path, const char *more)
{
	static const struct command *const commands[] = { &command_doctor, NULL };
	char *argv[] = { (char *)"backstop",	(char *)"doctor",
			 (char *)"--policy",	(char *)"/no/image",
			 (char *)"--state-dir", (char *)state_dir,
			 (char *)"--socket",	(char *)socket_path,
			 (char *)more,		NULL };
	int saved = dup(1), result;
	FILE *file = tmpfile();
	size_t n;

	fflush(stdout);
	dup2(fileno(file), 1);
	result = dispatch(commands, more ? 9 : 8, argv);
	dup2(saved, 1);
	close(saved);
	rewind(file);
	n = fread(out, 1, sizeof(out) - 1, file);
	out[n] = '\0';
	fclose(file);
	return result;
}

static const char *member_of(const json_t *report, const char *name, const char *member)
{
	const json_t *check;
	size_t i;

	json_array_foreach(
		json_object_get(report, "checks"), i,
		check) if (strcmp(json_string_value(json_object_get(check, "name")), name) ==
			   0) return json_string_value(json_object_get(check, member));
	fail_msg("there is no check %s", name);
	return NULL;
}

static void what_is_missing_comes_with_cost_and_remedy(void **state)
{
	(void)state;
	assert_int_equal(run_doctor("/tmp", "/no/sock", NULL), 1);
	assert_non_null(strstr(out, "missing  policy         the compiled policy ("));
	assert_non_null(strstr(out, "\n                        costs: a guard does not start"));
	assert_non_null(strstr(out,
			       "\n                        remedy: make it with 'backstop policy "
			       "compile"));
	assert_non_null(strstr(out,
			       "missing  guard          a guard that answers (/no/sock: No such "
			       "file or directory)"));
	assert_non_null(strstr(out, "\ntier: "));
}

static void json_says_the_same(void **state)
{
	_cleanup_json_ json_t *report = NULL;

	(void)state;
	assert_int_equal(run_doctor("/tmp", "/no/sock", "--json"), 1);
	report = json_loads(out, 0, NULL);
	assert_true(json_is_false(json_object_get(report, "works")));
	assert_true(json_is_null(json_object_get(report, "tier")));
	assert_string_equal(member_of(report, "policy", "state"), "missing");
	assert_string_equal(member_of(report, "policy", "need"), "required");
	assert_non_null(member_of(report, "policy", "remedy"));
	assert_string_equal(member_of(report, "guard", "state"), "missing");
	assert_string_equal(member_of(report, "lsm", "need"), "better");
	assert_string_equal(member_of(report, "agents", "detail"), "not known without a policy");
	assert_string_equal(member_of(report, "agents", "state"), "ok");
	assert_string_equal(member_of(report, "bpffs", "need"), "better");
	assert_string_equal(member_of(report, "cgroup2", "need"), "better");
}

static void the_journal_is_tried_where_it_will_be(void **state)
{
	char dir[] = "/tmp/backstop-doctor-XXXXXX", absent[64];
	const struct {
		const char *dir, *state;
	} cases[] = { { absent, "ok" },
		      { "/proc/nothing", "missing" },
		      { "/etc/passwd", "missing" } };

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: needs root to write where a guard would\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	snprintf(absent, sizeof(absent), "%s/not/yet", dir);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *report = NULL;

		run_doctor(cases[i].dir, "/no/sock", "--json");
		report = json_loads(out, 0, NULL);
		assert_string_equal(member_of(report, "journal", "state"), cases[i].state);
	}
	assert_int_equal(rmdir(dir), 0); /* nothing was made in it */
}

static void a_guard_that_answers_proves_that_it_works(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char dir[] = "/tmp/backstop-doctor-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/sock", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(run_doctor(dir, addr.sun_path, NULL), 0);
	assert_non_null(strstr(out,
			       ". Programs and connections can be held here, by the guard that "
			       "runs"));
	close(fd);
	unlink(addr.sun_path);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_missing_comes_with_cost_and_remedy),
		cmocka_unit_test(json_says_the_same),
		cmocka_unit_test(the_journal_is_tried_where_it_will_be),
		cmocka_unit_test(a_guard_that_answers_proves_that_it_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

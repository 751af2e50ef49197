/* What a guard is told by its options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/guard_options.h"

static char dir[64];

static int set_up(void **state _unused_)
{
	int fd;

	strcpy(dir, "/tmp/test-guard-XXXXXX");
	if (!mkdtemp(dir) || chdir(dir))
		return -1;
	fd = open("settings.yaml", O_CREAT | O_WRONLY, 0600);
	close(fd);
	return fd < 0;
}

static int tear_down(void **state _unused_)
{
	return unlink("settings.yaml") || chdir("/") || rmdir(dir);
}

static void what_is_given_is_absolute(void **state _unused_)
{
	struct guard_settings s = {
		.settings = "settings.yaml", .socket = "/s", .state_dir = "state", .mode = "shadow"
	};
	_cleanup_guard_paths_ struct guard_paths paths = { 0 };
	struct guard_options o;
	char expected[128];

	assert_int_equal(guard_settings_apply(&s, &o, &paths), 0);
	snprintf(expected, sizeof(expected), "%s/settings.yaml", dir);
	assert_string_equal(o.settings, expected);
	assert_null(o.policy);
	assert_string_equal(o.socket, "/s");
	snprintf(expected, sizeof(expected), "%s/state", dir);
	assert_string_equal(o.state_dir, expected);
	assert_true(o.mode_given);
	assert_int_equal(o.mode, MODE_SHADOW);
	assert_false(o.timeout_given);
	assert_false(o.embedded);
}

static void an_image_takes_the_place_of_settings(void **state _unused_)
{
	struct guard_settings s = { .policy = "p.image", .hold_timeout = 7 };
	_cleanup_guard_paths_ struct guard_paths paths = { 0 };
	struct guard_options o;
	char expected[128];

	assert_int_equal(guard_settings_apply(&s, &o, &paths), 0);
	snprintf(expected, sizeof(expected), "%s/p.image", dir);
	assert_string_equal(o.policy, expected);
	assert_null(o.settings);
	assert_string_equal(o.socket, GUARD_SOCKET);
	assert_string_equal(o.state_dir, GUARD_STATE_DIR);
	assert_false(o.mode_given);
	assert_true(o.timeout_given);
	assert_int_equal(o.hold_timeout, 7);
}

static void what_is_wrong_is_refused(void **state _unused_)
{
	static const struct {
		struct guard_settings settings;
		int err;
	} cases[] = {
		{ { .settings = "settings.yaml", .policy = "p.image" }, -EINVAL },
		{ { .settings = "nothing.yaml" }, -ENOENT },
		{ { .policy = "p.image", .mode = "nonsense" }, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_guard_paths_ struct guard_paths paths = { 0 };
		struct guard_options o;

		assert_int_equal(guard_settings_apply(&cases[i].settings, &o, &paths),
				 cases[i].err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_given_is_absolute),
		cmocka_unit_test(an_image_takes_the_place_of_settings),
		cmocka_unit_test(what_is_wrong_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "export/sink.h"

static void test_specs(void **state _unused_)
{
	static const char *const good[] = { "file:/x", "stdout:", "syslog+udp://host:514",
					    "syslog+tcp://[::1]:601", "syslog+tcp://10.0.0.1:601" };
	static const char *const bad[] = { "",
					   "file:",
					   "file:x",
					   "stdout:x",
					   "syslog+udp://",
					   "syslog+tcp://host",
					   "syslog+tcp://:5",
					   "syslog+tcp://host:",
					   "http://x:1" };
	struct sink *s = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(sink_new(bad[i], &s), -EINVAL);
	assert_null(s);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(sink_new(good[i], &s), 0);
		sink_free(s);
	}
}

static void test_options(void **state _unused_)
{
	static const char *const good[] = { "nats://a:1#creds=/x&ca=/y",
					    "tls://a:1,b:2/EVENTS#ca=/y", "syslog+tls://a:1",
					    "syslog+tls://a:1#ca=/y" };
	static const char *const bad[] = { "file:/x#ca=/y",
					   "nats://a:1#",
					   "nats://a:1#creds",
					   "nats://a:1#creds=",
					   "nats://a:1#creds=/x&creds=/y",
					   "nats://a:1#creds=/x&",
					   "nats://",
					   "syslog+tcp://a:1#ca=/y",
					   "nats://a:1,",
					   "nats://a:1/a.b" };
	struct sink *s = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(sink_new(bad[i], &s), -EINVAL);
	assert_null(s);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(sink_new(good[i], &s), 0);
		sink_free(s);
	}
}

/* What may be secret stands in no message. */
static void test_names(void **state _unused_)
{
	static const char *const specs[][2] = {
		{ "file:/x/y", "file:/x/y" },
		{ "stdout:", "stdout:" },
		{ "syslog+tcp://a:1", "syslog+tcp://a:1" },
		{ "nats://me:secret@a:1,b:2/S#creds=/x", "nats://a:1,b:2" },
		{ "nats://token@a:1,you:p@ss@b:2", "nats://a:1,b:2" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		_cleanup_(sink_free_ptr) struct sink *s = NULL;

		assert_int_equal(sink_new(specs[i][0], &s), 0);
		assert_string_equal(sink_name(s), specs[i][1]);
		assert_null(sink_why(s));
	}
}

static void test_where_one_begins(void **state _unused_)
{
	assert_true(sink_begins("file:/x"));
	assert_true(sink_begins("nats://"));
	assert_false(sink_begins("b:4222"));
	assert_non_null(strstr(sink_words(), "file:/PATH, stdout:, "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_specs),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_where_one_begins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

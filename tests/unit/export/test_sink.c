#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "export/sink.h"

static void expect_all(const char *const *specs, size_t count, int expected)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_(sink_free_ptr) struct sink *s = NULL;

		assert_int_equal(sink_new(specs[i], &s), expected);
		assert_int_equal(s == NULL, expected != 0);
	}
}

static void test_specs(void **state _unused_)
{
	static const char *const good[] = { "file:/x",
					    "stdout:",
					    "syslog+udp://host:514",
					    "syslog+tcp://[::1]:601",
					    "syslog+tcp://10.0.0.1:601",
					    "https://a/",
					    "https://a:1/x?y=z",
					    "https://me:secret@a",
					    "http://[::1]:1/x" };
	static const char *const bad[] = { "",
					   "file:",
					   "file:x",
					   "stdout:x",
					   "syslog+udp://",
					   "syslog+tcp://host",
					   "syslog+tcp://:5",
					   "syslog+tcp://host:",
					   "https://",
					   "https://a:x/",
					   "https:/a",
					   "ftp://x:1" };

	expect_all(good, ARRAY_SIZE(good), 0);
	expect_all(bad, ARRAY_SIZE(bad), -EINVAL);
}

static void test_options(void **state _unused_)
{
	static const char *const good[] = { "nats://a:1#creds=/x&ca=/y",
					    "tls://a:1,b:2/EVENTS#ca=/y",
					    "syslog+tls://a:1",
					    "syslog+tls://a:1#ca=/y",
					    "https://a/b#ca=/x&key=/y&template=lines",
					    "http://127.0.0.1/#template=slack&severity=low",
					    "file:/x#class=finding,file&severity=critical" };
	static const char *const bad[] = { "file:/x#ca=/y",
					   "nats://a:1#",
					   "nats://a:1#creds",
					   "nats://a:1#creds=",
					   "nats://a:1#creds=/x&creds=/y",
					   "nats://a:1#creds=/x&",
					   "nats://",
					   "syslog+tcp://a:1#ca=/y",
					   "nats://a:1,",
					   "nats://a:1/a.b",
					   "http://127.0.0.1/#ca=/y",
					   "https://a/#template=teams",
					   "file:/x#class=findings",
					   "file:/x#class=finding,",
					   "file:/x#severity=info" };

	expect_all(good, ARRAY_SIZE(good), 0);
	expect_all(bad, ARRAY_SIZE(bad), -EINVAL);
}

/* Its events alone, and where messages are made of findings these alone, whatever is written. */
static void test_selections(void **state _unused_)
{
	static const char process[] = "{\"class_uid\":1007,\"time\":5,\"activity_id\":1}";
	static const char finding[] = "{\"class_uid\":2004,\"time\":5,\"activity_id\":1}";
	static const struct {
		const char *spec;
		bool process, finding;
	} cases[] = { { "stdout:", true, true },
		      { "stdout:#class=process", true, false },
		      { "stdout:#class=finding,process", true, true },
		      { "https://a/#template=slack", false, true },
		      { "https://a/#template=ntfy&class=process", false, true } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(sink_free_ptr) struct sink *s = NULL;

		assert_int_equal(sink_new(cases[i].spec, &s), 0);
		assert_int_equal(sink_wants(s, process, strlen(process)), cases[i].process);
		assert_int_equal(sink_wants(s, finding, strlen(finding)), cases[i].finding);
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
		{ "https://me:secret@a:1/b/secret#key=/x", "https://a:1" },
		{ "https://me:sec,ret@a:1/", "https://a:1" },
		{ "http://127.0.0.1?secret", "http://127.0.0.1" },
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
		cmocka_unit_test(test_selections),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_where_one_begins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

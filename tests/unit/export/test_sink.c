#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "export/exporter.h"
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

static void assert_syslog(const char *line, const char *head)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	sink_add_syslog(&out, line, strlen(line));
	assert_int_equal(out.len, strlen(head) + strlen(line));
	assert_memory_equal(out.data, head, strlen(head));
	assert_string_equal(out.data + strlen(head), line);
}

static void test_syslog(void **state _unused_)
{
	assert_syslog(
		"{\"class_uid\":1007,\"time\":1795000000123,\"device\":{\"hostname\":\"a b\"}}",
		"<134>1 2026-11-18T11:06:40.123Z ab backstop - 1007 - ");
	assert_syslog("{\"class_uid\":2004,\"time\":1795000000000,\"disposition_id\":2}",
		      "<132>1 2026-11-18T11:06:40.000Z - backstop - 2004 - ");
	assert_syslog("{\"class_uid\":2004,\"time\":1795000000000,\"disposition_id\":1}",
		      "<134>1 2026-11-18T11:06:40.000Z - backstop - 2004 - ");
	assert_syslog("torn {", "<134>1 - - backstop - 0 - ");
}

static void test_delays(void **state _unused_)
{
	unsigned int longest = 0;

	for (int i = 0; i < 200; i++) {
		assert_in_range(exporter_delay_ms(0), 1, 1000);
		assert_in_range(exporter_delay_ms(3), 1, 8000);
		assert_in_range(exporter_delay_ms(1000), 1, 60000);
		longest = MAX(longest, exporter_delay_ms(1000));
	}
	assert_true(longest > 40000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_specs),
		cmocka_unit_test(test_syslog),
		cmocka_unit_test(test_delays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "export/syslog.h"

static void assert_syslog(const char *line, const char *head)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	syslog_add(&out, line, strlen(line));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syslog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

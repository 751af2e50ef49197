#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/util.h"
#include "export/journald.h"

static void test_event(void **state _unused_)
{
	static const char line[] =
		"{\"class_uid\":2004,\"activity_id\":1,\"time\":5,\"disposition_id\":2,"
		"\"message\":\"denied: rm\",\"device\":{\"hostname\":\"a\"},\"unmapped\":{"
		"\"backstop\":{\"session\":\"s1\",\"hold\":7,\"signature\":\"p.x\"}}}";
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT, expected = STRBUF_INIT;

	journald_add(&out, line, strlen(line));
	strbuf_addf(&expected,
		    "MESSAGE=denied: rm\nBACKSTOP_HOST=a\nBACKSTOP_SESSION=s1\n"
		    "BACKSTOP_SIGNATURE=p.x\nBACKSTOP_CLASS=finding\nBACKSTOP_HOLD=7\nPRIORITY=4\n"
		    "SYSLOG_FACILITY=16\nSYSLOG_IDENTIFIER=backstop\nBACKSTOP_EVENT=%s\n",
		    line);
	assert_string_equal(strbuf_str(&out), strbuf_str(&expected));
}

/* A message cannot state fields of its own. */
static void test_newlines(void **state _unused_)
{
	static const char line[] = "{\"class_uid\":1007,\"activity_id\":1,\"time\":5,"
				   "\"message\":\"a\\nPRIORITY=0\"}";
	static const char begin[] = "MESSAGE\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\nBACKSTOP_CLASS=";
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	journald_add(&out, line, strlen(line));
	assert_memory_equal(out.data, begin, sizeof(begin) - 1);
}

static void test_no_event(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	journald_add(&out, "torn", 4);
	assert_string_equal(strbuf_str(&out), "MESSAGE=torn\nPRIORITY=6\nSYSLOG_FACILITY=16\n"
					      "SYSLOG_IDENTIFIER=backstop\nBACKSTOP_EVENT=torn\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_newlines),
		cmocka_unit_test(test_no_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

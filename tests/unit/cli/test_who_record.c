#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cli/who_record.h"

static void test_addresses(void **state _unused_)
{
	static const char *const pairs[][2] = {
		{ "10.1.2.3", "10.1.2.3" },	  { "10.1.2.3:5432", "10.1.2.3:5432" },
		{ "fd00::1", "fd00::1" },	  { "[fd00::1]:53", "fd00::1:53" },
		{ "127.0.0.1:1", "127.0.0.1:1" },
	};
	static const char *const none[] = { "",	      "1",	    "10.1.2",	 "10.1.2.3:",
					    "src/a",  "10.1.2.3:x", "[fd00::1]", "[::1]x:5",
					    "host:5", ":5" };

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		char *got = who_parse_address(pairs[i][0]);

		assert_non_null(got);
		assert_string_equal(got, pairs[i][1]);
		free(got);
	}
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_null(who_parse_address(none[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_addresses) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "export/exporter.h"

static void test_delays(void **state _unused_)
{
	unsigned int longest = 0;

	for (int i = 0; i < 200; i++) {
		unsigned int delay = exporter_delay_ms(1000);

		assert_in_range(exporter_delay_ms(0), 1, 1000);
		assert_in_range(exporter_delay_ms(3), 1, 8000);
		assert_in_range(delay, 1, 60000);
		longest = MAX(longest, delay);
	}
	assert_true(longest > 40000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

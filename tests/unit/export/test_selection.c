#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "export/selection.h"

static bool has(const struct selection *s, int class_uid, const char *severity)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "{\"class_uid\":%d,\"time\":5,\"activity_id\":1",
			 class_uid);

	if (severity)
		n += snprintf(line + n, sizeof(line) - (size_t)n,
			      ",\"unmapped\":{\"backstop\":{\"severity\":\"%s\"}}", severity);
	n += snprintf(line + n, sizeof(line) - (size_t)n, "}");
	return selection_has(s, line, (size_t)n);
}

static void test_classes(void **state _unused_)
{
	struct selection s = { 0 };

	assert_true(has(&s, 1007, NULL) && selection_has(&s, "torn", 4));
	assert_int_equal(selection_add_classes(&s, "network,"), -EINVAL);
	assert_int_equal(selection_add_classes(&s, ""), -EINVAL);
	assert_int_equal(selection_add_classes(&s, "net"), -EINVAL);
	assert_true(has(&s, 1007, NULL));
	assert_int_equal(selection_add_classes(&s, "network,application"), 0);
	assert_true(has(&s, 4001, NULL) && has(&s, 6002, NULL));
	assert_false(has(&s, 1007, NULL) || has(&s, 2004, "high") || selection_has(&s, "torn", 4));
}

static void test_severities(void **state _unused_)
{
	struct selection s = { 0 };

	assert_int_equal(selection_set_severity(&s, "highest"), -EINVAL);
	assert_int_equal(selection_set_severity(&s, ""), -EINVAL);
	assert_int_equal(selection_set_severity(&s, "high"), 0);
	assert_true(has(&s, 2004, "high") && has(&s, 2004, "critical"));
	assert_false(has(&s, 2004, "medium") || has(&s, 2004, NULL) || has(&s, 2004, "severe"));
	assert_int_equal(selection_severity("criticality", 8), 4);
}

static void test_words(void **state _unused_)
{
	assert_string_equal(selection_class_word(1001), "file");
	assert_string_equal(selection_class_word(2004), "finding");
	assert_string_equal(selection_class_word(77), "application");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_severities),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

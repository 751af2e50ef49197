#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "export/nats.h"
#include "record/event.h"

static void assert_subject(int64_t class, const char *machine, const char *host, const char *want)
{
	struct event e = { .class_uid = class,
			   .machine = { machine, strlen(machine) },
			   .host = { host, strlen(host) } };
	char subject[NATS_SUBJECT_MAX];

	nats_subject(&e, subject, sizeof(subject));
	assert_string_equal(subject, want);
}

static void test_subjects(void **state _unused_)
{
	assert_subject(1007, "0123abCD", "web-1", "backstop.0123abCD.process");
	assert_subject(1001, "", "web-1.example.org", "backstop.web-1_example_org.file");
	assert_subject(4001, "", "", "backstop._.network");
	assert_subject(2004, "", "* > \xc3\xa9\n", "backstop._______.finding");
	assert_subject(6002, "m", "", "backstop.m.application");
	assert_subject(0, "m", "", "backstop.m.application");
}

static void test_long_names(void **state _unused_)
{
	char host[300], want[100];

	memset(host, 'h', sizeof(host));
	host[sizeof(host) - 1] = '\0';
	snprintf(want, sizeof(want), "backstop.%.64s.file", host);
	assert_subject(1001, "", host, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subjects),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

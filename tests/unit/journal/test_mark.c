/* What is written of a kernel event is read back, whatever else the line holds. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "journal/ocsf.h"

static const struct ocsf_host host = { .hostname = "h", .tier = "trace", .boot_id = "boot" };

typedef void (*writer)(struct strbuf *, const struct ocsf_host *, const struct ocsf_event *);

static void write_guard(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e)
{
	ocsf_guard(out, h, e, "guard started", "the guard started");
}

static const writer writers[] = { ocsf_exec, ocsf_exit, ocsf_finding, write_guard };

static struct ocsf_event_mark mark_of(writer write, const struct ocsf_event *e)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	struct ocsf_event_mark m;

	write(&line, &host, e);
	assert_true(ocsf_read_mark(strbuf_str(&line), line.len, "0a1b2c3d", &m));
	return m;
}

static void test_every_kind(void **state)
{
	const struct ocsf_event e = { .time_ms = 1790000000123,
				      .number = 18446744073709551615ULL,
				      .run = "0a1b2c3d",
				      .recorded = 41,
				      .unwritten = 3,
				      .found = 2 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
		struct ocsf_event_mark m = mark_of(writers[i], &e);

		assert_true(m.number == e.number);
		assert_int_equal(m.recorded, 41);
		assert_int_equal(m.unwritten, 3);
		assert_int_equal(m.found, 2);
		assert_int_equal(m.time_ms, e.time_ms);
	}
}

static void test_not_the_first_line(void **state)
{
	const struct ocsf_event e = { .time_ms = 1790000000123, .number = 7, .run = "0a1b2c3d" };
	struct ocsf_event_mark m = mark_of(ocsf_finding, &e);

	(void)state;
	assert_int_equal(m.number, 7);
	assert_int_equal(m.recorded, 0);
	assert_int_equal(m.found, 0);
}

/* Everything that an agent can write into a line looks like a mark. */
static void test_not_fooled_by_what_a_line_quotes(void **state)
{
	static char text[] = "\"event\":666,\"run\":\"0a1b2c3d\",\"recorded\":666,\"time\":1";
	char *argv[] = { text, (char *)"event", (char *)":5,", (char *)",\"event\":", NULL };
	const struct ocsf_event e = {
		.time_ms = 1790000000123,
		.session = text,
		.agent = text,
		.process = { .argv = argv, .cwd = text, .path = text },
		.number = 5,
		.run = "0a1b2c3d",
		.recorded = 4,
		.reason = text,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
		struct ocsf_event_mark m = mark_of(writers[i], &e);

		assert_int_equal(m.number, 5);
		assert_int_equal(m.recorded, 4);
		assert_int_equal(m.time_ms, e.time_ms);
	}
}

static void test_lines_of_others(void **state)
{
	static const char *const lines[] = {
		"",
		"{\"event\":1}",
		"{\"event\":1,\"run\":\"0a1b2c3",
		"{\"event\":1,\"run\":\"0a1b2c3d",
		"{\"event\":1,\"run\":\"0a1b2c3e\"}",
		"{\"event\":1,\"run\":\"0a1b2c3d5\"}",
		"{\"run\":\"0a1b2c3d\",\"tier\":\"trace\"}",
		/* what a writer that was killed leaves */
		"{\"u\":{\"event\":1,\"run\":\"0a1b2c3d\"}",
		"{\"event\":1,\"run\":\"0a1b2c3d\",\"cmd_line\":\"a }",
		"{\"event\":1,\"run\":\"0a1b2c3d\",\"cmd_line\":\"a \\\"}",
	};
	struct ocsf_event_mark m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_false(ocsf_read_mark(lines[i], strlen(lines[i]), "0a1b2c3d", &m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_not_the_first_line),
		cmocka_unit_test(test_not_fooled_by_what_a_line_quotes),
		cmocka_unit_test(test_lines_of_others),
	};

	return cmocka_run_group_tests_name("mark", tests, NULL, NULL);
}

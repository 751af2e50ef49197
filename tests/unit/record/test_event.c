#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "journal/ocsf.h"
#include "record/event.h"

static const struct ocsf_host host = { .hostname = "h1", .boot_id = "boot", .version = "1" };

static char *const argv[] = { (char *)"rm", (char *)"a \"b\" \\ \xc3\xbc", NULL };

static struct ocsf_event make(void)
{
	static const struct ocsf_process parent = { .pid = 7, .start_ns = 70, .path = "/bin/sh" };

	return (struct ocsf_event) {
		.time_ms = 1234567890123,
		.sequence = 5,
		.number = 42,
		.run = "0badcafe",
		.session = "5e55",
		.agent = "claude",
		.process = { .pid = 8,
			     .start_ns = 80,
			     .path = "/bin/rm",
			     .argv = argv,
			     .cwd = "/srv",
			     .uid = 1000,
			     .user = "dev" },
		.ancestors = &parent,
		.ancestor_count = 1,
		.disposition = OCSF_ALLOWED,
	};
}

static void read_text(const struct strbuf *text, struct event *ret)
{
	memset(ret, 0, sizeof(*ret));
	assert_true(event_read(text->data, text->len, ret));
}

static void assert_slice(struct slice s, const char *want)
{
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;

	assert_non_null(s.at);
	event_add_text(&got, s);
	assert_string_equal(strbuf_str(&got), want);
}

static void test_exec(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct ocsf_event o = make();
	struct event e;

	ocsf_exec(&text, &host, &o);
	read_text(&text, &e);
	assert_int_equal(e.kind, EVENT_EXEC);
	assert_int_equal(e.time_ms, 1234567890123);
	assert_int_equal(e.disposition, 1);
	assert_int_equal(e.number, 42);
	assert_int_equal(e.process.pid, 8);
	assert_int_equal(e.process.parent_pid, 7);
	assert_slice(e.process.uid, "boot:8:80");
	assert_slice(e.process.parent_uid, "boot:7:70");
	assert_slice(e.process.name, "rm");
	assert_slice(e.process.command, "rm 'a \"b\" \\ \xc3\xbc'");
	assert_slice(e.process.path, "/bin/rm");
	assert_slice(e.process.cwd, "/srv");
	assert_slice(e.process.user, "dev");
	assert_slice(e.session, "5e55");
	assert_slice(e.agent, "claude");
	assert_slice(e.run, "0badcafe");
	assert_slice(e.host, "h1");
	assert_null(e.path.at);
	assert_null(e.signature.at);
}

static void test_exit(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct ocsf_event o = make();
	struct event e;

	o.process.exit_code = 9; /* by signal */
	ocsf_exit(&text, &host, &o);
	read_text(&text, &e);
	assert_int_equal(e.kind, EVENT_EXIT);
	assert_int_equal(e.exit_code, 137);
	assert_int_equal(e.signal, 9);
}

static void test_connect(void **state _unused_)
{
	const struct bs_dest dest = { .addr = { [10] = 0xff, 0xff, 10, 1, 2, 3 },
				      .port = 5432,
				      .protocol = 6 };
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct ocsf_event o = make();
	struct event e;

	o.dest = &dest;
	ocsf_connect(&text, &host, &o);
	read_text(&text, &e);
	assert_int_equal(e.kind, EVENT_CONNECT);
	assert_slice(e.address, "10.1.2.3");
	assert_int_equal(e.port, 5432);
	assert_slice(e.process.uid, "boot:8:80");
	assert_slice(e.process.user, "dev");
}

static void test_deletion(void **state _unused_)
{
	const struct ocsf_deletion d = { .op = BS_DELETE_UNLINK,
					 .path = "/srv/a\nb\xf0\x9f\x98\x80" };
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct ocsf_event o = make();
	struct event e;

	o.deletion = &d;
	ocsf_delete(&text, &host, &o);
	read_text(&text, &e);
	assert_int_equal(e.kind, EVENT_DELETE);
	assert_slice(e.path, d.path);
	assert_slice(e.process.uid, "boot:8:80");
}

static void test_finding(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct ocsf_event o = make();
	struct event e;

	o.disposition = OCSF_APPROVED;
	o.verdict = "hold";
	o.signature = "files.rm";
	o.severity = "high";
	o.by = "uid 1000 (dev)";
	o.reason = "because";
	o.hold = 3;
	o.latency_ns = 99;
	ocsf_finding(&text, &host, &o);
	read_text(&text, &e);
	assert_int_equal(e.kind, EVENT_FINDING);
	assert_int_equal(e.disposition, 8);
	assert_int_equal(e.hold, 3);
	assert_int_equal(e.latency_ns, 99);
	assert_slice(e.verdict, "hold");
	assert_slice(e.signature, "files.rm");
	assert_slice(e.severity, "high");
	assert_slice(e.by, "uid 1000 (dev)");
	assert_slice(e.reason, "because");
	assert_slice(e.process.uid, "boot:8:80");
	assert_slice(e.process.parent_uid, "boot:7:70");
}

static void test_guard(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct ocsf_event o = make();
	struct event e;

	ocsf_guard(&text, &host, &o, "guard started", "it is there");
	read_text(&text, &e);
	assert_int_equal(e.kind, EVENT_GUARD);
	assert_slice(e.message, "it is there");
}

/* No beginning of a line is an event, and none is read behind its end. */
static void test_torn(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct ocsf_event o = make();
	struct event e;

	ocsf_exec(&text, &host, &o);
	for (size_t len = 0; len < text.len; len++) {
		char *part = malloc(len + 1);

		memcpy(part, text.data, len);
		assert_false(event_read(part, len, &e));
		part = realloc(part, len ? len : 1);
		assert_false(event_read(part, len, &e));
		free(part);
	}
}

static void test_what_is_no_event(void **state _unused_)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"null",
		"{\"class_uid\":1007}",
		"{\"class_uid\":1007,\"time\":}",
		"{\"class_uid\":77,\"time\":1}",
		"{\"class_uid\":1007,\"time\":1}x",
		"{\"class_uid\":1007,\"time\":1,\"a\":\"\\",
		"{\"class_uid\":\"1007\",\"time\":1}",
		"{\"class_uid\":1007,\"time\":1,}",
		"{\"class_uid\":1007 \"time\":1}",
	};
	char deep[200];
	struct event e;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(event_read(bad[i], strlen(bad[i]), &e));
	memset(deep, '[', sizeof(deep));
	assert_false(event_read(deep, sizeof(deep), &e));
}

static void test_other_spellings(void **state _unused_)
{
	static const char line[] =
		"{ \"x\" : [ {\"pid\":1}, -2.5e3, true, null, [] ], \"time\": 7 , "
		"\"class_uid\":6002,"
		"\"evidences\":[{\"file\":{\"path\":\"a\"}},{\"file\":{\"path\":\"b\"}}]}";
	struct event e;

	assert_true(event_read(line, strlen(line), &e));
	assert_int_equal(e.time_ms, 7);
	assert_slice(e.path, "a");
	assert_int_equal(e.process.pid, 0);
}

static int64_t line_of(const char *number)
{
	char line[200];
	struct event e;

	snprintf(line, sizeof(line),
		 "{\"class_uid\":6002,\"time\":7,\"unmapped\":{\"backstop\":{\"line\":%s}}}",
		 number);
	assert_true(event_read(line, strlen(line), &e));
	return e.line;
}

static void test_numbers(void **state _unused_)
{
	assert_int_equal(line_of("9223372036854775807"), INT64_MAX);
	assert_int_equal(line_of("9223372036854775808"), INT64_MAX);
	assert_int_equal(line_of("18446744073709551623"), INT64_MAX); /* no 7 */
	assert_int_equal(line_of("100000000000000000000000007"), INT64_MAX);
	assert_int_equal(line_of("-9223372036854775808"), -INT64_MAX);
	assert_int_equal(line_of("-7"), -7);
}

static void test_escapes(void **state _unused_)
{
	static const char *const pairs[][2] = {
		{ "a\\nb\\t\\\"\\/\\\\", "a\nb\t\"/\\" },
		{ "\\u0041\\u00e4\\u20ac\\ud83d\\ude00", "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "\\ud83d!", "\xef\xbf\xbd!" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_slice((struct slice) { pairs[i][0], strlen(pairs[i][0]) }, pairs[i][1]);
}

/* The words of `array`, with bars between them; what follows a value that is no string is not read.
 */
static void assert_words(const char *array, const char *want)
{
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;
	struct slice rest = { array, strlen(array) }, word;

	while (event_next_word(&rest, &word)) {
		event_add_text(&got, word);
		strbuf_addc(&got, '|');
	}
	assert_string_equal(strbuf_str(&got), want);
	assert_false(event_next_word(&rest, &word));
}

static void test_words(void **state _unused_)
{
	assert_words("[\"rm\",\"-r\",\"a b\"]", "rm|-r|a b|");
	assert_words("[ \"rm\" , \"\\u00fc\\\"],[\" ]", "rm|\xc3\xbc\"],[|");
	assert_words("[]", "");
	assert_words("", "");
	assert_words("\"rm\"", "");
	assert_words("[\"rm\",7,\"x\"]", "rm|");
	assert_words("[\"rm\",\"tor", "rm|");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_exit),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_deletion),
		cmocka_unit_test(test_finding),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_what_is_no_event),
		cmocka_unit_test(test_other_spellings),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

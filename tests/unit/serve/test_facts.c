/* How far whom the journal has come: in bytes, and in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/io.h"
#include "base/strbuf.h"
#include "journal/segment.h"
#include "serve/facts.h"

#define AGO_MS 100000

static char dir[64];

static int set_up(void **state _unused_)
{
	snprintf(dir, sizeof(dir), "%s/backstop-facts-XXXXXX", getenv("TMPDIR") ?: "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static const char *path_of(uint64_t segment)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, segment_name(segment).text);
	return path;
}

static int tear_down(void **state _unused_)
{
	for (uint64_t i = 1; i < 5; i++)
		unlink(path_of(i));
	return rmdir(dir);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* An event of that time; 0: a line that is no event. */
static void add_line(struct strbuf *out, int64_t ms)
{
	if (ms)
		strbuf_addf(out,
			    "{\"class_uid\":1007,\"activity_id\":1,\"time\":%" PRId64
			    ",\"metadata\":{\"uid\":\"u\"},\"process\":{\"pid\":1}}\n",
			    ms);
	else
		strbuf_adds(out, "no event\n");
}

/* Of that many bytes. */
static size_t put(uint64_t segment, int64_t first_ms, int64_t second_ms)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	add_line(&text, first_ms);
	add_line(&text, second_ms);
	assert_int_equal(io_replace_file(path_of(segment), text.data, text.len, 0600), 0);
	return text.len;
}

static struct facts facts_at(uint64_t segment, uint64_t offset)
{
	struct facts f = { .recorder = { .segment = segment, .offset = offset },
			   .exporters = { { .segment = segment, .offset = offset } },
			   .exporter_count = 2 };

	facts_read(&f, dir, "/nonexistent/record.db");
	assert_false(f.database_known);
	return f;
}

static void assert_age(const struct facts *f, int64_t ms)
{
	assert_in_range(f->recorder_behind_ms, ms, ms + 60000);
}

static void test_behind(void **state _unused_)
{
	int64_t then = now_ms() - AGO_MS;
	size_t first = put(1, then - AGO_MS, then), second = put(2, 0, then);
	struct facts f = facts_at(0, 0);

	assert_true(f.journal_known);
	assert_int_equal(f.journal_segments, 2);
	assert_int_equal(f.journal_bytes, first + second);
	assert_int_equal(f.recorder_behind, first + second);
	assert_int_equal(f.exporters_behind[1], first + second);
	assert_age(&f, 2 * AGO_MS);
	f = facts_at(1, first / 2);
	assert_int_equal(f.recorder_behind, first / 2 + second);
	assert_int_equal(f.exporters_behind[0], first / 2 + second);
	assert_age(&f, AGO_MS);
	/* at the end of a segment, and before what is no event */
	f = facts_at(1, first);
	assert_int_equal(f.recorder_behind, second);
	assert_age(&f, AGO_MS);
}

static void test_not_behind(void **state _unused_)
{
	size_t size = put(1, 1, now_ms());
	struct facts f = facts_at(1, size);

	assert_int_equal(f.recorder_behind, 0);
	assert_int_equal(f.recorder_behind_ms, 0);
	f = facts_at(3, 0); /* a journal that another took the place of */
	assert_int_equal(f.recorder_behind, 0);
	assert_int_equal(f.recorder_behind_ms, 0);
}

/* The clock was set back: it is no time before now. */
static void test_from_the_future(void **state _unused_)
{
	put(1, now_ms() + AGO_MS, now_ms());
	assert_int_equal(facts_at(0, 0).recorder_behind_ms, 0);
}

static void test_nothing_there(void **state _unused_)
{
	struct facts f = { .recorder.segment = 1 };

	facts_read(&f, "/nonexistent", "/nonexistent/record.db");
	assert_false(f.journal_known);
	assert_int_equal(f.recorder_behind_ms, 0);
}

int main(void)
{
#define FACTS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		FACTS_TEST(test_behind),
		FACTS_TEST(test_not_behind),
		FACTS_TEST(test_from_the_future),
		FACTS_TEST(test_nothing_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

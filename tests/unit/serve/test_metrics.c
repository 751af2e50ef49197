/* The page, of a guard's status and of facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "serve/metrics.h"

static struct strbuf page;

/* Of the status that is this JSON; NULL: no guard answers. */
static void write_page(const char *status, const struct facts *f)
{
	json_t *j = status ? json_loads(status, 0, NULL) : NULL;

	assert_true(!status || j);
	strbuf_reset(&page);
	metrics_write(&page, false, j, f);
	json_decref(j);
}

static bool has(const char *line)
{
	_cleanup_strbuf_ struct strbuf whole = STRBUF_INIT;

	strbuf_addf(&whole, "\n%s\n", line);
	return strstr(strbuf_str(&page), strbuf_str(&whole));
}

static void test_no_guard(void **state _unused_)
{
	write_page(NULL, &(struct facts) { .recorder.lines = 7 });
	assert_true(has("backstop_up 0"));
	assert_true(has("backstop_recorder_lines_total 7"));
	assert_null(strstr(strbuf_str(&page), "backstop_holds"));
	assert_null(strstr(strbuf_str(&page), "backstop_journal"));
	assert_null(strstr(strbuf_str(&page), "backstop_recorded_events"));
	assert_null(strstr(strbuf_str(&page), "backstop_exporter"));
}

static void test_guard(void **state _unused_)
{
	write_page("{\"version\":\"1\",\"mode\":\"shadow\",\"blind\":\"no cgroup2\",\"holds\":2,"
		   "\"oldest_hold_ms\":1500,\"actions\":{\"exec\":{\"allow\":9,\"hold\":1}},"
		   "\"losses\":{\"ring\":3},\"rings\":{\"exec\":{\"size\":4096,\"used\":12}},"
		   "\"events\":{\"made\":10,\"recorded\":6,\"lost\":1},\"journal\":{\"error\":28},"
		   "\"decision\":{\"buckets\":[{\"le_ns\":50000,\"count\":1},"
		   "{\"le_ns\":1000000000,\"count\":2}],\"count\":3,\"sum_ns\":2000000000}}",
		   &(struct facts) { 0 });
	assert_true(has("backstop_up 1"));
	assert_true(has(
		"backstop_guard_info{version=\"1\",tier=\"\",mode=\"shadow\",scheduling=\"\"} 1"));
	assert_true(has("backstop_blind 1"));
	assert_true(has("backstop_journal_failing 1"));
	assert_true(has("backstop_holds 2"));
	assert_true(has("backstop_hold_oldest_age_seconds 1.5"));
	assert_true(has("backstop_actions_total{action=\"exec\",verdict=\"allow\"} 9"));
	assert_true(has("backstop_losses_total{cause=\"ring\"} 3"));
	assert_true(has("backstop_ring_used_bytes{ring=\"exec\"} 12"));
	assert_true(has("backstop_events_waiting 3"));
	assert_true(has("backstop_decision_duration_seconds_bucket{le=\"5e-05\"} 1"));
	assert_true(has("backstop_decision_duration_seconds_bucket{le=\"1.0\"} 2"));
	assert_true(has("backstop_decision_duration_seconds_bucket{le=\"+Inf\"} 3"));
	assert_true(has("backstop_decision_duration_seconds_sum 2"));
	assert_null(strstr(strbuf_str(&page), "backstop_freeze_duration"));
}

/* What a status says that is not as it should be makes no page that is none. */
static void test_odd_status(void **state _unused_)
{
	write_page("{\"holds\":\"x\",\"actions\":[1],\"losses\":{\"a\\\"b\":{}},\"sessions\":7,"
		   "\"rings\":{\"exec\":5},\"decision\":true}",
		   &(struct facts) { 0 });
	assert_true(has("backstop_holds 0"));
	assert_true(has("backstop_losses_total{cause=\"a\\\"b\"} 0"));
	assert_true(has("backstop_ring_size_bytes{ring=\"exec\"} 0"));
	assert_true(has("backstop_decision_duration_seconds_count 0"));
}

/* Whoever starts sessions names their agents: the page does not grow with them. */
static void test_many_agents(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf status = STRBUF_INIT;
	size_t lines = 0;

	strbuf_adds(&status, "{\"sessions\":[{\"agent\":\"other\",\"tasks\":2}");
	for (int i = 0; i < 200; i++)
		strbuf_addf(&status, ",{\"agent\":\"a%d\",\"tasks\":1}", i);
	strbuf_adds(&status, "]}");
	write_page(strbuf_str(&status), &(struct facts) { 0 });
	for (const char *at = strbuf_str(&page); (at = strstr(at, "\nbackstop_sessions{")); at++)
		lines++;
	assert_int_equal(lines, 64);
	assert_true(has("backstop_sessions{agent=\"other\"} 138"));
	assert_true(has("backstop_session_tasks{agent=\"other\"} 139"));
}

static void test_facts(void **state _unused_)
{
	struct facts f = { .journal_known = true,
			   .database_known = true,
			   .journal_bytes = 5000,
			   .journal_segments = 2,
			   .recorder_behind = 1000,
			   .recorder_behind_ms = 2500,
			   .events = { [EVENT_EXEC] = 4 },
			   .exporters = { { .name = "file:/a\"b", .lines = 5, .failing = true } },
			   .exporters_behind = { 300 },
			   .exporter_count = 1 };

	write_page(NULL, &f);
	assert_true(has("backstop_journal_size_bytes 5000"));
	assert_true(has("backstop_journal_segments 2"));
	assert_true(has("backstop_recorder_lag_bytes 1000"));
	assert_true(has("backstop_recorder_lag_seconds 2.5"));
	assert_true(has("backstop_recorded_events_total{kind=\"exec\"} 4"));
	assert_true(has("backstop_exporter_lag_bytes{sink=\"file:/a\\\"b\"} 300"));
	assert_true(has("backstop_exporter_lines_total{sink=\"file:/a\\\"b\"} 5"));
	assert_true(has("backstop_exporter_failing{sink=\"file:/a\\\"b\"} 1"));
}

static int free_page(void **state _unused_)
{
	strbuf_free(&page);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_guard),   cmocka_unit_test(test_guard),
		cmocka_unit_test(test_odd_status), cmocka_unit_test(test_many_agents),
		cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, NULL, free_page);
}

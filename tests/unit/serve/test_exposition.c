/* Both formats, and which of them a client reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "serve/exposition.h"

static void write_all(struct exposition *e)
{
	const struct label odd[] = { { "a", "x\"y\\z\n" }, { "b", "" } };

	exposition_begin(e, "n", METRIC_COUNTER, "Some.");
	exposition_put(e, NULL, 0, 18014398509481984.0);
	exposition_put(e, odd, 2, NAN);
	exposition_begin(e, "i", METRIC_INFO, "What it is.");
	exposition_put(e, &odd[1], 1, 1);
	exposition_begin(e, "h", METRIC_HISTOGRAM, "How long.");
	exposition_put_part(e, "_bucket", &(struct label) { "le", "+Inf" }, 1, 3);
	exposition_put_part(e, "_sum", NULL, 0, 0.25);
	exposition_end(e);
}

static void test_text(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	write_all(&(struct exposition) { .out = &out });
	assert_string_equal(strbuf_str(&out), "# HELP n_total Some.\n"
					      "# TYPE n_total counter\n"
					      "n_total 1.8014398509482e+16\n"
					      "n_total{a=\"x\\\"y\\\\z\\n\",b=\"\"} NaN\n"
					      "# HELP i_info What it is.\n"
					      "# TYPE i_info gauge\n"
					      "i_info{b=\"\"} 1\n"
					      "# HELP h How long.\n"
					      "# TYPE h histogram\n"
					      "h_bucket{le=\"+Inf\"} 3\n"
					      "h_sum 0.25\n");
}

static void test_openmetrics(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	write_all(&(struct exposition) { .out = &out, .openmetrics = true });
	assert_string_equal(strbuf_str(&out), "# HELP n Some.\n"
					      "# TYPE n counter\n"
					      "n_total 1.8014398509482e+16\n"
					      "n_total{a=\"x\\\"y\\\\z\\n\",b=\"\"} NaN\n"
					      "# HELP i What it is.\n"
					      "# TYPE i info\n"
					      "i_info{b=\"\"} 1\n"
					      "# HELP h How long.\n"
					      "# TYPE h histogram\n"
					      "h_bucket{le=\"+Inf\"} 3\n"
					      "h_sum 0.25\n"
					      "# EOF\n");
}

static void test_what_a_client_reads(void **state _unused_)
{
	static const struct {
		const char *accept;
		bool open;
	} all[] = {
		{ NULL, false },
		{ "", false },
		{ ",;,;q=,", false },
		{ "*/*", false },
		{ "text/plain", false },
		{ "application/openmetrics-text", true },
		{ "Application/OpenMetrics-Text; version=1.0.0", true },
		{ "application/openmetrics-textual", false },
		{ "application/openmetrics-text;q=0", false },
		{ "text/plain;q=0.5, application/openmetrics-text;version=1.0.0;q=0.75", true },
		{ "application/openmetrics-text;q=0.2,text/plain;version=0.0.4;q=0.3", false },
		{ "application/openmetrics-text ; q=0.2 , text/html;q=0.9", true },
		{ "text/plain;q=0.1,", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (exposition_is_openmetrics(all[i].accept) != all[i].open)
			fail_msg("%s", all[i].accept);
	assert_string_not_equal(exposition_content_type(true), exposition_content_type(false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_openmetrics),
		cmocka_unit_test(test_what_a_client_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

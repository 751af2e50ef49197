#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "cli/report.h"

/* A session with one finding, whose texts are a trap for either form. */
static void put(bool html, struct strbuf *out)
{
	static const char line[] =
		"{\"class_uid\":2004,\"time\":1000,\"disposition_id\":2,\"message\":\"denied: "
		"exec: a "
		"<b>`x``y\",\"unmapped\":{\"backstop\":{\"verdict\":\"deny\",\"signature\":\"p.s\","
		"\"why\":\"**no** </ul>\\n# head\"}}}";
	json_t *event = json_loads(line, 0, NULL);
	struct tree_session s = { .name = (char *)"s1", .user = (char *)"<i>\"&" };
	struct tree_node n = { .id = 1, .pid = 2, .command = (char *)"rm <script>`" };
	const struct tree t = { &n, 1 };
	const struct report r = { &s, &t, &event, 1 };

	assert_non_null(event);
	if (html)
		report_put_html(out, &r);
	else
		report_put_markdown(out, &r);
	json_decref(event);
}

static void test_html_holds_only_our_elements(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	put(true, &out);
	assert_non_null(strstr(out.data, "&#60;i&#62;&#34;&#38;"));
	assert_non_null(strstr(out.data, "<code>exec: a &#60;b&#62;`x``y</code>"));
	assert_non_null(strstr(out.data, "why: **no** &#60;/ul&#62; # head"));
	assert_non_null(strstr(out.data, "rm &#60;script&#62;`"));
	assert_null(strstr(out.data, "<script"));
	assert_null(strstr(out.data, "<b>`"));
}

static void test_markdown_holds_only_our_marks(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	put(false, &out);
	assert_non_null(strstr(out.data, "- User: \\<i\\>\"\\&"));
	assert_non_null(strstr(out.data, "``` exec: a <b>`x``y ```"));
	assert_non_null(strstr(out.data, "why: \\*\\*no\\*\\* \\</ul\\> \\# head  \n"));
	assert_non_null(strstr(out.data, "- `` rm <script>` `` [2] no end recorded"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_html_holds_only_our_elements),
		cmocka_unit_test(test_markdown_holds_only_our_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/send_rule.h"
#include "wire_sample.h"

/* What a wire tells of an example's bytes. */
static void expect(const char *text, const char *name, const char *expected)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);
	struct send_example e;

	if (!send_example_parse(text, &e))
		fail_msg("%s", text);
	wire_next(w, e.bytes.data, e.bytes.len, expected);
	assert_int_equal(e.name != NULL, name != NULL);
	if (name)
		assert_string_equal(e.name, name);
	send_example_free(&e);
}

static void examples(void **state _unused_)
{
	expect("sql drop table a", NULL, "sql drop table a\n");
	expect("sql@db.test drop table a", "db.test", "sql drop table a\n");
	expect("redis set k 'a b'", NULL, "command set k a b\n");
	expect("mongo shop.users drop", NULL, "document shop drop users\n");
	expect("mongo shop.users delete", NULL, "document shop delete users\n");
	expect("mongo shop.users delete everything", NULL,
	       "document shop delete users everything\n");
	expect("http DELETE https://a.test/x?y=1", NULL, "request DELETE a.test /x ? y=1\n");
	expect("http GET http://a.test", NULL, "request GET a.test /\n");
	expect("http@b.test POST https://a.test:8443/x {\"a\": 1}", "b.test",
	       "request POST a.test /x application/json : {\"a\": 1}\n");
	expect("text Erase all", NULL, "raw Erase all\n\n");
}

static void what_is_none(void **state _unused_)
{
	static const char *const bad[] = {
		"",
		"sql",
		"sql ",
		"sqlite x",
		"redis 'a",
		"mongo users drop",
		"mongo a.b",
		"mongo a.b delete all",
		"http DELETE",
		"http DELETE /x",
		"http",
		"http GET x/y://z",
	};
	struct send_example e;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (send_example_parse(bad[i], &e))
			fail_msg("%s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples),
		cmocka_unit_test(what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

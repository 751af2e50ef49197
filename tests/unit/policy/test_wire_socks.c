#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire_sample.h"

#define COMMAND "*1\r\n$8\r\nFLUSHALL\r\n"

static void version_5(void **state _unused_)
{
	wire_expect(0, BYTES("\5\1\0\5\1\0\3\7db.test\x18\xeb" COMMAND),
		    "name db.test\ncommand FLUSHALL\n");
	wire_expect(0, BYTES("\5\3\0\3\2\5\1\0\3\7db.test\x18\xeb" COMMAND),
		    "name db.test\ncommand FLUSHALL\n");
	/* a user and a password */
	wire_expect(0, BYTES("\5\2\0\2\1\3ann\6secret\5\1\0\1\x0a\0\0\5\x18\xeb" COMMAND),
		    "name 10.0.0.5\ncommand FLUSHALL\n");
	wire_expect(0, BYTES("\5\1\0\5\1\0\4\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x18\xeb" COMMAND),
		    "name fd00::1\ncommand FLUSHALL\n");
}

static void version_4(void **state _unused_)
{
	wire_expect(0, BYTES("\4\1\x18\xeb\x0a\0\0\5me\0" COMMAND),
		    "name 10.0.0.5\ncommand FLUSHALL\n");
	wire_expect(0, BYTES("\4\1\x18\xeb\0\0\0\1\0db.test\0" COMMAND),
		    "name db.test\ncommand FLUSHALL\n");
}

static void what_is_none(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);

	wire_next(w, BYTES("\5\1\2"), "raw \5\1\2\n");
	wire_next(w, BYTES("\7drop"), "raw uncertain \7drop\n");
}

/* An address of no kind, as short as it can be. */
static void no_address(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);

	struct heard h = { .raw = true };

	wire_hear(w, BYTES("\5\1\0\5\1\0\7\1drop"), 12, 1, &h);
	assert_memory_equal(strbuf_str(&h.text), "raw uncertain \5\1\0\7\1drop\n", 23);
	strbuf_free(&h.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_5),
		cmocka_unit_test(version_4),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

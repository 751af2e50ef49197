#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "policy/call.h"

static bool is_made(const char *pattern, const char *text)
{
	struct work work = { 0 };
	struct paths paths;

	paths_init(&paths, "/home/dev/app", "/home/dev", "/home/dev/app", -1);
	return call_is_made(pattern, CODE_PYTHON, text, &paths, true, &work);
}

#define MADE(pattern, text)	assert_true(is_made(pattern, text))
#define NOT_MADE(pattern, text) assert_false(is_made(pattern, text))

static void test_names(void **state _unused_)
{
	MADE("rmtree", "import shutil; shutil.rmtree(x)");
	MADE("shutil.rmtree", "import shutil as s; s.rmtree(x)");
	MADE("a*.delete_*", "import a; c = a.client('b'); c.delete_bucket()");
	NOT_MADE("tree", "rmtree(x)");
	NOT_MADE("os.rmtree", "shutil.rmtree(x)");
	NOT_MADE("rmtree", "print('rmtree(x)') # rmtree(x)");
	NOT_MADE("rmtree", "RMTREE(x)");
}

static void test_conditions(void **state _unused_)
{
	MADE("rm path:precious", "rm('/etc')");
	NOT_MADE("rm path:precious", "rm('/tmp/x')");
	NOT_MADE("rm path:precious", "rm(x)");
	MADE("rm path:precious?", "rm(x)");
	MADE("rm path:/etc/**", "rm('/etc/x')");
	MADE("rm path:home", "rm(os.path.expanduser('~'))");
	NOT_MADE("rm path:precious?", "rm(os.path.join(x, 'dist'))");
	MADE("execute sql:destructive", "c.execute('DROP TABLE x')");
	NOT_MADE("execute sql:destructive", "c.execute('SELECT 1'); x = 'DROP TABLE y'");
	MADE("open path:data arg:w*", "open('x.db', 'wb')");
	NOT_MADE("open path:data arg:w", "open('x.db')");
	MADE("rm named:recursive=true", "rm(x, recursive=True)");
	NOT_MADE("rm named:recursive=true", "rm(x, recursive=False)");
	NOT_MADE("delete no:*localhost*", "delete('http://localhost/x')");
	MADE("delete no:*localhost*", "delete('http://acme.io/x')");
	MADE("delete_many empty", "x.delete_many({})");
	NOT_MADE("delete_many empty", "x.delete_many({'a': 1})");
	MADE("write path:data blank", "write('.env', '')");
	NOT_MADE("write path:data blank", "write('.env', 'A=1')");
}

static void test_faults(void **state _unused_)
{
	assert_null(call_check("a.rmtree path:precious? sql:destructive arg:x no:y empty blank"));
	assert_non_null(call_check("*"));
	assert_non_null(call_check("a.*"));
	assert_non_null(call_check("rm path:nonsense"));
	assert_non_null(call_check("rm sql:reads"));
	assert_non_null(call_check("rm what"));
	assert_non_null(call_check("rm arg:"));
	assert_non_null(call_check("rm empty empty empty empty empty empty empty empty empty"));
}

static void test_glob(void **state _unused_)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;

	assert_string_equal(call_glob(&a, "shutil.rmtree path:precious"), "*rmtree*");
	assert_string_equal(call_glob(&a, "boto3*.delete_*"), "*delete_*");
	assert_string_equal(call_glob(&a, "a.[xy]drop*it"), "*drop*");
}

static void test_text(void **state _unused_)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	const char *at = " arg:/x no:y arg:wb named:mode=r* arg:w? arg:a* named:k*=v arg:r+b arg:9";

	assert_string_equal(call_text(&a, &at), "wb");
	assert_string_equal(call_text(&a, &at), "mode");
	assert_string_equal(call_text(&a, &at), "r+b");
	assert_null(call_text(&a, &at));
}

/* More names than anybody keeps apart: what is called is doubtful. */
static void test_too_much(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	for (int i = 0; i < 300; i++)
		strbuf_addf(&text, "v%d='/tmp/x'\n", i);
	strbuf_adds(&text, "rm('/tmp/x')");
	MADE("rm path:precious", strbuf_str(&text));
	strbuf_reset(&text);
	for (int i = 0; i < 30000; i++)
		strbuf_adds(&text, "f(");
	strbuf_adds(&text, "rm('/etc'");
	MADE("rm path:precious", strbuf_str(&text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),  cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_faults), cmocka_unit_test(test_glob),
		cmocka_unit_test(test_text),   cmocka_unit_test(test_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

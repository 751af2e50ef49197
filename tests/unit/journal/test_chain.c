#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "chained.h"
#include "journal/chain.h"

static struct chain_keys *open_keys(void)
{
	struct chain_keys *k = NULL;

	assert_int_equal(chain_keys_open(keys, true, &k), 0);
	return k;
}

static const char first[] = "{\"unmapped\":{\"backstop\":{}}}";
static const char second[] = "{\"a\":\"\\\"chain\\\":\",\"unmapped\":{\"backstop\":{\"x\":1}}}";

static void test_lines_follow_one_another(void **state _unused_)
{
	_cleanup_(chain_keys_free_ptr) struct chain_keys *k = open_keys();
	_cleanup_strbuf_ struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;
	struct chain_place at = { 0 };
	struct chain_link l, m;

	assert_int_equal(chain_add(k, &at, first, strlen(first), NULL, false, &a), 0);
	assert_int_equal(chain_add(k, &at, second, strlen(second), "\"y\":2", true, &b), 0);
	assert_int_equal(at.line, 2);
	assert_non_null(strstr(a.data, "{\"backstop\":{\"line\":1,\"chain\":\""));
	assert_non_null(strstr(b.data, "\"x\":1,\"y\":2,\"line\":2,\"chain\":\""));
	assert_true(chain_parse(a.data, a.len - 1, &l));
	assert_true(chain_parse(b.data, b.len - 1, &m));
	assert_int_equal(l.place.line, 1);
	assert_false(l.is_signed);
	assert_true(chain_fits(k, (uint8_t[CHAIN_HASH]) { 0 }, a.data, &l));
	assert_true(chain_fits(k, l.place.hash, b.data, &m));
	assert_true(m.is_signed && chain_is_signed(k, &m));
	assert_memory_equal(m.place.hash, at.hash, CHAIN_HASH);
	assert_false(chain_fits(k, m.place.hash, b.data, &m));
	b.data[3] ^= 1;
	assert_false(chain_fits(k, l.place.hash, b.data, &m));
	m.signature[5] ^= 1;
	assert_false(chain_is_signed(k, &m));
}

static void test_another_key(void **state _unused_)
{
	_cleanup_(chain_keys_free_ptr) struct chain_keys *k = open_keys(), *other = NULL;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct chain_place at = { 0 };
	struct chain_link l;
	char path[100];

	snprintf(path, sizeof(path), "%s/other", root);
	assert_int_equal(chain_keys_open(path, true, &other), 0);
	assert_int_equal(chain_add(k, &at, first, strlen(first), NULL, true, &text), 0);
	assert_true(chain_parse(text.data, text.len - 1, &l));
	assert_false(chain_fits(other, (uint8_t[CHAIN_HASH]) { 0 }, text.data, &l));
	assert_false(chain_is_signed(other, &l));
}

static void test_lines_without_a_link(void **state _unused_)
{
	static const char *const none[] = {
		"",
		"}}}",
		"{\"line\":1}}}",
		"{\"line\":1,\"chain\":\"0123456789012345678901234567890123456789\"}}",
		"{\"line\":1,\"chain\":\"012345678901234567890123456789012345678x\"}}}",
		"{\"line\":1,\"chain\":\"01234567890123456789012345678901234567890\"}}}",
		"{\"line\":,\"chain\":\"0123456789012345678901234567890123456789\"}}}",
		"{\"xline\":1,\"chain\":\"0123456789012345678901234567890123456789\"}}}",
		"\"line\":1,\"chain\":\"0123456789012345678901234567890123456789\"}}}",
		"{\"line\":1,\"chain\":\"0123456789012345678901234567890123456789\",\"signed\":"
		"\"0\"}}}",
	};
	struct chain_link l;

	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_false(chain_parse(none[i], strlen(none[i]), &l));
}

static void test_what_takes_no_link(void **state _unused_)
{
	_cleanup_(chain_keys_free_ptr) struct chain_keys *k = open_keys(), *reader = NULL;
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct chain_place at = { 0 };

	assert_int_equal(chain_add(k, &at, "{}", 2, NULL, false, &out), -EINVAL);
	assert_int_equal(chain_add(k, &at, "}}}", 3, NULL, false, &out), -EINVAL);
	assert_int_equal(chain_add(k, &at, "", 0, NULL, false, &out), -EINVAL);
	assert_int_equal(chain_keys_open(keys, false, &reader), 0);
	assert_int_equal(chain_add(reader, &at, first, strlen(first), NULL, true, &out), -EINVAL);
	assert_int_equal(out.len, 0);
	assert_int_equal(at.line, 0);
}

static void assert_mode(const char *name, mode_t mode)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", keys, name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

static void test_keys_are_made_once(void **state _unused_)
{
	_cleanup_(chain_keys_free_ptr) struct chain_keys *k = open_keys(), *again = open_keys();

	assert_memory_equal(chain_public(k), chain_public(again), CHAIN_PUBLIC);
	assert_mode("", 0750);
	assert_mode("chain.key", 0640);
	assert_mode("sign.key", 0600);
	assert_mode("sign.pub", 0644);
}

static void test_keys_of_no_use(void **state _unused_)
{
	struct chain_keys *k = NULL;
	char path[128];

	assert_int_equal(chain_keys_open(keys, false, &k), -ENOENT);
	chain_keys_free(open_keys());
	snprintf(path, sizeof(path), "%s/chain.key", keys);
	assert_int_equal(io_replace_file(path, "short", 5, 0640), 0);
	assert_int_equal(chain_keys_open(keys, false, &k), -EBADMSG);
	assert_int_equal(chain_keys_open(keys, true, &k), -EBADMSG);
	assert_int_equal(truncate(path, 1000), 0);
	assert_int_equal(chain_keys_open(keys, true, &k), -EBADMSG);
	assert_null(k);
	chain_keys_free(NULL);
}

int main(void)
{
#define CHAIN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CHAIN_TEST(test_lines_follow_one_another),   CHAIN_TEST(test_another_key),
		cmocka_unit_test(test_lines_without_a_link), CHAIN_TEST(test_what_takes_no_link),
		CHAIN_TEST(test_keys_are_made_once),	     CHAIN_TEST(test_keys_of_no_use),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

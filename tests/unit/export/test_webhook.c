#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"
#include "export/webhook.h"

/* Made with: printf 1700000000.BODY | openssl dgst -sha256 -hmac KEY */
static void test_signature(void **state _unused_)
{
	static const char body[] = "{\"a\":1}\n{\"b\":2}\n";
	_cleanup_strbuf_ struct strbuf key = STRBUF_INIT, out = STRBUF_INIT;

	strbuf_adds(&key, "0123456789abcdef0123456789abcdef");
	webhook_sign(&out, &key, 1700000000, body, strlen(body));
	assert_string_equal(
		strbuf_str(&out),
		"sha256=1f23a6a810327108e8bde6ad52f1da66b779f0f89f78decff41382cc577cd4b3");
}

static int read_key(const char *text, mode_t mode, struct strbuf *key, struct strbuf *why)
{
	char path[] = "/tmp/backstop-key-XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	strbuf_reset(why);
	r = webhook_read_key(path, key, why);
	unlink(path);
	return r;
}

static void test_keys(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf key = STRBUF_INIT, why = STRBUF_INIT;

	assert_int_equal(read_key("0123456789abcdef\r\n", 0600, &key, &why), 0);
	assert_string_equal(strbuf_str(&key), "0123456789abcdef");
	assert_int_equal(read_key("fedcba9876543210", 0400, &key, &why), 0);
	assert_string_equal(strbuf_str(&key), "fedcba9876543210");
	assert_int_equal(why.len, 0);
	assert_int_equal(read_key("0123456789abcde\n", 0600, &key, &why), -EINVAL);
	assert_non_null(strstr(strbuf_str(&why), "too short"));
	assert_int_equal(read_key("0123456789abcdef", 0640, &key, &why), -EPERM);
	assert_non_null(strstr(strbuf_str(&why), "chmod 600"));
	assert_int_equal(read_key("0123456789abcdef", 0602, &key, &why), -EPERM);
	strbuf_reset(&why);
	assert_int_equal(webhook_read_key("/dev/null", &key, &why), -EPERM);
	assert_int_equal(webhook_read_key("/no/such", &key, &why), -ENOENT);
	assert_non_null(strstr(strbuf_str(&why), "the key /no/such: No such file"));
}

static const char finding[] =
	"{\"class_uid\":2004,\"time\":5,\"activity_id\":1,\"device\":{\"hostname\":"
	"\"a\\u00fc\\nb\"},"
	"\"message\":\"held: a <b> & \\\"c\\\"\",\"unmapped\":{\"backstop\":{\"hold\":7,"
	"\"severity\":\"critical\"%s}}}";

static size_t make(char *line, size_t size, const char *more)
{
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	return (size_t)snprintf(line, size, finding, more);
}

static void test_slack(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	char line[512];

	webhook_slack(&out, line, make(line, sizeof(line), ""));
	assert_string_equal(strbuf_str(&out),
			    "{\"text\":\"held: a &lt;b&gt; &amp; \\\"c\\\"\\nhost: a\xc3\xbc\\nb\\n"
			    "severity: critical\\na human decides: backstop approve 7, or deny\"}");
	strbuf_reset(&out);
	webhook_slack(&out, line, make(line, sizeof(line), ",\"by\":\"timeout\""));
	assert_non_null(strstr(strbuf_str(&out), "decided by: timeout"));
	assert_null(strstr(strbuf_str(&out), "a human"));
}

/* What stands in a header cannot begin another. */
static void test_ntfy(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct ntfy n;
	char line[512];

	webhook_ntfy(&out, &n, line, make(line, sizeof(line), ""));
	assert_string_equal(n.title, "Backstop on a???b");
	assert_string_equal(n.tags, "rotating_light,backstop");
	assert_int_equal(n.priority, 5);
	assert_true(!strncmp(strbuf_str(&out), "held: a <b> & \"c\"\nhost: a", 25));
	webhook_ntfy(&out, &n, "{}", 2);
	assert_int_equal(n.priority, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_slack),
		cmocka_unit_test(test_ntfy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

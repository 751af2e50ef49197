#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "policy/wire_parser.h"

static struct wire_slice slice(const char *s)
{
	return (struct wire_slice) { s, strlen(s) };
}

static bool keep(const struct wire_message *m, void *data)
{
	*(struct wire_message *)data = *m;
	return false;
}

static void assert_slice(struct wire_slice s, const char *expected)
{
	assert_int_equal(s.s != NULL, expected != NULL);
	if (!expected)
		return;
	assert_int_equal(s.len, strlen(expected));
	assert_memory_equal(s.s, expected, s.len);
}

static void targets(void **state _unused_)
{
	static const struct {
		const char *target, *host, *told_host, *path, *query;
	} cases[] = {
		{ "/a?b=c?d", "h:80", "h", "/a", "b=c?d" },
		{ "/a?", "h", "h", "/a", "" },
		{ "https://x.test:8443/a/b", "h", "x.test", "/a/b", NULL },
		{ "https://x.test", "h", "x.test", "/", NULL },
		{ "/to?u=http://x/y", "h", "h", "/to", "u=http://x/y" },
		{ "*", "[fd00::1]:22", "[fd00::1]", "*", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct wire_message m;
		struct wire w = { .fn = keep, .arg = &m };
		struct wire_request r = { 0 };

		wire_request_set(&r, HTTP_METHOD, "GET", 3);
		wire_request_header(&r, slice("Host"), slice(cases[i].host));
		wire_request_set(&r, HTTP_PATH, cases[i].target, strlen(cases[i].target));
		wire_request_tell(&w, &r, true);
		assert_slice(m.host, cases[i].told_host);
		assert_slice(m.path, cases[i].path);
		assert_slice(m.query, cases[i].query);
		assert_false(m.uncertain);
		wire_request_free(&r);
	}
}

static void headers(void **state _unused_)
{
	struct wire_message m;
	struct wire w = { .fn = keep, .arg = &m };
	struct wire_request r = { 0 };

	wire_request_header(&r, slice(":authority"), slice("a.test"));
	wire_request_header(&r, slice("Content-TYPE"), slice("text/plain"));
	wire_request_header(&r, slice("content-encoding"), slice("identity"));
	wire_request_header(&r, slice("x-method-override"), slice("DELETE"));
	wire_request_header(&r, slice("authorization"), slice("secret"));
	wire_request_header(&r, (struct wire_slice) { 0 }, slice("x"));
	wire_request_tell(&w, &r, false);
	assert_true(m.partial && m.uncertain && !m.packed && !m.again);
	assert_slice(m.method, NULL);
	assert_slice(m.override, "DELETE");
	assert_slice(m.type, "text/plain");
	wire_request_header(&r, slice("content-encoding"), slice("br"));
	wire_request_tell(&w, &r, true);
	assert_true(!m.partial && m.packed && m.again);
	wire_request_reset(&r);
	wire_request_tell(&w, &r, true);
	assert_slice(m.type, NULL);
	assert_true(!m.packed && !m.again);
	wire_request_free(&r);
}

static void bodies(void **state _unused_)
{
	char data[1000] = "";
	struct wire_request r = { 0 }, c;

	for (int i = 0; i < 65; i++)
		wire_request_body(&r, data, sizeof(data));
	assert_false(r.cut);
	assert_int_equal(wire_request_clone(&c, &r), 0);
	wire_request_body(&r, data, 536);
	assert_false(r.cut);
	wire_request_body(&r, data, 1);
	assert_true(r.cut);
	assert_int_equal(r.body.len, 65536);
	assert_int_equal(c.body.len, 65000);
	wire_request_free(&r);
	wire_request_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets),
		cmocka_unit_test(headers),
		cmocka_unit_test(bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>

#include "policy/destination.h"

static bool parse(struct arena *a, const char *text, struct destination *ret, struct strbuf *err)
{
	struct faults faults = { .out = err };
	struct source src = { "x", text, strlen(text), &faults };

	return destination_parse(a, &src, (struct text) { .s = text }, ret);
}

static void test_good(void **state _unused_)
{
	static const struct {
		const char *text;
		u32 bits;
		u8 protocol, first, last;
		size_t ports;
		u16 low, high; /* of the last */
	} samples[] = {
		{ "10.0.0.5", 128, 0, 0, 5, 0, 0, 0 },
		{ "10.0.0.5:22", 128, 0, 0, 5, 1, 22, 22 },
		{ "10.0.0.0/8:(22|6000-6010)", 104, 0, 0, 0, 2, 6000, 6010 },
		{ "0.0.0.0/0", 96, 0, 0, 0, 0, 0, 0 },
		{ "::ffff:10.0.0.5", 128, 0, 0, 5, 0, 0, 0 },
		{ "[::ffff:10.0.0.5]:1-65535", 128, 0, 0, 5, 1, 1, 65535 },
		{ "fd00::1", 128, 0, 0xfd, 1, 0, 0, 0 },
		{ "fd00::/8", 8, 0, 0xfd, 0, 0, 0, 0 },
		{ "[fd00::/8]:22", 8, 0, 0xfd, 0, 1, 22, 22 },
		{ "::/0", 0, 0, 0, 0, 0, 0, 0 },
		{ "*", 0, 0, 0, 0, 0, 0, 0 },
		{ "*:(25)", 0, 0, 0, 0, 1, 25, 25 },
		{ "udp:*:53", 0, IPPROTO_UDP, 0, 0, 1, 53, 53 },
		{ "tcp:remote:5432", 0, IPPROTO_TCP, 0, 0, 1, 5432, 5432 },
		{ "udp:8.8.8.8", 128, IPPROTO_UDP, 0, 8, 0, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
		_cleanup_arena_ struct arena a = ARENA_INIT;
		struct destination d;

		if (!parse(&a, samples[i].text, &d, &err))
			fail_msg("%s", strbuf_str(&err));
		assert_int_equal(d.bits, samples[i].bits);
		assert_int_equal(d.protocol, samples[i].protocol);
		assert_int_equal(d.addr[0], samples[i].first);
		assert_int_equal(d.addr[15], samples[i].last);
		assert_int_equal(d.ports_count, samples[i].ports);
		if (d.ports_count) {
			assert_int_equal(d.ports[d.ports_count - 1].low, samples[i].low);
			assert_int_equal(d.ports[d.ports_count - 1].high, samples[i].high);
		}
		assert_int_equal(d.remote, strstr(samples[i].text, "remote") != NULL);
	}
}

#define NO_ADDRESS                                                                                 \
	" is no address and no name: write 10.0.0.5, 10.0.0.0/8, fd00::1, *.example.com (in "      \
	"small letters, others as xn--…), unix:/run/x.sock, * or remote\n"
#define NO_PATH "behind unix: stands a path that begins with / or **/, or @ and an abstract name\n"
#define UNSPECIFIED                                                                                \
	"the unspecified address is loopback: write 127.0.0.0/8 or ::1, or * for all addresses\n"
#define NO_PORT "a port is a number from 1 to 65535, or a range such as 6000-6010\n"

static const struct {
	const char *text, *fault;
} bad[] = {
	{ "*.RDS.amazonaws.com:5432", "x:1:1: '*.RDS.amazonaws.com'" NO_ADDRESS },
	{ "a.test/8", "x:1:1: 'a.test'" NO_ADDRESS },
	{ "10.0.0.*", "x:1:1: '10.0.0.*'" NO_ADDRESS },
	{ "localhost", "x:1:1: 'localhost'" NO_ADDRESS },
	{ "tcp:db", "x:1:5: 'db'" NO_ADDRESS },
	{ "10.0.0", "x:1:1: '10.0.0'" NO_ADDRESS },
	{ "", "x:1:1: ''" NO_ADDRESS },
	{ "/run/x", "x:1:1: ''" NO_ADDRESS },
	{ "unix:run/x", "x:1:6: " NO_PATH },
	{ "unix:", "x:1:6: " NO_PATH },
	{ "tcp:unix:/run/x", "x:1:5: 'unix'" NO_ADDRESS },
	{ "unix:/**/", "x:1:6: a name is needed in it\n" },
	{ "unix:@", "x:1:6: a name is needed in it\n" },
	{ "0.0.0.0", "x:1:1: " UNSPECIFIED },
	{ "0.0.0.0:22", "x:1:1: " UNSPECIFIED },
	{ "::", "x:1:1: " UNSPECIFIED },
	{ "[::]:22", "x:1:2: " UNSPECIFIED },
	{ "10.0.0.0/33", "x:1:10: a prefix has 0 to 32 bits\n" },
	{ "fd00::/129", "x:1:8: a prefix has 0 to 128 bits\n" },
	{ "10.0.0.0/", "x:1:10: a prefix has 0 to 32 bits\n" },
	{ "10.0.0.5/8", "x:1:1: the address says more than 8 bits: write 10.0.0.0/8\n" },
	{ "fd00::1/8", "x:1:1: the address says more than 8 bits: write fd00::/8\n" },
	{ "10.0.0.0/8x", "x:1:11: unexpected 'x': a : and ports may follow the host\n" },
	{ "[fd00::1", "x:1:1: this [ is never closed: write [fd00::1]:22\n" },
	{ "[fd00::1]22", "x:1:10: unexpected '2': a : and ports may follow the host\n" },
	{ "fd00::1:(22|80)",
	  "x:1:1: brackets tell an IPv6 address from its ports: write [fd00::1]:(22|80)\n" },
	{ "10.0.0.5:", "x:1:10: " NO_PORT },
	{ "10.0.0.5:0", "x:1:10: " NO_PORT },
	{ "10.0.0.5:65536", "x:1:10: " NO_PORT },
	{ "10.0.0.5:99999999999999999999", "x:1:10: " NO_PORT },
	{ "10.0.0.5:9-3", "x:1:10: " NO_PORT },
	{ "*:ssh", "x:1:3: " NO_PORT },
	{ "*:(22|", "x:1:7: " NO_PORT },
	{ "*:(22", "x:1:3: this ( is never closed\n" },
	{ "*:(22,23)", "x:1:6: | or ) is missing between ports\n" },
	{ "*:22|23", "x:1:5: unexpected '|' behind the ports\n" },
};

static void test_bad(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
		_cleanup_arena_ struct arena a = ARENA_INIT;
		struct destination d;

		assert_false(parse(&a, bad[i].text, &d, &err));
		if (strncmp(strbuf_str(&err), bad[i].fault, strlen(bad[i].fault)) != 0)
			fail_msg("%s:\n%s", bad[i].text, strbuf_str(&err));
	}
}

static void test_connection(void **state _unused_)
{
	static const char *const no[] = { "10.0.0.0/8:22",  "10.0.0.5",	    "*:22",
					  "10.0.0.5:(1|2)", "10.0.0.5:1-2", "remote:3" };
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct connection c;

	assert_true(connection_parse("x", "10.0.0.5:5432", &c, &err));
	assert_int_equal(c.dest.port, 5432);
	assert_int_equal(c.dest.protocol, IPPROTO_TCP);
	assert_int_equal(c.dest.addr[15], 5);
	assert_false(c.own);
	assert_true(connection_parse("x", "udp:[::1]:53", &c, &err));
	assert_int_equal(c.dest.protocol, IPPROTO_UDP);
	assert_true(c.own);
	assert_true(connection_parse("x", "127.8.0.1:53", &c, &err));
	assert_true(c.own);
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		strbuf_reset(&err);
		assert_false(connection_parse("x", no[i], &c, &err));
		assert_true(err.len > 0);
	}
}

static void test_names(void **state _unused_)
{
	static const char *const no[] = { "*.test:5432", "db.test", "unix:/run/*.sock", "db:5432" };
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct destination d;
	struct connection c;

	assert_true(parse(&a, "tcp:*.rds.amazonaws.com:(5432|3306)", &d, &err));
	assert_string_equal(d.name, "*.rds.amazonaws.com");
	assert_int_equal(d.ports_count, 2);
	assert_int_equal(d.bits, 0);
	assert_true(parse(&a, "unix:/run/x:y.sock", &d, &err));
	assert_string_equal(d.path, "/run/x:y.sock");
	assert_true(connection_parse("x", "db.test:5432", &c, &err));
	assert_string_equal(c.name, "db.test");
	assert_int_equal(c.dest.port, 5432);
	assert_false(c.own);
	assert_true(connection_parse("x", "unix:@abstract", &c, &err));
	assert_string_equal(c.path, "@abstract");
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(connection_parse("x", no[i], &c, &err));
}

static void test_covers(void **state _unused_)
{
	static const u8 net[16] = { 0xfd, 0xa0 }, in[16] = { 0xfd, 0xa7, 1 },
			out[16] = { 0xfd, 0xa8 };

	assert_true(destination_covers(net, 13, in));
	assert_false(destination_covers(net, 13, out));
	assert_true(destination_covers(net, 12, out));
	assert_true(destination_covers(net, 0, (const u8[16]) { 0x20 }));
	assert_false(destination_covers(net, 128, in));
	assert_true(destination_covers(net, 128, net));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	   cmocka_unit_test(test_bad),
		cmocka_unit_test(test_connection), cmocka_unit_test(test_names),
		cmocka_unit_test(test_covers),
	};

	return cmocka_run_group_tests_name("destination", tests, NULL, NULL);
}

/* Where connections go, in words, and whether that is the host itself. */
#include "fixture.h"
#include "fake_kernel.h"

#include <arpa/inet.h>

static struct bs_dest dest(const char *ip, u16 port)
{
	struct bs_dest d = { .port = port, .protocol = IPPROTO_TCP };

	if (strchr(ip, ':')) {
		assert_int_equal(inet_pton(AF_INET6, ip, d.addr), 1);
		return d;
	}
	d.addr[10] = d.addr[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, ip, d.addr + 12), 1);
	return d;
}

static void assert_text(struct bs_dest d, const char *want)
{
	char buf[80];

	ocsf_dest(&d, buf, sizeof(buf));
	assert_string_equal(buf, want);
}

static void test_text(void **state _unused_)
{
	struct bs_dest d = dest("2001:db8::5", 53);

	assert_text(dest("10.0.0.5", 5432), "connect 10.0.0.5:5432");
	assert_text(dest("::1", 22), "connect [::1]:22");
	d.datagram = 1;
	assert_text(d, "send [2001:db8::5]:53");
}

static bool is_own(const char *ip)
{
	struct exec x = { .kind = BS_SLOT_CONNECT, .tgid = (u32)getpid(), .dest = dest(ip, 1) };

	return connect_is_own(&x);
}

static void test_own_addresses(void **state _unused_)
{
	assert_true(is_own("127.0.0.1"));
	assert_true(is_own("127.9.9.9"));
	assert_true(is_own("::1"));
	assert_false(is_own("192.0.2.1"));
	assert_false(is_own("2001:db8::1"));
}

/* One that the host really has, besides loopback. */
static void test_own_address_of_an_interface(void **state _unused_)
{
	FILE *f = popen("ip -4 -o addr show scope global 2>/dev/null | awk '{print $4}'", "re");
	char line[64] = "";

	if (f && !fgets(line, sizeof(line), f))
		line[0] = '\0';
	if (f)
		pclose(f);
	line[strcspn(line, "/\n")] = '\0';
	if (!line[0]) {
		print_message("skipped: this host has no address but loopback\n");
		skip();
	}
	assert_true(is_own(line));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUARD_TEST(test_text),
		GUARD_TEST(test_own_addresses),
		GUARD_TEST(test_own_address_of_an_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

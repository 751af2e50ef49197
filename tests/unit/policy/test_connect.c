#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>

#include "policy/build.h"
#include "policy/destination.h"
#include "sample.h"

#define RULE(id, connect, verdict, hit1, hit2, miss1, miss2)                                       \
	"- id: " id "\n  connect: " connect "\n  severity: high\n  verdict: " verdict              \
	"\n  why: It is.\n  hits: ['" hit1 "', '" hit2 "']\n  misses: ['" miss1 "', '" miss2       \
	"']\n"

static const char pack[] = "pack: net\ntitle: Net\nsignatures:\n" RULE(
	"production", "'10.20.0.0/16:(5432|3306)'", "hold", "10.20.0.5:5432", "10.20.255.255:3306",
	"10.21.0.5:5432", "10.20.0.5:5433") RULE("admin", "10.20.7.0/24:1-100", "deny",
						 "10.20.7.9:22", "10.20.7.9:100", "10.20.7.9:101",
						 "10.20.8.9:22")
	RULE("database", "'remote:(6379|5432)'", "alert", "192.0.2.1:6379", "[fd00::1]:5432",
	     "127.0.0.1:6379", "[::1]:5432") RULE("mail", "'tcp:remote:25'", "hold", "192.0.2.1:25",
						  "[2001:db8::1]:25", "127.0.0.1:25",
						  "udp:192.0.2.1:25")
		RULE("resolver", "'udp:*:53'", "kill", "udp:127.0.0.53:53", "udp:192.0.2.1:53",
		     "127.0.0.53:53", "udp:192.0.2.1:54")
			RULE("metadata", "[169.254.169.254, 'fd00:ec2::254']", "deny",
			     "169.254.169.254:80", "[fd00:ec2::254]:80", "169.254.169.253:80",
			     "[fd00:ec2::255]:80") "allow:\n- connect: 10.20.7.1:22\n- connect: "
						   "['192.0.2.7:25', '192.0.2.8:25']\n";

static const char *ask(const struct policy *p, const char *dest, bool own)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	static char answer[64];
	struct connection c;
	struct finding f;

	if (!connection_parse("x", dest, &c, &err))
		fail_msg("%s", strbuf_str(&err));
	c.own |= own;
	policy_match_connect(p, &c, &f);
	snprintf(answer, sizeof(answer), "%s %s",
		 f.id	  ? f.id
		 : f.pack ? f.pack
			  : "-",
		 verdict_name(f.verdict));
	assert_int_equal(f.id != NULL, f.signature != (u32)-1);
	return answer;
}

static void test_verdicts(void **state _unused_)
{
	static const struct {
		const char *dest;
		bool own;
		const char *answer;
	} questions[] = {
		{ "10.20.0.5:5432", false, "production hold" },
		{ "[::ffff:10.20.0.5]:5432", false, "production hold" },
		{ "udp:10.20.0.5:5432", false, "production hold" },
		{ "10.20.0.5:5432", true, "production hold" },
		{ "10.20.7.9:22", false, "admin deny" },
		{ "10.20.7.1:22", false, "net allow" },
		{ "10.20.7.1:23", false, "admin deny" },
		{ "192.0.2.9:5432", false, "database alert" },
		{ "192.0.2.9:5432", true, "- allow" },
		{ "192.0.2.9:25", false, "mail hold" },
		{ "192.0.2.8:25", false, "net allow" },
		{ "127.0.0.1:53", false, "- allow" },
		{ "udp:127.0.0.1:53", false, "resolver kill" },
		{ "169.254.169.254:1", false, "metadata deny" },
		{ "192.0.2.1:443", false, "- allow" },
	};
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(pack);

	for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
		assert_string_equal(ask(p, questions[i].dest, questions[i].own),
				    questions[i].answer);
	assert_string_equal(policy_destination(p, 5, 1), "fd00:ec2::254");
	assert_null(policy_destination(p, 5, 2));
	assert_null(policy_command(p, 5, 0));
}

/* --- the tables */

static bool is_candidate(const struct policy *p, const char *dest)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct connection c;

	assert_true(connection_parse("x", dest, &c, &err));
	return policy_is_connect_candidate(p, &c);
}

static void test_tables(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(pack);

	assert_true(is_candidate(p, "10.20.0.5:5432"));
	assert_true(is_candidate(p, "192.0.2.1:25"));
	assert_true(is_candidate(p, "10.20.7.9:3306")); /* of the wider net */
	assert_true(is_candidate(p, "10.20.7.9:25"));	/* and of the widest */
	assert_true(is_candidate(p, "127.0.0.1:53"));
	assert_false(is_candidate(p, "127.0.0.1:25")); /* loopback is not remote */
	assert_false(is_candidate(p, "[::1]:25"));
	assert_false(is_candidate(p, "192.0.2.1:6379")); /* an alert freezes nothing */
	assert_false(is_candidate(p, "10.20.0.5:22"));
	assert_false(is_candidate(p, "192.0.2.1:443"));
}

static void test_no_tables(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p =
		sample_policy("pack: net\ntitle: Net\nsignatures:\n" RULE(
			"a", "'remote:25'", "alert", "10.0.0.1:25", "10.0.0.2:25", "10.0.0.1:26",
			"127.0.0.1:25"));

	assert_int_equal(policy_net_tables(p)->nets_count, 0);
	assert_int_equal(policy_net_tables(p)->ports_count, 0);
}

/* --- any rules, any destinations: what would be frozen is a candidate */

static u64 seed = 7;

static u32 draw(u32 below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(seed >> 33) % below;
}

/* Addresses close to each other and to loopback, so that prefixes nest. */
static void draw_address(char *out, size_t size)
{
	static const char *const formats[] = { "127.0.%u.%u", "10.0.%u.%u", "fd00::%u:%u" };
	u32 kind = draw(4);

	if (kind == 3)
		snprintf(out, size, "%s", draw(2) ? "::1" : "127.0.0.1");
	else
		snprintf(out, size, formats[kind], draw(3), draw(3));
}

static void draw_rule(struct strbuf *out, u32 number)
{
	static const char *const verdicts[] = { "alert", "hold", "deny", "kill" },
				 *const protocols[] = { "", "tcp:", "udp:" },
				 *const nets[] = { "10.0.0.0/8",  "10.0.1.0/24",
						   "127.0.0.0/8", "127.0.0.0/30",
						   "fd00::/8",	  "0.0.0.0/0",
						   "::/0",	  "127.0.0.1/32",
						   "126.0.0.0/7", "*",
						   "remote" };
	char host[64];

	if (draw(3))
		snprintf(host, sizeof(host), "%s", nets[draw(ARRAY_SIZE(nets))]);
	else
		draw_address(host, sizeof(host));
	strbuf_addf(out, "- id: r%u\n  connect: '%s[%s]:%u-%u'\n  verdict: %s\n", number,
		    protocols[draw(3)], host, 1 + draw(4), 4 + draw(4), verdicts[draw(4)]);
	strbuf_adds(out, "  severity: low\n  why: It is.\n  hits: [a, b]\n  misses: [a, b]\n");
}

/* The brackets that draw_rule() puts around all hosts are right for addresses only. */
static void drop_brackets(struct strbuf *text)
{
	static const char *const words[] = { "[*]", "[remote]" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		for (char *at; (at = strstr(text->data, words[i]));) {
			size_t len = strlen(words[i]);

			memmove(at, at + 1, len - 2);
			memmove(at + len - 2, at + len, strlen(at + len) + 1);
			text->len -= 2;
		}
}

/* Without trying the examples. */
static struct policy *build(const char *text)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct faults faults = { .out = &err };
	struct pack pack, *packs = &pack;
	struct library library = { .packs = &packs, .packs_count = 1 };
	struct build_stats stats;
	struct policy *p = NULL;

	pack_read(&a, (struct source) { "s", text, strlen(text), &faults }, &pack);
	if (faults.count || build_image(&a, &library, &image, &stats) ||
	    policy_from_memory(image.data, image.len, &p, &err))
		fail_msg("%s", strbuf_str(&err));
	return p;
}

static struct policy *draw_policy(void)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	strbuf_adds(&text, "pack: t\ntitle: T\nsignatures:\n");
	for (u32 i = 0, n = 1 + draw(6); i < n; i++)
		draw_rule(&text, i);
	drop_brackets(&text);
	return build(strbuf_str(&text));
}

static void test_oracle(void **state _unused_)
{
	unsigned int frozen = 0, free = 0;

	for (int i = 0; i < 400; i++) {
		_cleanup_(policy_free_ptr) struct policy *p = draw_policy();

		for (int k = 0; k < 100; k++) {
			_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
			char host[64], dest[96];
			struct connection c;
			struct finding f;
			bool candidate;

			draw_address(host, sizeof(host));
			snprintf(dest, sizeof(dest), "%s[%s]:%u", draw(2) ? "udp:" : "", host,
				 1 + draw(8));
			assert_true(connection_parse("x", dest, &c, &err));
			c.own |= draw(8) == 0;
			policy_match_connect(p, &c, &f);
			candidate = policy_is_connect_candidate(p, &c);
			if (f.verdict >= VERDICT_HOLD && !candidate)
				fail_msg("%s: %s, but no candidate", dest, f.id);
			*(candidate ? &frozen : &free) += 1;
		}
	}
	assert_true(frozen > 1000 && free > 1000);
}

/* --- names and Unix sockets */

static const char named[] = "pack: net\ntitle: Net\nsignatures:\n" RULE(
	"rds", "'*.rds.amazonaws.com:5432'", "hold", "a.rds.amazonaws.com:5432",
	"b.rds.amazonaws.com:5432", "a.rds.amazonaws.com:5433", "10.0.0.1:5432")
	RULE("docker", "['unix:/run/docker.sock', 'unix:/var/run/**/ssh-agent.*', 'unix:@tmux']",
	     "hold", "unix:/run/docker.sock", "unix:@tmux", "unix:/run/docker.sock2",
	     "unix:@docker.sock");

static void test_sockets(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(named);
	struct connection c = { .own = true };

	assert_string_equal(ask(p, "unix:/run/docker.sock", false), "docker hold");
	assert_string_equal(ask(p, "unix:/var/run/user/1/ssh-agent.7", false), "docker hold");
	assert_string_equal(ask(p, "unix:/srv/run/docker.sock", false), "- allow");
	strcpy(c.path, "/srv/run/docker.sock"); /* the scan sees components in any order */
	assert_true(policy_is_connect_candidate(p, &c));
	strcpy(c.path, "/run/podman.sock");
	assert_false(policy_is_connect_candidate(p, &c));
	assert_false(policy_asks_for_name(p, &c));
}

static void test_names(void **state _unused_)
{
	static const char *const names[] = { "x.test", "DB.rds.amazonaws.com", NULL };
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(named);
	struct connection c = { .dest = { .port = 5432, .protocol = IPPROTO_TCP } };
	struct finding f;

	assert_string_equal(ask(p, "a.rds.amazonaws.com:5432", false), "rds hold");
	assert_string_equal(ask(p, "rds.amazonaws.com:5432", false), "- allow");
	/* that the name is not known does not make it one, but its port may be it */
	c.dest.addr[0] = 0x20;
	policy_match_connect(p, &c, &f);
	assert_int_equal(f.verdict, VERDICT_ALLOW);
	assert_true(policy_asks_for_name(p, &c));
	assert_true(policy_is_connect_candidate(p, &c));
	c.names = names;
	policy_match_connect(p, &c, &f);
	assert_string_equal(f.id, "rds");
	assert_false(policy_asks_for_name(p, &c));
	c.names = NULL;
	c.dest.port = 80;
	assert_false(policy_asks_for_name(p, &c));
	assert_false(policy_is_connect_candidate(p, &c));
}

static void test_names_that_are_allowed(void **state _unused_)
{
	static const char text[] = "pack: net\ntitle: Net\nsignatures:\n" RULE(
		"all", "'remote:5432'", "hold", "a.test:5432", "10.0.0.1:5432", "a.test:5433",
		"10.0.0.1:5433") "allow:\n- connect: ['*.dev.test', 'unix:/run/x.sock']\n";
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(text);

	assert_string_equal(ask(p, "a.dev.test:5432", false), "net allow");
	assert_string_equal(ask(p, "a.test:5432", false), "all hold");
	assert_string_equal(ask(p, "10.0.0.1:5432", false), "all hold");
}

/* --- faults */

static const struct {
	const char *text, *fault;
} faults[] = {
	{ "pack: a\ntitle: A\nsignatures:\n" RULE("x", "db:5432", "hold", "10.0.0.1:1",
						  "10.0.0.1:1", "10.0.0.2:1", "10.0.0.2:1"),
	  "s:5:12: 'db' is no address" },
	{ "pack: a\ntitle: A\nsignatures:\n" RULE("x", "10.0.0.1", "hold", "10.0.0.1:1",
						  "10.0.0.2:1", "10.0.0.2:1", "10.0.0.2:1"),
	  "s:9:25: hits: '10.0.0.2:1' does not match a.x\n" },
	{ "pack: a\ntitle: A\nsignatures:\n" RULE("x", "10.0.0.1", "hold", "10.0.0.1:1",
						  "10.0.0.1:2", "10.0.0.2:1", "10.0.0.1:3"),
	  "s:10:27: misses: '10.0.0.1:3' does match a.x\n" },
	{ "pack: a\ntitle: A\nsignatures:\n" RULE("x", "10.0.0.1", "hold", "10.0.0.1:1", "10.0.0.1",
						  "10.0.0.2:1", "10.0.0.2:3"),
	  "s:9:25: '10.0.0.1' is no destination: write one address or name with one port" },
	{ "pack: a\ntitle: A\nsignatures:\n" RULE("x", "10.0.0.1\n  command: a", "hold",
						  "10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1",
						  "10.0.0.2:3"),
	  "a signature has command:, connect:, delete: or send:, and one of them only\n" },
	{ "pack: a\ntitle: A\nallow: [{connect: a}]\n", "s:3:19: 'a' is no address" },
	{ "pack: a\ntitle: A\nallow: [{command: a}]\n", "unknown key 'command'" },
};

static void test_faults(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;
		struct compile_stats stats;

		assert_int_equal(policy_compile_text("s", faults[i].text, strlen(faults[i].text),
						     &image, &stats, &err),
				 -EINVAL);
		if (!strstr(strbuf_str(&err), faults[i].fault))
			fail_msg("%s:\n%s", faults[i].text, strbuf_str(&err));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_no_tables),
		cmocka_unit_test(test_oracle),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_that_are_allowed),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/send.h"
#include "sample.h"
#include "text_case.h"

#define PACK_OF(send, hits, misses)                                                                \
	"pack: t\ntitle: T\nsignatures:\n- id: a\n  send: " send "\n  severity: low\n"             \
	"  verdict: hold\n  why: It is.\n  hits: [" hits "]\n  misses: [" misses "]\n"
#define PACK(send) PACK_OF(send, "sql drop table a, sql drop table b", "sql select 1, sql select 2")

/* Each bad input with the message that it must give. */
static void faults(void **state _unused_)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{ PACK("sql"),
		  "p.yaml:5:9: what is sent is a mapping, such as {sql: destructive}\n" },
		{ PACK("{sql: all}"),
		  "p.yaml:5:15: of SQL, destructive is all that is known here\n" },
		{ PACK("{to: a.test}"),
		  "p.yaml:5:10: sql:, redis:, mongo:, http:, graphql: or text: is missing here\n" },
		{ PACK("{sql: destructive, to: 'http://a'}"),
		  "p.yaml:5:33: to: is a name alone, such as *.example.com\n" },
		{ PACK("{redis: a b c d e}"),
		  "p.yaml:5:17: a command is given by up to four words\n" },
		{ PACK("{mongo: drop everything}"),
		  "p.yaml:5:17: write one command, or delete everything\n" },
		{ PACK("{mongo: delete all}"),
		  "p.yaml:5:17: write one command, or delete everything\n" },
		{ PACK("{http: DELETE}"),
		  "p.yaml:5:16: write a method and a path: DELETE /v1/volumes/*\n" },
		{ PACK("{http: DELETE v1}"),
		  "p.yaml:5:16: write a method and a path: DELETE /v1/volumes/*\n" },
		{ PACK("{graphql: 'a b'}"), "p.yaml:5:20: write the name of one field\n" },
		{ PACK("{graphql: 1a}"), "p.yaml:5:19: write the name of one field\n" },
		{ PACK("{text: '*'}"),
		  "p.yaml:5:17: 'text: *' has nothing that the kernel can search for: letters or "
		  "digits are needed\n" },
		{ PACK("{mysql: destructive}"), "p.yaml:5:10: unknown key 'mysql'" },
		{ PACK_OF("{sql: destructive}", "drop table a, sql drop table b", "sql a, sql b"),
		  "p.yaml:9:10: 'drop table a' is nothing that is sent: write sql DROP TABLE "
		  "users, "
		  "redis FLUSHALL, mongo shop.users drop, http DELETE https://a.test/x, or text "
		  "and "
		  "anything\n" },
		{ PACK_OF("{sql: destructive}", "sql drop table a, sql select 1", "sql a, sql b"),
		  "p.yaml:9:28: hits: 'sql select 1' does not match t.a\n" },
		{ PACK_OF("{sql: destructive}", "sql drop table a, sql drop table b",
			  "sql drop table c, sql b"),
		  "p.yaml:10:12: misses: 'sql drop table c' does match t.a\n" },
		{ "pack: t\ntitle: T\nsignatures:\n- id: a\n  send: {sql: destructive}\n  connect: "
		  "10.0.0.1\n"
		  "  severity: low\n  verdict: hold\n  why: It is.\n  hits: [a, b]\n  misses: [a, "
		  "b]\n",
		  "p.yaml:4:3: a signature has command:, connect:, delete: or send:, and one of "
		  "them "
		  "only\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;
		struct compile_stats stats;

		assert_int_not_equal(policy_compile_text("p.yaml", bad[i].text, strlen(bad[i].text),
							 &image, &stats, &err),
				     0);
		if (strncmp(strbuf_str(&err), bad[i].message, strlen(bad[i].message)) != 0)
			fail_msg("%s\ninstead of\n%s", strbuf_str(&err), bad[i].message);
	}
}

/* As it is listed. */
static void texts(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(
		PACK("[{sql: destructive}, {redis: [aa, bb cc], to: ['*.test', b]}]"));

	assert_string_equal(policy_sending(p, 0, 0), "sql: destructive");
	assert_string_equal(policy_sending(p, 0, 1), "redis: aa to *.test");
	assert_string_equal(policy_sending(p, 0, 2), "redis: aa to b");
	assert_string_equal(policy_sending(p, 0, 3), "redis: bb cc to *.test");
	assert_string_equal(policy_sending(p, 0, 4), "redis: bb cc to b");
	assert_null(policy_sending(p, 0, 5));
}

/* What the kernel is to find, however it is written. */
static void candidates(void **state _unused_)
{
	static const struct text_case cases[] = {
		{ "xdropy", true },
		{ "$8\r\nFLUSHALL\r\n", true },
		{ "set note flushall2", false },
		{ "\"\\x66lushall\"", true },
		{ "config set dir", true },
		{ "config set", false },
		{ "DELETE /v1/volumes/7 HTTP/1.1", true },
		{ "DELETE /v1/%76olumes/7 HTTP/1.1", true },
		{ "PUT /v1/volumes/7 HTTP/1.1", false },
		{ "DELETE /v1/others/7 HTTP/1.1", true }, /* by a word of SQL */
		{ "PURGE /v1/others/7 HTTP/1.1", false },
		{ "PURGE /v1/cache HTTP/1.1", true },
		{ "{\\nvolumeErase", true },
		{ "\\u0076olumeErase", true },
		{ "volume 7", false },
		{ "\2dropDatabase\0", true },
		{ "please erase all", true },
		{ "please erase", false },
	};
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(PACK(
		"[{sql: destructive}, {redis: [FLUSHALL, CONFIG SET dir]}, {mongo: dropDatabase}, "
		"{http: [DELETE /v1/volumes/*, PURGE /v1/cache]}, {graphql: volumeErase}, "
		"{text: '*erase all*'}]"));

	check_texts(cases, policy_is_send_candidate(p, text, len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults),
		cmocka_unit_test(texts),
		cmocka_unit_test(candidates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

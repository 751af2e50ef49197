#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sample.h"
#include "text_case.h"
#include "policy/send.h"

#define SIGNATURE(id, verdict, severity, send, hits)                                               \
	"- id: " id "\n  send: " send "\n  severity: " severity "\n  verdict: " verdict            \
	"\n  why: It is.\n  hits: [" hits ", " hits "]\n  misses: [sql select 1, sql select 2]\n"

static const char pack[] = "pack: t\ntitle: T\nsignatures:\n" SIGNATURE(
	"sql", "hold", "high", "{sql: destructive}",
	"sql drop table a") SIGNATURE("here", "deny", "low",
				      "{sql: destructive, to: '*.prod.test'}",
				      "sql@a.prod.test drop table a")
	SIGNATURE("redis", "hold", "low", "{redis: [FLUSHALL, CONFIG SET dir]}",
		  "redis flushall") SIGNATURE("mongo", "hold", "low", "{mongo: delete everything}",
					      "mongo a.b delete everything")
		SIGNATURE("http", "hold", "low", "{http: DELETE /v1/volumes/*, to: '*.test'}",
			  "http DELETE https://a.test/v1/volumes/7")
			SIGNATURE("field", "hold", "low", "{graphql: gone}",
				  "'http POST https://a.test/x {\"query\":\"{ "
				  "gone }\"}'")
				SIGNATURE("text", "alert", "low", "{text: '*erase all*'}",
					  "text erase all");

static struct policy *policy;

static int open_policy(void **state _unused_)
{
	policy = sample_policy(pack);
	return !policy;
}

static int close_policy(void **state _unused_)
{
	policy_free(policy);
	return 0;
}

#define SLICE(text)                                                                                \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

/* The id of what is found; "". */
static const char *ask(const struct wire_message *m, const char *name)
{
	const char *names[] = { name, NULL };
	struct sending s = { .message = m, .names = names };
	struct finding f;

	policy_match_send(policy, &s, &f);
	return f.id ?: "";
}

static void the_strictest_counts(void **state _unused_)
{
	struct wire_message m = { .kind = WIRE_SQL, .text = SLICE("drop table a") };
	struct sending s = { .message = &m };
	struct finding f;

	assert_string_equal(ask(&m, "a.dev.test"), "sql");
	assert_string_equal(ask(&m, "db.PROD.test"), "here");
	assert_string_equal(ask(&m, NULL), "here"); /* which it may be */
	policy_match_send(policy, &s, &f);
	assert_int_equal(f.verdict, VERDICT_DENY);
	m.text = (struct wire_slice)SLICE("select 'drop table a'");
	assert_string_equal(ask(&m, NULL), "");
}

static void what_the_kernel_asks_about(void **state _unused_)
{
	static const struct text_case cases[] = {
		{ "drop table a", true },
		{ "select 1", false },
		{ "PREPARE s FROM @a", true },
		{ "execute immediate concat('dr', 'op table a')", true },
		{ "execute s", false },
		{ "POST /v1/volumes/7 HTTP/1.1\r\n\r\n_method=%44ELETE", true },
		{ "POST /graphql HTTP/1.1\r\nContent-Encoding: gzip\r\n\r\n\1", true },
		{ "POST /graphql HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n\1", false },
		{ "POST /graphql HTTP/1.1\r\nContent-Type: a/b; charset=utf-16\r\n\r\n\1", true },
	};

	check_texts(cases, policy_is_send_candidate(policy, text, len));
}

static void what_is_uncertain(void **state _unused_)
{
	struct wire_message m = { .kind = WIRE_SQL, .uncertain = true };

	assert_string_equal(ask(&m, "a.test"), "sql");
	m.kind = WIRE_RAW;
	m.protocol = WIRE_MYSQL;
	m.text = (struct wire_slice)SLICE("ble a; Drop t");
	assert_string_equal(ask(&m, "a.test"), "sql");
	m.text = (struct wire_slice)SLICE("ble a; select");
	assert_string_equal(ask(&m, "a.test"), "");
	m.text = (struct wire_slice)SLICE("$8\r\nflushall\r\n");
	assert_string_equal(ask(&m, "a.test"), "");
	m.protocol = WIRE_UNKNOWN;
	assert_string_equal(ask(&m, "a.test"), "redis");
	m.uncertain = false; /* it is another protocol then */
	assert_string_equal(ask(&m, "a.test"), "");
}

static void commands(void **state _unused_)
{
	struct wire_message m = { .kind = WIRE_COMMAND, .words_count = 3 };

	m.words[0] = (struct wire_slice)SLICE("Config");
	m.words[1] = (struct wire_slice)SLICE("SET");
	m.words[2] = (struct wire_slice)SLICE("dir");
	assert_string_equal(ask(&m, NULL), "redis");
	m.words_count = 2;
	assert_string_equal(ask(&m, NULL), "");
	m.words[0] = (struct wire_slice)SLICE("eval");
	m.words[1] = (struct wire_slice)SLICE("redis.call(\"flushall\")");
	assert_string_equal(ask(&m, NULL), "redis");
	m.words[1] = (struct wire_slice)SLICE("return flushall");
	assert_string_equal(ask(&m, NULL), "");
	/* which a script may run */
	m.words[2] = (struct wire_slice)SLICE("0");
	m.words[3] = (struct wire_slice)SLICE("flushall");
	m.words_count = 4;
	assert_string_equal(ask(&m, NULL), "redis");
	m.words[0] = (struct wire_slice)SLICE("EVALSHA");
	m.words[3] = (struct wire_slice)SLICE("config");
	m.words[4] = (struct wire_slice)SLICE("set");
	m.words[5] = (struct wire_slice)SLICE("dir");
	m.words_count = 6;
	assert_string_equal(ask(&m, NULL), "redis");
	m.words_count = 5;
	assert_string_equal(ask(&m, NULL), "");
	m.words_count = 2;
	m.words[0] = (struct wire_slice)SLICE("set");
	m.words[1] = (struct wire_slice)SLICE("redis.call('flushall')");
	assert_string_equal(ask(&m, NULL), "");
}

static void documents(void **state _unused_)
{
	struct wire_message m = { .kind = WIRE_DOCUMENT, .method = SLICE("delete") };

	assert_string_equal(ask(&m, NULL), "");
	m.everything = true;
	assert_string_equal(ask(&m, NULL), "mongo");
	m.everything = false;
	m.uncertain = true;
	assert_string_equal(ask(&m, NULL), "mongo");
	m.method = (struct wire_slice)SLICE("find");
	assert_string_equal(ask(&m, NULL), "");
	m.method.s = NULL;
	assert_string_equal(ask(&m, NULL), "mongo");
}

static void paths(void **state _unused_)
{
	static const struct {
		struct wire_slice path;
		const char *id;
	} cases[] = {
		{ SLICE("/v1/volumes/7"), "http" },
		{ SLICE("/v1/volumes/a/b"), "http" },
		{ SLICE("/v1/volumes"), "" },
		{ SLICE("//v1/./volumes//7"), "http" },
		{ SLICE("/v1/x/../volumes/7"), "http" },
		{ SLICE("/../v1/volumes/7"), "http" },
		{ SLICE("/v1/%76OLUMES/7"), "" },
		{ SLICE("/v1/%76olumes%2F7"), "http" },
		{ SLICE("/v1/volumes/../x"), "http" }, /* as it is written */
		{ { NULL, 0 }, "http" },
	};
	struct wire_message m = { .kind = WIRE_REQUEST,
				  .method = SLICE("DELETE"),
				  .host = SLICE("A.test") };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		m.path = cases[i].path;
		assert_string_equal(ask(&m, NULL), cases[i].id);
	}
}

static void requests(void **state _unused_)
{
	struct wire_message m = { .kind = WIRE_REQUEST,
				  .method = SLICE("DELETE"),
				  .host = SLICE("a.test"),
				  .path = SLICE("/v1/volumes/7") };

	m.partial = true;
	assert_string_equal(ask(&m, NULL), "http");
	m.partial = false;
	m.again = true; /* has been asked about */
	assert_string_equal(ask(&m, NULL), "");
	m.again = false;
	m.method = (struct wire_slice)SLICE("POST");
	assert_string_equal(ask(&m, NULL), "");
	m.override = (struct wire_slice)SLICE("get delete");
	assert_string_equal(ask(&m, NULL), "http");
	m.host = (struct wire_slice)SLICE("a.other");
	assert_string_equal(ask(&m, NULL), "");
	assert_string_equal(ask(&m, "b.test"), "http");
}

/* Frameworks take it from a form, whose body may come later, or from the query. */
static void other_methods(void **state _unused_)
{
	static const struct {
		const char *body, *found;
	} bodies[] = {
		{ "_method=DELETE", "http" },
		{ "a=b&_method=delete&c=d", "http" },
		{ "%5Fm%65thod=%44ELETE", "http" },
		{ "--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nDELETE\r\n",
		  "http" },
		{ "{\"_method\": \"DELETE\"}", "http" },
		{ "_method=PUT", "" },
		{ "method=DELETE", "" },
		{ "note=the _method is DELETED", "" },
	};
	struct wire_message m = { .kind = WIRE_REQUEST,
				  .method = SLICE("POST"),
				  .host = SLICE("a.test"),
				  .path = SLICE("/v1/volumes/7") };

	for (size_t i = 0; i < 2 * ARRAY_SIZE(bodies); i++) {
		m.text = (struct wire_slice) { bodies[i / 2].body, strlen(bodies[i / 2].body) };
		m.again = i % 2;
		assert_string_equal(ask(&m, NULL), bodies[i / 2].found);
	}
	m.text.len = 0;
	m.query = (struct wire_slice)SLICE("_method=DELETE");
	assert_string_equal(ask(&m, NULL), ""); /* that was asked about */
	m.again = false;
	assert_string_equal(ask(&m, NULL), "http");
	m.method = (struct wire_slice)SLICE("GET");
	assert_string_equal(ask(&m, NULL), "");
}

static void requests_among_raw_bytes(void **state _unused_)
{
	struct wire_message m = { .kind = WIRE_RAW,
				  .protocol = WIRE_HTTP,
				  .uncertain = true,
				  .text = SLICE("x\r\n\1DELETE /v1/volumes/7?a HTTP/1.1\r\n") };

	assert_string_equal(ask(&m, NULL), "http");
	m.text = (struct wire_slice)SLICE(
		"GET / HTTP/1.1\nDELETE\thttp://b/v1/volumes/7 \t HTTP/1.0");
	assert_string_equal(ask(&m, NULL), "http");
	m.text =
		(struct wire_slice)SLICE("DELETE /v1/other HTTP/1.1\nGET /v1/volumes/7 HTTP/1.1\n");
	assert_string_equal(ask(&m, NULL), "");
	m.text = (struct wire_slice)SLICE("DELETE /v1/volumes/7");
	assert_string_equal(ask(&m, NULL), "");
	m.text = (struct wire_slice)SLICE("DELETE /v1/volumes/7 HTTP/1.1\n");
	m.protocol = WIRE_REDIS;
	assert_string_equal(ask(&m, NULL), "");
	m.protocol = WIRE_HTTP;
	m.uncertain = false;
	assert_string_equal(ask(&m, NULL), "");
}

static void fields(void **state _unused_)
{
	struct wire_message m = { .kind = WIRE_REQUEST,
				  .method = SLICE("POST"),
				  .path = SLICE("/graphql"),
				  .again = true,
				  .text = SLICE("{\"query\":\"{ gone }\"}") };

	assert_string_equal(ask(&m, NULL), "field");
	m.partial = true;
	assert_string_equal(ask(&m, NULL), "");
	m.partial = false;
	m.text = (struct wire_slice)SLICE("{ gone }");
	assert_string_equal(ask(&m, NULL), "");
	m.type = (struct wire_slice)SLICE("application/graphql; charset=utf-8");
	assert_string_equal(ask(&m, NULL), "field");
	m.text.len = 0;
	assert_string_equal(ask(&m, NULL), "");
	m.query = (struct wire_slice)SLICE("query=%7Bgone%7D");
	assert_string_equal(ask(&m, NULL), "field");
	m.query.len = 0;
	m.type = (struct wire_slice)SLICE("application/x-www-form-urlencoded");
	m.text = (struct wire_slice)SLICE("query=mutation+%7Bgone%7D");
	assert_string_equal(ask(&m, NULL), "field");
	m.text.len = 0;
	m.uncertain = true; /* its body is longer than what is kept */
	assert_string_equal(ask(&m, NULL), "field");
	m.path = (struct wire_slice)SLICE("/upload");
	assert_string_equal(ask(&m, NULL), "");
	m.uncertain = false;
	m.packed = true;
	assert_string_equal(ask(&m, NULL), "");
	m.path = (struct wire_slice)SLICE("/v1/graphql");
	assert_string_equal(ask(&m, NULL), "field");
	m.packed = false;
	assert_string_equal(ask(&m, NULL), "");
	m.type = (struct wire_slice)SLICE("application/json; charset=UTF-16");
	assert_string_equal(ask(&m, NULL), "field");
}

static void raw_text(void **state _unused_)
{
	struct wire_message m = { .kind = WIRE_RAW, .text = SLICE("please\0ERASE all\0") };

	assert_string_equal(ask(&m, NULL), "text");
	m.kind = WIRE_SQL;
	assert_string_equal(ask(&m, NULL), "");
}

static void allow_rules(void **state _unused_)
{
	static const char allowing[] = "pack: t\ntitle: T\nsignatures:\n" SIGNATURE(
		"sql", "hold", "high", "{sql: destructive}",
		"sql drop table a") "allow:\n- send: {sql: destructive, to: '*.dev.test'}\n";
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(allowing);
	struct wire_message m = { .kind = WIRE_SQL, .text = SLICE("drop table a") };
	const char *names[] = { "db.dev.test", NULL };
	struct sending s = { .message = &m, .names = names, .sure = 1 };
	struct finding f;

	policy_match_send(p, &s, &f);
	assert_int_equal(f.verdict, VERDICT_ALLOW);
	assert_string_equal(f.pack, "t");
	s.sure = 0; /* the client says so */
	policy_match_send(p, &s, &f);
	assert_string_equal(f.id, "sql");
	s.sure = 1;
	s.names = NULL; /* nobody knows where it goes */
	policy_match_send(p, &s, &f);
	assert_string_equal(f.id, "sql");
	s.names = names;
	m.text.s = NULL;
	m.uncertain = true;
	policy_match_send(p, &s, &f);
	assert_string_equal(f.id, "sql");
}

/* Where it goes without a name: a rule may state it, and what rules say of names stays open. */
static void places(void **state _unused_)
{
	static const char allowing[] = "pack: t\ntitle: T\nsignatures:\n" SIGNATURE(
		"sql", "hold", "high", "{sql: destructive, to: '*.prod.test'}",
		"sql drop table a") "allow:\n- send: {sql: destructive, to: [localhost, 10.20.*]}\n"
				    "- send: {http: DELETE *, to: localhost}\n";
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(allowing);
	struct wire_message m = { .kind = WIRE_SQL, .text = SLICE("drop table a") };
	struct wire_message request = { .kind = WIRE_REQUEST,
					.method = SLICE("DELETE"),
					.path = SLICE("/") };
	const char *here[] = { "127.0.0.1", "localhost", NULL }, *there[] = { "10.21.0.5", NULL };
	struct sending s = { .message = &m, .places = here };
	struct finding f;

	policy_match_send(p, &s, &f);
	assert_string_equal(f.pack, "t");
	assert_int_equal(f.verdict, VERDICT_ALLOW);
	s.places = there;
	policy_match_send(p, &s, &f);
	assert_string_equal(f.id, "sql");
	there[0] = "10.20.0.5";
	policy_match_send(p, &s, &f);
	assert_int_equal(f.verdict, VERDICT_ALLOW);
	s = (struct sending) { .message = &request, .places = here };
	policy_match_send(p, &s, &f);
	assert_non_null(f.pack);
	request.host = (struct wire_slice)SLICE("api.prod.test"); /* a proxy is there */
	policy_match_send(p, &s, &f);
	assert_null(f.pack);
	request.host = (struct wire_slice)SLICE("127.0.0.1");
	policy_match_send(p, &s, &f);
	assert_non_null(f.pack);
	request.host = (struct wire_slice)SLICE("localhost");
	policy_match_send(p, &s, &f);
	assert_non_null(f.pack);
	s.places = there; /* where it only says so */
	policy_match_send(p, &s, &f);
	assert_null(f.pack);
	s.places = here;
	request.method = (struct wire_slice)SLICE("DELETE");
	request.override = (struct wire_slice)SLICE("PUT"); /* which is not allowed */
	policy_match_send(p, &s, &f);
	assert_null(f.pack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_strictest_counts),
		cmocka_unit_test(what_the_kernel_asks_about),
		cmocka_unit_test(what_is_uncertain),
		cmocka_unit_test(commands),
		cmocka_unit_test(documents),
		cmocka_unit_test(paths),
		cmocka_unit_test(requests),
		cmocka_unit_test(other_methods),
		cmocka_unit_test(requests_among_raw_bytes),
		cmocka_unit_test(fields),
		cmocka_unit_test(raw_text),
		cmocka_unit_test(allow_rules),
		cmocka_unit_test(places),
	};

	return cmocka_run_group_tests(tests, open_policy, close_policy);
}

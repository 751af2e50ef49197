/* What leaves: bytes of several writes, as the kernel tells of some of them. */
#include "fixture.h"
#include "fake_kernel.h"

#include <netinet/in.h>

#include "policy/send.h"

static const char wire_pack[] = "pack: wire\n"
				"title: What leaves\n"
				"allow: [{send: {sql: destructive, to: 10.0.0.4}}]\n"
				"signatures:\n"
				"  - id: sql\n"
				"    send: {sql: destructive}\n"
				"    severity: critical\n"
				"    verdict: hold\n"
				"    why: Destroys tables.\n"
				"    hits: [sql DROP TABLE a, sql TRUNCATE a]\n"
				"    misses: [sql SELECT 1, sql SELECT 2]\n"
				"  - id: text\n"
				"    send: {text: '*never-this*'}\n"
				"    severity: high\n"
				"    verdict: deny\n"
				"    why: Is never right.\n"
				"    hits: [text never-this, text a never-this b]\n"
				"    misses: [text never, text this]\n"
				"  - id: name\n"
				"    connect: '*.prod.example:5432'\n"
				"    severity: high\n"
				"    verdict: deny\n"
				"    why: Is production.\n"
				"    hits: ['a.prod.example:5432', 'b.prod.example:5432']\n"
				"    misses: ['a.test.example:5432', 'b.test.example:5432']\n";

static int set_up(void **state)
{
	int r = guard_set_up(state);

	policy_free(guard.policy);
	guard.policy = sample_policy(wire_pack);
	send_start(&guard);
	return r;
}

static int tear_down(void **state)
{
	send_forget_all(&guard);
	return guard_tear_down(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static struct bs_send_event *event_of(u64 position, const char *data, size_t len)
{
	static const struct bs_dest somewhere = { .addr = { [10] = 0xff, 0xff, 10, 0, 0, 5 },
						  .port = 5432,
						  .protocol = IPPROTO_TCP };
	struct bs_send_event *e = calloc(1, sizeof(*e) + len);

	assert_non_null(e);
	e->head = (struct bs_event) { .type = BS_EVENT_SEND, .tgid = (u32)getpid() };
	e->send = (struct bs_send) { .stream = 7, .position = position };
	e->size = e->copied = (u32)len;
	e->flags = BS_SEND_CANDIDATE | (position ? 0 : BS_SEND_FIRST | BS_SEND_BEGUN);
	e->dest = somewhere;
	memcpy(e->data, data, len);
	return e;
}

static struct exec *decoded(struct bs_send_event *e)
{
	struct exec *x = send_decode(&guard, e, NULL);

	free(e);
	assert_non_null(x);
	return x;
}

/* One write, of which the `before` bytes went just before it. */
static struct exec *written(u64 position, const char *before, const char *data, size_t len)
{
	struct bs_send_event *e = event_of(position, data, len);

	memcpy(e->tail + BS_SEND_TAIL - strlen(before), before, strlen(before));
	return decoded(e);
}

#define STARTUP "\0\0\0\x11\0\3\0\0user\0me\0\0"
#define DROP                                                                                       \
	"Q\0\0\0\x11"                                                                              \
	"DROP TABLE a"
#define SELECT                                                                                     \
	"Q\0\0\0\x0d"                                                                              \
	"SELECT 1"

static void assert_found(struct exec *x, const char *id, const char *text)
{
	if (id)
		assert_string_equal(x->sent.finding.id, id);
	else
		assert_null(x->sent.finding.id);
	if (text)
		assert_string_equal(x->sent.text, text);
	exec_free(x);
}

static void test_statement(void **state _unused_)
{
	struct exec *x = written(0, "", STARTUP, 17);

	assert_found(x, NULL, NULL);
	x = written(17, "", DROP, sizeof(DROP));
	assert_int_equal(x->kind, BS_SLOT_SEND);
	assert_string_equal(x->sent.protocol, "postgres");
	assert_found(x, "sql", "DROP TABLE a");
}

#define ROLE                                                                                       \
	"Q\0\0\0\x35"                                                                              \
	"DROP TABLE a; CREATE ROLE b\nPASSWORD\n'hun''ter2'"

static void test_password(void **state _unused_)
{
	assert_found(written(0, "", STARTUP, 17), NULL, NULL);
	assert_found(written(17, "", ROLE, sizeof(ROLE)), "sql",
		     "DROP TABLE a; CREATE ROLE b\\nPASSWORD\\n'***'");
}

/* Of the write at `position`, behind what its event has. */
static void told_before(u64 position, const char *data, size_t len)
{
	struct bs_send_event *e = event_of(position, data, len);

	e->flags = BS_SEND_MORE;
	e->slot = BS_NO_SLOT;
	send_event(&guard, e);
	free(e);
}

static void test_more_than_an_event_has(void **state _unused_)
{
	struct bs_send_event *e;

	assert_found(written(0, "", STARTUP, 17), NULL, NULL);
	told_before(9, "of another", 10);
	told_before(17, DROP + 8, 4);
	told_before(17, DROP + 12, sizeof(DROP) - 12);
	e = event_of(17, DROP, 8);
	e->size = sizeof(DROP);
	assert_found(decoded(e), "sql", "DROP TABLE a");
}

/* What is behind may be another statement. */
static void test_not_all_was_seen(void **state _unused_)
{
	struct bs_send_event *e;

	assert_found(written(0, "", STARTUP, 17), NULL, NULL);
	e = event_of(17, SELECT, sizeof(SELECT));
	e->size = sizeof(SELECT) + 1;
	assert_found(decoded(e), "too-long", "SELECT 1");
}

#define POST "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nbody"

/* Whatever else is sent goes, unless its session hinders that it is read. */
static void test_not_all_was_read(void **state _unused_)
{
	static const struct fetched rests[] = { { .bytes = "" }, { .bytes = "", .refused = true } };

	for (size_t i = 0; i < ARRAY_SIZE(rests); i++) {
		struct bs_send_event *e = event_of(0, POST, strlen(POST));
		struct exec *x;

		e->send.stream = 8 + i;
		e->dest.port = 80;
		e->size += 99;
		x = send_decode(&guard, e, &rests[i]);
		free(e);
		assert_non_null(x);
		assert_found(x, rests[i].refused ? "too-long" : NULL, NULL);
	}
}

/* It comes again where it was refused, and is judged again; another may come in its place. */
static void test_refused(void **state _unused_)
{
	assert_found(written(0, "", STARTUP, 17), NULL, NULL);
	assert_found(written(17, "", DROP, sizeof(DROP)), "sql", "DROP TABLE a");
	assert_found(written(17, "", DROP, sizeof(DROP)), "sql", "DROP TABLE a");
	assert_found(written(17, "", SELECT, sizeof(SELECT)), NULL, "SELECT 1");
}

/* What passed in between was no candidate, and is not told. */
static void test_gap(void **state _unused_)
{
	assert_found(written(0, "", STARTUP, 17), NULL, NULL);
	assert_found(written(117, "VALUES ('drop')", SELECT, sizeof(SELECT)), NULL, "SELECT 1");
	assert_found(written(300, "VALUES ('drop')", DROP, sizeof(DROP)), "sql", "DROP TABLE a");
}

static void test_text_in_two_writes(void **state _unused_)
{
	assert_found(written(0, "", "hello ", 6), NULL, NULL);
	assert_found(written(12, "never-", "this", 4), "text", NULL);
}

static void test_incomplete(void **state _unused_)
{
	struct exec *x;

	assert_found(written(0, "", STARTUP, 17), NULL, NULL);
	x = written(17, "", DROP, 8);
	assert_int_equal(x->sent.say, BS_SAY_WATCH);
	assert_found(x, NULL, NULL);
	assert_found(written(25, "", DROP + 8, sizeof(DROP) - 8), "sql", "DROP TABLE a");
}

/* Nothing more of it is to be looked at: what follows is encrypted. */
static void test_encrypted(void **state _unused_)
{
	static const char hello[5 + 4 + 41] = {
		0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3, [45] = 2, 0x13, 1, 1,
	};
	struct exec *x;

	x = written(0, "", hello, sizeof(hello));
	assert_int_equal(x->sent.say, BS_SAY_BLIND);
	assert_found(x, NULL, NULL);
}

static void test_name_of_a_request(void **state _unused_)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: DB.prod.example\r\n\r\n";
	struct exec *x = written(0, "", request, sizeof(request) - 1);

	assert_string_equal(x->sent.name, "db.prod.example");
	assert_found(x, "name", NULL);
}

/* To 10.0.0.`host`, of one socket that is not connected. */
static struct exec *datagram(u64 position, u8 host, const char *data, size_t len)
{
	struct bs_send_event *e = event_of(position, data, len);

	e->dest.protocol = IPPROTO_UDP;
	e->dest.datagram = 1;
	e->dest.addr[15] = host;
	return decoded(e);
}

static void test_datagrams_of_one_socket(void **state _unused_)
{
	static const u8 prod[16] = { [10] = 0xff, 0xff, 10, 0, 0, 6 };
	struct exec *x;

	resolved_learn(guard.resolved, 0, prod, "db.prod.example", 60, boot_ns() / 1000000000);
	assert_found(datagram(0, 5, "one", 3), NULL, NULL);
	x = datagram(3, 6, "two", 3);
	assert_int_equal(x->dest.addr[15], 6);
	assert_string_equal(x->sent.name, "db.prod.example");
	assert_found(x, "name", NULL);
	x = datagram(6, 5, "three", 5);
	assert_int_equal(x->dest.addr[15], 5);
	assert_null(x->sent.name);
	assert_found(x, NULL, NULL);
}

static void test_datagrams_to_where_it_is_allowed(void **state _unused_)
{
	assert_found(datagram(0, 4, STARTUP, 17), NULL, NULL);
	assert_found(datagram(17, 4, DROP, sizeof(DROP)), NULL, NULL);
	assert_found(datagram(17 + sizeof(DROP), 5, DROP, sizeof(DROP)), "sql", "DROP TABLE a");
}

static struct exec *encrypted(u64 position, const char *data)
{
	size_t len = strlen(data);
	struct bs_send_event *e = calloc(1, sizeof(*e) + len);
	struct exec *x;

	assert_non_null(e);
	e->head = (struct bs_event) { .type = BS_EVENT_SEND, .tgid = (u32)getpid() };
	e->send = (struct bs_send) { .stream = 8, .position = position };
	e->size = e->copied = (u32)len;
	e->source = BS_SEND_TLS;
	e->flags = BS_SEND_CANDIDATE | BS_SEND_BEGUN;
	memcpy(e->data, data, len);
	x = send_decode(&guard, e, NULL);
	free(e);
	assert_non_null(x);
	return x;
}

#define GRAVE "hello never-this"

/* What a library did not take comes again, and goes if it was let go just now. */
static void test_retry(void **state _unused_)
{
	size_t len = strlen(GRAVE);
	struct exec *x = encrypted(0, GRAVE);

	assert_string_equal(x->sent.finding.id, "text");
	exec_free(x);
	assert_found(encrypted(len, GRAVE), "text", NULL); /* nobody let it go */
	x = encrypted(2 * len, GRAVE);
	send_released(&guard, x);
	exec_free(x);
	assert_found(encrypted(3 * len, GRAVE), NULL, NULL);
	assert_found(encrypted(4 * len, GRAVE), NULL, NULL);
	assert_found(encrypted(5 * len, "hello never-this 2"), "text", NULL);
	assert_found(encrypted(6 * len + 2, GRAVE), "text", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_statement),
		TEST(test_password),
		TEST(test_retry),
		TEST(test_refused),
		TEST(test_gap),
		TEST(test_text_in_two_writes),
		TEST(test_incomplete),
		TEST(test_encrypted),
		TEST(test_name_of_a_request),
		TEST(test_datagrams_of_one_socket),
		TEST(test_datagrams_to_where_it_is_allowed),
		TEST(test_more_than_an_event_has),
		TEST(test_not_all_was_seen),
		TEST(test_not_all_was_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

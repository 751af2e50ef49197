/* What is encrypted by libraries that nobody probes: told once, with all that is known of it. */
#include "fixture.h"
#include "fake_kernel.h"

#include <netinet/in.h>

#include "guard/library.h"
#include "guard/reaper.h"
#include "guard/unseen.h"
#include "policy/wire.h"

static int set_up(void **state)
{
	_cleanup_(exec_free_ptr) struct exec *own = NEW_EXEC("zap\0-x");
	int r = guard_set_up(state);

	guard.loop = loop_new();
	new_session(0x19ab);
	process_exec(&guard, own);
	return r ?: guard.loop ? 0 : -1;
}

static int tear_down(void **state)
{
	unseen_forget_all(&guard);
	library_forget_all(&guard);
	reaper_forget_all();
	loop_free(guard.loop);
	return guard_tear_down(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* The first of a connection of this process; name: NULL: only its address is known. */
static void note(const char *protocol, const char *name, u16 port, bool probed)
{
	struct bs_send_event *e = calloc(1, sizeof(*e));
	struct exec *x = calloc(1, sizeof(*x));
	char *names[] = { (char *)"first.example", (char *)name, NULL };

	e->head = (struct bs_event) { .session = 0x19ab, .tgid = (u32)getpid(), .number = 5 };
	e->flags = BS_SEND_FIRST;
	exec_take_head(&guard, x, &e->head, 0, 0);
	x->dest = (struct bs_dest) { .addr = { [10] = 0xff, 0xff, 10, 0, 0, 5 }, .port = port };
	x->sent.opaque = protocol;
	x->sent.name = name ? strdup(name) : NULL;
	x->sent.names = name ? proc_copy_words(names) : NULL;
	unseen_note(&guard, e, x, probed);
	exec_free(x);
	free(e);
}

static void quit(void *data)
{
	loop_quit(data, 0);
}

/* Until so many lines are told. */
static void wait_for(u64 lines)
{
	for (int i = 0; i < 5000 && guard.sequence < lines; i++) {
		assert_int_equal(loop_add_timer(guard.loop, 1000, quit, guard.loop, NULL), 0);
		loop_run(guard.loop);
	}
	assert_int_equal(guard.sequence, lines);
}

/* This program has the marks of all libraries in it, as it looks for them. */
static void test_told(void **state _unused_)
{
	json_t *line;

	note("tls", "api.example", 443, false);
	wait_for(1);
	line = journal_line(1);
	assert_int_equal(number_at(line, "class_uid"), 4001);
	assert_int_equal(number_at(line, "activity_id"), 6);
	assert_string_equal(text_at(line, "message"), "send TLS that cannot be seen (rustls) to "
						      "10.0.0.5:443 (api.example) by test_unseen");
	assert_string_equal(text_at(line, "actor.process.cmd_line"), "zap -x");
	assert_string_equal(text_at(line, "dst_endpoint.hostname"), "api.example");
	assert_string_equal(text_at(line, "unmapped.backstop.send.protocol"), "tls");
	assert_string_equal(text_at(line, "unmapped.backstop.send.unseen"), "rustls");
	assert_string_equal(text_at(line, "unmapped.backstop.send.names.0"), "first.example");
	assert_string_equal(text_at(line, "unmapped.backstop.send.names.1"), "api.example");
	assert_null(json_at(line, "unmapped.backstop.event"));
	json_decref(line);
}

/* Once a destination, whatever its address is; another protocol is another matter. */
static void test_once(void **state _unused_)
{
	note("tls", "api.example", 443, false);
	note("tls", "api.example", 443, false);
	wait_for(1);
	note("tls", "api.example", 443, false);
	note("tls", "api.example", 8443, false);
	note("tls", NULL, 443, false);
	note("tls", NULL, 443, false);
	wait_for(3);
	note("quic", NULL, 443, false);
	wait_for(4);
}

static void test_probed(void **state _unused_)
{
	note("tls", "api.example", 443, true);
	assert_true(LIST_EMPTY(&guard.unseen));
	note("quic", "api.example", 443, true);
	wait_for(1);
}

static void test_described(void **state _unused_)
{
	json_t *told = described(unseen_describe);

	assert_null(json_at(told, "unseen.0"));
	json_decref(told);
	note("tls", "api.example", 443, false);
	note("tls", "other.example", 443, false);
	wait_for(2);
	told = described(unseen_describe);
	assert_string_equal(text_at(told, "unseen.0.session"), "19ab");
	assert_string_equal(text_at(told, "unseen.0.library"), "rustls");
	assert_string_equal(text_at(told, "unseen.0.protocol"), "tls");
	assert_non_null(strstr(text_at(told, "unseen.0.file"), "test_unseen"));
	assert_int_equal(number_at(told, "unseen.0.destinations"), 2);
	assert_null(json_at(told, "unseen.1"));
	json_decref(told);
}

/* Its session ends before anybody knows the library. */
static void test_end(void **state _unused_)
{
	json_t *line;

	note("tls", "api.example", 443, false);
	unseen_forget(&guard, 0x19ac);
	assert_int_equal(guard.sequence, 0);
	unseen_forget(&guard, 0x19ab);
	assert_true(LIST_EMPTY(&guard.unseen));
	line = journal_line(1);
	assert_string_equal(text_at(line, "unmapped.backstop.send.unseen"), "unknown library");
	json_decref(line);
}

/* More than are remembered: all are told. */
static void test_many(void **state _unused_)
{
	for (u16 port = 1; port <= 300; port++)
		note("tls", NULL, port, false);
	wait_for(300);
	note("tls", NULL, 300, false);
	wait_for(300);
}

static const char *begins_as(const char *data, size_t len, u16 port, u8 protocol,
			     enum quic_told told)
{
	struct bs_send_event *e = calloc(1, sizeof(*e) + len);
	const char *what;

	e->source = BS_SEND_SOCKET;
	e->flags = BS_SEND_FIRST;
	e->dest = (struct bs_dest) { .port = port, .protocol = protocol };
	e->copied = (u32)len;
	memcpy(e->data, data, len);
	what = unseen_what_begins(e, false, told);
	assert_string_equal(unseen_what_begins(e, true, told), "tls");
	e->source = BS_SEND_TLS;
	assert_null(unseen_what_begins(e, true, told));
	free(e);
	return what;
}

static const char *begins(const char *data, size_t len, u16 port, u8 protocol)
{
	return begins_as(data, len, port, protocol, QUIC_NOTHING);
}

static void test_quic(void **state _unused_)
{
	static const char initial[] = "\xc3\0\0\0\1\x08", version[] = "\xc3\0\0\0\0\x08",
			  later[] = "\x43\0\0\0\1\x08";

	assert_string_equal(begins(initial, sizeof(initial), 443, IPPROTO_UDP), "quic");
	assert_string_equal(begins_as(initial, sizeof(initial), 53, IPPROTO_UDP, QUIC_HELLO),
			    "quic");
	assert_null(begins_as(initial, sizeof(initial), 443, IPPROTO_UDP, QUIC_PART));
	assert_null(begins(initial, sizeof(initial), 53, IPPROTO_UDP));
	assert_null(begins(initial, sizeof(initial), 443, IPPROTO_TCP));
	assert_null(begins(initial, 6, 443, IPPROTO_UDP));
	assert_null(begins(version, sizeof(version), 443, IPPROTO_UDP));
	assert_null(begins(later, sizeof(later), 443, IPPROTO_UDP));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_told), TEST(test_once), TEST(test_probed), TEST(test_described),
		TEST(test_end),	 TEST(test_many), TEST(test_quic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire_sample.h"

enum { QUERY = 2004, DELETE = 2006, COMPRESSED = 2012, MSG = 2013 };

static void add_le32(struct strbuf *out, size_t n)
{
	unsigned char bytes[4] = { n & 255, n >> 8 & 255, n >> 16 & 255, n >> 24 & 255 };

	strbuf_add(out, bytes, sizeof(bytes));
}

/* A document or an array around elements. */
static void add_document(struct strbuf *out, const struct strbuf *elements)
{
	add_le32(out, elements->len + 5);
	strbuf_add(out, strbuf_str(elements), elements->len + 1);
}

static void add_inner(struct strbuf *out, char type, const char *name, const struct strbuf *in)
{
	strbuf_addc(out, type);
	strbuf_add(out, name, strlen(name) + 1);
	add_document(out, in);
}

static void add_string(struct strbuf *out, const char *name, const char *value)
{
	strbuf_addc(out, 2);
	strbuf_add(out, name, strlen(name) + 1);
	add_le32(out, strlen(value) + 1);
	strbuf_add(out, value, strlen(value) + 1);
}

static void add_int(struct strbuf *out, const char *name, size_t value)
{
	strbuf_addc(out, 16);
	strbuf_add(out, name, strlen(name) + 1);
	add_le32(out, value);
}

/* {q: {} or {a: 1}, limit: …} */
static void add_delete(struct strbuf *out, bool all, size_t limit)
{
	_cleanup_strbuf_ struct strbuf q = STRBUF_INIT;

	if (!all)
		add_int(&q, "a", 1);
	add_inner(out, 3, "q", &q);
	add_int(out, "limit", limit);
}

static void add_message(struct strbuf *out, size_t code, const struct strbuf *body)
{
	add_le32(out, body->len + 16);
	add_le32(out, 7);
	add_le32(out, 0);
	add_le32(out, code);
	strbuf_add(out, strbuf_str(body), body->len);
}

/* A command {NAME: TARGET, …, $db: shop} */
static void add_command(struct strbuf *out, const char *name, const char *target,
			const struct strbuf *more)
{
	_cleanup_strbuf_ struct strbuf elements = STRBUF_INIT, body = STRBUF_INIT;

	if (target)
		add_string(&elements, name, target);
	else
		add_int(&elements, name, 1);
	if (more)
		strbuf_add(&elements, more->data, more->len);
	add_string(&elements, "$db", "shop");
	strbuf_add(&body, "\0\0\0\0", 5);
	add_document(&body, &elements);
	add_message(out, MSG, &body);
}

static void commands(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	add_command(&b, "find", "users", NULL);
	add_command(&b, "drop", "users", NULL);
	add_command(&b, "dropDatabase", NULL, NULL);
	wire_expect(0, b.data, b.len,
		    "document shop find users\ndocument shop drop users\n"
		    "document shop dropDatabase\n");
}

static void deletes_in_the_body(void **state _unused_)
{
	static const struct {
		bool all;
		size_t limit;
		const char *expected;
	} cases[] = {
		{ true, 0, "document shop delete users everything\n" },
		{ true, 1, "document shop delete users\n" },
		{ false, 0, "document shop delete users\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ struct strbuf one = STRBUF_INIT, all = STRBUF_INIT,
					       more = STRBUF_INIT, b = STRBUF_INIT;

		add_delete(&one, cases[i].all, cases[i].limit);
		add_inner(&all, 3, "0", &one);
		add_inner(&more, 4, "deletes", &all);
		add_command(&b, "delete", "users", &more);
		wire_expect(0, b.data, b.len, cases[i].expected);
	}
}

/* However much is behind it in the same write. */
static void what_is_whole_is_certain(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT, blob = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);
	struct heard h = { 0 };

	for (int i = 0; i < 2000000; i++)
		strbuf_addc(&blob, 'x');
	add_command(&b, "delete", "users", NULL);
	add_command(&b, "insert", blob.data, NULL);
	wire_hear(w, b.data, b.len, b.len, b.len, &h);
	assert_memory_equal(h.text.data, "document shop delete users\ndocument shop insert x", 48);
	strbuf_free(&h.text);
}

/* Old drivers say more of a command around it. */
static void a_command_inside_of_a_query(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf in = STRBUF_INIT, around = STRBUF_INIT, body = STRBUF_INIT,
				       b = STRBUF_INIT;

	add_string(&in, "drop", "users");
	add_inner(&around, 3, "$query", &in);
	strbuf_add(&body, "\0\0\0\0shop.$cmd\0\0\0\0\0\xff\xff\xff\xff", 22);
	add_document(&body, &around);
	add_message(&b, QUERY, &body);
	wire_expect(0, b.data, b.len, "document shop drop users\n");
}

/* Whatever is no one may be a zero: no server takes any other number. */
static void limits(void **state _unused_)
{
	static const struct {
		char type;
		const char *value;
		size_t len;
		bool limited;
	} cases[] = {
		{ 16, BYTES("\1\0\0\0"), true },
		{ 18, BYTES("\1\0\0\0\0\0\0\0"), true },
		{ 1, BYTES("\0\0\0\0\0\0\xf0\x3f"), true },
		{ 1, BYTES("\0\0\0\0\0\0\0\0"), false },
		{ 1, BYTES("\0\0\0\0\0\0\0\x80"), false },
		{ 19, BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x40\x30"), false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ struct strbuf q = STRBUF_INIT, one = STRBUF_INIT,
					       all = STRBUF_INIT, more = STRBUF_INIT,
					       b = STRBUF_INIT;

		add_inner(&one, 3, "q", &q);
		strbuf_addc(&one, cases[i].type);
		strbuf_add(&one, "limit", 6);
		strbuf_add(&one, cases[i].value, cases[i].len);
		add_inner(&all, 3, "0", &one);
		add_inner(&more, 4, "deletes", &all);
		add_command(&b, "delete", "users", &more);
		wire_expect(0, b.data, b.len,
			    cases[i].limited ? "document shop delete users\n"
					     : "document shop delete users everything\n");
	}
}

static void deletes_beside_the_body(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf one = STRBUF_INIT, all = STRBUF_INIT, elements = STRBUF_INIT,
				       body = STRBUF_INIT, b = STRBUF_INIT;

	add_delete(&one, false, 0);
	add_document(&all, &one);
	strbuf_reset(&one);
	add_delete(&one, true, 0);
	add_document(&all, &one);
	add_string(&elements, "delete", "users");
	add_string(&elements, "$db", "shop");
	add_le32(&body, 1); /* a checksum is at the end */
	strbuf_addc(&body, 1);
	add_le32(&body, all.len + 4 + 8);
	strbuf_add(&body, "deletes", 8);
	strbuf_add(&body, all.data, all.len);
	strbuf_addc(&body, 0);
	add_document(&body, &elements);
	add_le32(&body, 0x01020304);
	add_message(&b, MSG, &body);
	wire_expect(0, b.data, b.len, "document shop delete users everything\n");
}

static void old_messages(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf elements = STRBUF_INIT, body = STRBUF_INIT, b = STRBUF_INIT;

	add_int(&elements, "dropDatabase", 1);
	strbuf_add(&body, "\0\0\0\0shop.$cmd\0\0\0\0\0\1\0\0\0", 22);
	add_document(&body, &elements);
	add_message(&b, QUERY, &body);
	strbuf_reset(&body);
	strbuf_add(&body, "\0\0\0\0shop.users\0\0\0\0\0", 19);
	strbuf_reset(&elements);
	add_document(&body, &elements);
	add_message(&b, DELETE, &body);
	wire_expect(0, b.data, b.len,
		    "document shop dropDatabase\ndocument delete shop.users everything\n");
}

static void compressed(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf inner = STRBUF_INIT, body = STRBUF_INIT, b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = NULL;

	add_command(&inner, "drop", "users", NULL);
	add_le32(&body, MSG);
	add_le32(&body, inner.len - 16);
	strbuf_addc(&body, 0); /* by no method */
	strbuf_add(&body, inner.data + 16, inner.len - 16);
	add_message(&b, COMPRESSED, &body);
	wire_expect(0, b.data, b.len, "document shop drop users\n");
	b.data[16 + 8] = 2;
	w = wire_new(0, true);
	wire_next(w, b.data, b.len, "blind a message of MongoDB is compressed\n");
	wire_next(w, inner.data, inner.len, "document shop drop users\n");
}

/* Whatever is cut out of it, no byte outside is read. */
static void damaged(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf one = STRBUF_INIT, all = STRBUF_INIT, more = STRBUF_INIT,
				       b = STRBUF_INIT;
	struct heard h = { 0 };
	unsigned int uncertain = 0;

	add_delete(&one, true, 0);
	add_inner(&all, 3, "0", &one);
	add_inner(&more, 4, "deletes", &all);
	add_command(&b, "delete", "users", &more);
	for (size_t i = 16; i < b.len; i++) {
		_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);

		b.data[i] ^= 0x7f;
		wire_hear(w, b.data, b.len, b.len, b.len, &h);
		b.data[i] ^= 0x7f;
		uncertain += strstr(strbuf_str(&h.text), "uncertain") != NULL;
		strbuf_reset(&h.text);
	}
	assert_in_range(uncertain, 20, b.len);
	strbuf_free(&h.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands),
		cmocka_unit_test(deletes_in_the_body),
		cmocka_unit_test(what_is_whole_is_certain),
		cmocka_unit_test(a_command_inside_of_a_query),
		cmocka_unit_test(limits),
		cmocka_unit_test(deletes_beside_the_body),
		cmocka_unit_test(old_messages),
		cmocka_unit_test(compressed),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

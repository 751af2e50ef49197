#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "base/strbuf.h"
#include "policy/wire.h"

#define BYTES(text) text, sizeof(text) - 1

/* DB.Example.com is eu.lb.example.net, which has two addresses. */
static const char answer[] =
	"\0224\201\200\000\001\000\003\000\000\000\000\002DB\007Example\003com\000\000"
	"\001\000\001\300\014\000\005\000\001\000\000\001,\000\023\002eu\002lb\007example"
	"\003net\000\300,\000\001\000\001\000\000\001,\000\004\012\000\000\005\300,\000"
	"\034\000\001\000\000\001,\000\020\375\000\000\000\000\000\000\000\000\000\000"
	"\000\000\000\000\001";
#define TOLD                                                                                       \
	"db.example.com ::ffff:10.0.0.5 300\neu.lb.example.net ::ffff:10.0.0.5 300\n"              \
	"db.example.com fd00::1 300\neu.lb.example.net fd00::1 300\n"

static void hear(const struct wire_answer *a, void *data)
{
	char addr[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, a->addr, addr, sizeof(addr));
	strbuf_addf(data, "%s %s %u\n", a->name, addr, a->ttl);
}

static void answers(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf told = STRBUF_INIT;

	assert_true(wire_dns(BYTES(answer), hear, &told));
	assert_string_equal(strbuf_str(&told), TOLD);
}

static void streams(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf told = STRBUF_INIT, pending = STRBUF_INIT, b = STRBUF_INIT;

	for (int i = 0; i < 2; i++) {
		strbuf_addc(&b, 0);
		strbuf_addc(&b, sizeof(answer) - 1);
		strbuf_add(&b, BYTES(answer));
	}
	for (size_t i = 0; i < b.len; i++)
		assert_int_equal(wire_dns_stream(&pending, b.data + i, 1, hear, &told), 0);
	assert_string_equal(strbuf_str(&told), TOLD TOLD);
	assert_int_equal(pending.len, 0);
}

/* However short it is cut, it is read up to there and no further. */
static void cut_answers(void **state _unused_)
{
	for (size_t len = 0; len < sizeof(answer) - 1; len++) {
		_cleanup_strbuf_ struct strbuf told = STRBUF_INIT;
		_cleanup_free_ char *cut = malloc(len + !len);

		memcpy(cut, answer, len);
		wire_dns(cut, len, hear, &told);
		assert_memory_equal(strbuf_str(&told), TOLD, told.len);
		assert_true(told.len < strlen(TOLD));
	}
}

static void what_is_no_answer(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf told = STRBUF_INIT;
	char bytes[sizeof(answer)];

	memcpy(bytes, answer, sizeof(answer));
	bytes[2] = 1; /* a question */
	assert_false(wire_dns(bytes, sizeof(answer) - 1, hear, &told));
	memcpy(bytes, answer, sizeof(answer));
	bytes[3] = (char)0x83; /* there is no such name */
	assert_false(wire_dns(bytes, sizeof(answer) - 1, hear, &told));
	/* a name that refers to itself */
	assert_false(wire_dns(BYTES("\1\2\x81\x80\0\1\0\1\0\0\0\0\xc0\x0c\0\1\0\1"), hear, &told));
	/* one of bytes that no host has */
	assert_true(wire_dns(BYTES("\1\2\x81\x80\0\1\0\1\0\0\0\0\3a b\0\0\1\0\1"
				   "\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x0a\0\0\1"),
			     hear, &told));
	assert_int_equal(told.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(streams),
		cmocka_unit_test(cut_answers),
		cmocka_unit_test(what_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

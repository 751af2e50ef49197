#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/quic.h"
#include "quic_sample.h"
#include "wire_sample.h"

/* The ClientHello of RFC 9001 and RFC 9369, A.2, in its frame. */
#define FRAME_HEAD 4
static const u8 frame[] = {
	0x06, 0x00, 0x40, 0xf1, 0x01, 0x00, 0x00, 0xed, 0x03, 0x03, 0xeb, 0xf8, 0xfa, 0x56, 0xf1,
	0x29, 0x39, 0xb9, 0x58, 0x4a, 0x38, 0x96, 0x47, 0x2e, 0xc4, 0x0b, 0xb8, 0x63, 0xcf, 0xd3,
	0xe8, 0x68, 0x04, 0xfe, 0x3a, 0x47, 0xf0, 0x6a, 0x2b, 0x69, 0x48, 0x4c, 0x00, 0x00, 0x04,
	0x13, 0x01, 0x13, 0x02, 0x01, 0x00, 0x00, 0xc0, 0x00, 0x00, 0x00, 0x10, 0x00, 0x0e, 0x00,
	0x00, 0x0b, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x63, 0x6f, 0x6d, 0xff, 0x01,
	0x00, 0x01, 0x00, 0x00, 0x0a, 0x00, 0x08, 0x00, 0x06, 0x00, 0x1d, 0x00, 0x17, 0x00, 0x18,
	0x00, 0x10, 0x00, 0x07, 0x00, 0x05, 0x04, 0x61, 0x6c, 0x70, 0x6e, 0x00, 0x05, 0x00, 0x05,
	0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x33, 0x00, 0x26, 0x00, 0x24, 0x00, 0x1d, 0x00, 0x20,
	0x93, 0x70, 0xb2, 0xc9, 0xca, 0xa4, 0x7f, 0xba, 0xba, 0xf4, 0x55, 0x9f, 0xed, 0xba, 0x75,
	0x3d, 0xe1, 0x71, 0xfa, 0x71, 0xf5, 0x0f, 0x1c, 0xe1, 0x5d, 0x43, 0xe9, 0x94, 0xec, 0x74,
	0xd7, 0x48, 0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x04, 0x00, 0x0d, 0x00, 0x10, 0x00, 0x0e,
	0x04, 0x03, 0x05, 0x03, 0x06, 0x03, 0x02, 0x03, 0x08, 0x04, 0x08, 0x05, 0x08, 0x06, 0x00,
	0x2d, 0x00, 0x02, 0x01, 0x01, 0x00, 0x1c, 0x00, 0x02, 0x40, 0x01, 0x00, 0x39, 0x00, 0x32,
	0x04, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x05, 0x04, 0x80, 0x00, 0xff,
	0xff, 0x07, 0x04, 0x80, 0x00, 0xff, 0xff, 0x08, 0x01, 0x10, 0x01, 0x04, 0x80, 0x00, 0x75,
	0x30, 0x09, 0x01, 0x10, 0x0f, 0x08, 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08, 0x06,
	0x04, 0x80, 0x00, 0xff, 0xff,
};
#define HELLO	  (frame + FRAME_HEAD)
#define HELLO_LEN (sizeof(frame) - FRAME_HEAD)
#define TOLD	  "name example.com alpn\n"

/* A piece of the hello. */
static void add_piece(struct strbuf *frames, size_t at, size_t len)
{
	strbuf_addc(frames, 0x06);
	strbuf_addc(frames, (char)(0x40 | at >> 8));
	strbuf_addc(frames, (char)at);
	strbuf_addc(frames, (char)(0x40 | len >> 8));
	strbuf_addc(frames, (char)len);
	strbuf_add(frames, HELLO + at, len);
}

static void expect(struct quic *q, const u8 *data, size_t len, enum quic_told told,
		   const char *expected)
{
	struct heard h = { 0 };
	u8 *copy = malloc(len); /* what is behind it is out of bounds */

	assert_non_null(copy);
	memcpy(copy, data, len);
	assert_int_equal(quic_write(q, copy, len, hear, &h), told);
	assert_string_equal(strbuf_str(&h.text), expected);
	strbuf_free(&h.text);
	free(copy);
}

/* Pieces of the hello in one datagram; at, length … up to length 0. */
static void send_to(struct quic *q, const u8 *to, u8 number, const size_t (*pieces)[2],
		    enum quic_told told, const char *expected)
{
	_cleanup_strbuf_ struct strbuf frames = STRBUF_INIT;
	u8 data[QUIC_DATAGRAM];

	for (; (*pieces)[1]; pieces++) {
		add_piece(&frames, (*pieces)[0], (*pieces)[1]);
		strbuf_addc(&frames, 1); /* PING, and padding between */
		strbuf_add(&frames, "\0\0", 2);
	}
	quic_seal(&quic_samples[0], to, number, frames.data, frames.len, data);
	expect(q, data, sizeof(data), told, expected);
}

#define SEND(q, number, told, expected, ...)                                                       \
	send_to(q, quic_id, number, (const size_t[][2]) { __VA_ARGS__, { 0, 0 } }, told, expected)

static void versions(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf frames = STRBUF_INIT;

	strbuf_add(&frames, frame, sizeof(frame));
	for (size_t i = 0; i < ARRAY_SIZE(quic_samples); i++) {
		_cleanup_(quic_free_ptr) struct quic *q = quic_new();
		const struct quic_sample *s = &quic_samples[i];
		size_t end = i ? 7 : 8;
		u8 data[QUIC_DATAGRAM];

		quic_seal(s, quic_id, 2, frames.data, frames.len, data);
		assert_memory_equal(data, s->begin, sizeof(s->begin));
		assert_memory_equal(data + QUIC_DATAGRAM - end, s->end, end);
		expect(q, data, sizeof(data), QUIC_HELLO, TOLD);
		expect(q, data, sizeof(data), QUIC_HELLO, TOLD); /* it came again */
	}
}

static void pieces_in_any_order(void **state _unused_)
{
	_cleanup_(quic_free_ptr) struct quic *q = quic_new();
	_cleanup_(quic_free_ptr) struct quic *other = quic_new();

	SEND(q, 0, QUIC_HELLO, TOLD, { 100, 100 }, { 0, 50 }, { 200, HELLO_LEN - 200 }, { 50, 60 });
	SEND(other, 0, QUIC_PART, "", { 200, HELLO_LEN - 200 }, { 1, 100 });
	SEND(other, 1, QUIC_PART, "", { 101, 80 });
	SEND(other, 2, QUIC_PART, "", { 182, 20 }, { 0, 1 });
	SEND(other, 3, QUIC_HELLO, TOLD, { 181, 1 });
	SEND(other, 4, QUIC_HELLO, TOLD, { 181, 1 });
}

/* With its answer the other end has taken another id; the keys stay. */
static void what_follows_an_answer(void **state _unused_)
{
	static const u8 other[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	_cleanup_(quic_free_ptr) struct quic *q = quic_new();
	_cleanup_(quic_free_ptr) struct quic *late = quic_new();

	SEND(q, 0, QUIC_PART, "", { 0, 100 });
	send_to(q, other, 1, (const size_t[][2]) { { 100, HELLO_LEN - 100 }, { 0, 0 } }, QUIC_HELLO,
		TOLD);
	send_to(late, other, 1, (const size_t[][2]) { { 0, HELLO_LEN }, { 0, 0 } }, QUIC_NOTHING,
		"");
}

/* As UDP_SEGMENT and sendmmsg give them, or behind a packet of another kind. */
static void several_in_one_write(void **state _unused_)
{
	static const u8 zero_rtt[] = { 0xd1, 0, 0, 0, 1, 1, 9, 0, 4, 1, 2, 3, 4 };
	_cleanup_(quic_free_ptr) struct quic *q = quic_new();
	_cleanup_strbuf_ struct strbuf one = STRBUF_INIT, two = STRBUF_INIT;
	u8 data[sizeof(zero_rtt) + 2 * QUIC_DATAGRAM];

	add_piece(&one, 120, HELLO_LEN - 120);
	add_piece(&two, 0, 120);
	memcpy(data, zero_rtt, sizeof(zero_rtt));
	quic_seal(&quic_samples[0], quic_id, 0, one.data, one.len, data + sizeof(zero_rtt));
	quic_seal(&quic_samples[0], quic_id, 1, two.data, two.len,
		  data + sizeof(zero_rtt) + QUIC_DATAGRAM);
	expect(q, data, sizeof(data), QUIC_HELLO, TOLD);
}

static void acknowledgements(void **state _unused_)
{
	_cleanup_(quic_free_ptr) struct quic *q = quic_new();
	_cleanup_strbuf_ struct strbuf frames = STRBUF_INIT;
	u8 data[QUIC_DATAGRAM];

	strbuf_add(&frames, "\2\x40\5\0\1\2\3\4", 8); /* two ranges */
	strbuf_add(&frames, "\3\1\0\0\0\1\2\3", 8);
	add_piece(&frames, 0, HELLO_LEN);
	strbuf_add(&frames, "\x1c\1\2", 3);
	quic_seal(&quic_samples[0], quic_id, 0, frames.data, frames.len, data);
	expect(q, data, sizeof(data), QUIC_HELLO, TOLD);
}

/* None of what is not whole, or was changed, tells anything. */
static void damage(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf frames = STRBUF_INIT;
	u8 data[QUIC_DATAGRAM];

	strbuf_add(&frames, frame, sizeof(frame));
	quic_seal(&quic_samples[0], quic_id, 2, frames.data, frames.len, data);
	for (size_t i = 0; i < sizeof(data); i += i < 40 ? 1 : 97) {
		_cleanup_(quic_free_ptr) struct quic *q = quic_new();

		expect(q, data, i, QUIC_NOTHING, "");
		data[i] ^= 0x81;
		expect(q, data, sizeof(data), QUIC_NOTHING, "");
		data[i] ^= 0x81;
		expect(q, data, sizeof(data), QUIC_HELLO, TOLD);
	}
}

static void frames_that_are_none(void **state _unused_)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ BYTES("\6\xff\xff\xff\xff\xff\xff\xff\xff\1x") }, /* far away */
		{ BYTES("\6\x80\0\x40\0\1x") },
		{ BYTES("\6\0\xff\xff\xff\xff\xff\xff\xff\xff") }, /* too long */
		{ BYTES("\6\0\0") },
		{ BYTES("\2\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0") }, /* ranges without end */
		{ BYTES("\x30") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(quic_free_ptr) struct quic *q = quic_new();
		_cleanup_strbuf_ struct strbuf frames = STRBUF_INIT;
		u8 data[QUIC_DATAGRAM];

		strbuf_add(&frames, bad[i].bytes, bad[i].len);
		quic_seal(&quic_samples[0], quic_id, 0, frames.data, frames.len, data);
		expect(q, data, sizeof(data), QUIC_NOTHING, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions),
		cmocka_unit_test(pieces_in_any_order),
		cmocka_unit_test(what_follows_an_answer),
		cmocka_unit_test(several_in_one_write),
		cmocka_unit_test(acknowledgements),
		cmocka_unit_test(damage),
		cmocka_unit_test(frames_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

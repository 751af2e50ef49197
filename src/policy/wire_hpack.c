#include "policy/wire_hpack.h"

#include <errno.h>

#include "base/strbuf.h"
#include "policy/wire_hpack_tables.h"
#include "policy/wire_read.h"

#define STATIC_COUNT ARRAY_SIZE(static_headers)
#define STRING_MAX   (64U << 10)
#define ENTRY_MAX    4096 /* bytes of a value that is kept */

/* An integer of which the first byte has `bits` bits. */
static u32 take_integer(struct reader *r, u32 bits)
{
	u32 mask = (1U << bits) - 1, n = reader_u8(r) & mask, shift = 0;
	u8 byte = 0x80;

	if (n < mask)
		return n;
	for (; byte & 0x80 && shift <= 21; shift += 7) {
		byte = reader_u8(r);
		n += (u32)(byte & 0x7f) << shift;
	}
	r->bad |= byte & 0x80;
	return n;
}

static bool decode_huffman(struct wire_slice s, struct strbuf *ret)
{
	u32 code = 0, first = 0, index = 0, bits = 0;

	for (size_t i = 0; i < s.len * 8; i++) {
		code = code << 1 | ((u8)s.s[i / 8] >> (7 - i % 8) & 1);
		first = (first + huffman_counts[bits]) << 1;
		index += huffman_counts[bits++];
		if (code - first < huffman_counts[bits]) {
			if (huffman_symbols[index + code - first] == HUFFMAN_END)
				return false;
			strbuf_addc(ret, (char)huffman_symbols[index + code - first]);
			code = first = index = bits = 0;
		} else if (bits == ARRAY_SIZE(huffman_counts) - 1) {
			return false;
		}
	}
	return bits < 8; /* what is left only fills the byte */
}

static void take_string(struct reader *r, struct strbuf *ret)
{
	bool coded = reader_left(r) && *r->p & 0x80;
	u32 len = take_integer(r, 7);
	struct wire_slice s;

	strbuf_reset(ret);
	if (len > STRING_MAX)
		r->bad = true;
	s = reader_bytes(r, r->bad ? 0 : len);
	if (r->bad)
		return;
	if (!coded)
		strbuf_add(ret, s.s, s.len);
	else if (!decode_huffman(s, ret))
		r->bad = true;
	r->bad |= strbuf_error(ret) != 0;
}

static struct wire_slice text_of(const char *s)
{
	return (struct wire_slice) { s, strlen(s) };
}

/* Numbered from 1: the fixed ones, then the newest. */
static void look_up(const struct hpack *h, u32 index, struct wire_slice *ret_name,
		    struct wire_slice *ret_value)
{
	const struct hpack_entry *e;
	u32 age;

	*ret_name = *ret_value = (struct wire_slice) { 0 };
	if (!index)
		return;
	if (index <= STATIC_COUNT) {
		*ret_name = text_of(static_headers[index - 1].name);
		*ret_value = text_of(static_headers[index - 1].value);
		return;
	}
	age = index - STATIC_COUNT;
	if (age > HPACK_ENTRIES)
		return;
	e = &h->entries[(h->next + HPACK_ENTRIES - age) % HPACK_ENTRIES];
	*ret_name = (struct wire_slice) { e->name, e->name_len };
	*ret_value = (struct wire_slice) { e->value, e->value_len };
}

static char *copy(struct wire_slice s, size_t *ret_len)
{
	char *c = s.s && s.len <= ENTRY_MAX ? malloc(s.len + 1) : NULL;

	*ret_len = c ? s.len : 0;
	if (c && s.len)
		memcpy(c, s.s, s.len);
	return c;
}

static void add_entry(struct hpack *h, struct wire_slice name, struct wire_slice value)
{
	struct hpack_entry e, *old = &h->entries[h->next % HPACK_ENTRIES];

	e.name = copy(name, &e.name_len);
	e.value = copy(value, &e.value_len);
	free(old->name);
	free(old->value);
	*old = e;
	h->next = (h->next + 1) % HPACK_ENTRIES;
}

/* A header that is written out, at least its value. */
static void take_literal(struct hpack *h, struct reader *r, u32 bits, hpack_fn fn, void *arg)
{
	_cleanup_strbuf_ struct strbuf own = STRBUF_INIT, text = STRBUF_INIT;
	u32 index = take_integer(r, bits);
	struct wire_slice name, value;

	look_up(h, index, &name, &value);
	if (!index) {
		take_string(r, &own);
		name = (struct wire_slice) { strbuf_str(&own), own.len };
	}
	take_string(r, &text);
	if (r->bad)
		return;
	value = (struct wire_slice) { strbuf_str(&text), text.len };
	fn(name, value, arg);
	if (bits == 6)
		add_entry(h, name, value);
}

bool hpack_decode(struct hpack *h, const u8 *data, size_t len, hpack_fn fn, void *arg)
{
	struct reader r = reader_of(data, len);
	struct wire_slice name, value;

	while (reader_left(&r) && !r.bad) {
		u8 first = *r.p;

		if (first & 0x80) {
			look_up(h, take_integer(&r, 7), &name, &value);
			if (!r.bad)
				fn(name, value, arg);
		} else if (first & 0x40) {
			take_literal(h, &r, 6, fn, arg);
		} else if (first & 0x20) {
			take_integer(&r,
				     5); /* the table's size: what it drops is asked for no more */
		} else {
			take_literal(h, &r, 4, fn, arg);
		}
	}
	return !r.bad;
}

void hpack_free(struct hpack *h)
{
	for (u32 i = 0; i < HPACK_ENTRIES; i++) {
		free(h->entries[i].name);
		free(h->entries[i].value);
	}
}

int hpack_clone(struct hpack *to, const struct hpack *from)
{
	*to = (struct hpack) { .next = from->next };
	for (u32 i = 0; i < HPACK_ENTRIES; i++) {
		const struct hpack_entry *f = &from->entries[i];
		struct hpack_entry *t = &to->entries[i];

		t->name = copy((struct wire_slice) { f->name, f->name_len }, &t->name_len);
		t->value = copy((struct wire_slice) { f->value, f->value_len }, &t->value_len);
		if (!t->name != !f->name || !t->value != !f->value)
			return -ENOMEM;
	}
	return 0;
}

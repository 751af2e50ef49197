/* Statements of which the kernel is told that all of their shape are harmless. */
#include <ctype.h>
#include <string.h>

#include "base/strbuf.h"
#include "policy/send.h"
#include "policy/sql.h"

#define BS_LOOP(count, fn, ctx)                                                                    \
	do {                                                                                       \
		for (u32 i_ = 0, n_ = (count); i_ < n_; i_++)                                      \
			if (fn(i_, (ctx)))                                                         \
				break;                                                             \
	} while (0)

#include "backstop/shape.h"

struct bs_shape policy_shape(const void *text, size_t len, const struct bs_shape *key)
{
	u8 block[BS_SHAPE_MAX] = { 0 };

	memcpy(block, text, MIN(len, BS_SHAPE_MAX));
	return bs_shape_of(block, (u32)MIN(len, BS_SHAPE_MAX), key);
}

/* Tags of dollar quotes may differ in their numbers, and then end elsewhere. */
static bool has_tag(const char *text, size_t len)
{
	const char *end = text + len;

	for (const char *p = text; (p = memchr(p, '$', (size_t)(end - p)));) {
		const char *digits = ++p;

		while (p < end && isdigit((unsigned char)*p))
			p++;
		if (p == digits || (p < end && (isalnum((unsigned char)*p) || *p == '_' ||
						*p == '$' || (unsigned char)*p >= 0x80)))
			return true;
	}
	return false;
}

/* The shape itself. Names that differ in their numbers alone are the same in it. */
static void write_shape(const char *text, size_t len, struct strbuf *ret)
{
	bool after_digit = false;

	for (size_t i = 0; i < len; i++) {
		bool digit = isdigit((unsigned char)text[i]);

		if (!digit || !after_digit)
			strbuf_addc(ret, digit ? '1' : text[i]);
		after_digit = digit;
	}
}

static bool is_allowed(const struct policy *p, const struct sending *s,
		       const struct wire_message *m)
{
	struct sending of_shape = *s;
	struct finding f;

	of_shape.message = m;
	policy_match_send(p, &of_shape, &f);
	return f.verdict == VERDICT_ALLOW && f.signature == (u32)-1 && !f.pack;
}

bool policy_is_shape_harmless(const struct policy *p, const struct sending *s)
{
	_cleanup_strbuf_ struct strbuf shape = STRBUF_INIT;
	struct wire_message m = *s->message;

	if (m.kind != WIRE_SQL || m.uncertain || !m.text.s || m.text.len > BS_SHAPE_MAX ||
	    has_tag(m.text.s, m.text.len) || !is_allowed(p, s, &m))
		return false;
	write_shape(m.text.s, m.text.len, &shape);
	m.text = (struct wire_slice) { strbuf_str(&shape), shape.len };
	return !strbuf_error(&shape) && !sql_may_be_destructive(m.text.s, m.text.len) &&
	       is_allowed(p, s, &m);
}

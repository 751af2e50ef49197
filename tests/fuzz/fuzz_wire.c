/* Bytes that leave on a connection. The input: a byte of flags, a byte that says how the rest is
 * cut into writes, and the rest. Cut in another way it must tell the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "policy/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(struct strbuf *out, struct wire_slice s)
{
	strbuf_addf(out, "%zu:", s.len);
	if (s.len)
		strbuf_add(out, s.s, s.len);
}

/* Raw text, and what is told before its body, depend on how writes are cut. */
static bool hear(const struct wire_message *m, void *data)
{
	struct strbuf *out = data;

	if (m->kind == WIRE_RAW || m->partial)
		return false;
	strbuf_addf(out, "%d%d%d%d%d ", m->protocol, m->kind, m->uncertain, m->packed,
		    m->everything);
	add(out, m->text);
	add(out, m->method);
	add(out, m->host);
	add(out, m->path);
	add(out, m->database);
	for (u32 i = 0; i < m->words_count; i++)
		add(out, m->words[i]);
	strbuf_addc(out, '\n');
	return m->text.len & 1;
}

static bool run(const uint8_t *data, size_t size, size_t piece, bool torn, struct strbuf *ret)
{
	_cleanup_(wire_stream_free_ptr) struct wire_stream *s = wire_stream_new(0, !torn, 0);
	bool raw = torn;

	for (size_t at = 0; s && at < size; at += piece) {
		wire_stream_write(s, at, data + at, MIN(piece, size - at), hear, ret);
		raw |= wire_protocol(wire_stream_wire(s)) == WIRE_UNKNOWN;
	}
	return raw;
}

static void hear_answer(const struct wire_answer *a, void *data)
{
	if (!*a->name || strlen(a->name) > 255)
		abort();
	++*(unsigned int *)data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_strbuf_ struct strbuf one = STRBUF_INIT, other = STRBUF_INIT;
	unsigned int answers = 0;
	bool torn, raw;

	if (size < 2 || size > 4096)
		return 0;
	torn = data[0] & 1;
	wire_dns(data + 2, size - 2, hear_answer, &answers);
	raw = run(data + 2, size - 2, size, torn, &one);
	raw |= run(data + 2, size - 2, 1 + data[1] % 64, torn, &other);
	/* where understanding begins again depends on how writes are cut */
	if (!raw && (one.len != other.len || memcmp(strbuf_str(&one), strbuf_str(&other), one.len)))
		abort();
	return 0;
}

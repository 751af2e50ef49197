/* Bytes that leave on a connection. The input: a byte of flags, a byte that says how the rest is
 * cut into writes, and the rest. Cut in another way it must tell the same, up to where nobody
 * understands it any more, and that at the same byte. */
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
	bool lost = false;

	for (size_t at = 0; s && at < size; at += piece) {
		wire_stream_write(s, at, data + at, MIN(piece, size - at), hear, ret);
		lost |= wire_protocol(wire_stream_wire(s)) == WIRE_UNKNOWN;
	}
	return lost;
}

static void hear_answer(const struct wire_answer *a, void *data)
{
	if (!*a->name || strlen(a->name) > 255)
		abort();
	++*(unsigned int *)data;
}

/* Where understanding begins again depends on how writes are cut, where it ends does not. */
static void compare(const struct strbuf *one, bool one_lost, const struct strbuf *other,
		    bool other_lost)
{
	if (one_lost != other_lost || one->len > other->len ||
	    (!one_lost && one->len != other->len) ||
	    memcmp(strbuf_str(one), strbuf_str(other), one->len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_strbuf_ struct strbuf one = STRBUF_INIT, other = STRBUF_INIT;
	unsigned int answers = 0;
	bool torn, one_lost, other_lost;

	if (size < 2 || size > 4096)
		return 0;
	torn = data[0] & 1;
	wire_dns(data + 2, size - 2, hear_answer, &answers);
	one_lost = run(data + 2, size - 2, size, torn, &one);
	other_lost = run(data + 2, size - 2, 1 + data[1] % 64, torn, &other);
	if (!torn)
		compare(&one, one_lost, &other, other_lost);
	return 0;
}

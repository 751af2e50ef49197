/* TLS: the name and the protocols that a ClientHello asks for, in however many records. */
#include "policy/wire_parser.h"

#define RECORD	       5
#define HANDSHAKE      22
#define CLIENT_HELLO   1
#define HELLO_MAX      (64U << 10)
#define EXTENSION_SNI  0
#define EXTENSION_ALPN 16
#define EXTENSION_ECH  0xfe0d

static enum wire_guess probe(const u8 *p, size_t len, bool begun)
{
	if (!begun)
		return len >= RECORD && p[0] >= 20 && p[0] <= 23 && p[1] == 3 && p[2] <= 4 &&
				       wire_be16(p + 3) <= 16640
			       ? WIRE_YES
			       : WIRE_NO;
	if (p[0] != HANDSHAKE || (len > 1 && p[1] != 3) || (len > 2 && p[2] > 4))
		return WIRE_NO;
	if (len <= RECORD)
		return WIRE_MAYBE;
	return p[RECORD] == CLIENT_HELLO ? WIRE_YES : WIRE_NO;
}

static struct wire_slice read_sni(struct reader *r)
{
	struct wire_slice name = { 0 };

	reader_be16(r);
	if (reader_u8(r) == 0)
		name = reader_bytes(r, reader_be16(r));
	return name;
}

/* The protocols, with commas between. */
static void read_alpn(struct reader *r, struct strbuf *ret)
{
	reader_be16(r);
	while (reader_left(r) && !r->bad) {
		struct wire_slice s = reader_bytes(r, reader_u8(r));

		if (ret->len && s.len)
			strbuf_addc(ret, ',');
		if (s.len)
			strbuf_add(ret, s.s, s.len);
	}
}

/* Moves on to the extensions, over what stands before: random, session, ciphers, compression. */
static void pass_to_extensions(struct reader *r)
{
	reader_bytes(r, 4 + 2 + 32);
	reader_bytes(r, reader_u8(r));
	reader_bytes(r, reader_be16(r));
	reader_bytes(r, reader_u8(r));
	reader_be16(r);
}

bool wire_tls_hello(struct wire *w, const u8 *hello, size_t len)
{
	_cleanup_strbuf_ struct strbuf alpn = STRBUF_INIT;
	struct reader r = reader_of(hello, len);
	struct wire_message m = { .kind = WIRE_NAME };

	pass_to_extensions(&r);
	while (reader_left(&r) >= 4 && !r.bad) {
		u16 type = reader_be16(&r);
		struct wire_slice body = reader_bytes(&r, reader_be16(&r));
		struct reader in = reader_of(body.s ?: "", body.len);

		if (type == EXTENSION_SNI && body.len)
			m.text = read_sni(&in);
		else if (type == EXTENSION_ALPN && body.len)
			read_alpn(&in, &alpn);
		else if (type == EXTENSION_ECH)
			m.uncertain = true;
	}
	m.type = (struct wire_slice) { strbuf_str(&alpn), alpn.len };
	wire_tell(w, &m);
	return !r.bad;
}

/* The hello without the records around it; 0: `ret`, -1: these are no such records; else that many
 * bytes are needed. */
static long join(const u8 *p, size_t len, struct strbuf *ret)
{
	size_t at = 0, total = 4;

	while (ret->len < total) {
		size_t size;

		if (len < at + RECORD)
			return (long)(at + RECORD);
		size = wire_be16(p + at + 3);
		if (p[at] != HANDSHAKE || !size)
			return -1;
		if (len < at + RECORD + size)
			return (long)(at + RECORD + size);
		strbuf_add(ret, p + at + RECORD, size);
		if (strbuf_error(ret))
			return -1;
		at += RECORD + size;
		if (ret->len >= 4)
			total = 4 + (size_t)wire_be24((const u8 *)ret->data + 1);
		if (total > HELLO_MAX)
			return -1;
	}
	return 0;
}

static size_t step(struct wire *w, const u8 *p, size_t len)
{
	_cleanup_strbuf_ struct strbuf hello = STRBUF_INIT;
	long r = p[0] == HANDSHAKE ? join(p, len, &hello) : -1;

	if (r > 0)
		return wire_more(w, (size_t)r);
	if (!r)
		wire_tls_hello(w, (const u8 *)hello.data, hello.len);
	wire_end(w, "the connection is encrypted");
	return len;
}

static const u16 ports[] = { 443, 8443, 0 };

const struct wire_parser wire_tls_parser = { probe, step, NULL, ports };

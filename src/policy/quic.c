#include "policy/quic.h"

#include <nettle/aes.h>
#include <nettle/gcm.h>
#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <stdlib.h>

#include "policy/wire_parser.h"

#define CONNECTIONS 8	       /* of a socket; the oldest is forgotten */
#define HELLO_MAX   (1U << 14) /* bytes; with the largest keys of today it is 2 KB */
#define ID_MAX	    20	       /* bytes of a connection's id */
#define KEY	    AES128_KEY_SIZE
#define SAMPLE	    AES_BLOCK_SIZE
#define PN_MAX	    4 /* bytes of a packet's number */

#define LONG_HEADER 0xc0 /* with the fixed bit */

enum frame {
	FRAME_PADDING = 0,
	FRAME_PING = 1,
	FRAME_ACK = 2,
	FRAME_ACK_ECN = 3,
	FRAME_CRYPTO = 6,
};

static const struct version {
	u32 number;
	u8 initial; /* the type's two bits in the first byte */
	u8 salt[20];
	const char *key, *iv, *hp;
} versions[] = {
	{ 1,
	  0x00, /* RFC 9001, 5.2 */
	  { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
	    0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a },
	  "quic key",
	  "quic iv",
	  "quic hp" },
	{ 0x6b3343cf,
	  0x10, /* RFC 9369, 3.3 */
	  { 0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
	    0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9 },
	  "quicv2 key",
	  "quicv2 iv",
	  "quicv2 hp" },
};

struct keys {
	u8 key[KEY], iv[GCM_IV_SIZE], hp[KEY];
};

struct connection {
	struct keys keys;
	struct strbuf hello; /* in whatever order its bytes come, */
	struct strbuf known; /* and for each 1: it came */
};

struct quic {
	struct connection connections[CONNECTIONS];
	u32 count; /* of all that ever were */
};

struct quic *quic_new(void)
{
	return calloc(1, sizeof(struct quic));
}

static void forget(struct connection *c)
{
	strbuf_free(&c->hello);
	strbuf_free(&c->known);
}

void quic_free(struct quic *q)
{
	if (!q)
		return;
	for (u32 i = 0; i < CONNECTIONS; i++)
		forget(&q->connections[i]);
	free(q);
}

/* ---- keys */

/* HKDF-Expand-Label of TLS 1.3 (RFC 8446, 7.1), without a context. */
static void expand(const u8 secret[SHA256_DIGEST_SIZE], const char *label, u8 *ret, size_t len)
{
	struct hmac_sha256_ctx hmac;
	_cleanup_strbuf_ struct strbuf info = STRBUF_INIT;

	strbuf_addc(&info, 0);
	strbuf_addc(&info, (char)len);
	strbuf_addc(&info, (char)(strlen("tls13 ") + strlen(label)));
	strbuf_adds(&info, "tls13 ");
	strbuf_adds(&info, label);
	strbuf_addc(&info, 0);
	hmac_sha256_set_key(&hmac, SHA256_DIGEST_SIZE, secret);
	hkdf_expand(&hmac, (nettle_hash_update_func *)hmac_sha256_update,
		    (nettle_hash_digest_func *)hmac_sha256_digest, SHA256_DIGEST_SIZE, info.len,
		    (const u8 *)strbuf_str(&info), len, ret);
}

static void derive(const struct version *v, struct wire_slice id, struct keys *ret)
{
	struct hmac_sha256_ctx hmac;
	u8 initial[SHA256_DIGEST_SIZE], client[SHA256_DIGEST_SIZE];

	hmac_sha256_set_key(&hmac, sizeof(v->salt), v->salt);
	hkdf_extract(&hmac, (nettle_hash_update_func *)hmac_sha256_update,
		     (nettle_hash_digest_func *)hmac_sha256_digest, SHA256_DIGEST_SIZE, id.len,
		     (const u8 *)id.s, initial);
	expand(initial, "client in", client, sizeof(client));
	expand(client, v->key, ret->key, sizeof(ret->key));
	expand(client, v->iv, ret->iv, sizeof(ret->iv));
	expand(client, v->hp, ret->hp, sizeof(ret->hp));
}

/* ---- packets */

/* One with a long header, which tells where it ends. */
struct packet {
	const struct version *version;
	const u8 *data;
	size_t number, len;   /* where the number begins; of all of it */
	struct wire_slice id; /* of the other end */
	bool initial;
};

static u64 read_varint(struct reader *r)
{
	u8 first = reader_u8(r);
	u64 n = first & 0x3f;

	for (int more = (1 << (first >> 6)) - 1; more > 0; more--)
		n = n << 8 | reader_u8(r);
	return n;
}

static const struct version *find_version(u32 number)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (versions[i].number == number)
			return &versions[i];
	return NULL;
}

static bool read_packet(struct reader *r, struct packet *ret)
{
	u8 first;
	u64 len;

	*ret = (struct packet) { .data = r->p };
	first = reader_u8(r);
	ret->version = find_version(reader_be32(r));
	if ((first & LONG_HEADER) != LONG_HEADER || !ret->version)
		return false;
	ret->initial = (first & 0x30) == ret->version->initial;
	ret->id = reader_bytes(r, reader_u8(r));
	reader_bytes(r, reader_u8(r));
	if (ret->initial)
		reader_bytes(r, read_varint(r));
	len = read_varint(r);
	ret->number = (size_t)(r->p - ret->data);
	reader_bytes(r, len);
	ret->len = (size_t)(r->p - ret->data);
	return !r->bad && ret->id.len <= ID_MAX;
}

/* Takes the protection off its header; returns the bytes of its number. */
static size_t unmask(const struct keys *k, const struct packet *p, u8 *data)
{
	struct aes128_ctx aes;
	u8 mask[AES_BLOCK_SIZE];
	size_t len;

	aes128_set_encrypt_key(&aes, k->hp);
	aes128_encrypt(&aes, sizeof(mask), mask, data + p->number + PN_MAX);
	data[0] ^= mask[0] & 0x0f;
	len = (data[0] & 3) + 1U;
	for (size_t i = 0; i < len; i++)
		data[p->number + i] ^= mask[1 + i];
	return len;
}

/* What the packet holds, in `data`, a copy of it; none: it was made with other keys. */
static struct wire_slice decrypt(const struct keys *k, const struct packet *p, u8 *data)
{
	struct gcm_aes128_ctx gcm;
	u8 iv[GCM_IV_SIZE], tag[GCM_DIGEST_SIZE];
	size_t number = unmask(k, p, data), head = p->number + number;
	size_t len = p->len - head - GCM_DIGEST_SIZE;

	memcpy(iv, k->iv, sizeof(iv));
	for (size_t i = 0; i < number; i++)
		iv[GCM_IV_SIZE - number + i] ^= data[p->number + i];
	gcm_aes128_set_key(&gcm, k->key);
	gcm_aes128_set_iv(&gcm, sizeof(iv), iv);
	gcm_aes128_update(&gcm, head, data);
	gcm_aes128_decrypt(&gcm, len, data + head, data + head);
	gcm_aes128_digest(&gcm, sizeof(tag), tag);
	if (memcmp(tag, data + p->len - GCM_DIGEST_SIZE, sizeof(tag)) != 0)
		return (struct wire_slice) { 0 };
	return (struct wire_slice) { (const char *)data + head, len };
}

static struct wire_slice try_keys(const struct keys *k, const struct packet *p, u8 *data)
{
	memcpy(data, p->data, p->len);
	return decrypt(k, p, data);
}

/* The connection it is of. Its keys follow from the first id that the other end was given, which it
 * changes with its answer. */
static struct connection *open_packet(struct quic *q, const struct packet *p, u8 *data,
				      struct wire_slice *ret)
{
	struct connection *c;
	struct keys keys;

	for (u32 i = 0; i < MIN(q->count, (u32)CONNECTIONS); i++) {
		*ret = try_keys(&q->connections[i].keys, p, data);
		if (ret->s)
			return &q->connections[i];
	}
	derive(p->version, p->id, &keys);
	*ret = try_keys(&keys, p, data);
	if (!ret->s)
		return NULL;
	c = &q->connections[q->count++ % CONNECTIONS];
	forget(c);
	*c = (struct connection) { .keys = keys };
	return c;
}

/* ---- frames */

static bool grow(struct strbuf *b, size_t len)
{
	while (b->len < len && !strbuf_error(b))
		strbuf_addc(b, 0);
	return !strbuf_error(b);
}

static bool take_crypto(struct connection *c, struct reader *r)
{
	u64 at = read_varint(r), len = read_varint(r);
	struct wire_slice s = reader_bytes(r, len);

	if (!s.len || at > HELLO_MAX || s.len > HELLO_MAX - at || !grow(&c->hello, at + s.len) ||
	    !grow(&c->known, at + s.len))
		return false;
	memcpy(c->hello.data + at, s.s, s.len);
	memset(c->known.data + at, 1, s.len);
	return true;
}

static void pass_ack(struct reader *r, bool ecn)
{
	u64 ranges;

	read_varint(r);
	read_varint(r);
	ranges = read_varint(r);
	read_varint(r);
	for (; ranges && !r->bad; ranges--) {
		read_varint(r);
		read_varint(r);
	}
	for (int i = 0; ecn && i < 3; i++)
		read_varint(r);
}

/* True: there were bytes of the hello. Behind a frame that has no place here nothing is read. */
static bool take_frames(struct connection *c, struct wire_slice payload)
{
	struct reader r = reader_of(payload.s, payload.len);
	bool took = false;

	while (reader_left(&r) && !r.bad) {
		u64 type = read_varint(&r);

		if (type == FRAME_CRYPTO)
			took |= take_crypto(c, &r);
		else if (type == FRAME_ACK || type == FRAME_ACK_ECN)
			pass_ack(&r, type == FRAME_ACK_ECN);
		else if (type != FRAME_PADDING && type != FRAME_PING)
			break;
	}
	return took;
}

/* Bytes of the message; 0: some are missing. */
static size_t complete(const struct connection *c)
{
	size_t len = 4;

	if (c->known.len >= len && !memchr(c->known.data, 0, len))
		len += wire_be24((const u8 *)c->hello.data + 1);
	return len > 4 && c->known.len >= len && !memchr(c->known.data, 0, len) ? len : 0;
}

static enum quic_told take_packet(struct quic *q, const struct packet *p, wire_fn fn, void *arg)
{
	struct wire w = { .protocol = WIRE_TLS, .fn = fn, .arg = arg };
	_cleanup_free_ u8 *data = malloc(p->len);
	struct wire_slice payload;
	struct connection *c = data ? open_packet(q, p, data, &payload) : NULL;
	size_t len;

	if (!c || !take_frames(c, payload))
		return QUIC_NOTHING;
	len = complete(c);
	if (!len)
		return QUIC_PART;
	wire_tls_hello(&w, (const u8 *)c->hello.data, len);
	return QUIC_HELLO;
}

bool quic_begins(const void *data, size_t len)
{
	const u8 *p = data;

	return len > 5 && (p[0] & LONG_HEADER) == LONG_HEADER && find_version(wire_be32(p + 1));
}

enum quic_told quic_write(struct quic *q, const void *data, size_t len, wire_fn fn, void *arg)
{
	struct reader r = reader_of(data, len);
	enum quic_told told = QUIC_NOTHING;
	struct packet p;

	while (reader_left(&r) && read_packet(&r, &p)) {
		enum quic_told more = QUIC_NOTHING;

		if (p.initial && p.len >= p.number + PN_MAX + SAMPLE)
			more = take_packet(q, &p, fn, arg);
		told = MAX(told, more);
	}
	return told;
}

#include "journal/chain.h"

#include <errno.h>
#include <string.h>
#include <sodium.h>

#include "journal/keys.h"

#define CHAIN_NAME  ",\"chain\":\""
#define SIGNED_NAME "\",\"signed\":\""
#define LINE_NAME   "\"line\":"
#define TAIL	    "}}}"

static const char purpose[] = "backstop journal line v1";

/* ---- hex */

static const char digits[] = "0123456789abcdef";

void chain_add_hex(struct strbuf *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		strbuf_addc(out, digits[bytes[i] >> 4]);
		strbuf_addc(out, digits[bytes[i] & 15]);
	}
}

static int value_of(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

bool chain_from_hex(const char *hex, uint8_t *ret, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = value_of(hex[2 * i]), low = high < 0 ? -1 : value_of(hex[2 * i + 1]);

		if (low < 0)
			return false;
		ret[i] = high << 4 | low;
	}
	return true;
}

/* ---- writing */

static void hash(const struct chain_keys *k, const uint8_t *before, const char *text, size_t len,
		 uint8_t *ret)
{
	crypto_generichash_state state = k->begun;

	crypto_generichash_update(&state, before, CHAIN_HASH);
	crypto_generichash_update(&state, (const uint8_t *)text, len);
	crypto_generichash_final(&state, ret, CHAIN_HASH);
}

void chain_seal(const struct chain_keys *k, const void *data, size_t len, uint8_t *ret)
{
	static const uint8_t none[CHAIN_HASH];

	hash(k, none, data, len, ret);
}

/* The hash covers all lines up to this one. */
static size_t fill_signed(const struct chain_place *at, uint8_t *text)
{
	memcpy(text, purpose, sizeof(purpose));
	memcpy(text + sizeof(purpose), at->hash, CHAIN_HASH);
	return sizeof(purpose) + CHAIN_HASH;
}

static void add_signature(const struct chain_keys *k, const struct chain_place *at,
			  struct strbuf *out)
{
	uint8_t text[sizeof(purpose) + CHAIN_HASH], signature[CHAIN_SIGNED];

	crypto_sign_detached(signature, NULL, text, fill_signed(at, text), k->secret);
	strbuf_adds(out, SIGNED_NAME);
	chain_add_hex(out, signature, sizeof(signature));
}

int chain_add(const struct chain_keys *k, struct chain_place *at, const char *line, size_t len,
	      const char *members, bool sign, struct strbuf *out)
{
	size_t body = len - MIN(len, strlen(TAIL)), start = out->len;
	struct chain_place next = { .line = at->line + 1 };

	if (!body || memcmp(line + body, TAIL, strlen(TAIL)) || (sign && !k->can_sign))
		return -EINVAL;
	strbuf_add(out, line, body);
	if (line[body - 1] != '{')
		strbuf_addc(out, ',');
	if (members)
		strbuf_addf(out, "%s,", members);
	strbuf_addf(out, LINE_NAME "%llu", (unsigned long long)next.line);
	if (strbuf_error(out))
		return strbuf_error(out);
	hash(k, at->hash, out->data + start, out->len - start, next.hash);
	strbuf_adds(out, CHAIN_NAME);
	chain_add_hex(out, next.hash, CHAIN_HASH);
	if (sign)
		add_signature(k, &next, out);
	strbuf_adds(out, "\"" TAIL "\n");
	if (!strbuf_error(out))
		*at = next;
	return strbuf_error(out);
}

/* ---- reading */

/* What stands `back` bytes before `end`; NULL: not this. */
static const char *find_back(const char *line, const char *end, size_t back, const char *name)
{
	if (!end || (size_t)(end - line) < back || memcmp(end - back, name, strlen(name)))
		return NULL;
	return end - back;
}

/* Ends before the name of the hash, where the number is all that is left of the member. */
static bool parse_number(const char *line, const char *end, uint64_t *ret)
{
	const char *at = end, *name;
	uint64_t n = 0, unit = 1;

	while (at > line && at[-1] >= '0' && at[-1] <= '9' && end - at < 20) {
		n += (uint64_t)(*--at - '0') * unit;
		unit *= 10;
	}
	name = find_back(line, at, strlen(LINE_NAME), LINE_NAME);
	if (at == end || !name || name == line || (name[-1] != ',' && name[-1] != '{'))
		return false;
	*ret = n;
	return true;
}

bool chain_parse(const char *line, size_t len, struct chain_link *ret)
{
	static const char last[] = "\"" TAIL;
	const size_t hash_len = strlen(CHAIN_NAME) + 2 * CHAIN_HASH;
	const char *end = find_back(line, line + len, strlen(last), last), *at;
	struct chain_link l = { 0 };

	at = find_back(line, end, strlen(SIGNED_NAME) + 2 * CHAIN_SIGNED, SIGNED_NAME);
	if (at) {
		l.is_signed = true;
		if (!chain_from_hex(at + strlen(SIGNED_NAME), l.signature, CHAIN_SIGNED))
			return false;
		end = at;
	}
	at = find_back(line, end, hash_len, CHAIN_NAME);
	if (!at || !chain_from_hex(at + strlen(CHAIN_NAME), l.place.hash, CHAIN_HASH) ||
	    !parse_number(line, at, &l.place.line))
		return false;
	l.covered = at - line;
	*ret = l;
	return true;
}

bool chain_fits(const struct chain_keys *k, const uint8_t *before, const char *line,
		const struct chain_link *l)
{
	uint8_t right[CHAIN_HASH];

	hash(k, before, line, l->covered, right);
	return !sodium_memcmp(right, l->place.hash, CHAIN_HASH);
}

bool chain_is_signed(const struct chain_keys *k, const struct chain_link *l)
{
	uint8_t text[sizeof(purpose) + CHAIN_HASH];

	return l->is_signed && !crypto_sign_verify_detached(
				       l->signature, text, fill_signed(&l->place, text), k->public);
}

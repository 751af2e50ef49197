/* What name servers answer: which names stand for which addresses. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "base/strbuf.h"
#include "policy/wire_read.h"

#define NAME_SIZE   256
#define CHAIN_MAX   16
#define RECORDS_MAX 256
#define JUMPS_MAX   32

enum record_type { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28 };

struct answer {
	const u8 *data, *end;
	char chain[CHAIN_MAX][NAME_SIZE];
	u32 chain_count;
	wire_answer_fn fn;
	void *arg;
};

/* One label behind its length. False where it has bytes that no host name has. */
static bool add_label(struct reader *r, u8 len, char *name, size_t *at)
{
	struct wire_slice s = reader_bytes(r, len);

	if (r->bad || *at + len + 2 > NAME_SIZE)
		return false;
	if (*at)
		name[(*at)++] = '.';
	for (u8 i = 0; i < len; i++) {
		char c = s.s[i];

		if (!isalnum((unsigned char)c) && c != '-' && c != '_' && c != '*')
			return false;
		name[(*at)++] = (char)tolower((unsigned char)c);
	}
	return true;
}

/* Where a name goes on; false where that is nowhere. */
static bool jump(const struct answer *a, struct reader *at, u8 high)
{
	size_t offset = (size_t)(high & 0x3f) << 8 | reader_u8(at),
	       len = (size_t)(a->end - a->data);

	if (offset >= len)
		return false;
	*at = reader_of(a->data + offset, len - offset);
	return true;
}

/* The name at `r`, which is passed; "" where it is of no host. */
static void take_name(const struct answer *a, struct reader *r, char *ret)
{
	struct reader at = *r;
	u32 jumps = 0;
	bool good = true;
	size_t len = 0;

	for (u8 n; (n = reader_u8(&at)) && !at.bad;) {
		if (n >= 0xc0) {
			if (!jumps) {
				*r = at;
				reader_u8(r);
			}
			at.bad = jumps++ == JUMPS_MAX || !jump(a, &at, n);
		} else if (n > 63) {
			at.bad = true;
		} else if (good) {
			good = add_label(&at, n, ret, &len);
		} else {
			reader_bytes(&at, n);
		}
	}
	if (!jumps)
		*r = at;
	r->bad |= at.bad;
	ret[good && !at.bad ? len : 0] = '\0';
}

static void add_to_chain(struct answer *a, const char *name)
{
	for (u32 i = 0; i < a->chain_count; i++)
		if (strcmp(a->chain[i], name) == 0)
			return;
	if (*name && a->chain_count < CHAIN_MAX)
		strcpy(a->chain[a->chain_count++], name);
}

static void tell(const struct answer *a, struct reader *r, u32 ttl, bool v6)
{
	struct wire_answer answer = { .ttl = ttl };
	struct wire_slice addr = reader_bytes(r, v6 ? 16 : 4);

	if (r->bad)
		return;
	if (!v6)
		answer.addr[10] = answer.addr[11] = 0xff;
	memcpy(answer.addr + (v6 ? 0 : 12), addr.s, addr.len);
	for (u32 i = 0; i < a->chain_count; i++) {
		answer.name = a->chain[i];
		a->fn(&answer, a->arg);
	}
}

/* A record: in the first pass aliases are taken, in the second addresses. */
static void take_record(struct answer *a, struct reader *r, bool aliases)
{
	char name[NAME_SIZE];
	struct reader in;
	u16 type, size;
	u32 ttl;

	take_name(a, r, name);
	type = reader_be16(r);
	reader_be16(r);
	ttl = reader_be32(r);
	size = reader_be16(r);
	in = reader_of(r->p, MIN(size, reader_left(r)));
	reader_bytes(r, size);
	if (r->bad)
		return;
	if (aliases && type == TYPE_CNAME) {
		struct reader target = reader_of(in.p, (size_t)(a->end - in.p));

		add_to_chain(a, name);
		take_name(a, &target, name);
		add_to_chain(a, name);
	} else if (!aliases && (type == TYPE_A || type == TYPE_AAAA)) {
		tell(a, &in, ttl, type == TYPE_AAAA);
	}
}

static void take_records(struct answer *a, struct reader r, u32 count, bool aliases)
{
	for (u32 i = 0; i < MIN(count, RECORDS_MAX) && !r.bad; i++)
		take_record(a, &r, aliases);
}

bool wire_dns(const void *data, size_t len, wire_answer_fn fn, void *arg)
{
	struct answer a = { .data = data, .end = a.data + len, .fn = fn, .arg = arg };
	struct reader r = reader_of(data, len);
	u16 flags, questions, answers;
	char name[NAME_SIZE];

	reader_be16(&r);
	flags = reader_be16(&r);
	questions = reader_be16(&r);
	answers = reader_be16(&r);
	reader_be32(&r);
	if (r.bad || (flags & 0xf80f) != 0x8000 || questions != 1)
		return false;
	take_name(&a, &r, name);
	reader_be32(&r);
	if (r.bad)
		return false;
	add_to_chain(&a, name);
	take_records(&a, r, answers, true);
	take_records(&a, r, answers, false);
	return true;
}

int wire_dns_stream(struct strbuf *pending, const void *data, size_t len, wire_answer_fn fn,
		    void *arg)
{
	size_t used = 0, size;

	strbuf_add(pending, data, len);
	if (strbuf_error(pending))
		return strbuf_error(pending);
	while (pending->len - used >= 2) {
		const u8 *p = (const u8 *)pending->data + used;

		size = wire_be16(p);
		if (pending->len - used < 2 + size)
			break;
		wire_dns(p + 2, size, fn, arg);
		used += 2 + size;
	}
	memmove(pending->data, pending->data + used, pending->len - used);
	strbuf_truncate(pending, pending->len - used);
	return 0;
}

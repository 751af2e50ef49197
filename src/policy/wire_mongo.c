/* MongoDB: a command is the first field of a document. */
#include "policy/wire_parser.h"

#define HEADER	   16
#define LENGTH_MAX (48U << 20)
#define CHECKSUM   1U

enum opcode {
	OP_UPDATE = 2001,
	OP_INSERT = 2002,
	OP_QUERY = 2004,
	OP_GET_MORE = 2005,
	OP_DELETE = 2006,
	OP_KILL_CURSORS = 2007,
	OP_COMPRESSED = 2012,
	OP_MSG = 2013,
};

enum bson_type {
	BSON_DOUBLE = 1,
	BSON_STRING = 2,
	BSON_DOCUMENT = 3,
	BSON_ARRAY = 4,
	BSON_INT32 = 16,
	BSON_INT64 = 18
};

/* As far as it is here. */
static bool may_be_header(const u8 *p, size_t len)
{
	static const u16 codes[] = { OP_UPDATE, OP_INSERT,	 OP_QUERY,	OP_GET_MORE,
				     OP_DELETE, OP_KILL_CURSORS, OP_COMPRESSED, OP_MSG };
	u8 rest[8] = { 0 }; /* whom it answers: nobody; and its code */

	if (len >= 4 && (wire_le32(p) <= HEADER || wire_le32(p) > LENGTH_MAX))
		return false;
	if (len <= 8)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		rest[4] = (u8)codes[i];
		rest[5] = (u8)(codes[i] >> 8);
		if (memcmp(p + 8, rest, MIN(len - 8, sizeof(rest))) == 0)
			return true;
	}
	return false;
}

static enum wire_guess probe(const u8 *p, size_t len, bool begun)
{
	if (!may_be_header(p, len))
		return WIRE_NO;
	if (len < HEADER)
		return begun ? WIRE_MAYBE : WIRE_NO;
	return begun || wire_le32(p) <= len ? WIRE_YES : WIRE_NO;
}

/* --- documents */

struct element {
	u8 type;
	struct wire_slice name;
	struct reader value;
};

/* How long a value of this type is; -1: nobody knows. */
static s64 value_size(u8 type, const struct reader *r)
{
	static const u8 fixed[] = {
		[1] = 8, [7] = 12, [8] = 1, [9] = 8, [16] = 4, [17] = 8, [18] = 8, [19] = 16
	};
	u32 len = reader_left(r) >= 4 ? wire_le32(r->p) : 0;

	if (type == 6 || type == 10 || type == 0xff || type == 0x7f)
		return 0;
	if (type < ARRAY_SIZE(fixed) && fixed[type])
		return fixed[type];
	switch (type) {
	case 2:
	case 13:
	case 14:
		return 4 + (s64)len;
	case 3:
	case 4:
	case 15:
		return len >= 4 ? (s64)len : -1;
	case 5:
		return 5 + (s64)len;
	case 12:
		return 4 + (s64)len + 12;
	}
	return -1;
}

/* The next element of a document whose length has been passed; false behind the last. */
static bool next(struct reader *r, struct element *ret)
{
	s64 size;

	ret->type = reader_u8(r);
	if (!ret->type || r->bad)
		return false;
	ret->name = reader_string(r);
	if (ret->type == 11) { /* a regular expression */
		reader_string(r);
		reader_string(r);
		ret->value = reader_of(r->p, 0);
		return !r->bad;
	}
	size = value_size(ret->type, r);
	if (size < 0 || (u64)size > reader_left(r)) {
		r->bad = true;
		return false;
	}
	ret->value = reader_of(r->p, (size_t)size);
	r->p += size;
	return true;
}

/* The inside of a document at `r`, which is passed. */
static struct reader enter(struct reader *r)
{
	u32 len = reader_left(r) >= 4 ? wire_le32(r->p) : 0;
	struct reader in;

	if (len < 5 || len > reader_left(r)) {
		r->bad = true;
		return reader_of(r->end, 0);
	}
	in = reader_of(r->p + 4, len - 4);
	r->p += len;
	return in;
}

static struct wire_slice as_string(const struct element *e)
{
	struct reader r = e->value;
	u32 len;

	if (e->type != BSON_STRING)
		return (struct wire_slice) { 0 };
	len = reader_le32(&r);
	return reader_bytes(&r, len ? len - 1 : 0);
}

static bool is_empty(const struct element *e)
{
	return e->type == BSON_DOCUMENT && reader_left(&e->value) == 5;
}

/* Zero has many spellings, as -0.0 and decimals: whatever else is given may be one. */
static bool is_one(const struct element *e)
{
	static const u8 one[] = { 1, 0, 0, 0, 0, 0, 0, 0 },
			real[] = { 0, 0, 0, 0, 0, 0, 0xf0, 0x3f };
	bool whole = e->type == BSON_INT32 || e->type == BSON_INT64;

	return (whole || e->type == BSON_DOUBLE) &&
	       !memcmp(e->value.p, whole ? one : real, reader_left(&e->value));
}

/* One of the deletes of a command: of all documents? */
static bool deletes_all(struct reader doc)
{
	bool all = false, unlimited = true;
	struct element e;

	while (next(&doc, &e)) {
		if (wire_is(e.name, "q"))
			all = is_empty(&e);
		else if (wire_is(e.name, "limit"))
			unlimited = !is_one(&e);
	}
	return (all && unlimited) || doc.bad;
}

static bool has_delete_of_all(struct reader array)
{
	struct reader docs = enter(&array);
	struct element e;

	while (next(&docs, &e)) {
		struct reader value = e.value, doc = enter(&value);

		if (value.bad || deletes_all(doc))
			return true;
	}
	return docs.bad || array.bad;
}

/* What drivers put around a command to say more of it. */
static void unwrap(struct reader *doc)
{
	struct reader first = *doc;
	struct element e;

	if (next(&first, &e) && e.type == BSON_DOCUMENT &&
	    (wire_is(e.name, "$query") || wire_is(e.name, "query"))) {
		*doc = enter(&e.value);
		doc->bad |= e.value.bad;
	}
}

static void read_body(struct reader *r, struct wire_message *m)
{
	struct reader doc = enter(r);
	struct element e;

	unwrap(&doc);
	for (bool first = true; next(&doc, &e); first = false) {
		if (first) {
			m->method = e.name;
			m->target = as_string(&e);
		} else if (wire_is(e.name, "$db")) {
			m->database = as_string(&e);
		} else if (wire_is(e.name, "deletes") && e.type == BSON_ARRAY) {
			m->everything |= has_delete_of_all(e.value);
		}
	}
	m->uncertain |= doc.bad || r->bad;
}

/* A section of documents beside the body. */
static void read_sequence(struct reader *r, struct wire_message *m)
{
	u32 size = reader_left(r) >= 4 ? wire_le32(r->p) : 0;
	struct reader in;

	if (size < 5 || size > reader_left(r)) {
		r->bad = true;
		return;
	}
	in = reader_of(r->p + 4, size - 4);
	r->p += size;
	if (!wire_is(reader_string(&in), "deletes"))
		return;
	while (reader_left(&in) && !in.bad)
		m->everything |= deletes_all(enter(&in));
	m->uncertain |= in.bad;
}

/* --- messages */

static const char compressed[] = "a message of MongoDB is compressed";

static void take_message(struct wire *w, struct reader *r)
{
	struct wire_message m = { .kind = WIRE_DOCUMENT, .uncertain = w->cut };

	if (reader_le32(r) & CHECKSUM && reader_left(r) >= 4)
		r->end -= 4;
	while (reader_left(r) && !r->bad) {
		if (reader_u8(r))
			read_sequence(r, &m);
		else
			read_body(r, &m);
	}
	m.uncertain |= r->bad;
	wire_tell(w, &m);
}

/* NAME.$cmd: a command; else the name of a collection. */
static void take_query(struct wire *w, struct reader *r)
{
	struct wire_message m = { .kind = WIRE_DOCUMENT, .uncertain = w->cut };
	struct wire_slice name;
	const char *dot;

	reader_le32(r);
	name = reader_string(r);
	dot = name.len ? memchr(name.s, '.', name.len) : NULL;
	if (!dot || name.len - (size_t)(dot - name.s) != 5 || memcmp(dot, ".$cmd", 5) != 0)
		return;
	reader_take(r, 8);
	read_body(r, &m);
	m.database = (struct wire_slice) { name.s, (size_t)(dot - name.s) };
	wire_tell(w, &m);
}

static void take_delete(struct wire *w, struct reader *r)
{
	struct wire_message m = { .kind = WIRE_DOCUMENT,
				  .method = { "delete", 6 },
				  .uncertain = w->cut };
	struct reader doc;
	u32 flags;

	reader_le32(r);
	m.target = reader_string(r);
	flags = reader_le32(r);
	doc = enter(r);
	m.everything = !(flags & 1) && reader_left(&doc) == 1;
	m.uncertain |= r->bad;
	wire_tell(w, &m);
}

static void take(struct wire *w, u32 code, struct reader *r)
{
	struct wire_message hidden = { .kind = WIRE_BLIND,
				       .text = { compressed, strlen(compressed) } };

	switch (code) {
	case OP_MSG:
		take_message(w, r);
		break;
	case OP_QUERY:
		take_query(w, r);
		break;
	case OP_DELETE:
		take_delete(w, r);
		break;
	case OP_COMPRESSED:
		code = reader_le32(r);
		reader_le32(r);
		if (reader_u8(r) == 0 && code != OP_COMPRESSED && !r->bad)
			take(w, code, r);
		else
			wire_tell(w, &hidden); /* each message says by itself what it is */
		break;
	}
}

static size_t step(struct wire *w, const u8 *p, size_t len)
{
	struct reader r;
	u32 total;

	if (len < HEADER)
		return wire_more(w, HEADER);
	if (!may_be_header(p, HEADER))
		return wire_lose(w);
	total = wire_le32(p);
	if (len < total && !w->cut)
		return wire_more(w, total);
	w->cut = len < total;
	r = reader_of(p + HEADER, MIN(total, len) - HEADER);
	take(w, wire_le32(p + 12), &r);
	return wire_pass(w, len, total);
}

static const u16 ports[] = { 27017, 27018, 27019, 0 };

const struct wire_parser wire_mongo_parser = { probe, step, NULL, ports };

/* MySQL and MariaDB: commands, each in packets of up to 16 MiB. The number of a prepared statement
 * is the server's to say, so what is prepared counts as if it were run. */
#include "policy/wire_parser.h"

#define HEADER	      4
#define RESPONSE_MIN  32
#define NO_ATTRIBUTES 2 /* bytes that say that there are none */

enum capability {
	WITH_DATABASE = 1U << 3,
	COMPRESS = 1U << 5,
	PROTOCOL_41 = 1U << 9,
	SSL = 1U << 11,
	PLUGIN_AUTH_LENENC = 1U << 21,
	ZSTD = 1U << 26,
	QUERY_ATTRIBUTES = 1U << 27,
};

enum command {
	COM_INIT_DB = 2,
	COM_QUERY = 3,
	COM_DROP_DB = 6,
	COM_SHUTDOWN = 8,
	COM_CHANGE_USER = 17,
	COM_STMT_PREPARE = 22,
	COM_LAST = 31,
	COM_FIRST_OF_MARIADB = 250,
};

/* A chain of packets, the first of a command. */
static bool is_chain(const u8 *p, size_t len)
{
	u8 sequence = 0;

	while (len > HEADER) {
		size_t total = HEADER + (size_t)wire_le24(p);

		if (total > len || total == HEADER)
			return false;
		if (p[3] && p[3] != sequence)
			return false;
		if (!p[3] && p[4] > COM_LAST && p[4] < COM_FIRST_OF_MARIADB)
			return false;
		sequence = (u8)(p[3] + 1);
		len -= total;
		p += total;
	}
	return !len;
}

static enum wire_guess probe(const u8 *p, size_t len, bool begun)
{
	u32 size;

	if (!begun)
		return len > HEADER && !p[3] && is_chain(p, len) ? WIRE_YES : WIRE_NO;
	if (len < HEADER)
		return WIRE_MAYBE;
	size = wire_le24(p);
	/* inside of TLS it is the second */
	if (p[3] < 1 || p[3] > 2 || size < RESPONSE_MIN || size > 65536)
		return WIRE_NO;
	if (len < HEADER + RESPONSE_MIN)
		return WIRE_MAYBE;
	/* the filler is zero but for MariaDB's last four bytes */
	for (int i = 9; i < 28; i++)
		if (p[HEADER + i])
			return WIRE_NO;
	return wire_le32(p + HEADER) & PROTOCOL_41 ? WIRE_YES : WIRE_NO;
}

/* An integer of one to nine bytes. */
static u64 take_lenenc(struct reader *r)
{
	u8 first = reader_u8(r);
	u64 n = 0;
	int bytes = first == 0xfc ? 2 : first == 0xfd ? 3 : first == 0xfe ? 8 : 0;

	if (first < 0xfb)
		return first;
	r->bad |= !bytes;
	for (int i = 0; i < bytes; i++)
		n |= (u64)reader_u8(r) << 8 * i;
	return n;
}

static struct wire_slice take_counted(struct reader *r)
{
	u64 n = take_lenenc(r);

	return reader_bytes(r, n > reader_left(r) ? reader_left(r) + 1 : (size_t)n);
}

/* --- the response to the server's handshake. MariaDB passes over a compression that it does not
 * know: what is then sent as it is, is read so; what is compressed makes no sense, and nothing is
 * lost. */

static void read_response(struct wire *w, struct reader *r)
{
	static const char why[] = "the MySQL connection is compressed";
	struct wire_message hidden = { .kind = WIRE_BLIND, .text = { why, sizeof(why) - 1 } };
	u32 can = reader_le32(r);

	w->mysql.started = true;
	w->mysql.attributes_known = true;
	w->mysql.attributes = can & QUERY_ATTRIBUTES;
	if (reader_left(r) == RESPONSE_MIN - 4 && can & SSL) {
		w->mysql.started = false;
		wire_begin_again(w);
		return;
	}
	reader_take(r, RESPONSE_MIN - 4);
	wire_set_fact(w->user, reader_string(r));
	if (can & PLUGIN_AUTH_LENENC)
		take_counted(r);
	else
		reader_bytes(r, reader_u8(r));
	if (can & WITH_DATABASE && !r->bad)
		wire_set_fact(w->database, reader_string(r));
	w->mysql.packed = can & (COMPRESS | ZSTD);
	if (w->mysql.packed)
		wire_tell(w, &hidden);
}

static size_t step_response(struct wire *w, const u8 *p, size_t len)
{
	size_t total = HEADER + (size_t)wire_le24(p);
	struct reader r;

	if (total < HEADER + RESPONSE_MIN || total > 65536 + HEADER)
		return wire_lose(w);
	if (len < total)
		return wire_more(w, total);
	r = reader_of(p + HEADER, total - HEADER);
	read_response(w, &r);
	return total;
}

/* --- commands */

/* What a parameter's value takes; false: nobody knows. */
static bool pass_value(struct reader *r, u8 type)
{
	static const u8 sizes[] = {
		[1] = 1, [2] = 2, [3] = 4, [4] = 4, [5] = 8, [8] = 8, [9] = 4, [13] = 2
	};

	if (type == 6) /* NULL */
		return true;
	if (type < ARRAY_SIZE(sizes) && sizes[type])
		reader_take(r, sizes[type]);
	else if (type == 7 || (type >= 10 && type <= 12)) /* dates and times */
		reader_bytes(r, reader_u8(r));
	else if (type == 0 || type >= 15)
		take_counted(r);
	else
		return false;
	return !r->bad;
}

/* The attributes before a query: false where they cannot be understood. */
static bool pass_attributes(struct reader *r)
{
	struct reader types;
	u64 count = take_lenenc(r);
	const u8 *nulls;
	bool known = true;

	take_lenenc(r); /* sets of them: one */
	if (!count)
		return !r->bad;
	if (count > 1024)
		return false;
	nulls = (const u8 *)reader_bytes(r, (size_t)(count + 7) / 8).s;
	if (reader_u8(r) != 1 || !nulls)
		return false;
	types = *r;
	for (u64 i = 0; i < count; i++) {
		reader_take(r, 2);
		take_counted(r);
	}
	for (u64 i = 0; i < count && known; i++) {
		u8 type = reader_u8(&types);

		reader_u8(&types);
		take_counted(&types);
		known = nulls[i / 8] >> i % 8 & 1 || pass_value(r, type);
	}
	return known && !r->bad;
}

static void take_query(struct wire *w, struct reader *r, bool cut)
{
	struct reader all = *r;
	const struct wire_mysql *m = &w->mysql;
	bool attributes = m->attributes;

	/* no statement begins with these bytes */
	if (!m->attributes_known)
		attributes = reader_left(r) > 1 && r->p[0] < 8 && r->p[1] == 1;
	if (attributes && !pass_attributes(r)) {
		*r = all;
		cut = true;
	}
	/* a server that knows none takes them for text */
	if (r->p > all.p + NO_ATTRIBUTES)
		wire_tell_sql(w, (const char *)all.p, reader_left(&all), false, cut);
	wire_tell_sql(w, (const char *)r->p, reader_left(r), false, cut);
}

static void take_database(struct wire *w, struct reader *r)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	strbuf_adds(&text, "DROP DATABASE `");
	strbuf_add(&text, r->p, reader_left(r));
	strbuf_addc(&text, '`');
	wire_tell_sql(w, strbuf_str(&text), text.len, false, strbuf_error(&text) != 0);
}

static void take_user(struct wire *w, struct reader *r)
{
	wire_set_fact(w->user, reader_string(r));
	reader_bytes(r, reader_u8(r));
	if (!r->bad)
		wire_set_fact(w->database, reader_string(r));
}

static void take(struct wire *w, u8 command, struct reader *r, bool cut)
{
	switch (command) {
	case COM_QUERY:
		take_query(w, r, cut);
		break;
	case COM_STMT_PREPARE:
		wire_tell_sql(w, (const char *)r->p, reader_left(r), false, cut);
		break;
	case COM_DROP_DB:
		take_database(w, r);
		break;
	case COM_SHUTDOWN:
		if (reader_left(r) > 1) /* none is so long */
			break;
		wire_tell_sql(w, "SHUTDOWN", 8, false, false);
		break;
	case COM_INIT_DB:
		wire_set_fact(w->database,
			      (struct wire_slice) { (const char *)r->p, reader_left(r) });
		break;
	case COM_CHANGE_USER:
		take_user(w, r);
		break;
	}
}

static size_t step(struct wire *w, const u8 *p, size_t len)
{
	struct reader r;
	size_t total;

	if (len < HEADER + 1)
		return wire_more(w, HEADER + 1);
	if (!w->mysql.started)
		return step_response(w, p, len);
	total = HEADER + (size_t)wire_le24(p);
	if (p[3] || total == HEADER) /* what follows a command, a password, a file */
		return wire_pass(w, len, total);
	if (p[4] > COM_LAST && p[4] < COM_FIRST_OF_MARIADB && !w->mysql.packed)
		return wire_lose(w);
	if (p[4] > COM_STMT_PREPARE)
		return wire_pass(w, len, total);
	if (len < total && !w->cut)
		return wire_more(w, total);
	r = reader_of(p + HEADER + 1, MIN(total, len) - HEADER - 1);
	take(w, p[4], &r, !w->mysql.packed && (total > len || total == HEADER + 0xffffff));
	return wire_pass(w, len, total);
}

static const u16 ports[] = { 3306, 3307, 33060, 4000, 6033, 0 };

const struct wire_parser wire_mysql_parser = { probe, step, NULL, ports };

/* PostgreSQL: statements in a Query, or in a Parse, which a Bind and an Execute run by name. */
#include <errno.h>

#include "policy/wire_parser.h"

#define HEADER	    5	       /* type and length */
#define LENGTH_MAX  (1U << 30) /* no server takes more */
#define NAMES_STEP  512	       /* bytes of a Bind that are waited for at a time */
#define STARTUP_MAX 10000
#define TEXT_MAX    (16U << 10) /* of a statement that is remembered */
#define CODE_CANCEL 80877102
#define CODE_SSL    80877103
#define CODE_GSS    80877104
#define LO_UNLINK   964

static const char types[] = "QPBECDFSHXdcfp", told[] = "QPBECF";

static bool is_header(const u8 *p)
{
	u32 len = wire_be32(p + 1);

	return p[0] && strchr(types, p[0]) && len >= 4 && len <= LENGTH_MAX;
}

static bool is_code(u32 code)
{
	return code >> 16 == 3 || (code >= CODE_CANCEL && code <= CODE_GSS);
}

static enum wire_guess probe(const u8 *p, size_t len, bool begun)
{
	if (!begun) {
		while (len >= HEADER && is_header(p) && len > wire_be32(p + 1)) {
			len -= 1 + wire_be32(p + 1);
			p += 1 + wire_be32(p + 1);
		}
		return len ? WIRE_NO : WIRE_YES;
	}
	if (p[0] || (len > 1 && p[1]))
		return WIRE_NO;
	if (len < 8)
		return WIRE_MAYBE;
	return wire_be32(p) <= STARTUP_MAX && is_code(wire_be32(p + 4)) ? WIRE_YES : WIRE_NO;
}

static void read_parameters(struct wire *w, struct reader *r)
{
	while (reader_left(r) > 1) {
		struct wire_slice key = reader_string(r), value = reader_string(r);

		if (wire_is(key, "user"))
			wire_set_fact(w->user, value);
		else if (wire_is(key, "database"))
			wire_set_fact(w->database, value);
	}
	if (!*w->database)
		strcpy(w->database, w->user);
}

static size_t step_startup(struct wire *w, const u8 *p, size_t len)
{
	struct reader r;
	u32 size, code;

	if (len < 8)
		return wire_more(w, 8);
	size = wire_be32(p);
	code = wire_be32(p + 4);
	if (size < 8 || size > STARTUP_MAX || !is_code(code))
		return wire_lose(w);
	if (len < size)
		return wire_more(w, size);
	r = reader_of(p + 8, size - 8);
	if (code == CODE_SSL || code == CODE_GSS) {
		/* TLS follows, or a startup message of its own */
		wire_begin_again(w);
	} else {
		w->postgres.started = w->postgres.calm = true;
		if (code != CODE_CANCEL)
			read_parameters(w, &r);
	}
	return size;
}

/* --- statements by their names. A server skips all from an error up to the next Sync, and refuses
 * a name that is taken: what came last under a name need not be what it has. */

static struct wire_named *find(struct wire *w, struct wire_slice name, bool portal, bool stale)
{
	char cut[WIRE_IDENTIFIER];

	wire_set_fact(cut, name);
	for (u32 i = 0; i < w->postgres.named_count; i++) {
		struct wire_named *n = &w->postgres.named[i];

		if (n->portal == portal && n->stale == stale && strcmp(n->name, cut) == 0)
			return n;
	}
	return NULL;
}

static void forget(struct wire *w, struct wire_named *n)
{
	if (!n)
		return;
	free(n->text);
	*n = w->postgres.named[--w->postgres.named_count];
}

/* The server has it perhaps: of several under one name one is kept, and is uncertain. */
static void doubt(struct wire *w, struct wire_slice name)
{
	struct wire_named *n = find(w, name, false, false), *old;

	if (!n || !n->text) {
		forget(w, n);
		return;
	}
	old = find(w, name, false, true);
	if (old) {
		forget(w, n);
		return;
	}
	n->stale = n->cut = true;
}

/* `text` NULL: it is harmless. Where there is no room, nothing that is run is certain any more. */
static void remember(struct wire *w, struct wire_slice name, bool portal, struct wire_slice text,
		     bool cut)
{
	struct wire_named n = { .portal = portal,
				.cut = cut || text.len > TEXT_MAX,
				.cycle = w->postgres.cycle };

	if (w->postgres.named_count == WIRE_NAMED_MAX) {
		w->doubt |= text.s != NULL;
		return;
	}
	n.len = MIN(text.len, TEXT_MAX);
	if (text.s)
		n.text = strndup(text.s, n.len);
	if (text.s && !n.text) {
		w->doubt = true;
		return;
	}
	wire_set_fact(n.name, name);
	w->postgres.named[w->postgres.named_count++] = n;
}

/* It has no statement of this name any more, or may have. */
static void drop_statement(struct wire *w, struct wire_slice name, bool certain)
{
	doubt(w, name);
	if (certain)
		forget(w, find(w, name, false, true));
}

static void take_parse(struct wire *w, struct reader *r)
{
	struct wire_slice name = reader_string(r), text = reader_string(r);
	bool cut = r->bad, matters = wire_tell_sql(w, text.s, text.len, true, cut);

	drop_statement(w, name, w->postgres.calm && !name.len);
	if (matters)
		remember(w, name, false, text, cut);
	else if (w->doubt || find(w, name, false, true))
		remember(w, name, false, (struct wire_slice) { 0 }, false);
}

/* What came since the last Sync runs, or is skipped as this is; else it is what the server may
 * have. */
static const struct wire_named *find_statement(struct wire *w, struct wire_slice name)
{
	const struct wire_named *n = find(w, name, false, false), *old = find(w, name, false, true);

	return old && !(n && n->cycle == w->postgres.cycle) ? old : n;
}

static void take_bind(struct wire *w, struct reader *r)
{
	struct wire_slice portal = reader_string(r), name = reader_string(r);
	const struct wire_named *n;

	w->doubt |= r->bad;
	forget(w, find(w, portal, true, false)); /* no portal outlives an error */
	n = find_statement(w, name);
	if (n)
		remember(w, portal, true, (struct wire_slice) { n->text, n->len }, n->cut);
}

static void take_execute(struct wire *w, struct reader *r)
{
	const struct wire_named *n = find(w, reader_string(r), true, false);

	if (n && n->text)
		wire_tell_sql(w, n->text, n->len, false, n->cut);
	else if (!n && w->doubt)
		wire_tell_sql(w, NULL, 0, false, true);
}

static void take_close(struct wire *w, struct reader *r)
{
	bool portal = reader_u8(r) == 'P';
	struct wire_slice name = reader_string(r);

	if (portal)
		forget(w, find(w, name, true, false));
	else
		drop_statement(w, name, w->postgres.calm);
}

/* Any function may be run so, as one that runs a statement it is given; clients run these. */
static bool is_of_large_objects(u32 function)
{
	static const u32 those[] = { 715, 764, 952,  953,  954,	 955, 956,
				     957, 958, 1004, 3170, 3171, 3172 };

	for (size_t i = 0; i < ARRAY_SIZE(those); i++)
		if (those[i] == function)
			return true;
	return false;
}

static void take_call(struct wire *w, u32 function)
{
	if (function == LO_UNLINK)
		wire_tell_sql(w, "DROP LARGE OBJECT", 17, false, false);
	else if (!is_of_large_objects(function))
		wire_tell_sql(w, NULL, 0, false, true);
}

static void take(struct wire *w, u8 type, struct reader *r)
{
	struct wire_slice text;

	switch (type) {
	case 'Q':
		text = reader_string(r);
		wire_tell_sql(w, text.s, text.len, false, r->bad);
		break;
	case 'P':
		take_parse(w, r);
		break;
	case 'B':
		take_bind(w, r);
		break;
	case 'E':
		take_execute(w, r);
		break;
	case 'C':
		take_close(w, r);
		break;
	case 'F':
		take_call(w, reader_be32(r));
		break;
	}
}

/* Behind an error of these all is skipped. */
static void note(struct wire_postgres *p, u8 type)
{
	if (strchr("PBED", type))
		p->calm = false;
	if (type != 'S')
		return;
	p->calm = true;
	p->cycle++;
}

/* Of a Bind only its names matter. */
static bool has_names(const u8 *p, size_t len)
{
	struct reader r = reader_of(p + HEADER, len - HEADER);

	reader_string(&r);
	reader_string(&r);
	return !r.bad;
}

static size_t step(struct wire *w, const u8 *p, size_t len)
{
	struct reader r;
	u64 total;

	if (!w->postgres.started)
		return step_startup(w, p, len);
	if (len < HEADER)
		return wire_more(w, HEADER);
	if (!is_header(p))
		return wire_lose(w);
	total = 1 + (u64)wire_be32(p + 1);
	if (!strchr(told, p[0])) {
		note(&w->postgres, p[0]);
		return wire_pass(w, len, total);
	}
	if (len < total && !w->cut && !(p[0] == 'B' && has_names(p, len)))
		return wire_more(w, p[0] == 'B' ? MIN(total, len + NAMES_STEP) : total);
	r = reader_of(p + HEADER, MIN(total, len) - HEADER);
	take(w, p[0], &r);
	note(&w->postgres, p[0]);
	return wire_pass(w, len, total);
}

void wire_postgres_free(struct wire_postgres *p)
{
	for (u32 i = 0; i < p->named_count; i++)
		free(p->named[i].text);
}

int wire_postgres_clone(struct wire_postgres *to, const struct wire_postgres *from)
{
	to->named_count = 0;
	for (u32 i = 0; i < from->named_count; i++) {
		struct wire_named n = from->named[i];

		if (n.text && !(n.text = strndup(n.text, n.len)))
			return -ENOMEM;
		to->named[to->named_count++] = n;
	}
	return 0;
}

static const u16 ports[] = { 5432, 5433, 6432, 26257, 5439, 0 };

const struct wire_parser wire_postgres_parser = { probe, step, NULL, ports };

/* A request of HTTP as its parts come in, by either version of the protocol. */
#include "policy/wire_parser.h"

void wire_request_set(struct wire_request *r, enum http_field f, const char *s, size_t len)
{
	strbuf_reset(&r->fields[f]);
	strbuf_add(&r->fields[f], s, len);
	r->known[f] = true;
}

static bool is_override(struct wire_slice name)
{
	return wire_is(name, "x-http-method-override") || wire_is(name, "x-http-method") ||
	       wire_is(name, "x-method-override");
}

/* Which of several a server follows nobody knows. */
static void add_override(struct wire_request *r, struct wire_slice value)
{
	struct strbuf *all = &r->fields[HTTP_OVERRIDE];

	if (r->known[HTTP_OVERRIDE])
		strbuf_addc(all, ' ');
	strbuf_add(all, value.s, value.len);
	r->known[HTTP_OVERRIDE] = true;
}

void wire_request_header(struct wire_request *r, struct wire_slice name, struct wire_slice value)
{
	if (!name.s || !value.s)
		return;
	if (wire_is(name, "host") || wire_is(name, ":authority"))
		wire_request_set(r, HTTP_HOST, value.s, value.len);
	else if (wire_is(name, ":method"))
		wire_request_set(r, HTTP_METHOD, value.s, value.len);
	else if (wire_is(name, ":path"))
		wire_request_set(r, HTTP_PATH, value.s, value.len);
	else if (wire_is(name, "content-type"))
		wire_request_set(r, HTTP_TYPE, value.s, value.len);
	else if (wire_is(name, "content-encoding"))
		r->packed = !wire_is(value, "identity");
	else if (is_override(name))
		add_override(r, value);
}

void wire_request_body(struct wire_request *r, const void *data, size_t len)
{
	size_t room = WIRE_BODY_MAX - MIN(r->body.len, WIRE_BODY_MAX);

	r->cut |= len > room;
	strbuf_add(&r->body, data, MIN(len, room));
}

static struct wire_slice field(const struct wire_request *r, enum http_field f)
{
	const struct strbuf *s = &r->fields[f];

	return r->known[f] ? (struct wire_slice) { strbuf_str(s), s->len }
			   : (struct wire_slice) { 0 };
}

static bool is_failed(const struct wire_request *r)
{
	bool failed = strbuf_error(&r->body);

	for (int i = 0; i < HTTP_FIELDS; i++)
		failed |= strbuf_error(&r->fields[i]) != 0;
	return failed;
}

/* What is left out of a target that names the host as well. */
static void split_target(struct wire_message *m)
{
	const char *scheme = m->path.len ? memmem(m->path.s, m->path.len, "://", 3) : NULL;
	struct wire_slice *path = &m->path;
	const char *mark;

	if (scheme && *path->s != '/') {
		const char *host = scheme + 3, *end = path->s + path->len;
		const char *slash = memchr(host, '/', (size_t)(end - host));

		m->host = (struct wire_slice) { host, (size_t)((slash ? slash : end) - host) };
		*path = slash ? (struct wire_slice) { slash, (size_t)(end - slash) }
			      : (struct wire_slice) { "/", 1 };
	}
	mark = path->len ? memchr(path->s, '?', path->len) : NULL;
	if (mark) {
		m->query =
			(struct wire_slice) { mark + 1, (size_t)(path->s + path->len - mark - 1) };
		path->len = (size_t)(mark - path->s);
	}
}

/* Without its port. */
static void cut_port(struct wire_slice *host)
{
	const char *colon = host->len ? memrchr(host->s, ':', host->len) : NULL;

	if (colon && !memchr(colon, ']', (size_t)(host->s + host->len - colon)))
		host->len = (size_t)(colon - host->s);
}

void wire_request_tell(struct wire *w, struct wire_request *r, bool whole)
{
	struct wire_message m = {
		.kind = WIRE_REQUEST,
		.method = field(r, HTTP_METHOD),
		.override = field(r, HTTP_OVERRIDE),
		.host = field(r, HTTP_HOST),
		.path = field(r, HTTP_PATH),
		.type = field(r, HTTP_TYPE),
		.text = { strbuf_str(&r->body), r->body.len },
		.partial = !whole,
		.again = r->told,
		.packed = r->packed,
	};

	m.uncertain = (whole && r->cut) || !m.method.s || !m.path.s || is_failed(r);
	split_target(&m);
	cut_port(&m.host);
	r->told = true;
	wire_tell(w, &m);
}

void wire_request_reset(struct wire_request *r)
{
	for (int i = 0; i < HTTP_FIELDS; i++) {
		strbuf_reset(&r->fields[i]);
		r->known[i] = false;
	}
	strbuf_reset(&r->body);
	r->open = r->told = r->cut = r->packed = false;
	r->id = 0;
}

void wire_request_free(struct wire_request *r)
{
	for (int i = 0; i < HTTP_FIELDS; i++)
		strbuf_free(&r->fields[i]);
	strbuf_free(&r->body);
}

int wire_request_clone(struct wire_request *to, const struct wire_request *from)
{
	int r;

	*to = *from;
	r = wire_strbuf_clone(&to->body, &from->body);
	for (int i = 0; i < HTTP_FIELDS; i++)
		r |= wire_strbuf_clone(&to->fields[i], &from->fields[i]);
	return r;
}

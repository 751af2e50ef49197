/* HTTP/1: requests with a body of a stated length, in chunks, or none. */
#include <ctype.h>
#include <strings.h>

#include "policy/wire_parser.h"

#define METHOD_MAX 32
#define CHUNK_LINE (16U << 10) /* with its extensions, as servers take it */

/* --- recognising it */

static const char preface[] = "PRI * HTTP/2.0\r\n";

/* Some servers take any. */
static bool is_blank(u8 c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

/* Behind a blank of the line, the first byte of which is something else. */
static bool has_version(const u8 *line, const u8 *end, const char *version)
{
	const u8 *p = line;

	do {
		p = memmem(p + 1, (size_t)(end - p - 1), version, strlen(version));
	} while (p && !is_blank(p[-1]));
	return p != NULL;
}

/* METHOD TARGET HTTP/1.x, perhaps behind empty lines. */
static enum wire_guess probe(const u8 *p, size_t len, bool begun)
{
	const u8 *eol, *word = p;

	while (len && (*p == '\r' || *p == '\n'))
		p++, len--;
	for (word = p; word < p + len && word - p < METHOD_MAX && (isupper(*word) || *word == '-');)
		word++;
	if (word == p + len)
		return begun ? WIRE_MAYBE : WIRE_NO;
	eol = memchr(p, '\n', len);
	if (word == p || !is_blank(*word))
		return WIRE_NO;
	if (!eol && begun)
		return len < WIRE_HEAD_MAX ? WIRE_MAYBE : WIRE_YES;
	if (!eol)
		return WIRE_NO;
	return has_version(word, eol, "HTTP/1.") ? WIRE_YES : WIRE_NO;
}

/* --- the headers */

static struct wire_slice trim(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	return (struct wire_slice) { s, (size_t)(end - s) };
}

static bool ends_with(struct wire_slice s, const char *word)
{
	size_t len = strlen(word);

	return s.len >= len && strncasecmp(s.s + s.len - len, word, len) == 0;
}

static u64 read_length(struct wire_slice s)
{
	u64 n = 0;

	for (size_t i = 0; i < s.len && isdigit((unsigned char)s.s[i]) && n < 1ULL << 50; i++)
		n = n * 10 + (u64)(s.s[i] - '0');
	return n;
}

static void take_header(struct wire_http *h, const char *line, const char *end)
{
	const char *colon = memchr(line, ':', (size_t)(end - line));
	struct wire_slice name, value;

	if (!colon)
		return;
	name = trim(line, colon);
	value = trim(colon + 1, end);
	if (wire_is(name, "content-length")) {
		h->doubtful |= h->encoded || (h->stated && h->left != read_length(value));
		h->stated = true;
		h->left = read_length(value);
		if (h->state == HTTP_HEAD && h->left)
			h->state = HTTP_LENGTH;
	} else if (wire_is(name, "transfer-encoding")) {
		h->doubtful |= h->stated;
		h->encoded = true;
		if (ends_with(value, "chunked"))
			h->state = HTTP_CHUNK;
	} else {
		wire_request_header(&h->request, name, value);
	}
}

/* METHOD TARGET HTTP/1.x, of which the end is missing where it is `cut`; false where it is none. */
static bool take_first(struct wire_request *r, const char *line, const char *end, bool cut)
{
	static const char version[] = "HTTP/";
	struct wire_slice s = trim(line, end);
	const char *method = s.s, *last = s.s + s.len;

	while (s.s < last && !is_blank((u8)*s.s))
		s.s++;
	wire_request_set(r, HTTP_METHOD, method, (size_t)(s.s - method));
	end = last;
	while (!cut && last > s.s && !is_blank((u8)last[-1]))
		last--;
	while (s.s < last && is_blank((u8)*s.s))
		s.s++;
	s = trim(s.s, last);
	if (!s.len || (!cut && ((size_t)(end - last) < sizeof(version) ||
				memcmp(last, version, sizeof(version) - 1) != 0)))
		return false;
	wire_request_set(r, HTTP_PATH, s.s, s.len);
	return true;
}

static bool take_head(struct wire_http *h, const char *p, const char *end)
{
	h->stated = h->encoded = h->doubtful = false;
	for (bool first = true; p < end; first = false) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));

		if (first && !take_first(&h->request, p, eol ?: end, !eol))
			return false;
		eol = eol ?: end;
		if (!first)
			take_header(h, p, eol);
		p = eol + 1;
	}
	return true;
}

/* What is behind the empty line that ends the headers; NULL: it is not there yet. */
static const u8 *find_end(const u8 *p, size_t len)
{
	const u8 *end = p + len;

	for (const u8 *eol = p; (eol = memchr(eol, '\n', (size_t)(end - eol))); eol++) {
		if (eol + 1 < end && eol[1] == '\n')
			return eol + 2;
		if (eol + 2 < end && eol[1] == '\r' && eol[2] == '\n')
			return eol + 3;
	}
	return NULL;
}

/* --- requests */

static void end_request(struct wire *w)
{
	struct wire_http *h = &w->http;
	bool connects = wire_is((struct wire_slice) { strbuf_str(&h->request.fields[HTTP_METHOD]),
						      h->request.fields[HTTP_METHOD].len },
				"CONNECT");

	if (!h->request.told || !h->request.cut)
		wire_request_tell(w, &h->request, true);
	wire_request_reset(&h->request);
	h->state = HTTP_HEAD;
	if (connects)
		wire_begin_again(w);
}

/* No more of the body can be understood. */
static void break_off(struct wire *w)
{
	struct wire_request *r = &w->http.request;

	if (!r->cut) {
		r->cut = true;
		wire_request_tell(w, r, true);
	}
	end_request(w);
}

/* Where the body ends servers do not agree: by RFC 9112 6.3 no client may leave that open. What
 * follows may be requests at any place. */
static void end_doubtful(struct wire *w)
{
	end_request(w);
	wire_lose(w);
	w->begun = false;
	w->adrift = true;
}

/* May these bytes yet become the first line of a request? What else a peer takes is not waited for.
 */
static bool is_first(const u8 *p, size_t len)
{
	const u8 *eol = memchr(p, '\n', len);

	return !eol || has_version(p, eol, "HTTP/");
}

static size_t step_head(struct wire *w, const u8 *p, size_t len)
{
	struct wire_http *h = &w->http;
	const u8 *end;

	if (*p == '\r' || *p == '\n')
		return 1;
	if (len >= sizeof(preface) - 1 && memcmp(p, preface, sizeof(preface) - 1) == 0) {
		w->protocol = WIRE_HTTP2; /* after an upgrade */
		return 0;
	}
	end = find_end(p, len);
	if (!end && len < WIRE_HEAD_MAX)
		return is_first(p, len) ? wire_more(w, len + 1) : wire_lose(w);
	wire_request_reset(&h->request);
	if (!take_head(h, (const char *)p, (const char *)(end ? end : p + len))) {
		h->state = HTTP_HEAD;
		return wire_lose(w);
	}
	h->request.open = true;
	h->request.cut = !end || h->doubtful;
	if (h->doubtful)
		end_doubtful(w);
	else if (h->state == HTTP_HEAD || !end)
		end_request(w);
	return end ? (size_t)(end - p) : len;
}

/* Enough of the body is here: no more is waited for. */
static void take_body(struct wire *w, const u8 *p, size_t len)
{
	struct wire_request *r = &w->http.request;
	bool was_cut = r->cut;

	wire_request_body(r, p, len);
	if (r->cut && !was_cut)
		wire_request_tell(w, r, true);
	w->http.left -= len;
}

static size_t step_length(struct wire *w, const u8 *p, size_t len)
{
	len = (size_t)MIN(len, w->http.left);
	take_body(w, p, len);
	if (!w->http.left)
		end_request(w);
	return len;
}

static size_t step_data(struct wire *w, const u8 *p, size_t len)
{
	len = (size_t)MIN(len, w->http.left);
	take_body(w, p, len);
	if (!w->http.left)
		w->http.state = HTTP_DATA_END;
	return len;
}

/* A line of its own: a chunk's size, its end, or a trailer. */
static size_t step_line(struct wire *w, const u8 *p, size_t len)
{
	struct wire_http *h = &w->http;
	const u8 *eol = memchr(p, '\n', MIN(len, CHUNK_LINE));
	bool empty = eol && (eol == p || (eol == p + 1 && *p == '\r'));

	if (!eol && len < CHUNK_LINE)
		return wire_more(w, len + 1);
	if (!eol || (h->state == HTTP_CHUNK && !isxdigit(*p))) {
		break_off(w);
		return wire_lose(w);
	}
	if (h->state == HTTP_CHUNK) {
		h->left = strtoull((const char *)p, NULL, 16);
		h->state = h->left ? HTTP_DATA : HTTP_TRAILER;
	} else if (h->state == HTTP_DATA_END) {
		h->state = HTTP_CHUNK;
	} else if (empty) {
		end_request(w);
	}
	return (size_t)(eol - p) + 1;
}

static size_t step(struct wire *w, const u8 *p, size_t len)
{
	switch (w->http.state) {
	case HTTP_HEAD:
		return step_head(w, p, len);
	case HTTP_LENGTH:
		return step_length(w, p, len);
	case HTTP_DATA:
		return step_data(w, p, len);
	case HTTP_CHUNK:
	case HTTP_DATA_END:
	case HTTP_TRAILER:
		break;
	}
	return step_line(w, p, len);
}

/* A server may act before the body is there. */
static void flush(struct wire *w)
{
	if (w->http.request.open && !w->http.request.told)
		wire_request_tell(w, &w->http.request, false);
}

static const u16 ports[] = { 80, 8080, 8000, 2375, 3000, 5000, 0 };

const struct wire_parser wire_http_parser = { probe, step, flush, ports };

#include "policy/source.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/utf8.h"

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static void add_message(struct strbuf *out, const char *fmt, va_list ap)
{
	_cleanup_free_ char *message = NULL;
	int len = vasprintf(&message, fmt, ap);

	if (len < 0)
		message = NULL;
	else
		escape_bytes(out, message, (size_t)len);
}

#define SHOWN 100 /* bytes of a line on each side of the fault */

/* The length of the character at `text`; `*ret_plain`: it can be shown as it is. */
static size_t character_at(const char *text, size_t len, bool *ret_plain)
{
	_cleanup_strbuf_ struct strbuf shown = STRBUF_INIT;
	uint32_t code;
	size_t n = utf8_decode(text, len, &code);

	*ret_plain = n && (*text == '\t' || *text == '\\');
	if (!n || *ret_plain)
		return MAX(n, 1);
	escape_bytes(&shown, text, n);
	*ret_plain = shown.len == n;
	return n;
}

/* The line that holds `offset`, a long one as far as it is near, and a caret below it; tabs stay
 * tabs in both, so the caret fits. */
static void add_line(struct strbuf *out, const struct source *src, size_t start, size_t offset)
{
	_cleanup_strbuf_ struct strbuf blanks = STRBUF_INIT;
	const char *newline = memchr(src->text + offset, '\n', src->len - offset);
	size_t end = newline ? (size_t)(newline - src->text) : src->len;
	size_t from = offset - start > SHOWN ? offset - SHOWN : start;
	size_t to = MIN(end, offset + SHOWN), n;

	while (from > start && from < offset && is_continuation(src->text[from]))
		from++;
	strbuf_addf(out, "    %s", from > start ? "…" : "");
	strbuf_addf(&blanks, "    %s", from > start ? " " : "");
	for (size_t i = from; i < to; i += n) {
		bool plain;

		n = character_at(src->text + i, end - i, &plain);
		if (plain)
			strbuf_add(out, src->text + i, n);
		else
			strbuf_addc(out, '?');
		if (i < offset)
			strbuf_addc(&blanks, src->text[i] == '\t' ? '\t' : ' ');
	}
	strbuf_addf(out, "%s\n%s^\n", to < end ? "…" : "", strbuf_str(&blanks));
}

void source_fault(const struct source *src, size_t offset, const char *fmt, ...)
{
	struct strbuf *out = src->faults->out;
	size_t start = 0, line = 1, column = 1;
	va_list ap;

	if (++src->faults->count > SOURCE_MAX_FAULTS)
		return;
	offset = MIN(offset, src->len);
	for (size_t i = 0; i < offset; i++)
		if (src->text[i] == '\n') {
			line++;
			start = i + 1;
		}
	for (size_t i = start; i < offset; i++)
		column += !is_continuation(src->text[i]);
	strbuf_addf(out, "%s:%zu:%zu: ", src->name, line, column);
	va_start(ap, fmt);
	add_message(out, fmt, ap);
	va_end(ap);
	strbuf_addc(out, '\n');
	add_line(out, src, start, offset);
}

size_t source_spot(const struct source *src, struct text t, size_t index)
{
	size_t at = t.spot;

	/* what is in the source but not in the value is quotes, escapes or indentation */
	for (size_t i = 0; t.s[i] && at < src->len; i++, at++) {
		while (at < src->len && src->text[at] != t.s[i])
			at++;
		if (i == index)
			break;
	}
	return MIN(at, src->len);
}

#define NAME_MAX_COMPARED 64
#define MAX_SLIPS	  6 /* more make another word */

/* How many bytes are to be put in, left out, changed or swapped with the next. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int rows[3][NAME_MAX_COMPARED];
	size_t n = strlen(b), m = strlen(a);

	if (n >= NAME_MAX_COMPARED || m >= NAME_MAX_COMPARED)
		return NAME_MAX_COMPARED;
	for (size_t i = 0; i <= m; i++) {
		unsigned int *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= n; j++) {
			row[j] = i ? MIN(MIN(up[j], row[j - 1]) + 1,
					 up[j - 1] + (a[i - 1] != b[j - 1]))
				   : (unsigned int)j;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], up2[j - 2] + 1);
		}
	}
	return rows[m % 3][n];
}

const char *source_nearest(const char *name, const char *const *names, size_t count)
{
	unsigned int least = (unsigned int)MIN(strlen(name) / 2 + 1, MAX_SLIPS);
	const char *nearest = NULL;

	for (size_t i = 0; i < count; i++) {
		unsigned int d = distance(name, names[i]);

		if (d < least) {
			least = d;
			nearest = names[i];
		}
	}
	return nearest;
}

#include "policy/source.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"

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

/* The line that holds `offset`, and a caret below it; tabs stay tabs in both, so the caret fits. */
static void add_line(struct strbuf *out, const struct source *src, size_t start, size_t offset)
{
	const char *line = src->text + start, *end = memchr(line, '\n', src->len - start);
	size_t len = end ? (size_t)(end - line) : src->len - start;

	strbuf_adds(out, "    ");
	for (size_t i = 0; i < len; i++)
		strbuf_addc(out, (unsigned char)line[i] < ' ' && line[i] != '\t' ? '?' : line[i]);
	strbuf_adds(out, "\n    ");
	for (size_t i = start; i < offset; i++)
		if (!is_continuation(src->text[i]))
			strbuf_addc(out, src->text[i] == '\t' ? '\t' : ' ');
	strbuf_adds(out, "^\n");
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

static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[64];
	size_t n = strlen(b);

	if (n >= ARRAY_SIZE(row) || strlen(a) >= ARRAY_SIZE(row))
		return ARRAY_SIZE(row);
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 0; a[i]; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i + 1;
		for (size_t j = 0; j < n; j++) {
			unsigned int change = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			row[j + 1] = MIN(change, MIN(row[j + 1], row[j]) + 1);
		}
	}
	return row[n];
}

const char *source_nearest(const char *name, const char *const *names, size_t count)
{
	unsigned int least = (unsigned int)strlen(name) / 2 + 1;
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

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

#include "base/strbuf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define FIRST_CAP 64

void strbuf_free(struct strbuf *sb)
{
	free(sb->data);
	*sb = STRBUF_INIT;
}

void strbuf_reset(struct strbuf *sb)
{
	sb->len = 0;
	sb->failed = false;
	if (sb->data)
		sb->data[0] = '\0';
}

/* Room for `more` bytes and the NUL. */
static bool reserve(struct strbuf *sb, size_t more)
{
	size_t cap = MAX(sb->cap, (size_t)FIRST_CAP);
	char *data;

	if (sb->failed)
		return false;
	if (more < sb->cap - sb->len)
		return true;
	if (more >= SIZE_MAX / 2 - sb->len)
		goto fail;
	while (cap - sb->len <= more)
		cap *= 2;
	data = realloc(sb->data, cap);
	if (!data)
		goto fail;
	sb->data = data;
	sb->cap = cap;
	return true;
fail:
	sb->failed = true;
	return false;
}

void strbuf_add(struct strbuf *sb, const void *data, size_t len)
{
	if (!reserve(sb, len))
		return;
	if (len)
		memcpy(sb->data + sb->len, data, len);
	sb->len += len;
	sb->data[sb->len] = '\0';
}

void strbuf_addc(struct strbuf *sb, char c)
{
	if (!reserve(sb, 1))
		return;
	sb->data[sb->len++] = c;
	sb->data[sb->len] = '\0';
}

void strbuf_adds(struct strbuf *sb, const char *s)
{
	strbuf_add(sb, s, strlen(s));
}

/* The length that the text has; it is written where it fits into the room there is. */
static int format_in_place(struct strbuf *sb, const char *fmt, va_list args)
{
	size_t room = sb->cap - sb->len;
	int len = vsnprintf(room ? sb->data + sb->len : NULL, room, fmt, args);

	if (room && (len < 0 || (size_t)len >= room))
		sb->data[sb->len] = '\0';
	return len;
}

void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list args)
{
	bool fits;
	va_list again;
	int len;

	if (sb->failed)
		return;
	va_copy(again, args);
	len = format_in_place(sb, fmt, args);
	fits = len >= 0 && (size_t)len < sb->cap - sb->len;
	if (len < 0)
		sb->failed = true;
	else if (fits)
		sb->len += len;
	else if (reserve(sb, len))
		sb->len += format_in_place(sb, fmt, again);
	va_end(again);
}

void strbuf_addf(struct strbuf *sb, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	strbuf_vaddf(sb, fmt, args);
	va_end(args);
}

void strbuf_truncate(struct strbuf *sb, size_t len)
{
	if (len >= sb->len)
		return;
	sb->len = len;
	sb->data[len] = '\0';
}

int strbuf_error(const struct strbuf *sb)
{
	return sb->failed ? -ENOMEM : 0;
}

const char *strbuf_str(const struct strbuf *sb)
{
	return sb->data ? sb->data : "";
}

char *strbuf_take(struct strbuf *sb)
{
	char *s = NULL;

	strbuf_add(sb, NULL, 0);
	if (!sb->failed)
		s = TAKE_PTR(sb->data);
	strbuf_free(sb);
	return s;
}

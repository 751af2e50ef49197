#include "base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"

#define MAX_LEVEL 62

static void add_escaped(struct strbuf *sb, uint32_t code)
{
	static const char names[] = {
		['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
		['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't',
	};

	if (code < sizeof(names) && names[code])
		strbuf_addf(sb, "\\%c", names[code]);
	else
		strbuf_addf(sb, "\\u%04" PRIx32, code);
}

static bool is_plain_ascii(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Marks that change the order of what is around them, and separators of lines. */
static bool bends_lines(uint32_t code)
{
	return code == 0x61c || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* DEL, C1 and such marks could stay as far as JSON goes, but the output may be read on a terminal.
 */
static bool must_escape(uint32_t code)
{
	return code < 0x20 || code == '"' || code == '\\' || (code >= 0x7f && code < 0xa0) ||
	       bends_lines(code);
}

static void add_string(struct strbuf *sb, const char *s, size_t len)
{
	size_t plain = 0, n;
	uint32_t code = 0;

	strbuf_addc(sb, '"');
	for (size_t i = 0; i < len; i += MAX(n, 1U)) {
		n = 1;
		if (is_plain_ascii(s[i]))
			continue;
		n = utf8_decode(s + i, len - i, &code);
		if (n && !must_escape(code))
			continue;
		strbuf_add(sb, s + plain, i - plain);
		if (n)
			add_escaped(sb, code);
		else
			strbuf_adds(sb, "\xef\xbf\xbd");
		plain = i + MAX(n, 1U);
	}
	strbuf_add(sb, s + plain, len - plain);
	strbuf_addc(sb, '"');
}

/* The comma and the key before an element. */
static void begin(struct json *j, const char *key)
{
	if (j->more >> j->level & 1)
		strbuf_addc(j->out, ',');
	j->more |= 1ULL << j->level;
	if (key) {
		strbuf_addc(j->out, '"');
		strbuf_adds(j->out, key);
		strbuf_add(j->out, "\":", 2);
	}
}

static void open_level(struct json *j, const char *key, char bracket)
{
	assert(j->level < MAX_LEVEL);
	begin(j, key);
	strbuf_addc(j->out, bracket);
	j->level++;
	j->more &= ~(1ULL << j->level);
}

static void close_level(struct json *j, char bracket)
{
	assert(j->level > 0);
	strbuf_addc(j->out, bracket);
	j->level--;
}

void json_open_object(struct json *j, const char *key)
{
	open_level(j, key, '{');
}

void json_close_object(struct json *j)
{
	close_level(j, '}');
}

void json_open_array(struct json *j, const char *key)
{
	open_level(j, key, '[');
}

void json_close_array(struct json *j)
{
	close_level(j, ']');
}

void json_put_string_n(struct json *j, const char *key, const char *s, size_t len)
{
	begin(j, key);
	add_string(j->out, s, len);
}

void json_put_string(struct json *j, const char *key, const char *s)
{
	begin(j, key);
	if (s)
		add_string(j->out, s, strlen(s));
	else
		strbuf_adds(j->out, "null");
}

/* By hand: most of an event's members are short, and printf costs more than all else. */
static void add_digits(struct strbuf *sb, uint64_t v)
{
	char digits[20];
	size_t i = sizeof(digits);

	do
		digits[--i] = '0' + v % 10;
	while (v /= 10);
	strbuf_add(sb, digits + i, sizeof(digits) - i);
}

void json_put_int(struct json *j, const char *key, int64_t v)
{
	begin(j, key);
	if (v < 0)
		strbuf_addc(j->out, '-');
	add_digits(j->out, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void json_put_uint(struct json *j, const char *key, uint64_t v)
{
	begin(j, key);
	add_digits(j->out, v);
}

void json_put_bool(struct json *j, const char *key, bool v)
{
	begin(j, key);
	strbuf_adds(j->out, v ? "true" : "false");
}

void json_put_argv(struct json *j, const char *key, char *const *argv)
{
	json_open_array(j, key);
	for (; *argv; argv++)
		json_put_string(j, NULL, *argv);
	json_close_array(j);
}

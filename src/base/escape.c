#include "base/escape.h"

#include <string.h>

#include "base/utf8.h"

/* Code points that draw nothing, draw a blank that is no space, or change the order of others. */
static const struct {
	uint32_t first, last;
} unseen[] = {
	{ 0xa0, 0xa0 },	       { 0xad, 0xad },	   { 0x34f, 0x34f },   { 0x61c, 0x61c },
	{ 0x115f, 0x1160 },    { 0x1680, 0x1680 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f },
	{ 0x2000, 0x200f },    { 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x2800, 0x2800 },
	{ 0x3000, 0x3000 },    { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
	{ 0xffa0, 0xffa0 },    { 0xfff0, 0xfffb }, { 0xe000, 0xf8ff }, { 0x1d173, 0x1d17a },
	{ 0xe0000, 0x10ffff },
};

enum look { LOOK_PLAIN, LOOK_UNSEEN, LOOK_BYTES };

static bool is_unseen(uint32_t code)
{
	for (size_t i = 0; i < ARRAY_SIZE(unseen); i++)
		if (code >= unseen[i].first && code <= unseen[i].last)
			return true;
	return false;
}

/* How the character that `data` starts with looks to a person, and its length in bytes. */
static enum look look_at(const char *data, size_t len, size_t *ret_len, uint32_t *ret_code)
{
	*ret_len = utf8_decode(data, len, ret_code);
	if (!*ret_len) {
		*ret_len = 1;
		return LOOK_BYTES;
	}
	if (*ret_code < 0x20 || (*ret_code >= 0x7f && *ret_code < 0xa0))
		return LOOK_BYTES;
	return *ret_code >= 0x80 && is_unseen(*ret_code) ? LOOK_UNSEEN : LOOK_PLAIN;
}

static void add_escaped_bytes(struct strbuf *sb, const char *data, size_t len)
{
	static const char names[] = { ['\n'] = 'n', ['\t'] = 't', ['\r'] = 'r', ['\033'] = 'e' };

	for (size_t i = 0; i < len; i++) {
		unsigned char c = data[i];

		if (c < sizeof(names) && names[c])
			strbuf_addf(sb, "\\%c", names[c]);
		else
			strbuf_addf(sb, "\\x%02x", c);
	}
}

void escape_bytes(struct strbuf *sb, const char *data, size_t len)
{
	uint32_t code = 0;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		enum look look = look_at(data + i, len - i, &n, &code);

		if (look == LOOK_BYTES)
			add_escaped_bytes(sb, data + i, n);
		else if (look == LOOK_UNSEEN)
			strbuf_addf(sb, "\\u{%04x}", code);
		else if (code == '\\')
			strbuf_adds(sb, "\\\\");
		else
			strbuf_add(sb, data + i, n);
	}
}

bool escape_is_plain(const char *data, size_t len)
{
	uint32_t code;
	size_t n;

	for (size_t i = 0; i < len; i += n)
		if (look_at(data + i, len - i, &n, &code) != LOOK_PLAIN)
			return false;
	return true;
}

static bool is_bare(const char *word)
{
	static const bool bare[256] = {
		['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['_'] = true,
		['@'] = true,	      ['%'] = true,	    ['+'] = true,	  ['='] = true,
		[':'] = true,	      [','] = true,	    ['.'] = true,	  ['/'] = true,
		['-'] = true,
	};
	const char *p = word;

	while (bare[(unsigned char)*p])
		p++;
	return p > word && !*p;
}

static void add_single_quoted(struct strbuf *sb, const char *word)
{
	strbuf_addc(sb, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			strbuf_adds(sb, "'\\''");
		else
			strbuf_addc(sb, *word);
	}
	strbuf_addc(sb, '\'');
}

/* Unseen characters are bytes here as well: a shell's \u depends on its locale. */
static void add_dollar_quoted(struct strbuf *sb, const char *word, size_t len)
{
	uint32_t code = 0;
	size_t n;

	strbuf_adds(sb, "$'");
	for (size_t i = 0; i < len; i += n) {
		if (look_at(word + i, len - i, &n, &code) != LOOK_PLAIN) {
			add_escaped_bytes(sb, word + i, n);
			continue;
		}
		if (code == '\\' || code == '\'')
			strbuf_addc(sb, '\\');
		strbuf_add(sb, word + i, n);
	}
	strbuf_addc(sb, '\'');
}

void escape_word(struct strbuf *sb, const char *word)
{
	size_t len = strlen(word);

	if (is_bare(word))
		strbuf_add(sb, word, len);
	else if (escape_is_plain(word, len))
		add_single_quoted(sb, word);
	else
		add_dollar_quoted(sb, word, len);
}

static void cut(struct strbuf *sb, size_t len)
{
	while (len && ((unsigned char)sb->data[len] & 0xc0) == 0x80)
		len--;
	strbuf_truncate(sb, len);
	strbuf_adds(sb, "…");
}

void escape_argv(struct strbuf *sb, char *const *argv, size_t max)
{
	size_t start = sb->len;

	for (size_t i = 0; argv[i]; i++) {
		if (i)
			strbuf_addc(sb, ' ');
		escape_word(sb, argv[i]);
		if (max && sb->len - start > max) {
			cut(sb, start + max);
			return;
		}
	}
}

void escape_markup(struct strbuf *sb, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		switch (data[i]) {
		case '&':
			strbuf_adds(sb, "&amp;");
			break;
		case '<':
			strbuf_adds(sb, "&lt;");
			break;
		case '>':
			strbuf_adds(sb, "&gt;");
			break;
		default:
			strbuf_addc(sb, data[i]);
		}
}

#include "policy/graphql.h"

#include <ctype.h>
#include <string.h>

#include "base/strbuf.h"

/* --- the document: names outside of strings and comments */

struct lexer {
	const char *p, *end;
};

static bool is_name_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Commas, and of what is no ASCII a mark of byte order, mean nothing. */
static bool is_ignored(char c)
{
	return isspace((unsigned char)c) || c == ',' || c & 0x80;
}

static void skip_string(struct lexer *l)
{
	bool block = l->end - l->p >= 3 && memcmp(l->p, "\"\"\"", 3) == 0;
	size_t quotes = block ? 3 : 1;

	for (l->p += quotes; l->p < l->end; l->p++) {
		size_t left = (size_t)(l->end - l->p);

		/* of a block no more than its own end can be escaped */
		if (*l->p == '\\' && left > quotes &&
		    (!block || memcmp(l->p + 1, "\"\"\"", 3) == 0))
			l->p += quotes;
		else if (left >= quotes && memcmp(l->p, "\"\"\"", quotes) == 0)
			break;
	}
	l->p += (size_t)(l->end - l->p) < quotes ? l->end - l->p : (long)quotes;
}

static void skip_comment(struct lexer *l)
{
	while (l->p < l->end && *l->p != '\n' && *l->p != '\r')
		l->p++;
}

/* The next name, and the mark before it that says what it is; 0: there is none. */
static size_t next_name(struct lexer *l, const char **ret, char *ret_before)
{
	*ret_before = ' ';
	while (l->p < l->end && !is_name_byte(*l->p)) {
		if (*l->p == '"') {
			skip_string(l);
		} else if (*l->p == '#') {
			skip_comment(l);
		} else {
			if (!is_ignored(*l->p))
				*ret_before = *l->p;
			l->p++;
		}
	}
	*ret = l->p;
	while (l->p < l->end && is_name_byte(*l->p))
		l->p++;
	return (size_t)(l->p - *ret);
}

bool graphql_selects(const char *document, size_t len, const char *field)
{
	enum { ON = 4 };
	static const char *const namers[] = { "query", "mutation", "subscription",
					      "fragment", [ON] = "on" };
	struct lexer l = { document, document + len };
	bool names = false; /* the next one only names an operation or a type */
	const char *name;
	char before;

	for (size_t n; (n = next_name(&l, &name, &before));) {
		if (!(names && before == ' ') && !strchr("$@.", before) && n == strlen(field) &&
		    memcmp(name, field, n) == 0)
			return true;
		names = false;
		/* behind dots only "on" is no fragment's own name */
		for (size_t i = before == '.' ? ON : 0; i < ARRAY_SIZE(namers); i++)
			names |= n == strlen(namers[i]) && memcmp(name, namers[i], n) == 0;
		names &= l.p < l.end && isspace((unsigned char)*l.p);
	}
	return false;
}

/* --- NAME=VALUE&…, with %XX and + for a blank */

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static void decode(const char *p, const char *end, struct strbuf *ret)
{
	strbuf_reset(ret);
	for (; p < end; p++) {
		if (*p == '%' && end - p > 2 && isxdigit((unsigned char)p[1]) &&
		    isxdigit((unsigned char)p[2])) {
			strbuf_addc(ret, (char)(hex(p[1]) << 4 | hex(p[2])));
			p += 2;
		} else {
			strbuf_addc(ret, *p == '+' ? ' ' : *p);
		}
	}
}

bool graphql_form_selects(const char *form, size_t len, const char *field)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	for (const char *p = form, *last = form + len, *end; p < last; p = end + 1) {
		const char *equals;

		end = memchr(p, '&', (size_t)(last - p)) ?: last;
		equals = memchr(p, '=', (size_t)(end - p));
		if (!equals)
			continue;
		decode(p, equals, &text);
		if (strcmp(strbuf_str(&text), "query") != 0)
			continue;
		decode(equals + 1, end, &text);
		if (graphql_selects(strbuf_str(&text), text.len, field))
			return true;
	}
	return false;
}

/* --- JSON, as far as needed to find a string in it */

static size_t add_utf8(struct strbuf *out, const char *hex)
{
	char digits[5] = "";
	unsigned long c;

	memcpy(digits, hex, 4);
	c = strtoul(digits, NULL, 16);
	strbuf_addc(out, c < 128 ? (char)c : '?'); /* no name has others */
	return 4;
}

/* The text of the string at p, behind its quote; `ret_end`: behind its end. */
static void take_string(const char *p, const char *end, struct strbuf *ret, const char **ret_end)
{
	static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";

	strbuf_reset(ret);
	for (; p < end && *p != '"'; p++) {
		const char *found;

		if (*p != '\\' || end - p < 2) {
			strbuf_addc(ret, *p);
			continue;
		}
		p++;
		found = strchr(from, *p);
		if (*p == 'u' && end - p > 4)
			p += add_utf8(ret, p + 1);
		else
			strbuf_addc(ret, found && *p ? to[found - from] : *p);
	}
	*ret_end = p < end ? p + 1 : end;
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && isspace((unsigned char)*p))
		p++;
	return p;
}

bool graphql_body_selects(const char *json, size_t len, const char *field)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	const char *p = json, *end = json + len;
	unsigned int depth = 0, deepest = 1; /* in a batch 2 */
	bool named = false;		     /* the value of "query" is next */

	while (p < end) {
		if (*p == '"') {
			take_string(p + 1, end, &text, &p);
			if (named && graphql_selects(strbuf_str(&text), text.len, field))
				return true;
			p = skip_space(p, end);
			named = p < end && *p == ':' && depth == deepest &&
				strcmp(strbuf_str(&text), "query") == 0;
			p += p < end && *p == ':';
			p = skip_space(p, end);
			continue;
		}
		if (!depth)
			deepest = *p == '[' ? 2 : 1;
		depth += *p == '{' || *p == '[';
		depth -= depth && (*p == '}' || *p == ']');
		named = false;
		p++;
	}
	return false;
}

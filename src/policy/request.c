#include "policy/request.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "policy/glob.h"

bool request_text(struct wire_slice s, char *ret, size_t size)
{
	if (!s.s || s.len >= size)
		return false;
	memcpy(ret, s.s, s.len);
	ret[s.len] = '\0';
	for (size_t i = 0; i < s.len; i++)
		if (!ret[i])
			ret[i] = ' ';
	return true;
}

bool request_slice_matches(const char *glob, struct wire_slice s, bool nocase)
{
	char text[8192];

	return request_text(s, text, sizeof(text)) && glob_match(glob, text, nocase);
}

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : (tolower((unsigned char)c) - 'a') + 10;
}

/* The byte at *i, perhaps as %XX, of which *i becomes the last. */
static char take_byte(struct wire_slice s, size_t *i)
{
	const char *p = s.s + *i;

	if (*p != '%' || *i + 2 >= s.len || !isxdigit((unsigned char)p[1]) ||
	    !isxdigit((unsigned char)p[2]))
		return *p;
	*i += 2;
	return (char)(hex(p[1]) << 4 | hex(p[2]));
}

/* A path as servers read it: without %XX, doubled slashes, and dots. */
static void clean_path(struct wire_slice s, struct strbuf *ret)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = take_byte(s, &i);

		if (c == '/' && ret->len && ret->data[ret->len - 1] == '/')
			continue;
		strbuf_addc(ret, c ? c : ' ');
		if (ret->len >= 3 && memcmp(ret->data + ret->len - 3, "/./", 3) == 0)
			strbuf_truncate(ret, ret->len - 2);
		if (ret->len >= 4 && memcmp(ret->data + ret->len - 4, "/../", 4) == 0) {
			strbuf_truncate(ret, ret->len - 4);
			while (ret->len && ret->data[ret->len - 1] != '/')
				strbuf_truncate(ret, ret->len - 1);
			if (!ret->len)
				strbuf_addc(ret, '/');
		}
	}
}

bool request_path_matches(const char *glob, struct wire_slice path)
{
	_cleanup_strbuf_ struct strbuf clean = STRBUF_INIT;

	if (request_slice_matches(glob, path, false))
		return true;
	clean_path(path, &clean);
	return glob_match(glob, strbuf_str(&clean), false);
}

bool request_override_matches(const char *glob, struct wire_slice words)
{
	for (size_t at = 0, end; at < words.len; at = end + 1) {
		const char *blank = memchr(words.s + at, ' ', words.len - at);

		end = blank ? (size_t)(blank - words.s) : words.len;
		if (request_slice_matches(glob, (struct wire_slice) { words.s + at, end - at },
					  true))
			return true;
	}
	return false;
}

/* --- _method */

static bool is_letter(char c)
{
	return isalpha((unsigned char)c);
}

/* What may stand between a name and its value: of a form, of its parts, of JSON. */
static const char between[] = "=\"': \t\r\n";

bool request_form_overrides(const char *method, struct wire_slice form)
{
	static const char name[] = "_method";
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	const char *p, *end;

	for (size_t i = 0; i < form.len; i++)
		strbuf_addc(&text, take_byte(form, &i));
	if (strbuf_error(&text))
		return true;
	p = strbuf_str(&text);
	end = p + text.len;
	while ((p = memmem(p, (size_t)(end - p), name, sizeof(name) - 1))) {
		struct wire_slice word;

		p += sizeof(name) - 1;
		while (p < end && *p && strchr(between, *p))
			p++;
		word = (struct wire_slice) { p, 0 };
		while (p < end && is_letter(*p))
			p++, word.len++;
		if (word.len && request_slice_matches(method, word, true))
			return true;
	}
	return false;
}

/* --- raw bytes */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

/* The word that ends before *end, which goes to its begin. */
static struct wire_slice take_word_before(const char *line, const char **end)
{
	struct wire_slice word;
	const char *last;

	while (*end > line && is_blank((*end)[-1]))
		--*end;
	last = *end;
	while (*end > line && !is_blank((*end)[-1]))
		--*end;
	word = (struct wire_slice) { *end, (size_t)(last - *end) };
	return word;
}

/* Without the scheme and the host, and the query. */
static struct wire_slice path_of(struct wire_slice target)
{
	const char *end = target.s + target.len;
	const char *scheme = memmem(target.s, target.len, "://", 3), *slash, *mark;

	if (scheme && target.len && *target.s != '/') {
		slash = memchr(scheme + 3, '/', (size_t)(end - scheme - 3));
		target = slash ? (struct wire_slice) { slash, (size_t)(end - slash) }
			       : (struct wire_slice) { "/", 1 };
	}
	mark = memchr(target.s, '?', target.len);
	if (mark)
		target.len = (size_t)(mark - target.s);
	return target;
}

/* `end`: where HTTP/ begins. Other bytes may stand before the method. */
static bool line_matches(const char *method, const char *path, const char *line, const char *end)
{
	struct wire_slice target = take_word_before(line, &end);
	struct wire_slice word = take_word_before(line, &end);
	size_t skip = word.len;

	while (skip && (is_letter(word.s[skip - 1]) || word.s[skip - 1] == '-'))
		skip--;
	word = (struct wire_slice) { word.s + skip, word.len - skip };
	return word.len && target.len && request_slice_matches(method, word, true) &&
	       request_path_matches(path, path_of(target));
}

bool request_line_matches(const char *method, const char *path, struct wire_slice raw)
{
	const char *line = raw.s, *end = raw.s + raw.len, *version;

	while ((version = memmem(line, (size_t)(end - line), "HTTP/", 5))) {
		const char *eol = memrchr(line, '\n', (size_t)(version - line));

		if (line_matches(method, path, eol ? eol + 1 : line, version))
			return true;
		line = version + 5;
	}
	return false;
}

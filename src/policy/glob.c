#include "policy/glob.h"

#include <ctype.h>
#include <string.h>

static int fold(char c, bool nocase)
{
	return nocase ? tolower((unsigned char)c) : (unsigned char)c;
}

/* Matches one byte with the set that opens at `*pattern`, and moves it behind the set. A [ without
 * a ] stands for itself. */
static bool match_set(const char **pattern, char c, bool nocase)
{
	const char *p = *pattern + 1, *end = strchr(*p == '!' || *p == '^' ? p + 2 : p + 1, ']');
	bool negated = *p == '!' || *p == '^', found = false;
	int byte = fold(c, nocase);

	if (!end) {
		++*pattern;
		return c == '[';
	}
	for (p += negated; p < end; p++) {
		int low = fold(*p, nocase), high = low;

		if (p[1] == '-' && p + 2 < end) {
			high = fold(p[2], nocase);
			p += 2;
		}
		found |= byte >= low && byte <= high;
	}
	*pattern = end + 1;
	return found != negated;
}

/* Matches one byte with the pattern's next element, which is no star, and moves the pattern on. */
static bool match_one(const char **pattern, char c, bool nocase, bool path)
{
	const char *p = *pattern;

	if (*p == '?') {
		++*pattern;
		return !path || c != '/';
	}
	if (*p == '[' && p[1] && p[2])
		return match_set(pattern, c, nocase) && (!path || c != '/');
	if (*p == '\\' && p[1])
		p++;
	*pattern = p + 1;
	return fold(*p, nocase) == fold(c, nocase);
}

bool glob_next(const char **pattern, char *ret)
{
	const char *p = *pattern, *end = NULL;

	if (*p == '[' && p[1] && p[2])
		end = strchr(p[1] == '!' || p[1] == '^' ? p + 3 : p + 2, ']');
	if (end || *p == '*' || *p == '?') {
		*pattern = end ? end + 1 : p + 1;
		return false;
	}
	if (*p == '\\' && p[1])
		p++;
	*pattern = p + 1;
	*ret = *p;
	return true;
}

/* A star that was passed, to come back to: what follows it, where it stands in the text, and
 * whether it may take a slash. */
struct star {
	const char *after, *text;
	bool deep;
};

static void pass_star(struct star *s, const char **pattern, const char *text, bool path)
{
	s->deep = !path || (*pattern)[1] == '*';
	while (**pattern == '*')
		++*pattern;
	s->after = *pattern;
	s->text = text;
}

/* Lets the latest star that still can take one byte more. A deep star never has to give way to an
 * earlier one; one that stops at a slash gives way to the deep one before it. */
static bool retry(struct star *flat, struct star *deep, const char **pattern, const char **text)
{
	struct star *s = flat->after && *flat->text && *flat->text != '/' ? flat : deep;

	if (s == deep)
		flat->after = NULL;
	if (!s->after || !*s->text)
		return false;
	*text = ++s->text;
	*pattern = s->after;
	return true;
}

static bool match(const char *pattern, const char *text, bool nocase, bool path)
{
	struct star flat = { 0 }, deep = { 0 };

	for (;;) {
		if (*pattern == '*') {
			struct star s;

			pass_star(&s, &pattern, text, path);
			if (s.deep)
				flat.after = NULL;
			*(s.deep ? &deep : &flat) = s;
			continue;
		}
		if (!*text && !*pattern)
			return true;
		if (*text && *pattern && match_one(&pattern, *text, nocase, path)) {
			text++;
			continue;
		}
		if (!retry(&flat, &deep, &pattern, &text))
			return false;
	}
}

bool glob_match(const char *pattern, const char *text, bool nocase)
{
	return match(pattern, text, nocase, false);
}

bool glob_match_path(const char *pattern, const char *path)
{
	size_t len = strlen(pattern);

	if (len > 3 && strcmp(pattern + len - 3, "/**") == 0 && strlen(path) < 4096) {
		char dir[4096];

		if (len < sizeof(dir)) {
			memcpy(dir, pattern, len - 3);
			dir[len - 3] = '\0';
			if (match(dir, path, false, true))
				return true;
		}
	}
	return match(pattern, path, false, true);
}

size_t glob_prefix(const char *pattern, char *ret, size_t size, bool *ret_all)
{
	size_t len = 0;
	char c;

	*ret_all = true;
	while (*pattern && len < size && (*ret_all = glob_next(&pattern, &c)))
		ret[len++] = c;
	*ret_all = *ret_all && !*pattern;
	return len;
}

bool glob_has_wildcard(const char *text)
{
	return strpbrk(text, "*?[\\") != NULL;
}

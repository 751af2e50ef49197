#include "policy/regex_run.h"

#include <ctype.h>
#include <string.h>

#include "backstop/class.h"

/* Letters behind a backslash that stand for one byte or none and take no argument. */
#define SIMPLE_ESCAPES "dDwWsSbBAzZhHvVRnrt"

struct reading {
	const char *p;
	char *run, *best;
	size_t len, best_len;
};

static void end_run(struct reading *r)
{
	if (r->len > r->best_len) {
		r->best_len = r->len;
		memcpy(r->best, r->run, r->len);
	}
	r->len = 0;
}

/* One byte that stands for itself. */
static void take_byte(struct reading *r, char c)
{
	if (bs_class[(unsigned char)c])
		r->run[r->len++] = c;
	else
		end_run(r);
}

/* What says how often the last element is there; a { that says something else is a byte. */
static void take_quantifier(struct reading *r)
{
	size_t len = *r->p == '{' ? 1 + strspn(r->p + 1, "0123456789,") : 0;

	if (*r->p != '+' && r->len)
		r->len--;
	end_run(r);
	r->p += len && r->p[len] == '}' ? len + 1 : 1;
}

static bool take_escape(struct reading *r)
{
	char c = r->p[1];

	if (!c || (isalnum((unsigned char)c) && !strchr(SIMPLE_ESCAPES, c)))
		return false;
	r->p += 2;
	if (isalnum((unsigned char)c))
		end_run(r);
	else
		take_byte(r, c);
	return true;
}

/* Moves behind the set that begins at p; NULL where it never ends. */
static const char *skip_set(const char *p)
{
	p += p[1] == '^' ? 2 : 1;
	p += *p == ']';
	for (; *p && *p != ']'; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '[' && p[1] && strchr(":.=", p[1]))
			return NULL;
	}
	return *p ? p + 1 : NULL;
}

/* Moves behind the group that begins at p; NULL where it has more than alternatives in it. */
static const char *skip_group(const char *p)
{
	int depth = 0;

	while (*p) {
		if (*p == '(' && (p[1] == '*' || (p[1] == '?' && p[2] != ':')))
			return NULL;
		if (*p == '\\') {
			if (!p[1] || p[1] == 'Q' || p[1] == 'E')
				return NULL;
			p += 2;
			continue;
		}
		if (*p == '[') {
			p = skip_set(p);
			if (!p)
				return NULL;
			continue;
		}
		depth += (*p == '(') - (*p == ')');
		p++;
		if (depth == 0)
			return p;
	}
	return NULL;
}

static bool take_compound(struct reading *r)
{
	r->p = *r->p == '[' ? skip_set(r->p) : skip_group(r->p);
	end_run(r);
	return r->p;
}

static bool take_element(struct reading *r)
{
	switch (*r->p) {
	case '|':
	case ')':
		return false;
	case '\\':
		return take_escape(r);
	case '[':
	case '(':
		return take_compound(r);
	case '?':
	case '*':
	case '+':
	case '{':
		take_quantifier(r);
		return true;
	case '.':
	case '^':
	case '$':
		end_run(r);
		break;
	default:
		take_byte(r, *r->p);
	}
	r->p++;
	return true;
}

const char *regex_run(struct arena *a, const char *re)
{
	size_t len = strlen(re) + 1;
	struct reading r = { .p = re, .run = arena_alloc(a, len), .best = arena_alloc(a, len) };

	if (strncmp(re, "(?i)", 4) == 0)
		r.p += 4;
	while (*r.p)
		if (!take_element(&r))
			return "";
	end_run(&r);
	return r.best;
}

#include "policy/regex_run.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "backstop/class.h"

/* Letters behind a backslash that stand for one byte or none and take no argument. */
#define SIMPLE_ESCAPES "dDwWsSbBAzZhHvVRnrt"
#define SHORTEST_RUN   4 /* of a group's */

struct reading {
	const char *p;
	char *run, *best;
	size_t len, best_len;
	struct arena *arena;
	struct regex_runs *groups; /* NULL: groups are not looked into */
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
		if (*p == '(' && (p[1] == '*' || (p[1] == '?' && !strchr(":=!", p[2]))))
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

/* The end of the alternative that begins at p: a | or the end of the text; NULL as skip_group(). */
static const char *skip_alternative(const char *p, const char *end)
{
	while (p && p < end && *p != '|') {
		if (*p == '[')
			p = skip_set(p);
		else if (*p == '(')
			p = skip_group(p);
		else if (*p == '\\' && (p[1] == 'Q' || p[1] == 'E'))
			return NULL;
		else
			p += *p == '\\' ? 2 : 1;
	}
	return p && p <= end ? p : NULL;
}

static size_t shortest(const struct regex_runs *r)
{
	size_t len = r->count ? SIZE_MAX : 0;

	for (size_t i = 0; i < r->count; i++)
		len = MIN(len, strlen(r->all[i]));
	return len;
}

/* The runs of the alternatives between `p` and `end`; none where one has none that tells enough. */
static void read_alternatives(struct arena *a, const char *p, const char *end,
			      struct regex_runs *ret)
{
	struct regex_runs runs = { .count = 0 };

	for (;; p++) {
		const char *stop = skip_alternative(p, end), *run;

		if (!stop || runs.count == REGEX_RUNS)
			return;
		run = regex_run(a, arena_strndup(a, p, (size_t)(stop - p)));
		if (strlen(run) < SHORTEST_RUN)
			return;
		runs.all[runs.count++] = run;
		p = stop;
		if (p == end)
			break;
	}
	if (shortest(&runs) > shortest(ret))
		*ret = runs;
}

/* A group that must match once at least, and not only be looked at. */
static void read_group(struct reading *r, const char *end)
{
	const char *inside = r->p + (r->p[1] == '?' ? 3 : 1);

	if (r->groups && (r->p[1] != '?' || r->p[2] == ':') && !(*end && strchr("?*{", *end)))
		read_alternatives(r->arena, inside, end - 1, r->groups);
}

static bool take_compound(struct reading *r)
{
	const char *end = *r->p == '[' ? skip_set(r->p) : skip_group(r->p);

	if (end && *r->p == '(')
		read_group(r, end);
	r->p = end;
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

/* False where the text cannot be read. */
static bool read_all(struct reading *r, struct arena *a, const char *re)
{
	size_t len = strlen(re) + 1;

	r->p = re;
	r->arena = a;
	r->run = arena_alloc(a, len);
	r->best = arena_alloc(a, len);
	if (strncmp(re, "(?i)", 4) == 0)
		r->p += 4;
	while (*r->p)
		if (!take_element(r))
			return false;
	end_run(r);
	return true;
}

const char *regex_run(struct arena *a, const char *re)
{
	struct reading r = { 0 };

	return read_all(&r, a, re) ? r.best : "";
}

/* Does the text begin with ^ and these bytes as they are? */
static bool is_first(const char *re, const char *run)
{
	size_t len = strlen(run);

	re += strncmp(re, "(?i)", 4) == 0 ? 4 : 0;
	if (*re++ != '^')
		return false;
	for (size_t i = 0; i < len; i++) {
		re += *re == '\\' && !isalnum((unsigned char)re[1]);
		if (*re++ != run[i])
			return false;
	}
	return true;
}

void regex_runs(struct arena *a, const char *re, struct regex_runs *ret)
{
	struct regex_runs groups = { .count = 0 };
	struct reading r = { .groups = &groups };
	const char *plain = re + (strncmp(re, "(?i)", 4) == 0 ? 4 : 0);
	bool simple = read_all(&r, a, re);

	if (!simple) {
		groups.count = 0;
		read_alternatives(a, plain, plain + strlen(plain), &groups);
	}
	*ret = groups;
	ret->plain = simple ? r.best : "";
	ret->first = is_first(re, ret->plain);
	ret->colon = simple && plain[0] == '^' && plain[1] == ':' &&
		     (!plain[2] || !strchr("?*{", plain[2]));
}

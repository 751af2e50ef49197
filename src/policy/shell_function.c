/* Functions of a shell: what one of them has inside, and whether it starts itself without end. */
#include <ctype.h>
#include <string.h>

#include "policy/shell_splitter.h"

/* Behind what is quoted at `p`; `p` itself where nothing is. */
static const char *skip_quoted(const char *p)
{
	const char *end = p;

	if (*p == '\\' && p[1])
		return p + 2;
	if (*p != '\'' && *p != '"')
		return p;
	for (end++; *end && *end != *p; end++)
		end += *p == '"' && *end == '\\' && end[1];
	return end + (*end != '\0');
}

/* Behind the bracket that closes the one at `p`. */
static const char *find_end(const char *p)
{
	char open = *p, close = open == '{' ? '}' : ')';
	int depth = 0;

	while (*p) {
		const char *next = skip_quoted(p);

		if (next > p) {
			p = next;
			continue;
		}
		depth += *p == open;
		if (*p++ == close && --depth == 0)
			break;
	}
	return p;
}

static bool ends_word(char c)
{
	return !c || strchr(" \t\n;&|(){}`", c);
}

/* Is the command at `p` this one? */
static bool is_called(const char *p, const char *name)
{
	size_t len = strlen(name);

	return strncmp(p, name, len) == 0 && ends_word(p[len]);
}

/* The command at `p` up to what ends it: does that put it in the background, or in a pipe to
 * itself? */
static bool starts_on(const char *p, const char *name)
{
	while (*p && !strchr(";&|\n)}", *p))
		p = skip_quoted(p) > p ? skip_quoted(p) : p + 1;
	if (*p == '&')
		return p[1] != '&' && p[-1] != '>';
	if (*p != '|' || p[1] == '|')
		return false;
	p += 1 + (p[1] == '&');
	return is_called(p + strspn(p, " \t\n"), name);
}

static bool forks_on(const char *body, const char *name)
{
	for (const char *p = body; *p;) {
		const char *next = skip_quoted(p);

		if ((p == body || ends_word(p[-1])) && is_called(p, name) &&
		    starts_on(p + strlen(name), name))
			return true;
		p = next > p ? next : p + 1;
	}
	return false;
}

/* The word in hand, if a function can be called so. */
static char *take_name(struct splitter *s)
{
	char *name;

	splitter_end_word(s);
	if (!s->count)
		return NULL;
	name = s->words[s->count - 1];
	if (!*name || strpbrk(name, "=$`'\"") || strcmp(name, "function") == 0)
		return NULL;
	s->count--;
	if (s->count && strcmp(s->words[s->count - 1], "function") == 0)
		s->count--;
	return name;
}

bool splitter_define(struct splitter *s, const char *body)
{
	const char *end = find_end(body);
	_cleanup_free_ char *inside = strndup(body, (size_t)(end - body));
	char *name = inside ? take_name(s) : NULL;
	bool skip = false;
	char *words[] = { (char *)"function", name, NULL, NULL };
	struct shell_command c = { .words = words,
				   .count = 3,
				   .level = s->level,
				   .body = inside,
				   .skip = &skip,
				   .stop = s->stop };

	if (!name)
		return false;
	words[2] = (char *)(forks_on(inside + 1, name) ? "forks" : "once");
	s->fn(s->data, &c);
	s->p = skip ? end : body;
	return true;
}

#include "policy/grammar.h"

#include <string.h>

bool grammar_lists(const char *list, const char *word, size_t len)
{
	for (const char *p = list; p && *p;) {
		size_t n = strcspn(p, " ");

		if (n == len && memcmp(p, word, len) == 0)
			return true;
		p += n + strspn(p + n, " ");
	}
	return false;
}

bool grammar_takes_next(const struct grammar *g, const char *word)
{
	if (word[1] == '-' || grammar_lists(g->names, word, strlen(word)))
		return !strchr(word, '=') &&
		       grammar_lists(g->names, word, strlen(word)) != g->flags;
	for (const char *p = word + 1; *p; p++)
		if ((g->letters && strchr(g->letters, *p)) != g->flags)
			return !p[1];
	return false;
}

u32 grammar_skip_options(const struct grammar *g, char *const *words, u32 count, u32 at)
{
	while (at < count && words[at][0] == '-' && words[at][1]) {
		if (strcmp(words[at], "--") == 0)
			return at + 1;
		at += 1 + grammar_takes_next(g, words[at]);
	}
	return MIN(at, count);
}

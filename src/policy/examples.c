#include "policy/examples.h"

#include <string.h>

#include "policy/search.h"
#include "policy/shellwords.h"

static struct action make_action(char *const *words, const char *cwd)
{
	return (struct action) {
		.argv = words,
		.cwd = cwd ? cwd : EXAMPLE_CWD,
		.home = EXAMPLE_HOME,
		.workspace = EXAMPLE_CWD,
		.root_fd = -1,
	};
}

static const char *name_of(const struct pack *pack)
{
	return pack->name.s ? pack->name.s : "?";
}

/* The words of a text; NULL after a fault. */
static char **split(const struct pack *pack, struct text t)
{
	char **words;

	if (shellwords_split(t.s, &words, NULL)) {
		source_fault(&pack->src, t.spot, "a quote is left open in this command");
		return NULL;
	}
	if (!words[0]) {
		source_fault(&pack->src, t.spot, "there is no command here");
		shellwords_free(words);
		return NULL;
	}
	return words;
}

static bool matches(const struct policy *p, const struct signature *s, const struct action *a)
{
	struct search_result found;

	search_action(p, a, s->number, &found);
	return found.line != IMAGE_NONE;
}

static void try_example(const struct policy *p, const struct pack *pack, const struct signature *s,
			const struct example *e, bool hit)
{
	char **words = split(pack, e->run);
	struct action a;
	bool found;

	if (!words)
		return;
	a = make_action(words, e->cwd);
	found = matches(p, s, &a);
	if (found != hit)
		source_fault(&pack->src, e->run.spot, "%s: '%s' does %smatch %s.%s",
			     hit ? "hits" : "misses", e->run.s, found ? "" : "not ", name_of(pack),
			     s->id.s);
	else if (hit && !policy_is_candidate(p, &a))
		source_fault(&pack->src, e->run.spot,
			     "hits: '%s' matches %s.%s, but the scan does not find it", e->run.s,
			     name_of(pack), s->id.s);
	shellwords_free(words);
}

static void try_instead(const struct policy *p, const struct pack *pack, const struct signature *s)
{
	char **words;
	struct finding f;
	struct action a;

	/* it may be a sentence that no shell could split */
	if (!s->instead.s || shellwords_split(s->instead.s, &words, NULL))
		return;
	if (words[0]) {
		a = make_action(words, NULL);
		policy_match(p, &a, &f);
		if (f.verdict >= VERDICT_HOLD)
			source_fault(&pack->src, s->instead.spot,
				     "instead: '%s' is not allowed itself: %s.%s says %s",
				     s->instead.s, f.pack, f.id, verdict_name(f.verdict));
	}
	shellwords_free(words);
}

unsigned int examples_try(const struct policy *p, const struct pack *pack)
{
	unsigned int count = 0;

	for (size_t i = 0; i < pack->signatures_count; i++) {
		const struct signature *s = &pack->signatures[i];

		if (s->faulty)
			continue;
		for (size_t k = 0; k < s->hits_count; k++)
			try_example(p, pack, s, &s->hits[k], true);
		for (size_t k = 0; k < s->misses_count; k++)
			try_example(p, pack, s, &s->misses[k], false);
		try_instead(p, pack, s);
		count += s->hits_count + s->misses_count;
	}
	return count;
}

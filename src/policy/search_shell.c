#include <stdio.h>
#include <string.h>

#include "policy/carrier.h"
#include "policy/grammar.h"
#include "policy/search_state.h"

static void search_simple(void *data, const struct shell_command *c);

static void search_text(struct search *s, const char *text)
{
	if (work_do(&s->work, strlen(text)))
		return;
	shell_each_command(text, SEARCH_MAX_DEPTH, !s->found, search_simple, s);
}

void search_shell(struct search *s, char *const *words, u32 count)
{
	_cleanup_free_ char *text = shell_join(NULL, words, count);

	if (text)
		search_text(s, text);
}

/* A file that is known: also in ~, $HOME and $PWD. */
static bool find_target(const struct search *s, const char *word, char out[PATHS_MAX])
{
	static const char *const names[] = { "$HOME", "${HOME}", "~", "$PWD", "${PWD}" };
	const char *home = s->paths->remote ? "/root" : s->paths->home;
	int len;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *dir = strstr(names[i], "PWD") ? "." : home;
		size_t n = strlen(names[i]);

		if (!dir || strncmp(word, names[i], n) != 0 || word[n] != '/')
			continue;
		len = snprintf(out, PATHS_MAX, "%s%s", dir, word + n);
		return len < PATHS_MAX && !strpbrk(out, "$`");
	}
	len = snprintf(out, PATHS_MAX, "%s", word);
	return len < PATHS_MAX && !strpbrk(word, "$`*?");
}

void search_enter(struct search *s, const char *word)
{
	char dir[PATHS_MAX], full[PATHS_MAX];
	int len;

	if (s->paths != &s->local || word[0] == '-' || !find_target(s, word, dir) ||
	    (*dir != '/' && !s->local.cwd))
		return;
	len = snprintf(full, sizeof(full), "%s%s%s", *dir == '/' ? "" : s->local.cwd,
		       *dir == '/' ? "" : "/", dir);
	if (len >= PATHS_MAX)
		return;
	if (s->level && !s->cwd_level) {
		snprintf(s->cwd_outside, PATHS_MAX, "%s", s->local.cwd ? s->local.cwd : "");
		s->cwd_level = s->level;
	}
	strcpy(s->cwd, full);
	s->local.cwd = s->cwd;
}

void search_leave(struct search *s, unsigned int level)
{
	s->level = level;
	if (level >= s->cwd_level)
		return;
	s->cwd_level = 0;
	s->local.cwd = NULL;
	if (*s->cwd_outside)
		s->local.cwd = strcpy(s->cwd, s->cwd_outside);
}

/* A redirection that a shell does itself: in all text that one reads here or elsewhere. */
static void search_redirection(struct search *s, const struct shell_command *c)
{
	char target[PATHS_MAX], *words[] = { target, NULL };

	if ((s->part != PART_SHELL && !s->found) || s->part == PART_FED ||
	    !find_target(s, c->words[1], target))
		return;
	s->target = target;
	s->builtin = true;
	search_name(s, c->words[0], words, 1);
	s->target = NULL;
	s->builtin = false;
}

static void search_definition(struct search *s, const struct shell_command *c)
{
	if ((s->part != PART_SHELL && !s->found) || s->part == PART_FED)
		return;
	s->builtin = true;
	search_name(s, c->words[0], c->words + 1, c->count - 1);
	s->builtin = false;
}

/* One simple command of shell text. What it is not given it reads from where the shell does. */
static void search_simple(void *data, const struct shell_command *c)
{
	struct search *s = data;
	const struct shell_feed *outer = s->feed;

	search_leave(s, c->level);
	*c->stop = work_do(&s->work, c->body ? 4 * strlen(c->body) : 256);
	if (c->sets || *c->stop)
		return;
	if (c->feed.text || c->feed.file || c->feed.from)
		s->feed = &c->feed;
	if (c->body)
		search_definition(s, c);
	else if (c->count == 2 && shell_is_redirection(c->words[0]))
		search_redirection(s, c);
	else
		search_words(s, c->words, c->count);
	s->feed = outer;
}

static bool keeps_shell(const char *wrapper)
{
	return grammar_lists("command builtin exec eval time", wrapper, strlen(wrapper));
}

/* The command that a wrapper starts. */
static void search_wrapped(struct search *s, char *const *words, u32 count)
{
	enum part part = s->part;
	u32 first;

	if (part == PART_SHELL && !keeps_shell(words[0]))
		s->part = PART_FED;
	s->depth++;
	switch (carrier_wrapper(words, count, &first)) {
	case WRAPPER_RUNS:
		search_words(s, words + first, count - first);
		break;
	case WRAPPER_SHELL:
		search_shell(s, words + first, 1);
		break;
	case WRAPPER_EVAL:
		search_shell(s, words + first, count - first);
		break;
	case WRAPPER_NONE:
		break;
	}
	s->depth--;
	s->part = part;
}

void search_words(struct search *s, char *const *words, u32 count)
{
	bool builtin = s->builtin;

	if (count == 0 || s->depth > SEARCH_MAX_DEPTH)
		return;
	s->builtin = s->part == PART_SHELL && carrier_is_builtin(words[0]);
	if (s->part == PART_SHELL && count == 2 && strcmp(words[0], "cd") == 0)
		search_enter(s, words[1]);
	if (s->part == PART_ALL || s->feed || s->builtin || keeps_shell(words[0])) {
		const char *name = carrier_base_name(words[0]);

		search_wrapped(s, words, count);
		search_command(s, &name, 1, words + 1, count - 1);
	}
	s->builtin = builtin;
}

void search_input(struct search *s)
{
	const struct shell_feed *feed = s->feed;
	enum part part = s->part;

	if (!feed || !feed->text)
		return;
	s->part = s->paths->remote ? PART_ALL : PART_SHELL;
	s->feed = NULL;
	search_text(s, feed->text);
	s->feed = feed;
	s->part = part;
}

/* The code that a shell is given, but for what it execs. */
static void search_shell_code(struct search *s, const char *name, char *const *words, u32 count)
{
	const char *outer = s->carrier, *cwd = s->local.cwd, *code;
	enum part part = s->part;
	bool input;

	if (!grammar_lists(carrier_shells, name, strlen(name)))
		return;
	s->carrier = outer ? outer : "sh -c";
	code = carrier_shell_code(words, count, &input);
	if (code && s->part == PART_ALL && !s->found) {
		s->part = PART_SHELL;
		search_text(s, code);
		s->part = part;
	}
	if (input)
		search_input(s);
	s->local.cwd = cwd;
	s->level = s->cwd_level = 0;
	s->carrier = outer;
}

/* The code that another interpreter is fed, as if it stood behind -c. */
static void search_fed(struct search *s, const char *name, char *const *words, u32 count)
{
	const char *option =
		s->feed && s->feed->text ? carrier_input_code(name, words, count) : NULL;
	char *const code[] = { (char *)option, option ? (char *)s->feed->text : NULL, NULL };
	enum part part = s->part;

	if (!option)
		return;
	s->part = PART_ALL;
	search_name(s, name, code, 2);
	s->part = part;
}

void search_code(struct search *s, const char *name, char *const *words, u32 count)
{
	search_shell_code(s, name, words, count);
	search_fed(s, name, words, count);
}

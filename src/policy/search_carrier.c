#include <string.h>

#include "policy/carrier.h"
#include "policy/runner.h"
#include "policy/search_state.h"
#include "policy/terminal.h"

static void search_entrypoint(struct search *s, const char *program, char *const *words, u32 count)
{
	_cleanup_free_ const char **all = calloc(count + 2, sizeof(*all));

	if (!all)
		return;
	all[0] = program;
	memcpy(all + 1, words, count * sizeof(*all));
	search_words(s, (char *const *)all, count + 1);
}

static void search_remote(struct search *s, const char *name, char *const *words, u32 count)
{
	struct paths *paths = s->paths;
	const char *outer = s->carrier, *carrier, *entrypoint;
	bool found = s->found, fresh = s->remote.fresh;
	u32 first;
	enum remote_kind kind = carrier_remote(name, words, count, &first, &carrier, &entrypoint);

	if (kind == REMOTE_NONE)
		return;
	s->carrier = outer ? outer : carrier;
	s->paths = &s->remote;
	s->remote.fresh = carrier_is_fresh(name, words, count);
	s->found = true;
	if (kind == REMOTE_SHELL && first == count)
		search_input(s);
	else if (kind == REMOTE_SHELL)
		search_shell(s, words + first, count - first);
	else
		search_words(s, words + first, count - first);
	if (kind == REMOTE_WORDS && entrypoint)
		search_entrypoint(s, entrypoint, words + first, count - first);
	s->found = found;
	s->remote.fresh = fresh;
	s->paths = paths;
	s->carrier = outer;
}

static void search_local(struct search *s, const char *name, char *const *words, u32 count)
{
	const char *outer = s->carrier, *carrier;
	bool found = s->found;
	struct command_view v;

	carrier = carrier_local(name, words, count, &v);
	if (!carrier)
		return;
	s->carrier = outer ? outer : carrier;
	/* applets start each other without an exec, its shell's commands too */
	if (carrier_is_multicall(name)) {
		s->found = true;
		search_words(s, words, count);
		s->found = found;
	} else {
		search_command(s, v.names, v.names_count, v.words, v.count);
	}
	s->carrier = outer;
}

static void search_elsewhere(struct search *s, const struct runner_view *v)
{
	struct paths *paths = s->paths;
	bool found = s->found, fresh = s->remote.fresh;

	s->found = true;
	s->paths = &s->remote;
	s->remote.fresh = false;
	if (v->text) {
		search_shell(s, (char *const *)&v->text, 1);
	} else {
		search_words(s, v->words, v->count);
		if (!v->runner->exec)
			search_shell(s, v->words, v->count);
	}
	s->paths = paths;
	s->remote.fresh = fresh;
	s->found = found;
}

/* What a runner starts here is an exec of its own, but the runner itself is held for it. */
static void search_runner(struct search *s, const char *name, char *const *words, u32 count)
{
	const char *outer = s->carrier, *names[2];
	struct runner_view v;

	if (!runner_read(name, words, count, &v))
		return;
	s->carrier = outer ? outer : v.runner->line;
	if (v.runner->remote) {
		search_elsewhere(s, &v);
	} else if (v.text) {
		search_shell(s, (char *const *)&v.text, 1);
	} else {
		names[0] = carrier_base_name(v.name);
		names[1] = v.package;
		search_command(s, names, v.package[0] ? 2 : 1, v.words, v.count);
	}
	s->carrier = outer;
}

/* What is typed into a terminal runs in a shell of which nothing is known. */
static void search_terminal(struct search *s, const char *name, char *const *words, u32 count)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	const char *outer = s->carrier, *line;
	struct paths *paths = s->paths;
	bool found = s->found, fresh = s->remote.fresh;

	if (!terminal_text(name, words, count, &text))
		return;
	line = strbuf_str(&text);
	s->carrier = outer ? outer : name;
	s->found = true;
	s->paths = &s->remote;
	s->remote.fresh = false;
	search_shell(s, (char *const *)&line, 1);
	s->remote.fresh = fresh;
	s->paths = paths;
	s->found = found;
	s->carrier = outer;
}

void search_command(struct search *s, const char *const *names, u32 names_count, char *const *words,
		    u32 count)
{
	for (u32 i = 0; i < names_count && !work_do(&s->work, 64); i++) {
		if (search_name(s, names[i], words, count) || s->depth >= SEARCH_MAX_DEPTH)
			continue;
		s->depth++;
		search_code(s, names[i], words, count);
		search_local(s, names[i], words, count);
		search_remote(s, names[i], words, count);
		search_runner(s, names[i], words, count);
		search_terminal(s, names[i], words, count);
		s->depth--;
	}
}

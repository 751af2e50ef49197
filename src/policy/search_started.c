/* What is started by an exec of its own: it is judged there, and here only for who asks what would
 * happen. */
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "policy/carrier.h"
#include "policy/code_words.h"
#include "policy/grammar.h"
#include "policy/runner.h"
#include "policy/search_state.h"
#include "policy/shell_vars.h"
#include "policy/xargs.h"

/* Where a shell is, while a command in it is looked at. */
struct place {
	char cwd[PATHS_MAX];
	const char *local;
	bool text;
	unsigned int level, cwd_level;
};

static void keep_place(const struct search *s, struct place *ret)
{
	ret->local = s->local.cwd;
	ret->text = s->local.text;
	snprintf(ret->cwd, PATHS_MAX, "%s", s->local.cwd ? s->local.cwd : "");
	ret->level = s->level;
	ret->cwd_level = s->cwd_level;
}

static void come_back(struct search *s, const struct place *p)
{
	s->local.cwd = p->local;
	s->local.text = p->text;
	if (p->local == s->cwd)
		strcpy(s->cwd, p->cwd);
	s->level = p->level;
	s->cwd_level = p->cwd_level;
}

/* A command that an exec of its own starts, and what that starts. */
static void judge(struct search *s, char *const *words, u32 count)
{
	const char *name = carrier_base_name(words[0]);
	u32 before = s->result.line;
	struct place place;

	keep_place(s, &place);
	search_command(s, &name, 1, words + 1, count - 1);
	come_back(s, &place);
	s->result.started |= s->result.line != before;
	if (!s->started->len || s->result.line != before) {
		strbuf_reset(s->started);
		for (u32 i = 0; i < count; i++) {
			strbuf_adds(s->started, i ? " " : "");
			escape_word(s->started, words[i]);
		}
	}
	search_started(s, words, count);
}

/* --- shell text */

#define MAX_FUNCTIONS 16
#define MAX_CALLS     64 /* of all of them */

struct started_text {
	struct search *search;
	struct shell_vars vars;
	struct {
		char *name, *body;
	} functions[MAX_FUNCTIONS];
	u32 functions_count, calls;
};

/* Words that a shell reads before the command itself, or that are told as its own. */
static bool runs_itself(const char *word)
{
	static const char builtins[] = "cd pushd echo printf : true false test [ [[ export local "
				       "declare typeset readonly set shopt unset read return exit "
				       "alias source . wait shift ulimit umask";

	return grammar_lists(builtins, word, strlen(word));
}

static void judge_simple(struct search *s, char *const *words, u32 count)
{
	static const char prefixes[] = "command builtin exec eval trap and or not noglob nocorrect";

	if (count == 2 && grammar_lists("cd pushd", words[0], strlen(words[0])))
		search_enter(s, words[1]);
	else if (grammar_lists(prefixes, words[0], strlen(words[0])))
		search_started(s, words, count);
	else if (!runs_itself(words[0]))
		judge(s, words, count);
}

/* What it has inside is judged where it is called. */
static void define(struct started_text *t, const struct shell_command *c)
{
	char *name = t->functions_count < MAX_FUNCTIONS ? strdup(c->words[1]) : NULL;
	char *body = name ? strdup(c->body) : NULL;

	if (!body) {
		free(name);
		return;
	}
	t->functions[t->functions_count].name = name;
	t->functions[t->functions_count++].body = body;
	*c->skip = true;
}

static void judge_command(void *data, const struct shell_command *c);

/* Calls the function of this name that was defined last; false where none was. */
static bool call_function(struct started_text *t, char *const *words, u32 count)
{
	static char none[] = "";
	char *arguments[10];
	u32 i = t->functions_count;

	while (i && strcmp(t->functions[i - 1].name, words[0]) != 0)
		i--;
	if (!i || ++t->calls > MAX_CALLS || t->search->depth >= SEARCH_MAX_DEPTH)
		return false;
	for (u32 k = 0; k < ARRAY_SIZE(arguments); k++)
		arguments[k] = k < count ? words[k] : none;
	shell_vars_set_arguments(&t->vars, arguments, ARRAY_SIZE(arguments));
	shell_vars_set_arguments(&t->vars, words, count);
	t->search->depth++;
	shell_each_command(t->functions[i - 1].body, SEARCH_MAX_DEPTH, false, judge_command, t);
	t->search->depth--;
	return true;
}

static void run_words(struct started_text *t, const struct shell_words *words)
{
	if (words->count && !call_function(t, words->all, words->count))
		judge_simple(t->search, words->all, words->count);
}

static void judge_command(void *data, const struct shell_command *c)
{
	struct started_text *t = data;
	struct search *s = t->search;
	const struct shell_feed *outer = s->feed;
	_cleanup_(shell_words_clear) struct shell_words expanded = { .count = 0 };

	search_leave(s, c->level);
	*c->stop = work_do(&s->work, c->body ? 4 * strlen(c->body) : 256);
	if (*c->stop)
		return;
	shell_vars_tell(&t->vars, c);
	if (c->body)
		define(t, c);
	if (c->body || c->sets || shell_is_redirection(c->words[0]))
		return;
	if (c->feed.text || c->feed.file || c->feed.from)
		s->feed = &c->feed;
	shell_vars_expand(&t->vars, c->words, c->count, true, &expanded);
	run_words(t, &expanded);
	/* a loop runs it once for each value */
	if (expanded.count != c->count) {
		shell_words_clear(&expanded);
		shell_vars_expand(&t->vars, c->words, c->count, false, &expanded);
		run_words(t, &expanded);
	}
	s->feed = outer;
}

/* `words`: the shell's arguments. */
static void judge_text(struct search *s, const char *text, char *const *words, u32 count)
{
	struct started_text t = { .search = s };
	struct place place;

	keep_place(s, &place);
	s->level = s->cwd_level = 0;
	s->local.text = true;
	if (s->local.home)
		shell_vars_set(&t.vars, "HOME", s->local.home);
	if (s->local.cwd)
		shell_vars_set(&t.vars, "PWD", s->local.cwd);
	shell_vars_set(&t.vars, "TMPDIR", "/tmp");
	shell_vars_set_arguments(&t.vars, words, count);
	shell_each_command(text, SEARCH_MAX_DEPTH, false, judge_command, &t);
	shell_vars_clear(&t.vars);
	for (u32 i = 0; i < t.functions_count; i++) {
		free(t.functions[i].name);
		free(t.functions[i].body);
	}
	come_back(s, &place);
}

static void judge_shell(struct search *s, char *const *words, u32 count)
{
	bool input;
	const char *code = carrier_shell_code(words + 1, count - 1, &input);
	const struct shell_feed *feed = s->feed;
	u32 at = 0;

	while (code && words[at] != code)
		at++;
	s->feed = NULL;
	if (code)
		judge_text(s, code, words + at + 1, count - at - 1);
	else if (input && feed && feed->text)
		judge_text(s, feed->text, NULL, 0);
	s->feed = feed;
}

/* --- starts */

/* -C DIR, --chdir=DIR among the wrapper's own options. */
static void enter_wrapped(struct search *s, char *const *words, u32 end)
{
	static const char options[] = "-C --chdir -D --working-directory --wd";

	for (u32 i = 1; i < end; i++) {
		size_t len = strcspn(words[i], "=");

		if (words[i][0] != '-' || !grammar_lists(options, words[i], len))
			continue;
		if (words[i][len])
			search_enter(s, words[i] + len + 1);
		else if (i + 1 < end)
			search_enter(s, words[i + 1]);
	}
}

static void judge_wrapped(struct search *s, char *const *words, u32 count)
{
	_cleanup_free_ char *text = NULL;
	u32 first;

	switch (carrier_wrapper(words, count, &first)) {
	case WRAPPER_RUNS:
		enter_wrapped(s, words, first);
		judge(s, words + first, count - first);
		break;
	case WRAPPER_SHELL:
		judge_text(s, words[first], words + first + 1, count - first - 1);
		break;
	case WRAPPER_EVAL:
		text = shell_join(NULL, words + first, count - first);
		if (text)
			judge_text(s, text, NULL, 0);
		break;
	case WRAPPER_NONE:
		break;
	}
}

/* A call that starts a command. Databases and others have methods of the last names too. */
static bool is_starter(const char *call)
{
	static const char starters[] =
		"system popen execv execvp execve execl execlp check_call check_output Popen "
		"getoutput getstatusoutput spawnl spawnv spawnvp create_subprocess_shell "
		"create_subprocess_exec execSync spawnSync execFile execFileSync execa shell_exec "
		"passthru proc_open pcntl_exec capture2 capture2e capture3 popen2 popen3 $ `";
	static const char also[] = "exec run call spawn command pipeline execute";
	static const char modules[] = "os subprocess child_process pty Kernel Process Open3 Bun";
	const char *dot = strrchr(call, '.'), *name = dot ? dot + 1 : call;

	if (grammar_lists(starters, name, strlen(name)))
		return true;
	return grammar_lists(also, name, strlen(name)) &&
	       (!dot || grammar_lists(modules, call, (size_t)(dot - call)));
}

/* One text is a shell's, several are words. */
static bool judge_call(void *data, const struct code_call *call)
{
	struct search *s = data;

	if (work_do(&s->work, 1024))
		return true;
	if (!call->values.count || !is_starter(call->name))
		return false;
	if (call->values.count == 1)
		judge_text(s, call->values.all[0], NULL, 0);
	else
		judge(s, call->values.all, call->values.count);
	return false;
}

/* The code of an interpreter, as it is given or fed. */
static bool judge_code(struct search *s, const char *name, char *const *words, u32 count)
{
	int language = code_language_of(name);
	const char *text;
	struct code code;
	u32 at = 0;

	while (language >= 0 && (text = code_next(name, words + 1, count - 1, &at)))
		if (!code_read((enum code_language)language, text, &code)) {
			code_each_call(&code, judge_call, s);
			code_free(&code);
		}
	return language >= 0;
}

/* What a runner runs here is looked at as its own already. */
static bool is_run(struct search *s, const char *name, char *const *words, u32 count)
{
	struct runner_view v;

	if (!runner_read(name, words + 1, count - 1, &v))
		return false;
	if (!v.runner->remote && !v.text && !v.runner->program)
		search_started(s, v.words - 1, v.count + 1);
	return true;
}

static void judge_xargs(struct search *s, char *const *words, u32 count)
{
	_cleanup_(shell_words_clear) struct shell_words made = { .count = 0 };
	const struct shell_feed *feed = s->feed;

	xargs_words(words, count, feed, &made);
	s->feed = NULL;
	s->local.text = true;
	if (made.count)
		judge(s, made.all, made.count);
	s->feed = feed;
}

void search_started(struct search *s, char *const *words, u32 count)
{
	const char *name, *text;
	struct place place;

	if (!s->started || !count || s->depth >= SEARCH_MAX_DEPTH)
		return;
	name = carrier_base_name(words[0]);
	keep_place(s, &place);
	s->depth++;
	if (grammar_lists(carrier_shells, name, strlen(name)))
		judge_shell(s, words, count);
	else if (strcmp(name, "xargs") == 0)
		judge_xargs(s, words, count);
	else if (judge_code(s, name, words, count))
		; /* what else it has are its own arguments */
	else if ((text = carrier_escape(name, words, count)))
		judge_text(s, text, NULL, 0);
	else if (!is_run(s, name, words, count))
		judge_wrapped(s, words, count);
	s->depth--;
	come_back(s, &place);
}

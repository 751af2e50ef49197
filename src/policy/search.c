#include "policy/search.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "policy/carrier.h"
#include "policy/exact.h"
#include "policy/glob.h"
#include "policy/paths.h"
#include "policy/runner.h"
#include "policy/shell.h"

#define MAX_DEPTH 8 /* carriers and wrappers in each other */

/* Which lines count. */
enum part {
	PART_ALL,
	PART_SHELL, /* what a shell does itself, and what it feeds to others, which it execs */
	PART_FED    /* the latter */
};

struct search {
	const struct policy *policy;
	const struct project *project;
	u32 only;
	bool allowing; /* allow rules are tried, else signatures */
	enum part part;
	bool builtin; /* the shell runs this command without an exec */
	bool found;   /* what is searched is a candidate however it is quoted */
	const struct shell_feed *feed;
	const char *target;  /* of a redirection */
	char cwd[PATHS_MAX]; /* where the shell went */
	struct paths *paths;
	struct paths local, remote;
	unsigned int depth;
	const char *carrier;
	struct context *context;
	struct search_result result;
};

enum verdict search_verdict(const struct policy *p, const struct project *project, u32 signature)
{
	enum verdict verdict = (enum verdict)p->image.signatures[signature].verdict;

	if (project && signature < project->verdicts_count)
		verdict = MAX(verdict, (enum verdict)project->verdicts[signature]);
	return verdict;
}

/* Is line `a` the graver one? */
static bool is_graver(const struct search *s, const struct image_line *a, u32 than)
{
	const struct image *im = &s->policy->image;
	enum verdict verdict, other;
	u32 b;

	if (than == IMAGE_NONE)
		return true;
	b = im->lines[than].signature;
	verdict = search_verdict(s->policy, s->project, a->signature);
	other = search_verdict(s->policy, s->project, b);
	if (verdict != other)
		return verdict > other;
	return im->signatures[a->signature].severity > im->signatures[b].severity;
}

static bool is_due(const struct search *s, const struct image_line *l)
{
	if (s->only != IMAGE_NONE)
		return l->signature == s->only;
	if (s->allowing || l->signature == IMAGE_NONE)
		return s->allowing && l->signature == IMAGE_NONE;
	return is_graver(s, l, s->result.line);
}

/* Does the line say what the command is fed? */
static bool is_fed(const struct image *im, const struct image_line *l)
{
	for (u32 i = l->items; i < l->items + l->items_count; i++)
		if (im->items[i].kind == ITEM_FED && !im->items[i].negated)
			return true;
	return false;
}

/* What a shell execs is judged at that exec, but for what it is fed. */
static bool is_of_part(const struct search *s, const struct image_line *l)
{
	return s->part == PART_ALL || s->allowing || (s->part == PART_SHELL && s->builtin) ||
	       is_fed(&s->policy->image, l);
}

static bool asks_for_help(char *const *words, u32 count)
{
	static const char *const options[] = { "--help", "-h", "--version", "help", "version" };

	/* a third word could be what runs elsewhere */
	for (size_t i = 0; count == 1 && i < ARRAY_SIZE(options); i++)
		if (strcmp(words[0], options[i]) == 0)
			return true;
	return count == 2 && strcmp(words[1], "--help") == 0;
}

/* Is it one of the commands that the program's pack says only read? */
static bool only_reads(struct exact e)
{
	const struct image_program *p = e.args.program;

	for (u32 i = p->reads; i < p->reads + p->reads_count; i++) {
		e.line = &e.args.image->lines[i];
		if (exact_match(&e))
			return true;
	}
	return asks_for_help(e.args.words, e.args.count);
}

/* An allow rule has none: for the whole of it waits whatever a missing answer could allow. */
static enum verdict line_verdict(const struct search *s, const struct image_line *l)
{
	return l->signature == IMAGE_NONE ? VERDICT_HOLD
					  : search_verdict(s->policy, s->project, l->signature);
}

/* What the matching command works with, once it matters. */
static bool is_production(struct search *s, const struct exact *e)
{
	_cleanup_strbuf_ struct strbuf names = STRBUF_INIT;
	const struct image_pack *pack = &s->policy->image.packs[e->line->pack];

	if (!pack->local && !s->paths->remote)
		exact_production(e, true, &names);
	context_settle(s->context, strbuf_str(&names));
	return names.len > 0;
}

/* Tries the lines of a program. True where an allow rule matches: then no other line counts. */
static bool try_program(struct search *s, const struct image_program *p, char *const *words,
			u32 count)
{
	const struct image *im = &s->policy->image;
	struct exact e = { .args = { im, p, words, count },
			   .regexes = s->policy->regexes,
			   .paths = s->paths,
			   .context = s->context,
			   .feed = s->feed,
			   .target = s->target,
			   .production = s->policy->production };

	for (u32 i = p->lines; i < p->lines + p->lines_count; i++) {
		e.line = &im->lines[i];
		if (!is_due(s, e.line) || !is_of_part(s, e.line))
			continue;
		e.verdict = line_verdict(s, e.line);
		if (!exact_match(&e))
			continue;
		if (e.line->read_only && only_reads(e))
			continue;
		if (s->allowing) {
			s->result.allowed = i;
			return true;
		}
		s->result.line = i;
		s->result.carrier = s->carrier;
		s->result.production = s->context && is_production(s, &e);
	}
	return false;
}

/* Order of `name` of that length against entry `i`. */
static int compare_name(const struct image *im, const char *name, size_t len, u32 i)
{
	const char *entry = im->strings + im->names[i].text;
	int order = strncmp(name, entry, len);

	return order ? order : -(entry[len] != '\0');
}

static bool try_exact_name(struct search *s, const char *name, size_t len, char *const *words,
			   u32 count)
{
	const struct image *im = &s->policy->image;
	u32 low = 0, high = im->names_count;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (compare_name(im, name, len, middle) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < im->names_count && compare_name(im, name, len, low) == 0; low++)
		if (try_program(s, &im->programs[im->names[low].program], words, count))
			return true;
	return false;
}

static bool try_globs(struct search *s, const char *name, char *const *words, u32 count)
{
	const struct image *im = &s->policy->image;

	for (u32 i = 0; i < im->globs_count; i++)
		if (glob_match(im->strings + im->globs[i].text, name, false) &&
		    try_program(s, &im->programs[im->globs[i].program], words, count))
			return true;
	return false;
}

/* What a script's or a program's name may end in without being another name. */
static size_t ending(const char *name)
{
	static const char *const endings[] = { ".exe", ".py",  ".js", ".mjs", ".cjs",
					       ".rb",  ".php", ".pl", ".sh",  ".jar" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && dot != name && i < ARRAY_SIZE(endings); i++)
		if (strcasecmp(dot, endings[i]) == 0)
			return strlen(dot);
	return 0;
}

static bool try_programs(struct search *s, const char *name, char *const *words, u32 count)
{
	size_t len = strlen(name), end = ending(name);

	return try_exact_name(s, name, len, words, count) ||
	       (end && try_exact_name(s, name, len - end, words, count)) ||
	       try_globs(s, name, words, count);
}

/* The allow rules of all programs of a name come before the signatures of any. True where one
 * matches. */
static bool try_name(struct search *s, const char *name, char *const *words, u32 count)
{
	s->allowing = s->only == IMAGE_NONE;
	if (s->allowing && try_programs(s, name, words, count))
		return true;
	s->allowing = false;
	try_programs(s, name, words, count);
	return false;
}

static void search_command(struct search *s, const char *const *names, u32 names_count,
			   char *const *words, u32 count);
static void search_words(struct search *s, char *const *words, u32 count);
static void search_simple(void *data, const struct shell_command *c);

static void search_text(struct search *s, const char *text)
{
	shell_each_command(text, MAX_DEPTH, !s->found, search_simple, s);
}

static void search_shell(struct search *s, char *const *words, u32 count)
{
	_cleanup_free_ char *text = shell_join(NULL, words, count);

	if (text)
		search_text(s, text);
}

/* A file that is known: ~ is the home, and so is $HOME. */
static bool find_target(const struct search *s, const char *word, char out[PATHS_MAX])
{
	static const char *const homes[] = { "$HOME", "${HOME}", "~" };
	const char *home = s->paths->remote ? "/root" : s->paths->home;
	int len;

	for (size_t i = 0; home && i < ARRAY_SIZE(homes); i++) {
		size_t n = strlen(homes[i]);

		if (strncmp(word, homes[i], n) != 0 || word[n] != '/')
			continue;
		len = snprintf(out, PATHS_MAX, "%s%s", home, word + n);
		return len < PATHS_MAX && !strpbrk(out, "$`");
	}
	len = snprintf(out, PATHS_MAX, "%s", word);
	return len < PATHS_MAX && !strpbrk(word, "$`*?");
}

/* cd DIR, in the shell of this machine. */
static void search_cd(struct search *s, char *const *words, u32 count)
{
	char dir[PATHS_MAX], full[PATHS_MAX];
	int len;

	if (s->paths != &s->local || count != 2 || words[1][0] == '-' ||
	    !find_target(s, words[1], dir) || (*dir != '/' && !s->local.cwd))
		return;
	len = snprintf(full, sizeof(full), "%s%s%s", *dir == '/' ? "" : s->local.cwd,
		       *dir == '/' ? "" : "/", dir);
	if (len >= PATHS_MAX)
		return;
	strcpy(s->cwd, full);
	s->local.cwd = s->cwd;
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
	try_name(s, c->words[0], words, 1);
	s->target = NULL;
	s->builtin = false;
}

/* One simple command of shell text. What it is not given it reads from where the shell does. */
static void search_simple(void *data, const struct shell_command *c)
{
	struct search *s = data;
	const struct shell_feed *outer = s->feed;

	if (c->feed.text || c->feed.file || c->feed.from)
		s->feed = &c->feed;
	if (c->count == 2 && shell_is_redirection(c->words[0]))
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

/* A simple command of text that runs elsewhere, by applets, or in a shell: here wrappers are
 * unwrapped as well, since what they start is no exec of ours, or is not told what it is fed. */
static void search_words(struct search *s, char *const *words, u32 count)
{
	bool builtin = s->builtin;

	if (count == 0 || s->depth > MAX_DEPTH)
		return;
	s->builtin = s->part == PART_SHELL && carrier_is_builtin(words[0]);
	if (s->part == PART_SHELL && strcmp(words[0], "cd") == 0)
		search_cd(s, words, count);
	if (s->part == PART_ALL || s->feed || s->builtin || keeps_shell(words[0])) {
		const char *name = carrier_base_name(words[0]);

		search_wrapped(s, words, count);
		search_command(s, &name, 1, words + 1, count - 1);
	}
	s->builtin = builtin;
}

static void search_entrypoint(struct search *s, const char *program, char *const *words, u32 count)
{
	_cleanup_free_ const char **all = calloc(count + 2, sizeof(*all));

	if (!all)
		return;
	all[0] = program;
	memcpy(all + 1, words, count * sizeof(*all));
	search_words(s, (char *const *)all, count + 1);
}

/* A shell, here or elsewhere, that runs what it is fed. */
static void search_input(struct search *s)
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

static void search_remote(struct search *s, const char *name, char *const *words, u32 count)
{
	struct paths *paths = s->paths;
	const char *outer = s->carrier, *carrier, *entrypoint;
	bool found = s->found;
	u32 first;
	enum remote_kind kind = carrier_remote(name, words, count, &first, &carrier, &entrypoint);

	if (kind == REMOTE_NONE)
		return;
	s->carrier = outer ? outer : carrier;
	s->paths = &s->remote;
	s->found = true;
	if (kind == REMOTE_SHELL && first == count)
		search_input(s);
	else if (kind == REMOTE_SHELL)
		search_shell(s, words + first, count - first);
	else if (entrypoint)
		search_entrypoint(s, entrypoint, words + first, count - first);
	else
		search_words(s, words + first, count - first);
	s->found = found;
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
	bool found = s->found;

	s->found = true;
	s->paths = &s->remote;
	if (v->text) {
		search_shell(s, (char *const *)&v->text, 1);
	} else {
		search_words(s, v->words, v->count);
		if (!v->runner->exec)
			search_shell(s, v->words, v->count);
	}
	s->paths = paths;
	s->found = found;
}

/* The code that a shell is given, but for what it execs. */
static void search_code(struct search *s, const char *name, char *const *words, u32 count)
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
	try_name(s, name, code, 2);
	s->part = part;
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

/* A command by all names of its program, and what it carries. An allow rule covers all that, but
 * for its own name only: argv[0] says what an agent likes. */
static void search_command(struct search *s, const char *const *names, u32 names_count,
			   char *const *words, u32 count)
{
	for (u32 i = 0; i < names_count; i++) {
		if (try_name(s, names[i], words, count) || s->depth >= MAX_DEPTH)
			continue;
		s->depth++;
		search_code(s, names[i], words, count);
		search_fed(s, names[i], words, count);
		search_local(s, names[i], words, count);
		search_remote(s, names[i], words, count);
		search_runner(s, names[i], words, count);
		s->depth--;
	}
}

/* Where the script whose name was exec'ed stands among the words of its interpreter. */
static u32 find_script(const struct action *a, u32 count)
{
	for (u32 i = 1; i < MIN(count, 4); i++)
		if (strcmp(a->argv[i], a->name) == 0)
			return i;
	return 0;
}

static void search_names(struct search *s, const struct action *a)
{
	const char *names[3] = { carrier_base_name(a->argv[0]) };
	u32 n = 1, count = 0, script = 0;

	while (a->argv[count])
		count++;
	if (a->path && strcmp(carrier_base_name(a->path), names[0]) != 0)
		names[n++] = carrier_base_name(a->path);
	if (a->name) {
		const char *name = carrier_base_name(a->name);

		script = find_script(a, count);
		if (!script && strcmp(name, names[0]) != 0 && strcmp(name, names[n - 1]) != 0)
			names[n++] = name;
	}
	search_command(s, names, n, a->argv + 1, count - 1);
	if (a->path && carrier_is_multicall(carrier_base_name(a->path)) &&
	    !carrier_is_multicall(names[0])) {
		s->carrier = "busybox";
		s->found = true;
		search_words(s, a->argv, count);
		s->found = false;
		s->carrier = NULL;
	}
	if (script) {
		names[0] = carrier_base_name(a->name);
		search_command(s, names, 1, a->argv + script + 1, count - script - 1);
	}
}

void search_action(const struct policy *p, const struct action *a, u32 only,
		   struct search_result *ret)
{
	struct search s;
	const char *workspace = a->workspace ? a->workspace : policy_workspace(a->cwd, a->home);

	s.policy = p;
	s.project = a->project;
	s.only = only;
	s.depth = 0;
	s.part = PART_ALL;
	s.builtin = s.found = false;
	s.feed = NULL;
	s.target = NULL;
	s.carrier = NULL;
	s.context = a->context;
	s.result = (struct search_result) { .line = IMAGE_NONE, .allowed = IMAGE_NONE };
	s.paths = &s.local;
	paths_init(&s.local, a->cwd, a->home, workspace, a->root_fd);
	paths_init(&s.remote, NULL, NULL, NULL, -1);
	s.remote.remote = true;
	s.local.files = a->files;
	s.local.owner = s.remote.owner = (struct precious) { p->precious, p->image.precious_count };
	if (a->project)
		s.local.project = s.remote.project =
			(struct precious) { (const char *const *)a->project->precious,
					    a->project->precious_count };
	if (a->argv[0])
		search_names(&s, a);
	*ret = s.result;
}

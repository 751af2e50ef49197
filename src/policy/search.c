#include "policy/search_state.h"

#include <string.h>
#include <strings.h>

#include "policy/carrier.h"
#include "policy/exact.h"
#include "policy/glob.h"

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
	context_settle(e->context, strbuf_str(&names));
	return names.len > 0;
}

/* What is around a command is asked of the directory that the action runs in. */
static bool is_here(const struct search *s)
{
	return !s->started || s->local.cwd != s->cwd;
}

/* Tries the lines of a program. True where an allow rule matches: then no other line counts. */
static bool try_program(struct search *s, const struct image_program *p, char *const *words,
			u32 count)
{
	const struct image *im = &s->policy->image;
	struct exact e = { .args = { im, p, words, count },
			   .regexes = s->policy->regexes,
			   .paths = s->paths,
			   .context = is_here(s) ? s->context : NULL,
			   .feed = s->feed,
			   .target = s->target,
			   .production = s->policy->production,
			   .work = &s->work };

	for (u32 i = p->lines; i < p->lines + p->lines_count && !s->work.over; i++) {
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
		s->result.production = e.context && is_production(s, &e);
		s->result.started = false;
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

/* The allow rules of all programs of a name come before the signatures of any. */
bool search_name(struct search *s, const char *name, char *const *words, u32 count)
{
	s->allowing = s->only == IMAGE_NONE;
	if (s->allowing && try_programs(s, name, words, count))
		return true;
	s->allowing = false;
	try_programs(s, name, words, count);
	return false;
}

/* Where the script whose name was exec'ed stands among the words of its interpreter. */
static u32 find_script(const struct action *a, u32 count)
{
	for (u32 i = 1; i < MIN(count, 4); i++)
		if (strcmp(a->argv[i], a->name) == 0)
			return i;
	return 0;
}

/* A file may be called as a shell's redirection is, but no rule means it. */
static const char *program_name(const char *path)
{
	const char *name = carrier_base_name(path);

	return shell_is_redirection(name) ? "" : name;
}

static u32 add_name(const char **names, u32 n, const char *path)
{
	const char *name = path ? program_name(path) : "";

	for (u32 i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return n;
	if (*name)
		names[n++] = name;
	return n;
}

static void search_names(struct search *s, const struct action *a)
{
	const char *names[4] = { program_name(a->argv[0]) };
	u32 n = 1, count = 0, script = 0;

	while (a->argv[count])
		count++;
	n = add_name(names, n, a->path);
	n = add_name(names, n, a->file);
	if (a->name)
		script = find_script(a, count);
	if (!script)
		n = add_name(names, n, a->name);
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
		names[0] = program_name(a->name);
		search_command(s, names, 1, a->argv + script + 1, count - script - 1);
	}
	s->result.too_long = s->work.over;
	s->work = (struct work) { 0 }; /* what follows costs the guard nothing */
	search_started(s, a->argv, count);
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
	s.level = s.cwd_level = 0;
	s.carrier = NULL;
	s.context = a->context;
	s.work = (struct work) { 0 };
	s.started = a->started;
	if (s.started)
		strbuf_reset(s.started);
	s.result = (struct search_result) { .line = IMAGE_NONE, .allowed = IMAGE_NONE };
	s.paths = &s.local;
	paths_init(&s.local, a->cwd, a->home, workspace, a->root_fd);
	paths_init(&s.remote, NULL, NULL, NULL, -1);
	s.remote.remote = true;
	s.local.files = a->files;
	if (a->context) {
		s.local.looks = &a->context->looks;
		s.local.looks->pending = false;
	}
	s.local.owner = s.remote.owner = (struct precious) { p->precious, p->image.precious_count };
	if (a->project)
		s.local.project = s.remote.project =
			(struct precious) { (const char *const *)a->project->precious,
					    a->project->precious_count };
	if (a->argv[0])
		search_names(&s, a);
	*ret = s.result;
}

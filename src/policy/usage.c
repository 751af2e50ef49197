#include "policy/usage.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "policy/call.h"
#include "policy/context.h"

#define MAX_ALTS 512

struct parser {
	struct arena *arena;
	const struct source *src;
	struct text line;
	const char *p; /* in line.s */
	struct usage *usage;
	bool failed;
};

#define FAULT(ps, where, ...)                                                                      \
	({                                                                                         \
		source_fault((ps)->src,                                                            \
			     source_spot((ps)->src, (ps)->line, (size_t)((where) - (ps)->line.s)), \
			     __VA_ARGS__);                                                         \
		(ps)->failed = true;                                                               \
		false;                                                                             \
	})

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static void skip_blanks(struct parser *ps)
{
	while (is_blank(*ps->p))
		ps->p++;
}

/* The } that closes the { at `open`; NULL where there is none. */
static const char *find_brace(const char *open)
{
	int depth = 0;

	for (const char *p = open; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '{')
			depth++;
		else if (*p == '}' && --depth == 0)
			return p;
	}
	return NULL;
}

/* {path:WHAT}: a class by its name, or a glob. */
static bool parse_path_arg(struct parser *ps, const char *where, const char *arg, struct cond *ret)
{
	const char *names[PATH_CLASS_COUNT];
	int c = path_class_parse(arg);

	if (c >= 0) {
		*ret = (struct cond) { .kind = COND_PATH, .path_class = (enum path_class)c };
		return true;
	}
	if (strpbrk(arg, "/~")) {
		*ret = (struct cond) { .kind = COND_PATH_GLOB, .arg = arg };
		return true;
	}
	for (size_t i = 0; i < PATH_CLASS_COUNT; i++)
		names[i] = path_class_name((enum path_class)i);
	const char *nearest = source_nearest(arg, names, ARRAY_SIZE(names));
	if (nearest)
		return FAULT(ps, where, "unknown class of paths '%s': did you mean '%s'?", arg,
			     nearest);
	return FAULT(ps, where,
		     "unknown class of paths '%s': write precious, source, scratch, output, home, "
		     "root, device, system, data, or a glob with a / in it",
		     arg);
}

/* {git:WHAT} and {plan:WHAT}: what would be lost. */
static bool parse_fact(struct parser *ps, const char *where, const char *name, const char *arg,
		       struct cond *ret)
{
	int f = fact_parse_predicate(name, arg);

	if (f < 0 && *name == 'g')
		return FAULT(ps, where,
			     "unknown loss '%s': write modified, unstaged, untracked, ignored, "
			     "stashed, unmerged or worktree",
			     arg);
	if (f < 0)
		return FAULT(ps, where, "unknown loss '%s': write deletes", arg);
	*ret = (struct cond) { .kind = *name == 'g' ? COND_GIT : COND_PLAN,
			       .arg = fact_name((enum fact)f) };
	return true;
}

static bool parse_env(struct parser *ps, const char *where, const char *arg, struct cond *ret)
{
	if (strcmp(arg, "production") != 0 && (!strchr(arg, '=') || *arg == '='))
		return FAULT(ps, where,
			     "'%s' says nothing of a variable: write production, or "
			     "NAME=GLOB",
			     arg);
	*ret = (struct cond) { .kind = strchr(arg, '=') ? COND_VARIABLE : COND_PRODUCTION,
			       .arg = arg };
	return true;
}

/* {call:NAME COND…} */
static bool parse_call(struct parser *ps, const char *where, const char *arg, struct cond *ret)
{
	const char *fault = call_check(arg);

	*ret = (struct cond) { .kind = COND_CALL, .arg = arg };
	return fault ? FAULT(ps, where, "{call:%s}: %s", arg, fault) : true;
}

/* Does it speak of no one word of the command? */
static bool is_around(const struct cond *c)
{
	return c->kind == COND_EXISTS || c->kind == COND_MISSING || c->kind == COND_CALL ||
	       c->kind == COND_GIT || c->kind == COND_PRODUCTION || c->kind == COND_VARIABLE;
}

/* {NAME:ARG} at ps->p. */
static bool parse_predicate(struct parser *ps, struct cond *ret)
{
	static const char *const names[] = { "path",	"re",  "sql",  "glob", "exists",
					     "missing", "git", "plan", "env",  "call" };
	const char *open = ps->p, *close = find_brace(open), *colon;
	const char *name, *arg;

	if (!close)
		return FAULT(ps, open, "this { is never closed: write {NAME:…}");
	colon = memchr(open, ':', (size_t)(close - open));
	if (!colon)
		return FAULT(ps, open,
			     "a predicate is {NAME:…}, with NAME one of path, re, sql, "
			     "glob, exists, missing, git, plan, env, call");
	name = arena_strndup(ps->arena, open + 1, (size_t)(colon - open - 1));
	arg = arena_strndup(ps->arena, colon + 1, (size_t)(close - colon - 1));
	ps->p = close + 1;
	if (!*arg)
		return FAULT(ps, close, "{%s:} says nothing: an argument is missing", name);
	if (strcmp(name, "path") == 0)
		return parse_path_arg(ps, colon + 1, arg, ret);
	if (strcmp(name, "sql") == 0) {
		if (strcmp(arg, "destructive") != 0 && strcmp(arg, "reads") != 0)
			return FAULT(ps, colon + 1,
				     "unknown class of SQL '%s': write destructive or reads", arg);
		*ret = (struct cond) { .kind = *arg == 'd' ? COND_SQL : COND_SQL_READS };
		return true;
	}
	if (strcmp(name, "re") == 0 || strcmp(name, "glob") == 0) {
		*ret = (struct cond) { .kind = *name == 'r' ? COND_RE : COND_GLOB, .arg = arg };
		return true;
	}
	if (strcmp(name, "exists") == 0 || strcmp(name, "missing") == 0) {
		*ret = (struct cond) { .kind = *name == 'e' ? COND_EXISTS : COND_MISSING,
				       .arg = arg };
		return true;
	}
	if (strcmp(name, "git") == 0 || strcmp(name, "plan") == 0)
		return parse_fact(ps, colon + 1, name, arg, ret);
	if (strcmp(name, "call") == 0)
		return parse_call(ps, colon + 1, arg, ret);
	if (strcmp(name, "env") == 0)
		return parse_env(ps, colon + 1, arg, ret);
	const char *nearest = source_nearest(name, names, ARRAY_SIZE(names));
	return FAULT(ps, open + 1, "unknown predicate '%s': %s%s%s", name,
		     nearest ? "did you mean '"
			     : "write path, re, sql, glob, exists, missing, git, plan, env or call",
		     nearest ? nearest : "", nearest ? "'?" : "");
}

/* Does a bare word end here? A set of a glob may hold what else ends one. */
static bool ends_word(char c)
{
	return !c || is_blank(c) || strchr("()|={}", c);
}

/* *!x: behind a word, but not in a set of its glob, a ! begins what it is not. */
static bool begins_exception(const char *start, const char *p)
{
	return *p == '!' && p > start && p[-1] != '[';
}

static const char *take_bare(struct parser *ps)
{
	const char *start = ps->p;

	while (!ends_word(*ps->p) && !begins_exception(start, ps->p))
		ps->p += *ps->p == '\\' && ps->p[1] ? 2 : 1;
	return arena_strndup(ps->arena, start, (size_t)(ps->p - start));
}

/* The value after a =: a predicate, or a glob up to the next blank. */
static bool parse_value(struct parser *ps, struct cond *ret)
{
	const char *start = ps->p;

	if (*ps->p == '{' && !parse_predicate(ps, ret))
		return false;
	if (*start == '{')
		return (is_around(ret) && ret->kind != COND_EXISTS && ret->kind != COND_MISSING)
			       ? FAULT(ps, start, "this predicate stands alone: it asks no value")
			       : true;
	while (*ps->p && !is_blank(*ps->p) && !strchr("()|", *ps->p))
		ps->p += *ps->p == '\\' && ps->p[1] ? 2 : 1;
	if (ps->p == start)
		return FAULT(ps, start, "a value is missing after =");
	*ret = (struct cond) {
		.kind = COND_GLOB,
		.arg = arena_strndup(ps->arena, start, (size_t)(ps->p - start)),
	};
	return true;
}

static bool is_fed(const char *text)
{
	static const char *const names[] = { "<<", "<", "<-", ">" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(text, names[i]) == 0)
			return true;
	return false;
}

/* One alternative: what kind of item it makes is told by its first byte and by a = after it. */
static bool parse_alt(struct parser *ps, struct alt *ret, enum item_kind *ret_kind)
{
	const char *start = ps->p;

	*ret = (struct alt) {
		.text = "", .spot = source_spot(ps->src, ps->line, (size_t)(start - ps->line.s))
	};
	if (*ps->p == '{') {
		if (!parse_predicate(ps, &ret->cond))
			return false;
		*ret_kind = is_around(&ret->cond) ? ITEM_AROUND : ITEM_OPERAND;
		return true;
	}
	ret->text = take_bare(ps);
	if (!*ret->text)
		return FAULT(ps, start, "a word or an option is missing here");
	*ret_kind = is_fed(ret->text)			  ? ITEM_FED
		    : ret->text[0] == '-' && ret->text[1] ? ITEM_OPTION
							  : ITEM_WORD;
	if (*ps->p != '=')
		return true;
	ps->p++;
	if (*ret_kind == ITEM_WORD)
		*ret_kind = ITEM_KEY;
	return parse_value(ps, &ret->cond);
}

static const char *const kind_names[ITEM_COUNT] = {
	[ITEM_WORD] = "words",
	[ITEM_OPTION] = "options",
	[ITEM_OPERAND] = "predicates",
	[ITEM_KEY] = "key=value",
	[ITEM_AROUND] = "what is around",
	[ITEM_FED] = "what is fed",
	[ITEM_EXCEPT] = "exceptions",
};

static bool add_alt(struct parser *ps, struct item *item, struct alt alt, enum item_kind kind)
{
	if (item->alts_count && kind != item->kind) {
		source_fault(ps->src, alt.spot, "alternatives are of one kind: these began with %s",
			     kind_names[item->kind]);
		ps->failed = true;
		return false;
	}
	if (item->alts_count >= MAX_ALTS)
		return FAULT(ps, ps->p, "more than %d alternatives", MAX_ALTS);
	item->kind = kind;
	ARENA_PUSH(ps->arena, item->alts, alt);
	return true;
}

/* (A|B|C), and a =VALUE for all of them. */
static bool parse_group(struct parser *ps, struct item *item)
{
	const char *open = ps->p++;
	enum item_kind kind;
	struct cond value;
	struct alt alt;

	for (;;) {
		skip_blanks(ps);
		if (!*ps->p)
			return FAULT(ps, open, "this ( is never closed");
		if (!parse_alt(ps, &alt, &kind) || !add_alt(ps, item, alt, kind))
			return false;
		skip_blanks(ps);
		if (*ps->p == ')')
			break;
		if (*ps->p && *ps->p++ != '|')
			return FAULT(ps, ps->p - 1, "| or ) is missing between alternatives");
	}
	ps->p++;
	if (*ps->p != '=')
		return true;
	open = ps->p++;
	if (item->kind == ITEM_OPERAND || item->kind == ITEM_AROUND ||
	    item->alts[0].cond.kind != COND_NONE)
		return FAULT(ps, open, "these alternatives cannot have one more value");
	if (!parse_value(ps, &value))
		return false;
	item->kind = item->kind == ITEM_WORD ? ITEM_KEY : item->kind;
	for (size_t i = 0; i < item->alts_count; i++)
		item->alts[i].cond = value;
	return true;
}

/* One alternative, or several, behind a ! perhaps. */
static bool parse_alts(struct parser *ps, struct item *ret)
{
	const char *start = ps->p;
	enum item_kind kind;
	struct alt alt;

	*ret = (struct item) { .negated = *ps->p == '!' };
	ps->p += ret->negated;
	if (*ps->p == '(' ? !parse_group(ps, ret)
			  : !parse_alt(ps, &alt, &kind) || !add_alt(ps, ret, alt, kind))
		return false;
	if (ps->usage->items_count >= USAGE_MAX_ITEMS)
		return FAULT(ps, start, "more than %d items", USAGE_MAX_ITEMS);
	return true;
}

static bool parse_item(struct parser *ps)
{
	struct item item, except;
	const char *start;

	if (!parse_alts(ps, &item))
		return false;
	ARENA_PUSH(ps->arena, ps->usage->items, item);
	start = ps->p;
	if (*start == '!' && item.kind == ITEM_WORD && !item.negated) {
		if (!parse_alts(ps, &except))
			return false;
		if (except.kind != ITEM_WORD)
			return FAULT(ps, start, "behind a word, ! says which words it is not");
		except.kind = ITEM_EXCEPT;
		ARENA_PUSH(ps->arena, ps->usage->items, except);
	}
	if (!ends_word(*ps->p) || (*ps->p && !is_blank(*ps->p)))
		return FAULT(ps, ps->p, "unexpected '%c': a blank ends an item", *ps->p);
	return true;
}

static bool parse_items(struct parser *ps)
{
	for (skip_blanks(ps); *ps->p; skip_blanks(ps)) {
		if (strncmp(ps->p, "...", 3) == 0 && !ps->p[3 + strspn(ps->p + 3, " \t\n")]) {
			ps->usage->open = true;
			break;
		}
		if (!parse_item(ps))
			return false;
	}
	return true;
}

bool usage_parse(struct arena *a, const struct source *src, struct text line, struct usage *ret)
{
	struct usage usage = { .line = line };
	struct parser ps = { .arena = a, .src = src, .line = line, .p = line.s, .usage = &usage };

	skip_blanks(&ps);
	const char *start = ps.p;
	usage.program = take_bare(&ps);
	if (!*usage.program || *usage.program == '-' || (*ps.p && !is_blank(*ps.p)))
		return FAULT(&ps, start, "a usage line begins with the name of a program");
	if (!parse_items(&ps))
		return false;
	*ret = usage;
	return true;
}

bool usage_parse_items(struct arena *a, const struct source *src, const char *program,
		       struct text line, struct usage *ret)
{
	struct usage usage = { .line = line, .program = program };
	struct parser ps = { .arena = a, .src = src, .line = line, .p = line.s, .usage = &usage };

	if (!parse_items(&ps))
		return false;
	*ret = usage;
	return true;
}

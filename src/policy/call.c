#include "policy/call.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "backstop/class.h"
#include "policy/glob.h"
#include "policy/grammar.h"
#include "policy/sql.h"

#define MAX_CONDS 8
#define MAX_WORD  256

enum kind {
	WANTS_PATH,
	WANTS_PATH_GLOB,
	WANTS_SQL,
	WANTS_ARG,
	WANTS_NAMED,
	WANTS_NO,
	WANTS_EMPTY,
	WANTS_BLANK
};

struct cond {
	enum kind kind;
	enum path_class path_class;
	bool unknown; /* holds of what is not known as well */
	char text[MAX_WORD];
};

struct pattern {
	char name[MAX_WORD];
	struct cond conds[MAX_CONDS];
	u32 count;
	struct paths *paths;
	struct work *work;
	bool doubtful, nocase;
};

/* --- the pattern */

static const char *read_path(struct cond *c)
{
	int class = path_class_parse(c->text);

	c->kind = WANTS_PATH_GLOB;
	if (class < 0)
		return strpbrk(c->text, "/~") ? NULL
					      : "path: has a class of paths, or a glob with a /";
	c->kind = WANTS_PATH;
	c->path_class = (enum path_class) class;
	return NULL;
}

/* KIND:TEXT, with a ? behind it where what is not known counts as well. */
static const char *read_cond(const char *word, size_t len, struct cond *ret)
{
	static const struct {
		const char *name;
		enum kind kind;
	} kinds[] = { { "path:", WANTS_PATH },	 { "sql:", WANTS_SQL }, { "arg:", WANTS_ARG },
		      { "named:", WANTS_NAMED }, { "no:", WANTS_NO },	{ "empty", WANTS_EMPTY },
		      { "blank", WANTS_BLANK } };

	ret->unknown = word[len - 1] == '?';
	len -= ret->unknown;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t begin = strlen(kinds[i].name);

		if (len < begin || strncmp(word, kinds[i].name, begin) != 0)
			continue;
		ret->kind = kinds[i].kind;
		snprintf(ret->text, sizeof(ret->text), "%.*s", (int)(len - begin), word + begin);
		if (ret->kind == WANTS_SQL && strcmp(ret->text, "destructive") != 0)
			return "sql: is sql:destructive";
		if (ret->kind < WANTS_EMPTY && !*ret->text)
			return "a condition says nothing";
		return ret->kind == WANTS_PATH ? read_path(ret) : NULL;
	}
	return "a condition is path:, sql:, arg:, named:, no:, empty or blank";
}

/* The part of a name that a call has itself, whatever module it is from. */
static const char *own_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

static const char *read_pattern(const char *text, struct pattern *ret)
{
	const char *fault;
	size_t len = strcspn(text, " ");

	ret->count = 0;
	if (len >= MAX_WORD)
		return "the name is too long";
	snprintf(ret->name, sizeof(ret->name), "%.*s", (int)len, text);
	for (text += len; *(text += strspn(text, " ")); text += len) {
		len = strcspn(text, " ");
		if (ret->count == MAX_CONDS || len >= MAX_WORD)
			return "there is too much of it";
		fault = read_cond(text, len, &ret->conds[ret->count++]);
		if (fault)
			return fault;
	}
	return NULL;
}

/* The longest run of bytes that stand for themselves in the own name; "" where there is none. */
static size_t longest_run(const char *name, const char **ret)
{
	size_t most = 0;

	*ret = "";
	for (const char *p = own_name(name); *p;) {
		size_t len = strcspn(p, "*?[\\");

		if (len > most) {
			most = len;
			*ret = p;
		}
		p += len;
		p += *p == '[' && strchr(p, ']') ? strcspn(p, "]") : 0;
		p += *p != '\0';
	}
	return most;
}

const char *call_check(const char *pattern)
{
	struct pattern p;
	const char *fault = read_pattern(pattern, &p), *run;

	if (fault)
		return fault;
	return longest_run(p.name, &run) < 2
		       ? "the name has no two letters that stand for themselves"
		       : NULL;
}

const char *call_glob(struct arena *a, const char *pattern)
{
	const char *name = arena_strndup(a, pattern, strcspn(pattern, " ")), *run;
	size_t len = longest_run(name, &run);

	return arena_printf(a, "*%.*s*", (int)len, run);
}

/* The text that the condition in this word says whole; its length, 0 where there is none. */
static size_t whole_text(const char *word, size_t len, const char **ret)
{
	bool key = strncmp(word, "named:", 6) == 0;
	size_t skip = key ? 6 : 4, text;

	if (!key && strncmp(word, "arg:", 4) != 0)
		return 0;
	*ret = word + skip;
	text = key ? strcspn(*ret, "=") : len - skip;
	for (size_t i = 0; i < text; i++)
		if (!bs_class[(unsigned char)(*ret)[i]])
			return 0;
	return skip + text <= len && isalpha((unsigned char)**ret) ? text : 0;
}

const char *call_text(struct arena *a, const char **at)
{
	while (*(*at += strspn(*at, " "))) {
		const char *word = *at, *text;
		size_t len = strcspn(word, " "), whole = whole_text(word, len, &text);

		*at += len;
		/* behind a ? what is not known counts as well */
		if (whole && word[len - 1] != '?')
			return arena_strndup(a, text, whole);
	}
	return NULL;
}

/* --- a call */

static bool path_holds(const struct pattern *p, const struct cond *c, const char *value)
{
	char full[PATHS_MAX];
	struct paths *paths = p->paths;

	/* a name in it may tell that it is no loss */
	if (value[0] == CODE_UNKNOWN)
		return c->unknown && !paths_has_class(paths, value, PATH_OUTPUT);
	if (value[0] == '~' && paths->home) {
		snprintf(full, sizeof(full), "%s%s", paths->home, value + 1);
		value = full;
	}
	if (c->kind == WANTS_PATH)
		return paths_has_class(paths, value, c->path_class);
	return paths_match_glob(paths, value, c->text);
}

static bool value_holds(const struct pattern *p, const struct cond *c, const char *value)
{
	if (c->kind == WANTS_SQL)
		return sql_is_destructive(value, strlen(value), SQL_ANY);
	if (c->kind == WANTS_PATH || c->kind == WANTS_PATH_GLOB)
		return path_holds(p, c, value);
	if (c->kind == WANTS_BLANK)
		return !*value;
	return glob_match(c->text, value, true);
}

static bool any_holds(const struct pattern *p, const struct cond *c, const struct code_values *v)
{
	for (u32 i = 0; i < v->count; i++)
		if (value_holds(p, c, v->all[i]))
			return true;
	return v->unknown && c->unknown;
}

static bool cond_holds(const struct pattern *p, const struct cond *c, const struct code_call *call)
{
	if (c->kind == WANTS_EMPTY)
		return call->empty;
	if (c->kind == WANTS_NAMED)
		return any_holds(p, c, &call->named);
	if (c->kind == WANTS_NO)
		return !any_holds(p, c, &call->values) && !any_holds(p, c, &call->named);
	return any_holds(p, c, &call->values);
}

static bool has_name(const char *name, const char *pattern, bool nocase)
{
	char inner[MAX_WORD + 2];

	snprintf(inner, sizeof(inner), "*.%s", pattern);
	return glob_match(pattern, name, nocase) || glob_match(inner, name, nocase);
}

static bool is_wanted(void *data, const struct code_call *call)
{
	const struct pattern *p = data;

	/* its arguments have been read, and those of calls in them */
	if (work_do(p->work, 1024))
		return true;
	if (!has_name(call->name, p->name, p->nocase))
		return false;
	if (call->doubtful)
		return p->doubtful;
	for (u32 i = 0; i < p->count; i++)
		if (!cond_holds(p, &p->conds[i], call))
			return false;
	return true;
}

/* Most code has not even the name. */
static bool may_call(const struct pattern *p, const char *text)
{
	char run[MAX_WORD];
	const char *start;
	size_t len = longest_run(p->name, &start);

	snprintf(run, sizeof(run), "%.*s", (int)len, start);
	return strcasestr(text, run) != NULL;
}

bool call_is_made(const char *pattern, enum code_language language, const char *text,
		  struct paths *paths, bool doubtful, struct work *work)
{
	struct pattern p = {
		.paths = paths, .work = work, .doubtful = doubtful, .nocase = language == CODE_PHP
	};
	struct code code;
	bool made;

	if (read_pattern(pattern, &p) || !may_call(&p, text) || work_do(work, 8 * strlen(text)))
		return false;
	if (code_read(language, text, &code))
		return doubtful;
	made = code_each_call(&code, is_wanted, &p);
	code_free(&code);
	return made;
}

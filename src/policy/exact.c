#include "policy/exact.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "policy/call.h"
#include "policy/code_words.h"
#include "policy/glob.h"
#include "policy/production.h"
#include "policy/question.h"
#include "policy/sql.h"

/* How many words may be looked at, for a command with unknown options has many readings: what takes
 * longer is as doubtful as it gets. An agent must not be able to keep the guard busy. */
#define MAX_STEPS(words) (8 * (words) + 4096)

struct matcher {
	const struct exact *e;
	bool strict; /* an allow rule */
	const struct image_item *words[USAGE_MAX_ITEMS];
	u32 words_count;
	u32 taken[USAGE_MAX_ITEMS];
	u32 steps;
};

static const char *string(const struct matcher *m, u32 offset)
{
	return m->e->args.image->strings + offset;
}

static bool is_nocase(const struct matcher *m)
{
	return m->e->args.program->nocase;
}

/* How many words of the line are names of commands: * and . stand for operands. */
static u32 commands(const struct matcher *m)
{
	u32 n = 0;

	while (n < m->words_count) {
		const char *text = string(m, m->e->args.image->alts[m->words[n]->alts].text);

		if (strcmp(text, "*") == 0 || strcmp(text, ".") == 0)
			break;
		n++;
	}
	return n;
}

/* What git or a plan would lose: true unless it is known that it is nothing. */
static bool loses(const struct matcher *m, const struct image_alt *a, const char *value,
		  bool otherwise)
{
	_cleanup_strbuf_ struct strbuf question = STRBUF_INIT;
	int fact = fact_parse(string(m, a->arg));
	struct context *c = m->e->context;
	const struct answer *answer;
	bool askable = true;

	if (!c || fact < 0 || m->e->paths->remote)
		return otherwise;
	if (a->cond == COND_PLAN)
		question_plan(&m->e->args, value, &question);
	else
		askable = question_git(c, (enum fact)fact, &m->e->args, m->taken, commands(m),
				       m->e->paths->home, &question);
	answer = context_ask(c, (enum fact)fact, askable ? &question : NULL, m->e->verdict);
	context_tell(c, (enum fact)fact, answer);
	return answer && answer->known ? answer->count > 0 : otherwise;
}

bool exact_production(const struct exact *e, bool words, struct strbuf *ret)
{
	struct production of = { .context = e->context,
				 .args = &e->args,
				 .home = e->paths->home,
				 .globs = e->production,
				 .verdict = e->verdict };

	return production_points(&of, words, ret);
}

/* What nobody knows points nowhere, and excuses nothing. */
static bool is_set(const struct matcher *m, const struct image_alt *a, bool otherwise)
{
	_cleanup_strbuf_ struct strbuf names = STRBUF_INIT;
	const char *arg = string(m, a->arg), *value = NULL;
	struct context *c = m->e->context;
	char name[64];

	if (!c || m->e->paths->remote || (!m->e->context->pid && !m->e->context->vars))
		return m->strict && otherwise;
	if (a->cond == COND_PRODUCTION)
		return exact_production(m->e, false, &names);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(arg, "="), arg);
	value = context_var(c, name);
	return value && glob_match(arg + strcspn(arg, "=") + 1, value, false);
}

static enum sql_dialect dialect(const struct matcher *m)
{
	static const struct {
		const char *program;
		enum sql_dialect dialect;
	} dialects[] = {
		{ "mysql", SQL_MYSQL },
		{ "sqlite3", SQL_SQLITE },
		{ "duckdb", SQL_SQLITE },
		{ "sqlcmd", SQL_MSSQL },
	};
	const char *program = string(m, m->e->args.program->name);

	for (size_t i = 0; i < ARRAY_SIZE(dialects); i++)
		if (strcmp(program, dialects[i].program) == 0)
			return dialects[i].dialect;
	return SQL_ANY;
}

/* Is there such a call in the code that is given to an interpreter? */
static bool calls(const struct matcher *m, const char *pattern, bool otherwise)
{
	const char *program = string(m, m->e->args.program->name), *code;
	int language = code_language_of(program);
	u32 at = 0;

	while (language >= 0 &&
	       (code = code_next(program, m->e->args.words, m->e->args.count, &at)))
		if (call_is_made(pattern, (enum code_language)language, code, m->e->paths,
				 otherwise, m->e->work))
			return true;
	return false;
}

/* What it takes to find that out: an expression may try what it can in many ways. */
static u64 cost(u8 cond, const char *value)
{
	if (cond == COND_NONE)
		return 1;
	if (cond == COND_PATH || cond == COND_PATH_GLOB)
		return 64 + 8 * strlen(value);
	return strlen(value) + (cond == COND_RE ? 1024 : 16);
}

/* Does the value satisfy the condition of alternative `n`? `otherwise`: what counts where that
 * cannot be found out. */
static bool holds(const struct matcher *m, u32 n, const char *value, bool otherwise)
{
	const struct image_alt *a = &m->e->args.image->alts[n];

	if (work_do(m->e->work, cost(a->cond, value)))
		return false;
	m->e->paths->otherwise = otherwise;
	switch ((enum cond_kind)a->cond) {
	case COND_NONE:
	case COND_COUNT:
		return true;
	case COND_GLOB:
		return glob_match(string(m, a->arg), value, is_nocase(m));
	case COND_PATH:
		return paths_has_class(m->e->paths, value, (enum path_class)a->path_class);
	case COND_PATH_GLOB:
		return paths_match_glob(m->e->paths, value, string(m, a->arg));
	case COND_RE:
		return regexes_match(m->e->regexes, n, value, otherwise);
	case COND_SQL:
		return sql_is_destructive(value, strlen(value), dialect(m));
	case COND_SQL_READS:
		return sql_only_reads(value, strlen(value));
	case COND_EXISTS:
	case COND_MISSING:
		return paths_has_file(m->e->paths, value, string(m, a->arg), a->cond == COND_EXISTS,
				      otherwise);
	case COND_CALL:
		return calls(m, string(m, a->arg), otherwise);
	case COND_GIT:
	case COND_PLAN:
		return loses(m, a, value, otherwise);
	case COND_PRODUCTION:
	case COND_VARIABLE:
		return is_set(m, a, otherwise);
	}
	return false;
}

static bool is_any(const struct matcher *m, const struct image_item *item, const char *operand)
{
	for (u32 i = 0; i < item->alts_count; i++) {
		const struct image_alt *a = &m->e->args.image->alts[item->alts + i];

		if (glob_match(string(m, a->text), operand, is_nocase(m)))
			return true;
	}
	return false;
}

/* Is it this word of the line, and none of those that the item behind it excepts? */
static bool is_word(const struct matcher *m, const struct image_item *item, const char *operand)
{
	const struct image *im = m->e->args.image;
	bool last = item + 1 == im->items + m->e->line->items + m->e->line->items_count;

	return is_any(m, item, operand) &&
	       (last || item[1].kind != ITEM_EXCEPT || !is_any(m, item + 1, operand));
}

static bool has_key(const struct matcher *m, const char *key, const char *operand)
{
	size_t len = strlen(key);
	int order = is_nocase(m) ? strncasecmp(key, operand, len) : strncmp(key, operand, len);

	return order == 0 && operand[len] == '=';
}

/* Is this operand one that alternative `n` of the item speaks of, and where it is a key's, what is
 * its value? */
static const char *operand_value(const struct matcher *m, const struct image_item *item, u32 n,
				 const struct arg *arg)
{
	const char *text = string(m, m->e->args.image->alts[n].text);

	if (arg->option)
		return NULL;
	switch (item->kind) {
	case ITEM_WORD:
		return glob_match(text, arg->value, is_nocase(m)) ? arg->value : NULL;
	case ITEM_OPERAND:
		return arg->taken ? NULL : arg->value;
	case ITEM_KEY:
		return has_key(m, text, arg->value) ? arg->value + strlen(text) + 1 : NULL;
	case ITEM_AROUND:
	case ITEM_FED:
	case ITEM_EXCEPT:
		return NULL;
	}
	return NULL;
}

/* -name=false, which is as good as no -name; in go style alone an option without a value takes it.
 */
static bool is_off(const struct matcher *m, const struct arg *arg)
{
	return m->e->args.program->style == STYLE_GO && arg->name &&
	       arg->name[arg->name_len] == '=' && strcmp(arg->value, "false") == 0;
}

static bool option_satisfies(const struct matcher *m, u32 n, const struct arg *arg, bool doubtful)
{
	const struct image_alt *a = &m->e->args.image->alts[n];

	if (a->cond == COND_NONE)
		return !is_off(m, arg);
	if (!arg->value)
		return false;
	if (holds(m, n, arg->value, doubtful))
		return true;
	/* some programs take -x=VALUE, others would take the = as part of the value */
	return arg->attached && arg->value[0] == '=' && holds(m, n, arg->value + 1, doubtful);
}

enum said { SAID_NOTHING, SAID_NO, SAID_YES };

/* What one word of the command says of the item: nothing, where the item does not speak of it. */
static enum said consider(const struct matcher *m, const struct image_item *item,
			  const struct arg *arg, bool doubtful)
{
	enum said said = SAID_NOTHING;

	for (u32 n = item->alts; n < item->alts + item->alts_count; n++) {
		const char *value;

		if (item->kind == ITEM_OPTION) {
			if (!arg->option ||
			    !args_is_option(&m->e->args, arg,
					    string(m, m->e->args.image->alts[n].text), doubtful))
				continue;
			if (option_satisfies(m, n, arg, doubtful))
				return SAID_YES;
			said = SAID_NO;
		} else if ((value = operand_value(m, item, n, arg))) {
			if (holds(m, n, value, doubtful))
				return SAID_YES;
			said = SAID_NO;
		}
	}
	return said;
}

static struct args_cursor begin_again(const struct matcher *m)
{
	struct args_cursor c = args_begin(&m->e->args);

	c.taken = m->taken;
	c.taken_count = m->words_count;
	return c;
}

/* Does an operand from `*c` on satisfy the item? Moves on behind it. */
static bool find_operand(const struct matcher *m, const struct image_item *item,
			 struct args_cursor *c)
{
	struct arg arg;

	while (args_next(c, &arg) && !work_do(m->e->work, 1))
		if (consider(m, item, &arg, !m->strict) == SAID_YES)
			return true;
	return false;
}

/* Does some word satisfy the item (for a negated one: none)? In a strict match no word may fail
 * it. */
static bool item_holds(const struct matcher *m, const struct image_item *item)
{
	bool strict = m->strict && !item->negated, found = false;
	struct args_cursor c = begin_again(m);
	struct arg arg;

	while (args_next(&c, &arg)) {
		if (work_do(m->e->work, 2))
			return false;
		enum said said = consider(m, item, &arg, m->strict == item->negated);

		if (said == SAID_NO && strict)
			return false;
		if (said == SAID_YES && !strict)
			return !item->negated;
		found |= said == SAID_YES;
	}
	return item->negated ? !found : found;
}

/* An item about files, git or variables, which no word of the command is part of. */
static bool around_holds(const struct matcher *m, const struct image_item *item)
{
	for (u32 n = item->alts; n < item->alts + item->alts_count; n++)
		if (holds(m, n, ".", m->strict == item->negated))
			return !item->negated;
	return item->negated;
}

/* What is said of input or output; NULL where that is not known. */
static const char *fed_value(const struct exact *e, const char *name)
{
	if (strcmp(name, ">") == 0)
		return e->target;
	if (!e->feed)
		return NULL;
	if (strcmp(name, "<<") == 0)
		return e->feed->text;
	return strcmp(name, "<") == 0 ? e->feed->file : e->feed->from;
}

/* What is fed but not known excuses nothing. */
static bool fed_holds(const struct matcher *m, const struct image_item *item)
{
	bool doubtful = m->strict == item->negated;

	for (u32 n = item->alts; n < item->alts + item->alts_count; n++) {
		const char *value = fed_value(m->e, string(m, m->e->args.image->alts[n].text));

		if (value ? holds(m, n, value, doubtful) : m->e->feed && m->strict && item->negated)
			return !item->negated;
	}
	return item->negated;
}

/* What no word took: an operand, an option, a file. Moves `c` on behind an operand. */
static bool other_holds(const struct matcher *m, const struct image_item *item,
			struct args_cursor *c)
{
	if (item->kind == ITEM_AROUND)
		return around_holds(m, item);
	if (item->kind == ITEM_FED)
		return fed_holds(m, item);
	if (item->kind == ITEM_OPERAND && !item->negated)
		return find_operand(m, item, c);
	return item_holds(m, item);
}

/* A strict line names each operand. */
static bool names_operand(const struct matcher *m, const struct arg *arg)
{
	const struct image_line *l = m->e->line;

	if (arg->taken)
		return true;
	for (u32 i = 0; i < l->items_count; i++) {
		const struct image_item *item = &m->e->args.image->items[l->items + i];

		if (!item->negated && item->kind != ITEM_WORD &&
		    consider(m, item, arg, false) == SAID_YES)
			return true;
	}
	return false;
}

static bool names_all_operands(const struct matcher *m)
{
	struct args_cursor c = begin_again(m);
	struct arg arg;

	while (args_next(&c, &arg))
		if (!arg.option && !names_operand(m, &arg))
			return false;
	return true;
}

/* Is the item one to ask only when all else holds? */
static bool is_late(const struct matcher *m, const struct image_item *item)
{
	return m->e->args.image->alts[item->alts].cond >= COND_GIT;
}

static bool is_exhausted(struct matcher *m, u32 steps)
{
	m->steps += steps;
	return work_do(m->e->work, 2) || m->steps > MAX_STEPS((u64)m->e->args.count);
}

/* All words stand where they must; what of the rest? Operands that predicates ask for stand in the
 * order of the predicates. */
static bool rest_holds(struct matcher *m)
{
	const struct image_line *l = m->e->line;
	struct args_cursor c = begin_again(m);

	if (is_exhausted(m, m->e->args.count))
		return !m->strict;
	for (u32 i = 0; i < 2 * l->items_count; i++) {
		u32 n = i % l->items_count;
		const struct image_item *item = &m->e->args.image->items[l->items + n];

		if ((item->kind == ITEM_WORD && !item->negated) || item->kind == ITEM_EXCEPT ||
		    is_late(m, item) != (i != n))
			continue;
		if (!other_holds(m, item, &c))
			return false;
	}
	return !m->strict || l->open || names_all_operands(m);
}

/* Looks for the words from `n` on. Each unknown option that an operand follows splits the way in
 * two; a way ends as soon as an operand is not the word that is due, so they stay few. */
static bool walk(struct matcher *m, struct args_cursor c, u32 n)
{
	struct arg arg;

	while (n < m->words_count) {
		if (is_exhausted(m, 1))
			return !m->strict;
		if (!args_next(&c, &arg))
			return false;
		/* where any operand may follow, the word that is due could be this one's value */
		if (arg.option && arg.maybe_value && m->strict && m->e->line->open)
			return false;
		if (arg.option && arg.maybe_value && !m->strict) {
			if (walk(m, c, n))
				return true;
			args_skip(&c);
		} else if (!arg.option) {
			if (!is_word(m, m->words[n], arg.value))
				return false;
			m->taken[n++] = arg.index;
		}
	}
	return rest_holds(m);
}

bool exact_match(const struct exact *e)
{
	struct matcher m = { .e = e, .strict = e->line->signature == IMAGE_NONE };

	for (u32 i = 0; i < e->line->items_count; i++) {
		const struct image_item *item = &e->args.image->items[e->line->items + i];

		if (item->kind == ITEM_WORD && !item->negated)
			m.words[m.words_count++] = item;
	}
	if (e->context)
		context_begin(e->context);
	return walk(&m, args_begin(&e->args), 0) && !e->work->over;
}

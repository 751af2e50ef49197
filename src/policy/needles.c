#include "policy/needles.h"

#include <string.h>

#include "backstop/key.h"
#include "policy/call.h"
#include "policy/carrier.h"
#include "policy/needle_text.h"
#include "policy/regex_run.h"
#include "policy/runner.h"
#include "policy/shell.h"
#include "policy/terminal.h"

#define MAX_RULES_OF_LINE 256 /* beyond, a line asks for less */
#define MAX_CHOICES	  256

struct choices {
	struct choice all[MAX_CHOICES];
	size_t count;
	bool full; /* there are more */
};

void needles_init(struct needles *n, struct arena *a)
{
	*n = (struct needles) { .arena = a };
	for (u32 i = 0; i < BS_NEEDLE_FIRST; i++)
		ARENA_PUSH(a, n->all, (struct needle) { 0 });
	n->all[BS_NEEDLE_CARRIER].name = true;
}

void needles_free(struct needles *n)
{
	map_free(&n->index);
}
static struct choice word_choice(struct needles *n, const char *word)
{
	return needle_of_glob(n, word, true);
}

/* --- values */

static void push_choice(struct choices *all, const struct choice *c)
{
	for (size_t i = 0; i < all->count; i++)
		if (memcmp(&all->all[i], c, sizeof(*c)) == 0)
			return;
	if (all->count < MAX_CHOICES)
		all->all[all->count++] = *c;
	else
		all->full = true;
}

/* A keyword ends where no letter, digit or _ follows. */
static void add_keyword(struct needles *n, struct choices *ret, const char *word)
{
	static const char *const ends[] = { "-", ".", "+" };
	size_t len = strlen(word), at = len + 1 - BS_GRAM;
	struct choice c = { 0 };
	struct needle end = { 0 };

	needle_add_pattern(n, &end, word + at, false, true);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		needle_add_pattern(n, &end, arena_printf(n->arena, "%s%s", word + at, ends[i]),
				   false, false);
	needle_choose(&c, needle_add(n, &end));
	if (at)
		needle_choose_run(n, &c, &(struct pattern) { .text = word });
	push_choice(ret, &c);
}

static void sql_choices(struct needles *n, struct choices *ret)
{
	static const char *const words[] = { "drop",  "truncate", "delete",
					     "alter", "update",	  "replace" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		add_keyword(n, ret, words[i]);
}

static void regex_choices(struct needles *n, const char *re, bool left, struct choices *ret)
{
	struct choice plain = { 0 };
	struct regex_runs runs;

	regex_runs(n->arena, re, &runs);
	if (runs.colon)
		needle_choose(&plain, BS_NEEDLE_COLON);
	if (*runs.plain)
		needle_choose_run(
			n, &plain,
			&(struct pattern) { .text = runs.plain, .left = runs.first && left });
	for (size_t i = 0; i < runs.count; i++) {
		struct choice c = plain;

		needle_choose_run(n, &c, &(struct pattern) { .text = runs.all[i] });
		push_choice(ret, &c);
	}
	if (!runs.count)
		push_choice(ret, &plain);
}

static struct choice name_choice(struct needles *n, const char *call)
{
	const char *glob = call_glob(n->arena, call);
	const char *name = arena_strndup(n->arena, call, strcspn(call, " ")),
		   *dot = strrchr(name, '.');
	const char *last = dot ? dot + 1 : name;

	/* two letters that are the whole of the last name */
	if (strlen(last) == 2 && strlen(glob) == 4 && strncmp(glob + 1, last, 2) == 0)
		return needle_of_short_name(n, last);
	return needle_of_glob(n, glob, false);
}

static struct choice call_choice(struct needles *n, const char *call)
{
	struct choice c = name_choice(n, call);
	const char *at = call + strcspn(call, " "), *text;

	while ((text = call_text(n->arena, &at)))
		needle_choose(&c, needle_of_pieces(n, text));
	return c;
}

/* The ways in which a value can satisfy the condition; one without a needle
 * where that asks for none. `left`: before the value there is a boundary. */
static void value_choices(struct needles *n, const struct cond *c, bool left, struct choices *ret)
{
	struct choice glob = { 0 };

	*ret = (struct choices) { 0 };
	if (c->kind == COND_SQL)
		sql_choices(n, ret);
	else if (c->kind == COND_RE)
		regex_choices(n, c->arg, left, ret);
	else if (c->kind == COND_GLOB)
		glob = needle_of_glob(n, c->arg, left);
	else if (c->kind == COND_CALL)
		glob = call_choice(n, c->arg);
	if (!ret->count)
		push_choice(ret, &glob);
}

static struct choice option_choice(struct needles *n, const struct program *p, const char *text)
{
	struct choice c = { 0 };

	if (p->style == STYLE_GO && strcmp(text, "--") != 0)
		needle_choose(&c, needle_of_go_option(n, text));
	else if (text[1] == '-')
		needle_choose(&c, needle_of_long_option(n, text, p->style));
	else
		needle_choose(&c, p->nocase ? 0 : bs_letter[(unsigned char)text[1]]);
	return c;
}

/* The target of a redirection ends as it is written: a directory before it may
 * be a link, or be left out. */
static void target_choices(struct needles *n, const struct cond *cond, struct choices *ret)
{
	const char *slash = cond->arg ? strrchr(cond->arg, '/') : NULL;
	struct choice c = { 0 };

	*ret = (struct choices) { 0 };
	if (cond->kind == COND_PATH_GLOB) {
		c = needle_of_glob(n, slash ? slash + 1 : "", true);
		push_choice(ret, &c);
		return;
	}
	for (u32 i = 0; i < path_data_names_count; i++) {
		c = needle_of_glob(n, path_data_names[i], true);
		push_choice(ret, &c);
	}
}

static bool is_target(const struct program *p, const struct item *item, const struct cond *c)
{
	return item->kind == ITEM_OPERAND && shell_is_redirection(p->key.s) &&
	       (c->kind == COND_PATH_GLOB || (c->kind == COND_PATH && c->path_class == PATH_DATA));
}

/* What the alternative asks for besides its value. */
static struct choice text_choice(struct needles *n, const struct program *p,
				 const struct item *item, const struct alt *alt)
{
	switch (item->kind) {
	case ITEM_WORD:
	case ITEM_KEY:
		return word_choice(n, alt->text);
	case ITEM_OPTION:
		return option_choice(n, p, alt->text);
	case ITEM_OPERAND:
	case ITEM_FED:
	case ITEM_EXCEPT:
	case ITEM_AROUND:
	case ITEM_COUNT:
		break;
	}
	return (struct choice) { 0 };
}

/* What is fed stands in the text of a shell, perhaps behind the letter of an
 * escape, and the value of an option's letter may be in the same word: no
 * boundary is before it.
 *
 * The ways to satisfy one alternative; false where it asks for no needle. */
static bool alt_choices(struct needles *n, const struct program *p, const struct item *item,
			const struct alt *alt, struct choices *ret)
{
	bool left = item->kind == ITEM_OPTION ? alt->text[1] == '-' || p->style == STYLE_GO
					      : item->kind != ITEM_FED;
	struct choice text = text_choice(n, p, item, alt);
	struct choices values;

	if ((item->kind == ITEM_AROUND && alt->cond.kind != COND_CALL) ||
	    (item->kind == ITEM_FED && strcmp(alt->text, ">") == 0))
		return false;
	if (is_target(p, item, &alt->cond))
		target_choices(n, &alt->cond, &values);
	else
		value_choices(n, &alt->cond, left, &values);
	for (size_t i = 0; i < values.count; i++) {
		struct choice c = text;

		for (size_t k = 0; k < values.all[i].count; k++)
			needle_choose(&c, values.all[i].needles[k]);
		if (!c.count)
			return false;
		push_choice(ret, &c);
	}
	return true;
}

/* The ways to satisfy an item; false where it asks for no needle. */
static bool item_choices(struct needles *n, const struct program *p, const struct item *item,
			 struct choices *ret)
{
	*ret = (struct choices) { 0 };
	if (item->negated)
		return false;
	for (size_t i = 0; i < item->alts_count; i++)
		if (!alt_choices(n, p, item, &item->alts[i], ret))
			return false;
	return !ret->full && ret->count;
}

static void insert(struct needle_rule *r, u32 needle)
{
	size_t i = 0;

	if (!needle || r->needles[BS_RULE_NEEDLES - 1])
		return;
	while (r->needles[i] && r->needles[i] < needle)
		i++;
	if (r->needles[i] == needle)
		return;
	memmove(r->needles + i + 1, r->needles + i, (BS_RULE_NEEDLES - 1 - i) * sizeof(u32));
	r->needles[i] = needle;
}

static void add_rule(struct needles *n, const struct needle_rule *r)
{
	uint64_t h = needle_hash(r, sizeof(*r), 0x84222325cbf29ce4ULL);

	if (map_get(&n->index, h))
		return;
	ARENA_PUSH(n->arena, n->rules, *r);
	if (map_set(&n->index, h, n))
		n->full = true;
}

/* Multiplies the rules made so far by the ways to satisfy one more item, where
 * that stays within bounds. */
static void multiply(struct needle_rule **rules, size_t *count, struct arena *a,
		     const struct choices *c)
{
	struct needle_rule *more = NULL;
	size_t more_count = 0;

	if (*count * c->count > MAX_RULES_OF_LINE)
		return;
	for (size_t i = 0; i < *count; i++)
		for (size_t k = 0; k < c->count; k++) {
			struct needle_rule r = (*rules)[i];

			for (size_t m = 0; m < c->all[k].count; m++)
				insert(&r, c->all[k].needles[m]);
			ARENA_PUSH(a, more, r);
		}
	*rules = more;
	*count = more_count;
}

/* Is there nothing in the rule but what any code of a shell has? */
static bool is_any_code(const struct needles *n, const struct needle_rule *r)
{
	return !r->needles[1] && !n->full;
}

/* A rule for each name of the program. False where a name gives no needle. */
static bool name_rules(struct needles *n, const struct program *p, struct needle_rule **ret,
		       size_t *ret_count)
{
	struct needle_rule *rules = NULL;
	size_t rules_count = 0;

	for (size_t i = 0; i <= p->also_count; i++) {
		const char *name = i ? p->also[i - 1].s : p->key.s;
		struct needle_rule r = { 0 };

		/* a redirection has no program of its own: what has one is some shell's text */
		insert(&r,
		       shell_is_redirection(name) ? BS_NEEDLE_CARRIER : needle_of_name(n, name));
		if (!r.needles[0])
			return false;
		ARENA_PUSH(n->arena, rules, r);
	}
	*ret = rules;
	*ret_count = rules_count;
	return true;
}

bool needles_add_line(struct needles *n, const struct program *p, const struct usage *u)
{
	struct needle_rule *rules = NULL;
	size_t rules_count = 0;

	/* what a function does no word of a scan tells */
	if (shell_is_definition(p->key.s)) {
		add_rule(n, &(struct needle_rule) { { BS_NEEDLE_DEFINES, n->texts } });
		return true;
	}
	if (!name_rules(n, p, &rules, &rules_count))
		return n->full;
	for (size_t i = 0; i < u->items_count; i++) {
		struct choices c;

		if (item_choices(n, p, &u->items[i], &c))
			multiply(&rules, &rules_count, n->arena, &c);
	}
	for (size_t i = 0; i < rules_count; i++) {
		if (shell_is_redirection(p->key.s) && is_any_code(n, &rules[i]))
			return false;
		add_rule(n, &rules[i]);
	}
	return true;
}

/* --- carriers */

static const char *const applets[] = { "busybox", "toybox" };

/* One that may have a version behind its name. */
static void add_interpreter(struct needles *n, struct needle *carrier, const char *name)
{
	needle_add_pattern(n, carrier, name, true, true);
	for (const char *c = "0123456789.-"; *c; c++)
		needle_add_pattern(n, carrier, arena_printf(n->arena, "%s%c", name, *c), true,
				   false);
}

static const char *first_word(struct needles *n, const char *line)
{
	return arena_strndup(n->arena, line, strcspn(line, " "));
}

/* Text with a byte that quotes, for the words of a runner's line. */
static void add_quoted(struct needles *n, const char *line)
{
	struct needle_rule r = { { BS_NEEDLE_QUOTE } };
	const char *at = line;

	insert(&r, needle_of_name(n, first_word(n, line)));
	at += strcspn(at, " ");
	for (size_t len; len = strcspn(at += *at == ' ', " "), len; at += len) {
		struct choice c = word_choice(n, arena_strndup(n->arena, at, len));

		for (size_t i = 0; i < c.count; i++)
			insert(&r, c.needles[i]);
	}
	add_rule(n, &r);
}

/* What may be given the text of a shell, here or elsewhere. */
static void add_text_carriers(struct needles *n, struct needle *names)
{
	for (const char *at = carrier_shells; *at; at += *at == ' ') {
		size_t len = strcspn(at, " ");

		needle_add_pattern(n, names, arena_strndup(n->arena, at, len), true, true);
		at += len;
	}
	for (size_t i = 0; i < ARRAY_SIZE(applets); i++)
		needle_add_pattern(n, names, applets[i], true, true);
	for (u32 i = 0; i < runners_count; i++)
		needle_add_pattern(n, names, first_word(n, runners[i].line), true, true);
	for (u32 i = 0; i < carrier_remote_marks_count; i++)
		needle_add_pattern(n, names, carrier_remote_marks[i].program, true, true);
	for (u32 i = 0; i < terminal_programs_count; i++)
		needle_add_pattern(n, names, terminal_programs[i], true, true);
}

static void add_quoted_carriers(struct needles *n)
{
	for (size_t i = 0; i < ARRAY_SIZE(applets); i++)
		add_quoted(n, applets[i]);
	for (u32 i = 0; i < runners_count; i++)
		add_quoted(n, runners[i].line);
	for (u32 i = 0; i < carrier_remote_marks_count; i++) {
		const struct remote_mark *m = &carrier_remote_marks[i];

		add_quoted(n, m->sub ? arena_printf(n->arena, "%s %s", m->program, m->sub)
				     : m->program);
	}
	for (u32 i = 0; i < terminal_programs_count; i++)
		add_quoted(n, terminal_programs[i]);
}

void needles_add_carriers(struct needles *n)
{
	static const char *const others[] = { "java", "ld.so", "coreutils" };
	struct needle names = { .name = true };

	for (u32 i = 0; carrier_interpreter(i); i++)
		add_interpreter(n, &names, carrier_interpreter(i));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		needle_add_pattern(n, &names, others[i], true, true);
	needle_add_pattern(n, &names, "ld-", true, false);
	add_text_carriers(n, &names);
	n->all[BS_NEEDLE_CARRIER] = names;
	names = (struct needle) { .name = true };
	add_text_carriers(n, &names);
	n->texts = needle_add(n, &names);
	add_quoted_carriers(n);
}

/* --- agents */

bool needles_add_agent_name(struct needles *n, const char *name)
{
	struct needle_rule r = { { needle_of_name(n, name) } };

	if (r.needles[0])
		add_rule(n, &r);
	return r.needles[0];
}

bool needles_add_choices(struct needles *n, const struct choice *choices, size_t count)
{
	struct needle_rule r = { 0 };

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < choices[i].count; k++)
			insert(&r, choices[i].needles[k]);
	if (r.needles[0])
		add_rule(n, &r);
	return r.needles[0];
}

bool needles_add_path(struct needles *n, const char *glob)
{
	struct choice c = word_choice(n, glob);

	return needles_add_choices(n, &c, 1);
}

bool needles_add_agent_module(struct needles *n, const char *glob)
{
	struct needle_rule r = { { BS_NEEDLE_CARRIER } };
	u32 name = needle_of_name(n, glob);

	insert(&r, name);
	if (name)
		add_rule(n, &r);
	return name;
}

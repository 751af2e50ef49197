#include "policy/needles.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "backstop/key.h"
#include "policy/args.h"
#include "policy/carrier.h"
#include "policy/glob.h"
#include "policy/regex_run.h"
#include "policy/runner.h"
#include "policy/shell.h"

#define MAX_RULES_OF_LINE 256 /* beyond, a line asks for less */
#define MAX_CHOICES	  256
#define MAX_OF_CHOICE	  4

/* One way to satisfy an item: all of these needles. */
struct choice {
	u32 needles[MAX_OF_CHOICE];
	size_t count;
};

struct choices {
	struct choice all[MAX_CHOICES];
	size_t count;
	bool full; /* there are more */
};

static uint64_t hash(const void *data, size_t len, uint64_t h)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return h ? h : 1;
}

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

/* What tells one needle from all others. */
static const char *describe(struct needles *n, const struct needle *needle)
{
	const char *text = needle->name ? "name " : "";

	for (size_t i = 0; i < needle->patterns_count; i++) {
		const struct pattern *p = &needle->patterns[i];

		text = arena_printf(n->arena, "%s%s%s%s ", text, p->left ? "<" : "", p->text,
				    p->right ? ">" : "");
	}
	return text;
}

/* The number of that needle; 0 where there is no number left, or no pattern. */
static u32 add_needle(struct needles *n, const struct needle *needle)
{
	const char *text = describe(n, needle);
	uint64_t h = hash(text, strlen(text), 0xcbf29ce484222325ULL);
	uintptr_t known = (uintptr_t)map_get(&n->index, h);

	if (known || !needle->patterns_count)
		return (u32)known;
	if (n->all_count >= BS_MAX_NEEDLES - 1) {
		n->full = true;
		return 0;
	}
	ARENA_PUSH(n->arena, n->all, *needle);
	if (map_set(&n->index, h, (void *)(uintptr_t)(n->all_count - 1)))
		n->full = true;
	return (u32)(n->all_count - 1);
}

static void add_pattern(struct needles *n, struct needle *needle, const char *text, bool left,
			bool right)
{
	struct pattern p = { text, left, right };

	/* a long one is looked for by how it begins */
	if (strlen(text) > BS_NEEDLE_MAX) {
		p.text = arena_strndup(n->arena, text, BS_NEEDLE_MAX);
		p.right = false;
	}
	ARENA_PUSH(n->arena, needle->patterns, p);
}

static u32 word_needle(struct needles *n, const char *text, bool right)
{
	struct needle needle = { 0 };

	add_pattern(n, &needle, text, true, right);
	return add_needle(n, &needle);
}

/* --- parts of words */

static const char symbols[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.+";

/* A part one symbol short of BS_GRAM: with each symbol that can stand beside
 * it. */
static void add_widened(struct needles *n, struct needle *needle, const char *text, bool right)
{
	for (const char *c = symbols; *c; c++)
		add_pattern(n, needle,
			    right ? arena_printf(n->arena, "%c%s", *c, text)
				  : arena_printf(n->arena, "%s%c", text, *c),
			    false, right);
	add_pattern(n, needle, text, right, true);
}

/* Two short: with each symbol before it, a boundary too, and then as above. */
static void add_twice_widened(struct needles *n, struct needle *needle, const char *text,
			      bool right)
{
	for (const char *c = symbols; *c; c++)
		add_widened(n, needle, arena_printf(n->arena, "%c%s", *c, text), right);
	add_widened(n, needle, arena_printf(n->arena, " %s", text), right);
}

/* How much is told by these symbols: letters that are rare in what is written
 * tell most. */
static u32 rarity(const char *text, size_t len)
{
	static const char order[] = " ?eatoinsrhldcump.-fgwyb_vk0123456789+xjqz";
	u32 sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += (u32)(strchrnul(order, tolower((unsigned char)text[i])) - order);
	return sum;
}

/* The start of the part of `text` that tells most and stays clear of the one
 * that starts at `other`. SIZE_MAX: none. */
static size_t best_part(const char *text, size_t len, bool right, size_t other)
{
	size_t best = SIZE_MAX;
	u32 most = 0;

	for (size_t at = 0; at + BS_GRAM <= len + right; at++) {
		u32 told = 1 + rarity(text + at, MIN(BS_GRAM, len - at));

		if (other != SIZE_MAX && at < other + BS_GRAM && other < at + BS_GRAM)
			continue;
		if (told > most) {
			most = told;
			best = at;
		}
	}
	return best;
}

static void add_part(struct needles *n, struct needle *needle, const char *text, size_t at)
{
	size_t len = strlen(text + at);

	add_pattern(n, needle, arena_strndup(n->arena, text + at, MIN(len, BS_GRAM)), false,
		    len < BS_GRAM);
}

/* One pattern that is in every word that has this run in it; none where it is
 * too short. */
static void add_run(struct needles *n, struct needle *needle, const struct pattern *p)
{
	size_t len = strlen(p->text);

	if (p->left)
		add_pattern(n, needle, p->text, true, p->right);
	else if (len + p->right >= BS_GRAM)
		add_part(n, needle, p->text, best_part(p->text, len, p->right, SIZE_MAX));
	else if (len + p->right == BS_GRAM - 1)
		add_widened(n, needle, p->text, p->right);
	else if (len == BS_GRAM - 2)
		add_twice_widened(n, needle, p->text, false);
}

static void add_choice(struct choice *c, u32 needle)
{
	if (needle && c->count < MAX_OF_CHOICE)
		c->needles[c->count++] = needle;
}

/* The needles of a run: of a part of a word two, where it is long enough. */
static void choose_run(struct needles *n, struct choice *c, const struct pattern *p)
{
	struct needle first = { 0 }, second = { 0 };
	size_t len = strlen(p->text), best, other;

	add_run(n, &first, p);
	add_choice(c, add_needle(n, &first));
	if (p->left || len + p->right < BS_GRAM)
		return;
	best = best_part(p->text, len, p->right, SIZE_MAX);
	other = best_part(p->text, len, p->right, best);
	if (other == SIZE_MAX)
		return;
	add_part(n, &second, p->text, other);
	add_choice(c, add_needle(n, &second));
}

/* The runs of bytes with a class in a glob: each must be found where the glob
 * matches. */
static size_t find_runs(struct needles *n, const char *glob, struct pattern **ret)
{
	char *run = arena_alloc(n->arena, strlen(glob) + 1), c = 0;
	struct pattern *found = NULL;
	size_t found_count = 0, len = 0;
	bool left = true; /* a boundary is before the run in hand */

	for (const char *p = glob;;) {
		bool ended = !*p, literal = !ended && glob_next(&p, &c);

		if (literal && bs_class[(unsigned char)c]) {
			run[len++] = c;
			continue;
		}
		struct pattern pattern = { arena_strndup(n->arena, run, len), left,
					   ended || literal };
		if (len > 1 || (len == 1 && pattern.left && pattern.right))
			ARENA_PUSH(n->arena, found, pattern);
		if (ended)
			break;
		left = literal;
		len = 0;
	}
	*ret = found;
	return found_count;
}

/* The longest run; "" where there is none that would tell anything. */
static struct pattern find_run(struct needles *n, const char *glob)
{
	struct pattern best = { .text = "" }, *runs;
	size_t count = find_runs(n, glob, &runs);

	for (size_t i = 0; i < count; i++)
		if (strlen(runs[i].text) > strlen(best.text))
			best = runs[i];
	return best;
}

/* The needle of a program's name; what may follow is the end of the word or of
 * the name before .exe, .py and so on. Python's modules stand behind -m as
 * well. 0: none. */
static u32 add_name(struct needles *n, const char *name)
{
	struct needle needle = { .name = true };
	struct pattern p = find_run(n, name);
	bool whole = strlen(name) == strlen(p.text);

	if (!*p.text)
		return 0;
	p.right &= whole;
	add_run(n, &needle, &p);
	if (p.left)
		add_pattern(n, &needle, arena_printf(n->arena, "-m%s", p.text), true, p.right);
	if (p.left && p.right) {
		add_pattern(n, &needle, arena_printf(n->arena, "%s.", p.text), true, false);
		add_pattern(n, &needle, arena_printf(n->arena, "-m%s.", p.text), true, false);
	}
	return add_needle(n, &needle);
}

/* --- globs without a run that tells anything */

/* What each byte of a match is, as far as it is known: a symbol, a blank for a
 * boundary, ? for any,
 * * where nobody knows how many there are. */
static char *read_symbols(struct needles *n, const char *glob, bool left)
{
	char *out = arena_alloc(n->arena, strlen(glob) + 3), *end = out, c;

	*end++ = left ? ' ' : '*';
	for (const char *p = glob; *p;) {
		bool any = *p == '*';

		if (glob_next(&p, &c))
			*end++ = bs_class[(u8)c] ? c : ' ';
		else
			*end++ = any ? '*' : '?';
	}
	*end++ = ' ';
	return out;
}

/* Does a part of BS_GRAM symbols begin here, of which at most one can be any?
 * No two boundaries stand side by side in it, as at both ends of what is
 * scanned there is one for certain. */
static bool is_part(const char *at)
{
	u32 any = 0;

	for (size_t i = 0; i < BS_GRAM; i++) {
		if (!at[i] || at[i] == '*' || (i && strchr(" ?", at[i]) && strchr(" ?", at[i - 1])))
			return false;
		any += at[i] == '?';
	}
	return any <= 1;
}

/* The part that tells most, with each symbol for the one that can be any; 0
 * where there is none. */
static u32 part_needle(struct needles *n, const char *glob, bool left)
{
	const char *all = read_symbols(n, glob, left), *best = NULL;
	struct needle needle = { 0 };
	u32 most = 0;
	char *text, *any;

	for (const char *at = all; *at; at++) {
		u32 told = is_part(at) ? 1 + rarity(at, BS_GRAM) : 0;

		if (told > most) {
			most = told;
			best = at;
		}
	}
	if (!best)
		return 0;
	add_pattern(n, &needle, arena_strndup(n->arena, best, BS_GRAM), false, false);
	text = arena_strndup(n->arena, best, BS_GRAM);
	any = strchr(text, '?');
	for (const char *c = symbols; any && *c; c++) {
		*any = *c;
		add_pattern(n, &needle, arena_strdup(n->arena, text), false, false);
	}
	return add_needle(n, &needle);
}

/* All runs of a word or a value are needles, for a word such as db:drop has
 * several. */
static struct choice glob_choice(struct needles *n, const char *glob, bool left)
{
	struct choice c = { 0 };
	struct pattern *runs;
	size_t count = find_runs(n, glob, &runs);

	for (size_t i = 0; i < count; i++) {
		runs[i].left &= left || i > 0;
		choose_run(n, &c, &runs[i]);
	}
	if (!c.count)
		add_choice(&c, part_needle(n, glob, left));
	return c;
}

static struct choice word_choice(struct needles *n, const char *word)
{
	return glob_choice(n, word, true);
}

/* How many bytes of `text`, at most `max`, have a class. */
static size_t class_span(const char *text, size_t max)
{
	size_t len = 0;

	while (len < max && bs_class[(unsigned char)text[len]])
		len++;
	return len;
}

/* A long option stands at the beginning of a word: in full, or in gnu style
 * abbreviated; what follows is the end of the word, or a =. */
static u32 long_option(struct needles *n, const char *name, enum option_style style)
{
	size_t whole = strlen(name),
	       max = style == STYLE_GNU ? MIN(whole, ARGS_ABBREVIATION) : whole;
	size_t len = class_span(name, max);

	if (len <= 2 && whole > 2)
		return 0;
	return word_needle(n, arena_strndup(n->arena, name, len),
			   (style != STYLE_GNU || whole == 2) && len == whole);
}

/* In go style the name of an option stands there in full, behind one dash or
 * two. */
static u32 go_option(struct needles *n, const char *option)
{
	const char *name = option + strspn(option, "-");
	size_t len = class_span(name, SIZE_MAX);
	struct needle needle = { 0 };

	if (!len)
		return 0;
	add_pattern(n, &needle, arena_printf(n->arena, "-%.*s", (int)len, name), true, !name[len]);
	add_pattern(n, &needle, arena_printf(n->arena, "--%.*s", (int)len, name), true, !name[len]);
	return add_needle(n, &needle);
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

	add_pattern(n, &end, word + at, false, true);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		add_pattern(n, &end, arena_printf(n->arena, "%s%s", word + at, ends[i]), false,
			    false);
	add_choice(&c, add_needle(n, &end));
	if (at)
		choose_run(n, &c, &(struct pattern) { .text = word });
	push_choice(ret, &c);
}

static void sql_choices(struct needles *n, struct choices *ret)
{
	static const char *const words[] = { "drop", "truncate", "delete", "alter", "update" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		add_keyword(n, ret, words[i]);
}

static void regex_choices(struct needles *n, const char *re, bool left, struct choices *ret)
{
	struct choice plain = { 0 };
	struct regex_runs runs;

	regex_runs(n->arena, re, &runs);
	if (runs.colon)
		add_choice(&plain, BS_NEEDLE_COLON);
	if (*runs.plain)
		choose_run(n, &plain, &(struct pattern) { runs.plain, runs.first && left, false });
	for (size_t i = 0; i < runs.count; i++) {
		struct choice c = plain;

		choose_run(n, &c, &(struct pattern) { .text = runs.all[i] });
		push_choice(ret, &c);
	}
	if (!runs.count)
		push_choice(ret, &plain);
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
		glob = glob_choice(n, c->arg, left);
	if (!ret->count)
		push_choice(ret, &glob);
}

static struct choice option_choice(struct needles *n, const struct program *p, const char *text)
{
	struct choice c = { 0 };

	if (p->style == STYLE_GO && strcmp(text, "--") != 0)
		add_choice(&c, go_option(n, text));
	else if (text[1] == '-')
		add_choice(&c, long_option(n, text, p->style));
	else
		add_choice(&c, p->nocase ? 0 : bs_letter[(unsigned char)text[1]]);
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
		c = glob_choice(n, slash ? slash + 1 : "", true);
		push_choice(ret, &c);
		return;
	}
	for (u32 i = 0; i < path_data_names_count; i++) {
		c = glob_choice(n, path_data_names[i], true);
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

	if (item->kind == ITEM_AROUND || (item->kind == ITEM_FED && strcmp(alt->text, ">") == 0))
		return false;
	if (is_target(p, item, &alt->cond))
		target_choices(n, &alt->cond, &values);
	else
		value_choices(n, &alt->cond, left, &values);
	for (size_t i = 0; i < values.count; i++) {
		struct choice c = text;

		for (size_t k = 0; k < values.all[i].count; k++)
			add_choice(&c, values.all[i].needles[k]);
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
	uint64_t h = hash(r, sizeof(*r), 0x84222325cbf29ce4ULL);

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
		insert(&r, shell_is_redirection(name) ? BS_NEEDLE_CARRIER : add_name(n, name));
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

/* One that may have a version behind its name. */
static void add_interpreter(struct needles *n, struct needle *carrier, const char *name)
{
	add_pattern(n, carrier, name, true, true);
	for (const char *c = "0123456789.-"; *c; c++)
		add_pattern(n, carrier, arena_printf(n->arena, "%s%c", name, *c), true, false);
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

	insert(&r, add_name(n, first_word(n, line)));
	at += strcspn(at, " ");
	for (size_t len; len = strcspn(at += *at == ' ', " "), len; at += len) {
		struct choice c = word_choice(n, arena_strndup(n->arena, at, len));

		for (size_t i = 0; i < c.count; i++)
			insert(&r, c.needles[i]);
	}
	add_rule(n, &r);
}

void needles_add_carriers(struct needles *n)
{
	static const char *const others[] = { "java", "ld.so", "coreutils" };
	static const char *const applets[] = { "busybox", "toybox" };
	struct needle names = { .name = true };

	for (u32 i = 0; carrier_interpreter(i); i++)
		add_interpreter(n, &names, carrier_interpreter(i));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		add_pattern(n, &names, others[i], true, true);
	for (const char *at = carrier_shells; *at; at += *at == ' ') {
		size_t len = strcspn(at, " ");

		add_pattern(n, &names, arena_strndup(n->arena, at, len), true, true);
		at += len;
	}
	add_pattern(n, &names, "ld-", true, false);
	for (size_t i = 0; i < ARRAY_SIZE(applets); i++) {
		add_pattern(n, &names, applets[i], true, true);
		add_quoted(n, applets[i]);
	}
	for (u32 i = 0; i < runners_count; i++) {
		add_pattern(n, &names, first_word(n, runners[i].line), true, true);
		add_quoted(n, runners[i].line);
	}
	for (u32 i = 0; i < carrier_remote_marks_count; i++) {
		const struct remote_mark *m = &carrier_remote_marks[i];

		add_pattern(n, &names, m->program, true, true);
		add_quoted(n, m->sub ? arena_printf(n->arena, "%s %s", m->program, m->sub)
				     : m->program);
	}
	n->all[BS_NEEDLE_CARRIER] = names;
}

/* --- agents */

bool needles_add_agent_name(struct needles *n, const char *name)
{
	struct needle_rule r = { { add_name(n, name) } };

	if (r.needles[0])
		add_rule(n, &r);
	return r.needles[0];
}

bool needles_add_path(struct needles *n, const char *glob)
{
	struct needle_rule r = { 0 };
	struct choice c = word_choice(n, glob);

	for (size_t i = 0; i < c.count; i++)
		insert(&r, c.needles[i]);
	if (c.count)
		add_rule(n, &r);
	return c.count;
}

bool needles_add_agent_module(struct needles *n, const char *glob)
{
	struct needle_rule r = { { BS_NEEDLE_CARRIER } };
	u32 name = add_name(n, glob);

	insert(&r, name);
	if (name)
		add_rule(n, &r);
	return name;
}

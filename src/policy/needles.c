#include "policy/needles.h"

#include <stdio.h>
#include <ctype.h>
#include <string.h>

#include "backstop/class.h"
#include "policy/args.h"
#include "policy/carrier.h"
#include "policy/glob.h"
#include "policy/regex_run.h"
#include "policy/runner.h"
#include "policy/shell.h"

#define MAX_RULES_OF_LINE 256 /* beyond, a line asks for less */
#define MAX_CHOICES	  64
#define MAX_OF_CHOICE	  3
#define DATA_NAMES_MAX	  64

/* One way to satisfy an item: all of these needles. */
struct choice {
	u16 needles[MAX_OF_CHOICE];
	size_t count;
};

struct choices {
	struct choice all[MAX_CHOICES];
	size_t count;
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
	ARENA_PUSH(a, n->all, (struct needle) { 0 });
}

void needles_free(struct needles *n)
{
	map_free(&n->index);
}

/* What tells one set of patterns from all others. */
static const char *describe(struct needles *n, const struct pattern *patterns, size_t count)
{
	const char *text = "";

	for (size_t i = 0; i < count; i++)
		text = arena_printf(n->arena, "%s%s%s%s ", text, patterns[i].left ? "<" : "",
				    patterns[i].text, patterns[i].right ? ">" : "");
	return text;
}

/* A long one is looked for by how it begins. */
static struct pattern shorten(struct needles *n, struct pattern p)
{
	if (strlen(p.text) > BS_NEEDLE_MAX) {
		p.text = arena_strndup(n->arena, p.text, BS_NEEDLE_MAX);
		p.right = false;
	}
	return p;
}

/* The number of the needle with these patterns; 0 where there is no number left. */
static u16 add_needle(struct needles *n, const struct pattern *patterns, size_t count)
{
	const char *name = describe(n, patterns, count);
	uint64_t h = hash(name, strlen(name), 0xcbf29ce484222325ULL);
	uintptr_t known = (uintptr_t)map_get(&n->index, h);
	struct needle needle = { 0 };

	if (known)
		return (u16)known;
	if (n->all_count >= BS_MAX_NEEDLES - 1) {
		n->full = true;
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		ARENA_PUSH(n->arena, needle.patterns, shorten(n, patterns[i]));
	ARENA_PUSH(n->arena, n->all, needle);
	if (map_set(&n->index, h, (void *)(uintptr_t)(n->all_count - 1)))
		n->full = true;
	return (u16)(n->all_count - 1);
}

/* The runs of bytes with a class in a glob: each must be found where the glob matches. */
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

/* The needle of a program's name; what may follow is the end of the word or of the name before
 * .exe, .py and so on. 0: none. */
static u16 add_name(struct needles *n, const char *name)
{
	struct pattern p[2] = { find_run(n, name) };
	size_t count = 1;

	if (!*p[0].text)
		return 0;
	if (p[0].right && strlen(name) == strlen(p[0].text)) {
		p[1] = (struct pattern) { .text = arena_printf(n->arena, "%s.", p[0].text),
					  .left = p[0].left };
		count = 2;
	} else if (p[0].right) {
		p[0].right = false;
	}
	return add_needle(n, p, count);
}

/* A lone dot or dash stands in nearly every command line: it would tell nothing. */
static bool tells(const char *run, size_t len)
{
	return len > 1 || (len == 1 && isalnum((unsigned char)*run));
}

/* All runs of a word are needles, for a word such as db:drop has several. */
static struct choice word_choice(struct needles *n, const char *word)
{
	struct choice c = { 0 };
	struct pattern p;

	if (!glob_has_wildcard(word)) {
		for (const char *at = word; *at && c.count < MAX_OF_CHOICE;) {
			size_t len = 0;

			while (bs_class[(unsigned char)at[len]])
				len++;
			p = (struct pattern) { arena_strndup(n->arena, at, len), true, true };
			if (tells(at, len))
				c.needles[c.count++] = add_needle(n, &p, 1);
			at += len + (at[len] != '\0');
		}
		return c;
	}
	p = find_run(n, word);
	if (*p.text)
		c.needles[c.count++] = add_needle(n, &p, 1);
	return c;
}

static void add_choice(struct choice *c, u16 needle)
{
	if (needle && c->count < MAX_OF_CHOICE)
		c->needles[c->count++] = needle;
}

/* How many bytes of `text`, at most `max`, have a class. */
static size_t class_span(const char *text, size_t max)
{
	size_t len = 0;

	while (len < max && bs_class[(unsigned char)text[len]])
		len++;
	return len;
}

/* A long option stands at the beginning of a word: in full, or in gnu style abbreviated; what
 * follows is the end of the word, or a =. */
static u16 long_option(struct needles *n, const char *name, enum option_style style)
{
	size_t whole = strlen(name),
	       max = style == STYLE_GNU ? MIN(whole, ARGS_ABBREVIATION) : whole;
	size_t len = class_span(name, max);
	struct pattern p = { arena_strndup(n->arena, name, len), true,
			     style != STYLE_GNU && len == whole };

	return len > 2 ? add_needle(n, &p, 1) : 0;
}

/* In go style the name of an option stands there in full, behind one dash or two. */
static u16 go_option(struct needles *n, const char *option)
{
	const char *name = option + strspn(option, "-");
	struct pattern p = { .text = arena_printf(n->arena, "-%s", name), .right = true };

	if (strlen(name) < 3 || class_span(name, SIZE_MAX) != strlen(name))
		return 0;
	return add_needle(n, &p, 1);
}

/* A letter may stand in any cluster: all that is known is that some word is one, which begins with
 * a dash and no second one. */
static u16 short_option(struct needles *n)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_.+";
	struct pattern p[sizeof(letters)] = { { .text = "-", .left = true, .right = true } };

	if (n->cluster)
		return n->cluster;
	for (size_t i = 1; i < sizeof(letters); i++)
		p[i] = (struct pattern) { .text = arena_printf(n->arena, "-%c", letters[i - 1]),
					  .left = true };
	n->cluster = add_needle(n, p, ARRAY_SIZE(p));
	return n->cluster;
}

static u16 sql_needle(struct needles *n)
{
	static const struct pattern words[] = {
		{ .text = "drop" },  { .text = "truncate" }, { .text = "delete" },
		{ .text = "alter" }, { .text = "update" },
	};

	return add_needle(n, words, ARRAY_SIZE(words));
}

/* What a value that satisfies the condition must contain. */
static u16 value_needle(struct needles *n, const struct cond *c, bool left)
{
	struct pattern p = { .text = "" };

	if (c->kind == COND_SQL)
		return sql_needle(n);
	if (c->kind == COND_RE)
		p.text = regex_run(n->arena, c->arg);
	else if (c->kind == COND_GLOB)
		p = find_run(n, c->arg);
	p.left = p.left && left;
	if (strlen(p.text) < (p.left && p.right ? 1 : 2))
		return 0;
	return tells(p.text, strlen(p.text)) ? add_needle(n, &p, 1) : 0;
}

static struct choice option_choice(struct needles *n, const struct program *p,
				   const struct alt *alt)
{
	bool is_long = alt->text[1] == '-';
	struct choice c = { 0 };

	if (strcmp(alt->text, "--") == 0)
		return c;
	if (p->style == STYLE_GO)
		add_choice(&c, go_option(n, alt->text));
	else if (is_long)
		add_choice(&c, long_option(n, alt->text, p->style));
	/* the value of a letter may be in the same word */
	add_choice(&c, value_needle(n, &alt->cond, is_long || p->style == STYLE_GO));
	if (!c.count && !is_long && p->style != STYLE_GO)
		add_choice(&c, short_option(n));
	return c;
}

static struct choice key_choice(struct needles *n, const struct alt *alt)
{
	struct choice c = word_choice(n, alt->text);

	add_choice(&c, value_needle(n, &alt->cond, true));
	return c;
}

static struct choice operand_choice(struct needles *n, const struct alt *alt)
{
	struct choice c = { 0 };

	add_choice(&c, value_needle(n, &alt->cond, true));
	return c;
}

/* What is fed stands in the text of a shell, perhaps behind the letter of an escape. */
static struct choice fed_choice(struct needles *n, const struct alt *alt)
{
	struct choice c = { 0 };

	if (alt->cond.kind != COND_NONE && strcmp(alt->text, ">") != 0)
		add_choice(&c, value_needle(n, &alt->cond, false));
	return c;
}

/* The target of a redirection ends as it is written: a directory before it may be a link, or be
 * left out. */
static struct choice target_choice(struct needles *n, const struct alt *alt)
{
	const char *slash = alt->cond.arg ? strrchr(alt->cond.arg, '/') : NULL;
	struct pattern p[DATA_NAMES_MAX];
	struct choice c = { 0 };

	if (alt->cond.kind == COND_PATH_GLOB)
		return word_choice(n, slash ? slash + 1 : "");
	if (alt->cond.kind != COND_PATH || alt->cond.path_class != PATH_DATA)
		return operand_choice(n, alt);
	for (u32 i = 0; i < path_data_names_count; i++)
		p[i] = find_run(n, path_data_names[i]);
	add_choice(&c, add_needle(n, p, path_data_names_count));
	return c;
}

static struct choice alt_choice(struct needles *n, const struct program *p, const struct item *item,
				const struct alt *alt)
{
	switch (item->kind) {
	case ITEM_WORD:
		return word_choice(n, alt->text);
	case ITEM_OPTION:
		return option_choice(n, p, alt);
	case ITEM_OPERAND:
		return shell_is_redirection(p->key.s) ? target_choice(n, alt)
						      : operand_choice(n, alt);
	case ITEM_FED:
		return fed_choice(n, alt);
	case ITEM_KEY:
		return key_choice(n, alt);
	case ITEM_AROUND:
	case ITEM_COUNT:
		break;
	}
	return (struct choice) { 0 };
}

static void push_choice(struct choices *all, const struct choice *c)
{
	for (size_t i = 0; i < all->count; i++)
		if (memcmp(&all->all[i], c, sizeof(*c)) == 0)
			return;
	all->all[all->count++] = *c;
}

/* The ways to satisfy an item; false where it asks for no needle. */
static bool item_choices(struct needles *n, const struct program *p, const struct item *item,
			 struct choices *ret)
{
	ret->count = 0;
	if (item->negated || item->alts_count > MAX_CHOICES)
		return false;
	for (size_t i = 0; i < item->alts_count; i++) {
		struct choice c = alt_choice(n, p, item, &item->alts[i]);

		if (c.count == 0)
			return false;
		push_choice(ret, &c);
	}
	return true;
}

static void insert(struct needle_rule *r, u16 needle)
{
	size_t i = 0;

	if (!needle || r->needles[BS_RULE_NEEDLES])
		return;
	while (r->needles[i] && r->needles[i] < needle)
		i++;
	if (r->needles[i] == needle)
		return;
	memmove(r->needles + i + 1, r->needles + i, (BS_RULE_NEEDLES - i) * sizeof(u16));
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

/* Multiplies the rules made so far by the ways to satisfy one more item, where that stays within
 * bounds. */
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

/* Is there a way to satisfy the item by any cluster of short options? */
static bool is_weak(const struct needles *n, const struct choices *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->all[i].count == 1 && c->all[i].needles[0] == n->cluster)
			return true;
	return false;
}

/* A redirection has no program of its own: what has one is the code of a shell, behind an option.
 */
static struct needle_rule redirection_rule(struct needles *n)
{
	struct needle_rule r = { 0 };
	struct pattern p[32];
	size_t count = 0;

	for (const char *at = carrier_shells; *at; at += *at == ' ') {
		size_t len = strcspn(at, " ");

		p[count++] = (struct pattern) { arena_strndup(n->arena, at, len), true, true };
		at += len;
	}
	insert(&r, add_needle(n, p, count));
	insert(&r, short_option(n));
	return r;
}

/* A rule for each name of the program; none where there are no more numbers. False where a name
 * gives no needle. */
static bool name_rules(struct needles *n, const struct program *p, struct needle_rule **ret,
		       size_t *ret_count)
{
	struct needle_rule *rules = NULL;
	size_t rules_count = 0;

	for (size_t i = 0; i <= p->also_count; i++) {
		const char *name = i ? p->also[i - 1].s : p->key.s;
		struct needle_rule r = { 0 };

		if (shell_is_redirection(name))
			r = redirection_rule(n);
		else
			r.needles[0] = add_name(n, name);
		if (!r.needles[0]) {
			*ret_count = 0;
			return n->full;
		}
		ARENA_PUSH(n->arena, rules, r);
	}
	*ret = rules;
	*ret_count = rules_count;
	return true;
}

/* Is there nothing in the rule but what any code of a shell has? */
static bool is_any_code(const struct needles *n, const struct needle_rule *r)
{
	return !r->needles[2] && !n->full;
}

bool needles_add_line(struct needles *n, const struct program *p, const struct usage *u)
{
	struct needle_rule *rules = NULL;
	size_t rules_count = 0;

	if (!name_rules(n, p, &rules, &rules_count))
		return false;
	if (!rules_count)
		return true;
	/* a rule has few needles: those that tell more come first */
	for (int weak = 0; weak <= 1; weak++)
		for (size_t i = 0; i < u->items_count; i++) {
			struct choices c;

			if (item_choices(n, p, &u->items[i], &c) && is_weak(n, &c) == weak)
				multiply(&rules, &rules_count, n->arena, &c);
		}
	for (size_t i = 0; i < rules_count; i++) {
		if (shell_is_redirection(p->key.s) && is_any_code(n, &rules[i]))
			return false;
		add_rule(n, &rules[i]);
	}
	return true;
}

/* The words of a runner's line. */
static void add_runner(struct needles *n, const struct runner *runner)
{
	struct needle_rule r = { 0 };
	const char *at = runner->line;

	for (size_t len; (len = strcspn(at, " ")); at += len + (at[len] == ' '))
		if (*at != '*')
			insert(&r, add_name(n, arena_strndup(n->arena, at, len)));
	add_rule(n, &r);
}

void needles_add_remote(struct needles *n)
{
	static const char *const pythons[] = { "python", "pypy" };

	for (u32 i = 0; i < runners_count; i++)
		if (runners[i].remote)
			add_runner(n, &runners[i]);

	for (u32 i = 0; i < carrier_remote_marks_count; i++) {
		struct needle_rule r = { 0 };

		insert(&r, add_name(n, carrier_remote_marks[i].program));
		if (carrier_remote_marks[i].sub)
			insert(&r, add_name(n, carrier_remote_marks[i].sub));
		add_rule(n, &r);
	}
	/* -mMODULE: the name has no boundary before it */
	for (size_t i = 0; i < ARRAY_SIZE(pythons); i++) {
		struct pattern name = { .text = pythons[i], .left = true };
		struct pattern module = { .text = "-m", .left = true };
		struct needle_rule r = { 0 };

		insert(&r, add_needle(n, &name, 1));
		insert(&r, add_needle(n, &module, 1));
		add_rule(n, &r);
	}
}

bool needles_add_agent_name(struct needles *n, const char *name)
{
	struct needle_rule r = { .needles = { add_name(n, name) } };

	if (r.needles[0])
		add_rule(n, &r);
	return r.needles[0];
}

bool needles_add_path(struct needles *n, const char *glob)
{
	struct needle_rule r = { 0 };
	struct pattern *runs;
	size_t count = find_runs(n, glob, &runs);

	for (size_t i = 0; i < count; i++)
		if (tells(runs[i].text, strlen(runs[i].text)))
			insert(&r, add_needle(n, &runs[i], 1));
	if (r.needles[0])
		add_rule(n, &r);
	return r.needles[0];
}

bool needles_add_agent_module(struct needles *n, const char *glob)
{
	struct pattern p = find_run(n, glob);
	struct needle_rule r = { 0 };

	p.left = false; /* -mMODULE */
	if (strlen(p.text) > 1)
		insert(&r, add_needle(n, &p, 1));
	if (r.needles[0])
		add_rule(n, &r);
	return r.needles[0];
}

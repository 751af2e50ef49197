#include "policy/needle_text.h"

#include <ctype.h>
#include <string.h>

#include "backstop/key.h"
#include "policy/args.h"
#include "policy/glob.h"

uint64_t needle_hash(const void *data, size_t len, uint64_t h)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return h ? h : 1;
}

/* What tells one needle from all others. */
static uint64_t identify(const struct needle *needle)
{
	uint64_t h = needle_hash(&needle->name, sizeof(needle->name), 0xcbf29ce484222325ULL);

	for (size_t i = 0; i < needle->patterns_count; i++) {
		const struct pattern *p = &needle->patterns[i];

		h = needle_hash(p->text, strlen(p->text) + 1, h);
		h = needle_hash((bool[]) { p->left, p->right, p->percent }, 3, h);
	}
	return h;
}

/* The number of that needle; 0 where there is no number left, or no pattern. */
u32 needle_add(struct needles *n, const struct needle *needle)
{
	uint64_t h = identify(needle);
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

void needle_add_pattern(struct needles *n, struct needle *needle, const char *text, bool left,
			bool right)
{
	struct pattern p = { .text = text, .left = left, .right = right };

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

	needle_add_pattern(n, &needle, text, true, right);
	return needle_add(n, &needle);
}

/* --- parts of words */

static const char symbols[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.+";

/* A part one symbol short of BS_GRAM: with each symbol that can stand beside
 * it. */
static void add_widened(struct needles *n, struct needle *needle, const char *text, bool right)
{
	for (const char *c = symbols; *c; c++)
		needle_add_pattern(n, needle,
				   right ? arena_printf(n->arena, "%c%s", *c, text)
					 : arena_printf(n->arena, "%s%c", text, *c),
				   false, right);
	needle_add_pattern(n, needle, text, right, true);
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

	needle_add_pattern(n, needle, arena_strndup(n->arena, text + at, MIN(len, BS_GRAM)), false,
			   len < BS_GRAM);
}

/* One pattern that is in every word that has this run in it; none where it is
 * too short. */
static void add_run(struct needles *n, struct needle *needle, const struct pattern *p)
{
	size_t len = strlen(p->text);

	if (p->left)
		needle_add_pattern(n, needle, p->text, true, p->right);
	else if (len + p->right >= BS_GRAM)
		add_part(n, needle, p->text, best_part(p->text, len, p->right, SIZE_MAX));
	else if (len + p->right == BS_GRAM - 1)
		add_widened(n, needle, p->text, p->right);
	else if (len == BS_GRAM - 2)
		add_twice_widened(n, needle, p->text, false);
}

void needle_choose(struct choice *c, u32 needle)
{
	if (needle && c->count < MAX_OF_CHOICE)
		c->needles[c->count++] = needle;
}

/* The needles of a run: of a part of a word two, where it is long enough. */
void needle_choose_run(struct needles *n, struct choice *c, const struct pattern *p)
{
	struct needle first = { 0 }, second = { 0 };
	size_t len = strlen(p->text), best, other;

	add_run(n, &first, p);
	needle_choose(c, needle_add(n, &first));
	if (p->left || len + p->right < BS_GRAM)
		return;
	best = best_part(p->text, len, p->right, SIZE_MAX);
	other = best_part(p->text, len, p->right, best);
	if (other == SIZE_MAX)
		return;
	add_part(n, &second, p->text, other);
	needle_choose(c, needle_add(n, &second));
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
		struct pattern pattern = { .text = arena_strndup(n->arena, run, len),
					   .left = left,
					   .right = ended || literal };
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
u32 needle_of_name(struct needles *n, const char *name)
{
	struct needle needle = { .name = true };
	struct pattern p = find_run(n, name);
	bool whole = strlen(name) == strlen(p.text);

	if (!*p.text)
		return 0;
	p.right &= whole;
	add_run(n, &needle, &p);
	if (p.left)
		needle_add_pattern(n, &needle, arena_printf(n->arena, "-m%s", p.text), true,
				   p.right);
	if (p.left && p.right) {
		needle_add_pattern(n, &needle, arena_printf(n->arena, "%s.", p.text), true, false);
		needle_add_pattern(n, &needle, arena_printf(n->arena, "-m%s.", p.text), true,
				   false);
	}
	return needle_add(n, &needle);
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
	needle_add_pattern(n, &needle, arena_strndup(n->arena, best, BS_GRAM), false, false);
	text = arena_strndup(n->arena, best, BS_GRAM);
	any = strchr(text, '?');
	for (const char *c = symbols; any && *c; c++) {
		*any = *c;
		needle_add_pattern(n, &needle, arena_strdup(n->arena, text), false, false);
	}
	return needle_add(n, &needle);
}

/* All runs of a word or a value are needles, for a word such as db:drop has
 * several. */
struct choice needle_of_glob(struct needles *n, const char *glob, bool left)
{
	struct choice c = { 0 };
	struct pattern *runs;
	size_t count = find_runs(n, glob, &runs);

	for (size_t i = 0; i < count; i++) {
		runs[i].left &= left || i > 0;
		needle_choose_run(n, &c, &runs[i]);
	}
	if (!c.count)
		needle_choose(&c, part_needle(n, glob, left));
	return c;
}

struct choice needle_of_short_name(struct needles *n, const char *name)
{
	static const char *const ends[] = { "", "-", ".", "+" };
	struct needle needle = { 0 };
	struct choice c = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		for (size_t k = 0; k < ARRAY_SIZE(ends); k++) {
			const char *text = arena_printf(n->arena, "%s%s%s", ends[i], name, ends[k]);

			if (i)
				add_widened(n, &needle, text, !k);
			else
				needle_add_pattern(n, &needle, text, true, !k);
		}
	needle_choose(&c, needle_add(n, &needle));
	return c;
}

/* Before a piece stands a quote or a backslash, or what a shell writes for the end of a line;
 * before a key perhaps dots. */
u32 needle_of_pieces(struct needles *n, const char *text)
{
	static const char *const before[] = { "", "n", "." };
	struct needle needle = { 0 };

	for (int len = 1; text[len - 1]; len++)
		for (size_t i = 0; i < ARRAY_SIZE(before); i++)
			needle_add_pattern(n, &needle,
					   arena_printf(n->arena, "%s%.*s", before[i], len, text),
					   true, true);
	return needle_add(n, &needle);
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
u32 needle_of_long_option(struct needles *n, const char *name, enum option_style style)
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
u32 needle_of_go_option(struct needles *n, const char *option)
{
	const char *name = option + strspn(option, "-");
	size_t len = class_span(name, SIZE_MAX);
	struct needle needle = { 0 };

	if (!len)
		return 0;
	needle_add_pattern(n, &needle, arena_printf(n->arena, "-%.*s", (int)len, name), true,
			   !name[len]);
	needle_add_pattern(n, &needle, arena_printf(n->arena, "--%.*s", (int)len, name), true,
			   !name[len]);
	return needle_add(n, &needle);
}

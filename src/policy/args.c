#include "policy/args.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_nocase(const struct args *a)
{
	return a->program->nocase;
}

static const struct image_option *option_at(const struct args *a, u32 i)
{
	return &a->image->options[a->program->options + i];
}

static const char *option_name(const struct args *a, u32 i)
{
	return a->image->strings + option_at(a, i)->name;
}

/* Order of `name` of that length against option `i`. */
static int compare(const struct args *a, const char *name, size_t len, u32 i)
{
	int order = strncmp(name, option_name(a, i), len);

	return order ? order : -(option_name(a, i)[len] != '\0');
}

/* The first of the options that is not before `name`. */
static u32 find_first(const struct args *a, const char *name, size_t len)
{
	u32 low = 0, high = a->program->options_count;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (compare(a, name, len, middle) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool applies(const struct args *a, const struct image_option *o, const char *sub)
{
	if (o->sub == IMAGE_NONE || !sub)
		return o->sub == IMAGE_NONE;
	return (is_nocase(a) ? strcasecmp : strcmp)(a->image->strings + o->sub, sub) == 0;
}

/* What is known of an option by exactly that name. */
static enum option_kind find_exact(const struct args *a, const char *name, size_t len,
				   const char *sub, bool *ret_known)
{
	enum option_kind kind = OPTION_NAMED;

	*ret_known = false;
	for (u32 i = find_first(a, name, len);
	     i < a->program->options_count && compare(a, name, len, i) == 0; i++) {
		if (!applies(a, option_at(a, i), sub))
			continue;
		*ret_known = true;
		kind = MIN(kind, (enum option_kind)option_at(a, i)->kind);
	}
	return kind;
}

/* What is known of the options that `name` abbreviates: OPTION_NAMED where they disagree. */
static enum option_kind find_abbreviated(const struct args *a, const char *name, size_t len,
					 const char *sub)
{
	int kind = -1;

	for (u32 i = find_first(a, name, len); i < a->program->options_count; i++) {
		if (strncmp(option_name(a, i), name, len) != 0)
			break;
		if (!applies(a, option_at(a, i), sub))
			continue;
		if (kind >= 0 && kind != (int)option_at(a, i)->kind)
			return OPTION_NAMED;
		kind = (int)option_at(a, i)->kind;
	}
	return kind < 0 ? OPTION_NAMED : (enum option_kind)kind;
}

static bool is_abbreviable(const struct args *a, size_t len)
{
	return a->program->style == STYLE_GNU && len >= ARGS_ABBREVIATION;
}

struct args_cursor args_begin(const struct args *args)
{
	return (struct args_cursor) { .args = args };
}

static bool is_taken(const struct args_cursor *c, u32 index)
{
	for (u32 i = 0; i < c->taken_count; i++)
		if (c->taken[i] == index)
			return true;
	return false;
}

static bool is_operand(const char *word)
{
	return word[0] != '-' || !word[1];
}

/* An unknown option: is what follows perhaps its value? Where the words of the usage line are known
 * already, that is no question any more. */
static void consider_value(struct args_cursor *c, struct arg *ret)
{
	const struct args *a = c->args;

	if (c->at >= a->count || !is_operand(a->words[c->at]))
		return;
	if (!c->taken_count) {
		ret->maybe_value = true;
		return;
	}
	if (c->at < c->taken[c->taken_count - 1] && !is_taken(c, c->at))
		ret->value = a->words[c->at++];
}

static void take_value(struct args_cursor *c, struct arg *ret)
{
	if (c->at < c->args->count)
		ret->value = c->args->words[c->at++];
}

static void finish_option(struct args_cursor *c, struct arg *ret, enum option_kind kind)
{
	if (ret->value)
		return;
	if (kind == OPTION_VALUE)
		take_value(c, ret);
	else if (kind == OPTION_NAMED)
		consider_value(c, ret);
}

/* -name, --name, each perhaps with =value. */
static void take_long(struct args_cursor *c, const char *word, struct arg *ret)
{
	const struct args *a = c->args;
	const char *equals;
	enum option_kind kind;

	if (a->program->style == STYLE_GO)
		word += word[1] == '-' ? 2 : 1;
	equals = strchr(word, '=');
	ret->name = word;
	ret->name_len = equals ? (size_t)(equals - word) : strlen(word);
	ret->value = equals ? equals + 1 : NULL;
	c->at++;
	kind = find_exact(a, word, ret->name_len, c->sub, &ret->exact);
	if (!ret->exact && is_abbreviable(a, ret->name_len))
		kind = find_abbreviated(a, word, ret->name_len, c->sub);
	finish_option(c, ret, kind);
}

static void take_letter(struct args_cursor *c, struct arg *ret)
{
	char name[3] = { '-', *c->cluster++, 0 };
	enum option_kind kind = find_exact(c->args, name, 2, c->sub, &ret->exact);

	ret->letter = name[1];
	if (*c->cluster && (kind == OPTION_VALUE || kind == OPTION_ATTACHED)) {
		ret->value = c->cluster;
		ret->attached = true;
		c->cluster = "";
	}
	if (*c->cluster)
		return;
	c->cluster = NULL;
	c->at++;
	finish_option(c, ret, kind);
}

static void take_operand(struct args_cursor *c, const char *word, struct arg *ret)
{
	ret->value = word;
	ret->index = c->at;
	ret->taken = is_taken(c, c->at);
	c->at++;
	if (!c->sub)
		c->sub = word;
}

bool args_next(struct args_cursor *c, struct arg *ret)
{
	const struct args *a = c->args;

	*ret = (struct arg) { 0 };
	if (!c->cluster && !c->ended && c->at < a->count && strcmp(a->words[c->at], "--") == 0) {
		c->ended = a->program->style != STYLE_GO;
		c->at++;
		*ret = (struct arg) { .option = true, .dashes = true };
		return true;
	}
	if (c->at >= a->count)
		return false;

	const char *word = a->words[c->at];

	if (!c->cluster && (c->ended || is_operand(word))) {
		take_operand(c, word, ret);
		return true;
	}
	ret->option = true;
	if (!c->cluster && (a->program->style == STYLE_GO || word[1] == '-')) {
		take_long(c, word, ret);
		return true;
	}
	if (!c->cluster)
		c->cluster = word + 1;
	take_letter(c, ret);
	return true;
}

void args_skip(struct args_cursor *c)
{
	c->at++;
}

static int compare_text(const struct args *a, const char *s, const char *t, size_t len)
{
	return is_nocase(a) ? strncasecmp(s, t, len) : strncmp(s, t, len);
}

/* Does an abbreviation fit several options that the program is known to have? */
static bool is_ambiguous(const struct args *a, const struct arg *arg)
{
	const char *before = NULL;

	for (u32 i = find_first(a, arg->name, arg->name_len); i < a->program->options_count; i++) {
		const char *name = option_name(a, i);

		if (strncmp(name, arg->name, arg->name_len) != 0)
			break;
		if (before && strcmp(before, name) != 0)
			return true;
		before = name;
	}
	return false;
}

bool args_is_option(const struct args *args, const struct arg *arg, const char *name, bool doubtful)
{
	if (arg->dashes || strcmp(name, "--") == 0)
		return arg->dashes && strcmp(name, "--") == 0;
	if (arg->letter)
		return name[1] != '-' && compare_text(args, name + 1, &arg->letter, 1) == 0;
	if (args->program->style == STYLE_GO)
		name += name[1] == '-' ? 2 : 1;
	if (compare_text(args, name, arg->name, arg->name_len) != 0)
		return false;
	if (!name[arg->name_len])
		return true;
	return !arg->exact && is_abbreviable(args, arg->name_len) &&
	       (doubtful || !is_ambiguous(args, arg));
}

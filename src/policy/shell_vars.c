#include "policy/shell_vars.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "policy/grammar.h"

#define MAX_STEPS 1024 /* of one command's expansion */
#define MAX_WORD  8192 /* bytes: a longer one is left as it is */

/* --- values */

static u32 find(const struct shell_vars *v, const char *name, size_t len)
{
	u32 i = 0;

	while (i < v->count && (strncmp(v->all[i].name, name, len) != 0 || v->all[i].name[len]))
		i++;
	return i;
}

void shell_vars_set(struct shell_vars *v, const char *name, const char *values)
{
	u32 i = find(v, name, strlen(name));
	char *copy = strdup(values);

	if (i == v->count && i < SHELL_VARS_MAX && copy && (v->all[i].name = strdup(name)))
		v->count++;
	if (i == v->count || !copy) {
		free(copy);
		return;
	}
	free(v->all[i].values);
	v->all[i].values = copy;
}

static void set_list(struct shell_vars *v, const char *name, char *const *words, u32 count)
{
	_cleanup_strbuf_ struct strbuf values = STRBUF_INIT;

	for (u32 i = 0; i < count; i++)
		strbuf_addf(&values, "%s%s", i ? "\n" : "", words[i]);
	shell_vars_set(v, name, strbuf_str(&values));
}

void shell_vars_set_arguments(struct shell_vars *v, char *const *words, u32 count)
{
	char name[16];

	for (u32 i = 0; i < MIN(count, 10U); i++) {
		snprintf(name, sizeof(name), "%u", i);
		shell_vars_set(v, name, words[i]);
	}
	if (count > 1) {
		set_list(v, "@", words + 1, count - 1);
		set_list(v, "*", words + 1, count - 1);
	}
}

/* NAME=VALUE; a directory that is made for the time being is where such are. */
static void set_word(struct shell_vars *v, const char *word, const char *inside)
{
	size_t len = strcspn(word, "=");
	char name[64];
	const char *value = word + len + 1;

	if (!word[len] || len >= sizeof(name))
		return;
	memcpy(name, word, len);
	name[len] = '\0';
	if (strcmp(value, SHELL_VARS_UNKNOWN) == 0 && inside && strncmp(inside, "mktemp", 6) == 0)
		value = "/tmp/mktemp";
	shell_vars_set(v, name, value);
}

/* The values of a value's own variables are put in when it is set. */
static void set_words(struct shell_vars *v, char *const *words, u32 count, const char *inside)
{
	_cleanup_(shell_words_clear) struct shell_words expanded = { .count = 0 };

	shell_vars_expand(v, words, count, true, &expanded);
	for (u32 i = 0; i < expanded.count; i++)
		set_word(v, expanded.all[i], inside);
}

static void set_loop(struct shell_vars *v, char *const *words, u32 count)
{
	_cleanup_(shell_words_clear) struct shell_words expanded = { .count = 0 };

	if (count < 4 || strcmp(words[0], "for") != 0 || strcmp(words[2], "in") != 0)
		return;
	shell_vars_expand(v, words + 3, count - 3, true, &expanded);
	set_list(v, words[1], expanded.all, expanded.count);
}

void shell_vars_tell(struct shell_vars *v, const struct shell_command *c)
{
	static const char setters[] = "export readonly local declare typeset";

	if (c->sets && strchr(c->words[0], '='))
		set_words(v, c->words, c->count, c->feed.from);
	else if (c->sets)
		set_loop(v, c->words, c->count);
	else if (c->count && grammar_lists(setters, c->words[0], strlen(c->words[0])))
		set_words(v, c->words + 1, c->count - 1, c->feed.from);
}

void shell_vars_clear(struct shell_vars *v)
{
	for (u32 i = 0; i < v->count; i++) {
		free(v->all[i].name);
		free(v->all[i].values);
	}
	v->count = 0;
}

/* --- words */

/* The length of the reference at `p`: $NAME, ${NAME}, ${NAME:-…}, $1, $@; 0 where it is none. */
static size_t reference(const char *p, const char **ret_name, size_t *ret_len)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
	bool braces = p[1] == '{';
	const char *name = p + 1 + braces;
	size_t len = strchr("@*", *name) && *name    ? 1
		     : isdigit((unsigned char)*name) ? 1
						     : strspn(name, letters);

	*ret_name = name;
	*ret_len = len;
	if (!len || (braces && !strchr(name, '}')))
		return 0;
	return braces ? (size_t)(strchr(name, '}') + 1 - p) : len + 1;
}

struct expansion {
	const struct shell_vars *vars;
	struct shell_words *out;
	bool several;
	u32 steps;
};

static void add(struct expansion *e, const char *word)
{
	char *copy = e->out->count < SHELL_VARS_WORDS ? strdup(word) : NULL;

	if (copy)
		e->out->all[e->out->count++] = copy;
}

static void expand(struct expansion *e, const char *word, size_t from);

/* The word once for each value, in the place of `len` bytes at `at`. */
static void put_values(struct expansion *e, const char *word, size_t at, size_t len,
		       const char *values)
{
	for (const char *value = values;; value++) {
		size_t n = strcspn(value, "\n");
		_cleanup_strbuf_ struct strbuf whole = STRBUF_INIT;

		strbuf_add(&whole, word, at);
		strbuf_add(&whole, value, n);
		strbuf_adds(&whole, word + at + len);
		expand(e, strbuf_str(&whole), at + n);
		value += n;
		if (!*value || !e->several)
			break;
	}
}

/* The word, nothing before `from` being a variable. */
static void expand(struct expansion *e, const char *word, size_t from)
{
	const char *name;
	size_t len, name_len;

	for (const char *p = word + from; strlen(word) < MAX_WORD && (p = strchr(p, '$')); p++) {
		u32 i;

		len = reference(p, &name, &name_len);
		i = len ? find(e->vars, name, name_len) : e->vars->count;
		if (i == e->vars->count || ++e->steps > MAX_STEPS)
			continue;
		put_values(e, word, (size_t)(p - word), len, e->vars->all[i].values);
		return;
	}
	add(e, word);
}

void shell_vars_expand(const struct shell_vars *v, char *const *words, u32 count, bool several,
		       struct shell_words *ret)
{
	u32 home = find(v, "HOME", 4);
	struct expansion e = { v, ret, several, 0 };

	ret->count = 0;
	for (u32 i = 0; i < count; i++)
		if (words[i][0] == '~' && strchr("/", words[i][1]) && home < v->count)
			put_values(&e, words[i], 0, 1, v->all[home].values);
		else
			expand(&e, words[i], 0);
	ret->all[ret->count] = NULL;
}

void shell_words_clear(struct shell_words *w)
{
	for (u32 i = 0; i < w->count; i++)
		free(w->all[i]);
	w->count = 0;
}

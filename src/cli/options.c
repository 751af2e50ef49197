#include "cli/options.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/escape.h"

#define WORD_MAX 32 /* what is longer is no misspelt name */

struct parser {
	const struct command *command;
	char **argv;
	int argc, next; /* the word after the one in hand */
	int operands;
	char *options;
	struct strbuf *err;
};

int parse_number(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		uint64_t digit = *s - '0';

		if (*s < '0' || *s > '9' || n > (max - MIN(digit, max)) / 10)
			return -EINVAL;
		n = n * 10 + digit;
	}
	if (n > max)
		return -EINVAL;
	*ret = n;
	return 0;
}

/* Levenshtein's distance, and swapped neighbours count one. Both are shorter than WORD_MAX. */
static size_t distance(const char *a, const char *b)
{
	size_t d[WORD_MAX + 1][WORD_MAX + 1], n = strlen(a), m = strlen(b);

	for (size_t i = 0; i <= n; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			best = MIN(best, MIN(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	}
	return d[n][m];
}

const char *nearest_name(const char *word, name_at_fn names, const void *data)
{
	size_t len = strlen(word), best = MAX(len / 3, (size_t)1) + 1;
	const char *nearest = NULL, *name;

	if (len >= WORD_MAX)
		return NULL;
	for (size_t i = 0; (name = names(data, i)); i++) {
		size_t d = distance(word, name);

		if (d < best) {
			best = d;
			nearest = name;
		}
	}
	return nearest;
}

static const char *option_name_at(const void *data, size_t i)
{
	const struct command *c = data;

	return c->options && c->options[i].name ? c->options[i].name : NULL;
}

static const struct option_def *find_long(const struct command *c, const char *name, size_t len)
{
	for (const struct option_def *o = c->options; o && o->name; o++)
		if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

static const struct option_def *find_letter(const struct command *c, char letter)
{
	for (const struct option_def *o = c->options; o && o->name; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

/* Starts the sentence with the command and the quoted word; the caller goes on with what is wrong.
 */
static void blame(struct parser *p, const char *word)
{
	strbuf_addf(p->err, "%s: ", p->command->name);
	escape_word(p->err, word);
}

static int refuse_unknown(struct parser *p, const char *word, const char *name, size_t len)
{
	_cleanup_free_ char *typed = strndup(name, len);
	const char *nearest = typed ? nearest_name(typed, option_name_at, p->command) : NULL;

	blame(p, word);
	strbuf_adds(p->err, " is no option: ");
	if (nearest)
		strbuf_addf(p->err, "did you mean --%s? ", nearest);
	strbuf_addf(p->err, "'backstop %s --help' lists all", p->command->name);
	return -EINVAL;
}

static int store(struct parser *p, const struct option_def *o, const char *value)
{
	void *at = p->options + o->offset;
	uint64_t n;

	switch (o->kind) {
	case OPTION_FLAG:
		*(bool *)at = true;
		return 0;
	case OPTION_STRING:
		*(const char **)at = value;
		return 0;
	case OPTION_UINT:
		if (!parse_number(value, UINT_MAX, &n) && n) {
			*(unsigned int *)at = n;
			return 0;
		}
	}
	blame(p, value);
	strbuf_addf(p->err, " is no %s for --%s: give a whole number from 1 to %u", o->argument,
		    o->name, UINT_MAX);
	return -EINVAL;
}

/* The value is what is attached to the option, or else the next word. */
static int take_value(struct parser *p, const struct option_def *o, const char *attached)
{
	if (!attached && p->next < p->argc)
		attached = p->argv[p->next++];
	if (attached)
		return store(p, o, attached);
	strbuf_addf(p->err, "%s: --%s needs a value: --%s %s", p->command->name, o->name, o->name,
		    o->argument);
	return -EINVAL;
}

static int parse_long(struct parser *p, const char *word)
{
	const char *name = word + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct option_def *o = find_long(p->command, name, len);

	if (!o)
		return strcmp(name, "help") == 0 ? 1 : refuse_unknown(p, word, name, len);
	if (o->kind != OPTION_FLAG)
		return take_value(p, o, equals ? equals + 1 : NULL);
	if (!equals)
		return store(p, o, NULL);
	blame(p, word);
	strbuf_addf(p->err, " has a value: --%s takes none", o->name);
	return -EINVAL;
}

static int parse_letters(struct parser *p, const char *word)
{
	const struct option_def *o;
	int r;

	for (const char *s = word + 1; *s; s++) {
		o = find_letter(p->command, *s);
		if (!o)
			return *s == 'h' ? 1 : refuse_unknown(p, word, word + 1, strlen(word + 1));
		if (o->kind != OPTION_FLAG)
			return take_value(p, o, s[1] ? s + 1 : NULL);
		r = store(p, o, NULL);
		if (r)
			return r;
	}
	return 0;
}

static void take_rest(struct parser *p)
{
	while (p->next < p->argc)
		p->argv[p->operands++] = p->argv[p->next++];
}

static int parse_word(struct parser *p, char *word)
{
	if (strcmp(word, "--") == 0) {
		take_rest(p);
		return 0;
	}
	if (word[0] == '-' && word[1] == '-')
		return parse_long(p, word);
	if (word[0] == '-' && word[1])
		return parse_letters(p, word);
	p->argv[p->operands++] = word;
	if (p->command->stops_at_operand)
		take_rest(p);
	return 0;
}

static int check_operands(struct parser *p)
{
	const struct command *c = p->command;
	const char *arguments = c->arguments ?: "";
	unsigned int n = p->operands;

	if (n >= c->min_operands && n <= c->max_operands)
		return 0;
	if (n < c->min_operands)
		strbuf_addf(p->err, "%s: an operand is missing", c->name);
	else
		blame(p, p->argv[c->max_operands]);
	if (n > c->max_operands)
		strbuf_addf(p->err, " is one operand too many");
	strbuf_addf(p->err, ": backstop %s%s%s", c->name, *arguments ? " " : "", arguments);
	return -EINVAL;
}

int options_parse(const struct command *c, int argc, char **argv, void *options, int *ret_operands,
		  struct strbuf *err)
{
	struct parser p = {
		.command = c, .argv = argv, .argc = argc, .options = options, .err = err
	};
	int r = 0;

	while (!r && p.next < p.argc) {
		char *word = argv[p.next++];

		r = parse_word(&p, word);
	}
	if (!r)
		r = check_operands(&p);
	if (r)
		return r;
	argv[p.operands] = NULL;
	*ret_operands = p.operands;
	return 0;
}

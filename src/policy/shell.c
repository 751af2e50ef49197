#include "policy/shell.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "policy/shell_splitter.h"

#define METACHARACTERS	  " \t\n;&|<>()" /* end a word */
#define MAX_SUBSTITUTIONS 1000		 /* in one text: each is read with a splitter of its own */

static const char *split(struct splitter *outer, const char *text);

/* --- substitutions */

static const char *find_quote(const char *p, char close)
{
	for (; *p && *p != close; p++)
		p += *p == '\\' && p[1];
	return p;
}

/* `…`: what it has inside, without the backslashes that are for it. */
static void take_backquotes(struct splitter *s)
{
	const char *end = find_quote(s->p + 1, '`');
	_cleanup_free_ char *inside = strndup(s->p + 1, (size_t)(end - s->p - 1));

	splitter_put(s, '$');
	if (!inside)
		s->error = -ENOMEM;
	else if (!strchr(inside, '\\') || !s->literal)
		split(s, inside);
	s->p = *end ? end + 1 : end;
}

/* Behind the ) that closes the last of `depth` (. */
static const char *skip_parentheses(const char *p, int depth)
{

	for (; *p; p++) {
		depth += *p == '(';
		if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return p;
}

/* What is in a substitution runs as well; what it yields is not known, so a $ stands for it. */
static void take_parentheses(struct splitter *s)
{
	const char *inside = s->p + 2, *end;

	splitter_put(s, '$');
	end = *s->p == '$' && *inside == '(' ? skip_parentheses(s->p + 1, 0) : split(s, inside);
	free(s->inside);
	s->inside = strndup(inside, (size_t)(end - inside - (end > inside && end[-1] == ')')));
	s->p = end;
}

static void take_braces(struct splitter *s)
{
	const char *end = s->p + strcspn(s->p, "}\n");

	for (; s->p < end; s->p++)
		splitter_put(s, *s->p);
}

/* A substitution at s->p; false where there is none. */
static bool take_substitution(struct splitter *s)
{
	if (s->p[0] == '`')
		take_backquotes(s);
	else if ((s->p[0] == '$' || s->p[0] == '<' || s->p[0] == '>') && s->p[1] == '(')
		take_parentheses(s);
	else if (s->p[0] == '$' && s->p[1] == '{')
		take_braces(s);
	else
		return false;
	return true;
}

/* --- quotes */

static void take_single(struct splitter *s)
{
	for (s->p++; *s->p && *s->p != '\''; s->p++)
		splitter_put(s, *s->p);
	s->p += *s->p != '\0';
}

static void take_double(struct splitter *s)
{
	for (s->p++; *s->p && *s->p != '"';) {
		if ((*s->p == '`' || *s->p == '$') && take_substitution(s))
			continue;
		if (*s->p == '\\' && s->p[1] == '\n') {
			s->p += 2;
			continue;
		}
		if (*s->p == '\\' && s->p[1] && strchr("\"\\$`", s->p[1]))
			s->p++;
		splitter_put(s, *s->p);
		s->p++;
	}
	s->p += *s->p != '\0';
}

/* An empty quoted word is a word, too. */
static void take_quotes(struct splitter *s)
{
	splitter_begin_word(s);
	s->quoted = true;
	if (*s->p == '\'')
		take_single(s);
	else
		take_double(s);
}

/* $'…': its escapes stand for any byte, so what it says is not known. */
static void take_escapes(struct splitter *s)
{
	const char *end = find_quote(s->p + 2, '\'');

	splitter_put(s, '$');
	s->quoted = true;
	s->p = *end ? end + 1 : end;
}

/* --- redirections */

/* Takes the number before a redirection away. Is it of standard output? */
static bool take_number(struct splitter *s)
{
	char *word = s->words[s->count];

	if (!s->in_word || s->quoted)
		return true;
	*s->out = '\0';
	if (word[strspn(word, "0123456789")])
		return true;
	s->out = word;
	s->in_word = false;
	return strcmp(word, "1") == 0;
}

/* Behind the line at `p`, quotes and comments apart. */
static const char *next_line(const char *p)
{
	while (*p && *p != '\n') {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '\'')
			p += 1 + strcspn(p + 1, "'");
		else if (*p == '"')
			p = find_quote(p + 1, '"');
		p += *p != '\0';
	}
	return *p ? p + 1 : p;
}

/* The delimiter of a here-document at s->p; false where it is quoted. */
static bool take_delimiter(struct splitter *s, char *out, size_t size)
{
	bool plain = true;
	size_t len = 0;

	s->p += strspn(s->p, " \t");
	for (char quote = 0; *s->p; s->p++) {
		if (quote ? *s->p == quote : (*s->p == '\'' || *s->p == '"' || *s->p == '\\')) {
			quote = quote || *s->p == '\\' ? 0 : *s->p;
			plain = false;
			continue;
		}
		if (!quote && strchr(METACHARACTERS, *s->p))
			break;
		if (len + 1 < size)
			out[len++] = *s->p;
	}
	out[len] = '\0';
	return plain;
}

/* The end of the body at `p`; `*ret_next`: behind its delimiter. */
static const char *find_body_end(const char *p, const char *delimiter, bool tabs,
				 const char **ret_next)
{
	while (*p) {
		const char *line = tabs ? p + strspn(p, "\t") : p;
		size_t len = strcspn(line, "\n");

		if (len == strlen(delimiter) && strncmp(line, delimiter, len) == 0) {
			*ret_next = line + len + (line[len] == '\n');
			return p;
		}
		p = line + len + (line[len] == '\n');
	}
	*ret_next = p;
	return p;
}

/* In the body of a here-document substitutions run, unless its delimiter is quoted. */
static void run_body(struct splitter *s, const char *body)
{
	for (const char *p = body; *p;) {
		if (*p == '\\' && p[1])
			p += 2;
		else if (p[0] == '$' && p[1] == '(' && p[2] != '(')
			p = split(s, p + 2);
		else
			p++;
	}
}

static void take_document(struct splitter *s)
{
	bool tabs = *s->p == '-', plain;
	const char *body, *end, *next;
	char delimiter[256];

	s->p += tabs;
	plain = take_delimiter(s, delimiter, sizeof(delimiter));
	body = s->bodies ? s->bodies : next_line(s->p);
	end = find_body_end(body, delimiter, tabs, &next);
	s->bodies = next;
	free(s->body);
	s->body = strndup(body, (size_t)(end - body));
	if (!s->body)
		s->error = -ENOMEM;
	else if (plain)
		run_body(s, s->body);
}

/* &1, &-: no file is named. */
static bool take_duplicate(struct splitter *s)
{
	size_t len = *s->p == '&' ? strspn(s->p + 1, "0123456789-") : 0;

	if (!len || (s->p[1 + len] && !strchr(METACHARACTERS, s->p[1 + len])))
		return false;
	s->op = '\0';
	s->p += 1 + len;
	return true;
}

static void take_output(struct splitter *s, bool output)
{
	s->p++;
	s->op = *s->p == '>' ? 'a' : '>';
	s->output = output;
	s->p += *s->p == '>';
	if (!take_duplicate(s))
		s->p += strspn(s->p, "&|!");
}

static void take_redirection(struct splitter *s)
{
	bool output = take_number(s);

	splitter_end_word(s);
	s->p += *s->p == '&';
	if (*s->p == '>') {
		take_output(s, output);
	} else if (strncmp(s->p, "<<<", 3) == 0) {
		s->op = 'w';
		s->p += 3;
	} else if (strncmp(s->p, "<<", 2) == 0) {
		s->p += 2;
		take_document(s);
	} else {
		s->op = s->p[1] == '>' ? 'r' : '<';
		s->p += 1 + (s->p[1] == '>');
		take_duplicate(s);
	}
}

/* --- the text */

static bool is_in_test(const struct splitter *s)
{
	return s->count && strcmp(s->words[0], "[[") == 0;
}

static void take_newline(struct splitter *s)
{
	splitter_end_command(s, false);
	s->p++;
	if (s->bodies)
		s->p = MAX(s->p, s->bodies);
	s->bodies = NULL;
}

/* NAME() before a { or a (, as the scan finds it where that is asked. */
static bool take_definition(struct splitter *s)
{
	const char *body = s->p + 2;
	size_t blanks;

	if (s->p[1] != ')')
		return false;
	blanks = strspn(body, " \t\n");
	body += s->literal ? MIN(blanks, 1U) : blanks;
	return (*body == '{' || *body == '(') && splitter_define(s, body);
}

static void take_open(struct splitter *s)
{
	if (take_definition(s))
		return;
	if (s->p[1] == '(' && !s->in_word) { /* ((…)): no redirection is in it */
		s->p = skip_parentheses(s->p, 0);
		return;
	}
	splitter_open_group(s);
	s->level++;
	s->p++;
}

static void take_close(struct splitter *s)
{
	splitter_end_command(s, false);
	s->p++;
	if (s->level > s->base)
		s->level--;
	else if (s->nested && !s->cases)
		s->ended = true;
	s->grouped = true;
}

static void take_operator(struct splitter *s)
{
	bool piped = s->p[0] == '|' && s->p[1] != '|';

	splitter_end_command(s, piped);
	s->p++;
	s->p += piped && *s->p == '&';
}

static void take_plain(struct splitter *s)
{
	if (*s->p == '\\') {
		s->p++;
		if (*s->p && *s->p != '\n')
			splitter_put(s, *s->p);
	} else {
		splitter_put(s, *s->p);
	}
	s->p += *s->p != '\0';
}

static bool is_redirection(const struct splitter *s)
{
	return (*s->p == '<' || *s->p == '>' || (*s->p == '&' && s->p[1] == '>')) && !is_in_test(s);
}

static void step(struct splitter *s)
{
	char c = *s->p;

	if (c == '\'' || c == '"')
		take_quotes(s);
	else if (c == '$' && s->p[1] == '\'')
		take_escapes(s);
	else if (take_substitution(s))
		return;
	else if (is_redirection(s))
		take_redirection(s);
	else if (c == '\n')
		take_newline(s);
	else if (c == '(')
		take_open(s);
	else if (c == ')')
		take_close(s);
	else if (strchr(";&|", c))
		take_operator(s);
	else if (c == '#' && !s->in_word)
		s->p += strcspn(s->p, "\n");
	else if (isspace((unsigned char)c))
		splitter_end_word(s), s->p++;
	else
		take_plain(s);
}

/* Splits up to the end, or to the ) that closes a substitution; where it ended. */
static const char *run(struct splitter *s)
{
	while (*s->p && !s->ended && !*s->stop)
		step(s);
	splitter_end_command(s, false);
	splitter_clear(s);
	return s->p;
}

static int begin(struct splitter *s, const char *text)
{
	size_t len = strlen(text), max = len / 2 + 3;

	s->p = text;
	s->words = malloc(max * sizeof(*s->words));
	s->redirections = malloc(max * sizeof(*s->redirections));
	s->out = s->text = malloc(2 * len + 2);
	return s->words && s->redirections && s->text ? 0 : -ENOMEM;
}

static void finish(struct splitter *s)
{
	free(s->words);
	free(s->redirections);
	free(s->text);
}

/* What is inside a substitution of `outer`; its end. */
static const char *split(struct splitter *outer, const char *text)
{
	struct splitter s = { .literal = outer->literal,
			      .nested = true,
			      .level = outer->level + 1,
			      .base = outer->level + 1,
			      .substitutions = outer->substitutions,
			      .stop = outer->stop,
			      .fn = outer->fn,
			      .data = outer->data };
	const char *end = text + strlen(text);

	if (outer->error || outer->depth == 0 || *outer->substitutions >= MAX_SUBSTITUTIONS)
		return skip_parentheses(text, 1);
	++*outer->substitutions;
	s.depth = outer->depth - 1;
	s.error = begin(&s, text);
	if (!s.error)
		end = run(&s);
	outer->error = s.error;
	finish(&s);
	return end;
}

int shell_each_command(const char *text, unsigned int depth, bool literal, shell_command_fn fn,
		       void *data)
{
	unsigned int substitutions = 0;
	bool stop = false;
	struct splitter s = { .literal = literal,
			      .depth = depth,
			      .substitutions = &substitutions,
			      .stop = &stop,
			      .fn = fn,
			      .data = data };

	s.error = begin(&s, text);
	if (!s.error)
		run(&s);
	finish(&s);
	return s.error;
}

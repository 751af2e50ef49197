#include "policy/code.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

struct syntax {
	const char *comments[2]; /* up to the end of the line */
	bool block_comments;	 /* of C */
	bool commands;		 /* `…` runs one */
	bool patterns;		 /* /…/ may be one */
	bool words;		 /* q(…), qw{…}, %w[…] */
	bool sigils;		 /* $x is a name */
	bool dots_join;		 /* . joins strings, -> and :: are what a dot is elsewhere */
	bool dollars;		 /* "$x" and "${x}" put values into strings */
	bool hashes;		 /* "#{x}" does */
};

static const struct syntax syntaxes[CODE_LANGUAGES] = {
	[CODE_PYTHON] = { .comments = { "#" } },
	[CODE_JAVASCRIPT] = { .comments = { "//" }, .block_comments = true, .patterns = true },
	[CODE_PERL] = { .comments = { "#" },
			.commands = true,
			.patterns = true,
			.words = true,
			.sigils = true,
			.dots_join = true,
			.dollars = true },
	[CODE_RUBY] = { .comments = { "#" },
			.commands = true,
			.patterns = true,
			.words = true,
			.sigils = true,
			.hashes = true },
	[CODE_PHP] = { .comments = { "//", "#" },
		       .block_comments = true,
		       .commands = true,
		       .sigils = true,
		       .dots_join = true,
		       .dollars = true },
	[CODE_LUA] = { .comments = { "--" } },
	[CODE_R] = { .comments = { "#" } },
	[CODE_AWK] = { .comments = { "#" }, .patterns = true },
};

struct lexer {
	const struct syntax *syntax;
	struct code *code;
	const char *p;
	char *out; /* end of what is kept of the text */
	u32 *open; /* brackets */
	u32 depth;
	bool plain; /* the string in hand has no escapes */
};

static void push(struct lexer *l, enum code_token_kind kind, const char *text)
{
	struct code_token *t = &l->code->tokens[l->code->count];

	*t = (struct code_token) { kind, text, l->code->count, l->plain };
	l->code->count++;
}

static void put(struct lexer *l, char c)
{
	*l->out++ = c;
}

/* --- strings */

static char closing(char open)
{
	static const char pairs[] = "()[]{}<>";
	const char *at = strchr(pairs, open);

	return at && (at - pairs) % 2 == 0 ? at[1] : open;
}

static void put_escape(struct lexer *l)
{
	static const char known[] = "n\nt\tr\r0\1";
	char c = l->p[1];

	l->plain = false;
	l->p += c ? 2 : 1;
	for (const char *k = known; c && *k; k += 2)
		if (*k == c) {
			put(l, k[1]);
			return;
		}
	/* what stands for any byte is not read */
	if (c && c != '\n')
		put(l, strchr("xuU", c) ? CODE_UNKNOWN : c);
}

/* A value that is put into the string at l->p; false where there is none. */
static bool skip_value(struct lexer *l, bool template, bool formatted)
{
	const struct syntax *s = l->syntax;
	bool braced = (l->p[0] == '$' && l->p[1] == '{' && (template || s->dollars)) ||
		      (l->p[0] == '#' && l->p[1] == '{' && s->hashes) ||
		      (l->p[0] == '{' && formatted);

	if (braced) {
		l->p += strcspn(l->p, "}");
		l->p += *l->p == '}';
	} else if (s->dollars && (l->p[0] == '$' || l->p[0] == '@') &&
		   (isalpha((unsigned char)l->p[1]) || l->p[1] == '_')) {
		l->p++;
		while (isalnum((unsigned char)*l->p) || *l->p == '_')
			l->p++;
	} else {
		return false;
	}
	l->plain = false;
	put(l, CODE_UNKNOWN);
	return true;
}

/* Behind the opening quote, up to `close`; three of them where it is `tripled`. */
static void take_content(struct lexer *l, char open, char close, bool tripled, bool formatted)
{
	bool plain = close == '\'', template = open == '`';
	int depth = 1;

	l->plain = true;
	while (*l->p) {
		if (*l->p == close && (!tripled || (l->p[1] == close && l->p[2] == close)) &&
		    --depth == 0)
			break;
		depth += open != close && *l->p == open;
		if (*l->p == '\\' && l->p[1])
			put_escape(l);
		else if (plain && !formatted)
			put(l, *l->p++);
		else if (!skip_value(l, template, formatted))
			put(l, *l->p++);
	}
	for (int i = 0; i < (tripled ? 3 : 1) && *l->p; i++)
		l->p++;
}

static void take_string(struct lexer *l, bool formatted)
{
	char quote = *l->p;
	bool tripled = l->code->language == CODE_PYTHON && l->p[1] == quote && l->p[2] == quote;
	const char *start = l->out;

	l->p += tripled ? 3 : 1;
	take_content(l, quote, quote, tripled, formatted);
	put(l, '\0');
	push(l, quote == '`' && l->syntax->commands ? CODE_COMMAND : CODE_STRING, start);
}

/* --- what may be a pattern */

static const struct code_token *last(const struct lexer *l)
{
	return l->code->count ? &l->code->tokens[l->code->count - 1] : NULL;
}

/* Does a value end here, so that a / divides it? */
static bool ends_value(const struct code_token *t)
{
	return t && (t->kind == CODE_NAME || t->kind == CODE_STRING ||
		     (t->kind == CODE_MARK && strchr(")]}", *t->text)));
}

static void take_pattern(struct lexer *l, char close)
{
	while (*l->p && *l->p != close && *l->p != '\n')
		l->p += *l->p == '\\' && l->p[1] ? 2 : 1;
	l->p += *l->p == close;
}

/* q(…), qq{…}, qw[…], m/…/, s/…/…/, %w[…]: false where there is none. */
static bool take_words(struct lexer *l)
{
	static const char *const names[] = {
		"qq", "qw", "qx", "qr", "q", "tr", "m", "s", "y", "%w"
	};
	const struct code_token *before = last(l);

	if (before && before->kind == CODE_MARK && strchr(".$@", *before->text))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = strlen(names[i]);
		char open = strncmp(l->p, names[i], len) == 0 ? l->p[len] : 0;
		const char *start = l->out;
		bool letters = names[i][0] == 'q' || names[i][0] == '%';

		if (!open || !strchr(letters ? "({[</|!" : "{/|!#", open))
			continue;
		l->p += len + 1;
		if (!letters) {
			take_pattern(l, closing(open));
			if (strchr("sty", names[i][0]))
				take_pattern(l, closing(open));
			return true;
		}
		take_content(l, open, closing(open), false, false);
		put(l, '\0');
		push(l, names[i][1] == 'x' ? CODE_COMMAND : CODE_STRING, start);
		return true;
	}
	return false;
}

/* --- marks */

static void match_bracket(struct lexer *l, char c)
{
	u32 at = l->code->count - 1;

	if (strchr("([{", c)) {
		l->open[l->depth++] = at;
	} else if (strchr(")]}", c) && l->depth) {
		l->depth--;
		l->code->tokens[at].match = l->open[l->depth];
		l->code->tokens[l->open[l->depth]].match = at;
	}
}

static void push_mark(struct lexer *l, char c, size_t len)
{
	const char *start = l->out;

	put(l, c);
	put(l, '\0');
	push(l, CODE_MARK, start);
	l->p += len;
	match_bracket(l, c);
}

static void take_mark(struct lexer *l)
{
	static const struct {
		const char *text;
		char mark;
	} marks[] = {
		{ "===", '~' }, { "!==", '~' }, { "?->", '.' }, { "->", '.' }, { "::", '.' },
		{ "?.", '.' },	{ "=>", '>' },	{ "==", '~' },	{ "!=", '~' }, { "<=", '~' },
		{ ">=", '~' },	{ "=~", '~' },	{ "..", ',' },	{ "+=", '+' }, { ":=", '=' },
	};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (strncmp(l->p, marks[i].text, strlen(marks[i].text)) == 0) {
			push_mark(l, marks[i].mark, strlen(marks[i].text));
			return;
		}
	push_mark(l, *l->p == '.' && l->syntax->dots_join ? '+' : *l->p, 1);
}

/* --- names */

static bool starts_name(const struct lexer *l)
{
	unsigned char c = (unsigned char)l->p[0], after = (unsigned char)l->p[1];

	if (isalnum(c) || c == '_' || c >= 0x80)
		return true;
	if (c == '$' && !l->syntax->sigils)
		return l->code->language == CODE_JAVASCRIPT || isalnum(after) || after == '_';
	return l->syntax->sigils && (c == '$' || c == '@') && (isalnum(after) || after == '_');
}

static void take_name(struct lexer *l)
{
	const char *start = l->out;

	put(l, *l->p++);
	while (isalnum((unsigned char)*l->p) || *l->p == '_' || (unsigned char)*l->p >= 0x80)
		put(l, *l->p++);
	put(l, '\0');
	push(l, CODE_NAME, start);
}

/* r"…", b'…', f"…" of Python. */
static bool take_prefixed(struct lexer *l)
{
	size_t len = strspn(l->p, "rRbBfFuU");

	if (l->code->language != CODE_PYTHON || !len || len > 2 || !l->p[len] ||
	    !strchr("'\"", l->p[len]))
		return false;
	bool formatted = l->p[0] == 'f' || l->p[0] == 'F' || (l->p[1] | 32) == 'f';

	l->p += len;
	take_string(l, formatted);
	return true;
}

/* --- the text */

static bool skip_comment(struct lexer *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(l->syntax->comments); i++) {
		const char *begin = l->syntax->comments[i];

		if (begin && strncmp(l->p, begin, strlen(begin)) == 0) {
			l->p += strcspn(l->p, "\n");
			return true;
		}
	}
	if (l->syntax->block_comments && strncmp(l->p, "/*", 2) == 0) {
		const char *end = strstr(l->p + 2, "*/");

		l->p = end ? end + 2 : l->p + strlen(l->p);
		return true;
	}
	return false;
}

/* </srv/x*> of Perl: the files that it matches. */
static bool take_files(struct lexer *l)
{
	size_t len = strcspn(l->p + 1, " \t\n;=<>");
	const char *start = l->out;

	if (l->code->language != CODE_PERL || *l->p != '<' || l->p[1 + len] != '>' ||
	    !memchr(l->p + 1, '*', len))
		return false;
	l->plain = false;
	memcpy(l->out, l->p + 1, len);
	l->out += len;
	put(l, '\0');
	push(l, CODE_STRING, start);
	l->p += len + 2;
	return true;
}

static void step(struct lexer *l)
{
	char c = *l->p;

	if (c == '\n') {
		if (!l->depth || *l->code->tokens[l->open[l->depth - 1]].text == '{')
			push(l, CODE_NEWLINE, "");
		l->p++;
	} else if (isspace((unsigned char)c)) {
		l->p++;
	} else if (skip_comment(l)) {
		return;
	} else if (strchr("'\"`", c)) {
		take_string(l, false);
	} else if (c == '/' && l->syntax->patterns && !ends_value(last(l))) {
		l->p++;
		take_pattern(l, '/');
		push(l, CODE_MARK, "~");
	} else if (take_prefixed(l) || (l->syntax->words && take_words(l)) || take_files(l)) {
		return;
	} else if (starts_name(l)) {
		take_name(l);
	} else {
		take_mark(l);
	}
}

int code_read(enum code_language language, const char *text, struct code *ret)
{
	size_t len = strlen(text);
	_cleanup_free_ u32 *open = malloc((len + 1) * sizeof(*open));
	struct code c = { .language = language };
	struct lexer l = { .syntax = &syntaxes[language], .code = &c, .p = text, .open = open };

	/* each token takes a byte at least, and a NUL behind what is kept of it */
	c.tokens = malloc((len + 2) * sizeof(*c.tokens));
	l.out = c.text = malloc(2 * len + 2);
	if (!open || !c.tokens || !c.text) {
		code_free(&c);
		return -ENOMEM;
	}
	while (*l.p)
		step(&l);
	push(&l, CODE_END, "");
	*ret = c;
	return 0;
}

void code_free(struct code *c)
{
	free(c->tokens);
	free(c->text);
}

/* The calls in code of Python, JavaScript, Perl, Ruby, PHP and a few more languages, as far as a
 * lexer without a grammar tells them: what stands in a string, in a comment or in another name is
 * no call. */
#ifndef POLICY_CODE_H
#define POLICY_CODE_H

#include "backstop/types.h"
#include "base/util.h"

enum code_language {
	CODE_PYTHON,
	CODE_JAVASCRIPT,
	CODE_PERL,
	CODE_RUBY,
	CODE_PHP,
	CODE_LUA,
	CODE_R,
	CODE_AWK,
	CODE_LANGUAGES
};

/* --- tokens */

enum code_token_kind {
	CODE_NAME,    /* with the sigil of a variable: $x, @x */
	CODE_STRING,  /* its content: CODE_UNKNOWN stands for what is put into it when it runs */
	CODE_COMMAND, /* `…` where that runs a command: its content */
	CODE_MARK,    /* one byte; -> :: ?. are a dot, => is >, == and its like are ~ */
	CODE_NEWLINE,
	CODE_END
};

#define CODE_UNKNOWN '$'

struct code_token {
	enum code_token_kind kind;
	const char *text; /* ended by NUL; of a mark: the byte */
	u32 match;	  /* of a bracket: its partner; else, and where there is none, itself */
	bool plain;	  /* a string that stands in the code as it is */
};

struct code {
	enum code_language language;
	struct code_token *tokens; /* CODE_END is the last */
	u32 count;
	char *text;
};

/* 0 or -ENOMEM. Any text is fine. */
int code_read(enum code_language language, const char *text, struct code *ret);
void code_free(struct code *c);

/* --- calls */

#define CODE_MAX_VALUES 32
#define CODE_NAME_MAX	256

/* What the arguments of a call may be, as far as it is known. */
struct code_values {
	char *all[CODE_MAX_VALUES]; /* owned */
	u32 count;
	bool unknown; /* there is more that nobody knows */
};
void code_values_clear(struct code_values *v);

struct code_call {
	char name[CODE_NAME_MAX];  /* module.function, aliases resolved */
	struct code_values values; /* of its arguments; without any: of what it is a method of */
	struct code_values named;  /* "key=value" of named ones and of objects */
	bool empty;		   /* it has no argument, or {} */
	bool doubtful;		   /* there is too much code to know what it does */
};

/* Calls `fn` for each until it returns true; then that is returned. */
typedef bool (*code_call_fn)(void *data, const struct code_call *call);
bool code_each_call(const struct code *c, code_call_fn fn, void *data);

#endif

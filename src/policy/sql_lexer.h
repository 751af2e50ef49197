/* The tokens of SQL, as its dialects write them. */
#ifndef POLICY_SQL_LEXER_H
#define POLICY_SQL_LEXER_H

#include <stdbool.h>
#include <stddef.h>

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_NUMBER,
	TOKEN_STRING, /* its text is without the quotes */
	TOKEN_NAME,   /* a quoted identifier */
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_SEMICOLON,
	TOKEN_OTHER,
};

struct token {
	enum token_kind kind;
	const char *s;
	size_t len;
};

enum sql_server { SERVER_ANY, SERVER_MYSQL, SERVER_MARIADB };

struct lexer {
	const char *p, *end;
	bool mysql;	 /* its reading: backslashes escape in strings, # begins a comment */
	bool dashes;	 /* -- begins a comment only where a blank follows */
	bool mssql;	 /* its reading: [names], GO, and nothing must end a statement */
	bool dots;	 /* between statements a line that begins with one is the client's */
	bool wide;	 /* a byte of GBK and its like takes the next one, were it a backslash */
	bool any_number; /* each number stands for any: what may be destructive is */
	bool executable; /* inside of MySQL's comment that is code */
	bool open;	 /* a quote or comment was not closed */
	bool line_start;
	bool within; /* a statement */
	enum sql_server server;
	unsigned int version; /* the server's: what comments of no later one hold is code */
};

struct token sql_next(struct lexer *l);

/* The versions that comments begin with, each once, 1 for none: how many, at most one more than
 * there is room for. */
size_t sql_versions(const struct lexer *l, unsigned int *ret, size_t room);

bool sql_is_word(const struct token *t, const char *word);
bool sql_is_one_of(const struct token *t, const char *const *words, size_t count);

/* Where a statement begins though nothing ended the one before it; there are exceptions. */
bool sql_is_verb(const struct lexer *l, const struct token *t);

/* The marks of one operator come one by one. */
bool sql_is_operator(const struct token *t, const char *op);

#endif

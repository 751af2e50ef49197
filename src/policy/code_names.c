#include "policy/code_reader.h"

#include <stdio.h>
#include <string.h>

#include "policy/grammar.h"

bool code_is_mark(const struct code *c, u32 i, char mark)
{
	return i < c->count && c->tokens[i].kind == CODE_MARK && *c->tokens[i].text == mark;
}

bool code_is_name(const struct code *c, u32 i, const char *name)
{
	return i < c->count && c->tokens[i].kind == CODE_NAME &&
	       strcmp(c->tokens[i].text, name) == 0;
}

#define MAX_EXPRESSION 512 /* tokens that are looked at, brackets as one: time stays linear */
#define MAX_CHAIN      64  /* names */

static bool is_any_name(const struct code *c, u32 i)
{
	return i < c->count && c->tokens[i].kind == CODE_NAME;
}

/* --- chains */

/* The token before the group or name at `i` that still belongs to it; `i` itself where none does.
 */
static u32 step_back(const struct code *c, u32 i)
{
	u32 at = i;

	for (u32 count = 0;
	     count < MAX_CHAIN && at && (code_is_mark(c, at, ')') || code_is_mark(c, at, ']')) &&
	     c->tokens[at].match < at;
	     count++) {
		at = c->tokens[at].match;
		if (!at || !(c->tokens[at - 1].kind == CODE_NAME || code_is_mark(c, at - 1, ')') ||
			     code_is_mark(c, at - 1, ']')))
			return at;
		at--;
	}
	return at;
}

u32 code_chain_start(const struct code *c, u32 i)
{
	u32 at = step_back(c, i), count = 0;

	while (at >= 2 && ++count < MAX_CHAIN && code_is_mark(c, at - 1, '.') &&
	       (c->tokens[at - 2].kind == CODE_NAME || c->tokens[at - 2].kind == CODE_STRING ||
		code_is_mark(c, at - 2, ')') || code_is_mark(c, at - 2, ']')))
		at = step_back(c, at - 2);
	return at;
}

static const char *find_alias(const struct code_reader *r, const char *name)
{
	for (u32 i = r->aliases_count; i; i--)
		if (strcmp(r->aliases[i - 1].name, name) == 0)
			return r->aliases[i - 1].target;
	return NULL;
}

static void append(char name[CODE_NAME_MAX], const char *more)
{
	size_t len = strlen(name);

	if (strncmp(more, "node:", 5) == 0)
		more += 5;
	snprintf(name + len, CODE_NAME_MAX - len, "%s%s", len ? "." : "", more);
	for (char *p = name + len; *p; p++)
		*p = *p == '/' ? '.' : *p;
}

/* The string in the brackets at `open`: of require("fs"), of x["y"]. */
static const char *only_string(const struct code *c, u32 open)
{
	return open + 2 < c->count && c->tokens[open + 1].kind == CODE_STRING &&
			       c->tokens[open + 1].plain && c->tokens[open].match == open + 2
		       ? c->tokens[open + 1].text
		       : NULL;
}

void code_chain_name(const struct code_reader *r, u32 start, u32 end, char ret[CODE_NAME_MAX])
{
	static const char loaders[] = "require import __import__ import_module";
	const struct code *c = r->code;

	ret[0] = '\0';
	for (u32 i = start; i <= end && strlen(ret) + 1 < CODE_NAME_MAX; i++) {
		const struct code_token *t = &c->tokens[i];
		const char *text = t->text, *alias;

		if (t->kind == CODE_NAME && code_is_mark(c, i + 1, '(') && only_string(c, i + 1) &&
		    grammar_lists(loaders, text, strlen(text)))
			text = only_string(c, i + 1);
		else if (t->kind == CODE_NAME && !*ret && (alias = find_alias(r, text)))
			text = alias;
		else if (code_is_mark(c, i, '[') && only_string(c, i))
			text = only_string(c, i);
		else if (t->kind != CODE_NAME &&
			 (t->kind != CODE_STRING || start != end || !t->plain))
			text = NULL;
		if (text)
			append(ret, text);
		if (t->kind == CODE_MARK && t->match > i)
			i = t->match;
	}
}

u32 code_expression_end(const struct code *c, u32 from, u32 to)
{
	u32 i = from;

	for (u32 count = 0; i < to && count < MAX_EXPRESSION; i++, count++) {
		const struct code_token *t = &c->tokens[i];

		if (t->kind == CODE_NEWLINE || t->kind == CODE_END)
			break;
		if (t->kind == CODE_MARK && strchr(",;)]}", *t->text))
			break;
		if (t->kind == CODE_MARK && t->match > i)
			i = t->match;
	}
	return MIN(i, to);
}

/* --- where names get their values */

static void bind(struct code_reader *r, const char *name, u32 from, u32 to)
{
	if (r->variables_count < CODE_MAX_VARIABLES && from < to) {
		r->variables[r->variables_count].name = name;
		r->variables[r->variables_count].from = from;
		r->variables[r->variables_count++].to = to;
	}
}

static void alias(struct code_reader *r, const char *name, const char *target)
{
	if (r->aliases_count < CODE_MAX_ALIASES && *target && strcmp(name, target) != 0) {
		r->aliases[r->aliases_count].name = name;
		snprintf(r->aliases[r->aliases_count++].target, CODE_NAME_MAX, "%s", target);
	}
}

/* NAME [as|: OTHER], …, which are `module`'s; up to what is none of it. */
static void alias_members(struct code_reader *r, u32 i, const char *module)
{
	const struct code *c = r->code;

	for (u32 count = 0; is_any_name(c, i) && count < CODE_MAX_ALIASES; count++) {
		u32 named = i;
		char target[CODE_NAME_MAX];

		snprintf(target, sizeof(target), "%s", module);
		append(target, c->tokens[i].text);
		if ((code_is_name(c, i + 1, "as") || code_is_mark(c, i + 1, ':')) &&
		    is_any_name(c, i + 2))
			named = i += 2;
		alias(r, c->tokens[named].text, target);
		i += 1 + code_is_mark(c, i + 1, ',');
		i += code_is_mark(c, i, ',');
	}
}

/* import a.b as c, d as e */
static void read_import(struct code_reader *r, u32 i)
{
	const struct code *c = r->code;

	for (i++; is_any_name(c, i); i++) {
		char target[CODE_NAME_MAX];
		u32 start = i;

		while (code_is_mark(c, i + 1, '.') && is_any_name(c, i + 2))
			i += 2;
		code_chain_name(r, start, i, target);
		if (code_is_name(c, i + 1, "as") && is_any_name(c, i + 2)) {
			i += 2;
			alias(r, c->tokens[i].text, target);
		}
		if (!code_is_mark(c, ++i, ','))
			break;
	}
}

/* from a.b import c as d, e */
static void read_from(struct code_reader *r, u32 i)
{
	const struct code *c = r->code;
	char module[CODE_NAME_MAX];
	u32 start = i + 1;

	while (i < c->count && !code_is_name(c, i, "import") &&
	       (is_any_name(c, i) || code_is_mark(c, i, '.')))
		i++;
	if (!code_is_name(c, i, "import") || i == start)
		return;
	code_chain_name(r, start, i - 1, module);
	i++;
	alias_members(r, i + code_is_mark(c, i, '('), module);
}

/* import NAME, * as NAME, {NAME as OTHER} from "module" */
static void read_module(struct code_reader *r, u32 i)
{
	const struct code *c = r->code;
	char module[CODE_NAME_MAX] = "";
	u32 end = i;

	while (end + 1 < c->count && end < i + MAX_EXPRESSION &&
	       c->tokens[end].kind != CODE_NEWLINE && !code_is_mark(c, end, ';') &&
	       c->tokens[end].kind != CODE_STRING)
		end++;
	if (c->tokens[end].kind != CODE_STRING || !code_is_name(c, end - 1, "from"))
		return;
	if (c->tokens[end].plain)
		append(module, c->tokens[end].text);
	for (i++; i < end; i++) {
		if (code_is_mark(c, i, '{')) {
			alias_members(r, i + 1, module);
			i = MAX(i, c->tokens[i].match);
		} else if (is_any_name(c, i) && !code_is_name(c, i, "as") &&
			   !code_is_name(c, i, "from")) {
			alias(r, c->tokens[i].text, module);
		}
	}
}

/* NAME = EXPRESSION, {NAME: OTHER} = EXPRESSION */
static void read_assignment(struct code_reader *r, u32 i)
{
	static const char words[] = "await new my our local const let var";
	const struct code *c = r->code;
	u32 from = i + 1, end = code_expression_end(c, from, c->count), start;
	char name[CODE_NAME_MAX];

	while (is_any_name(c, from) &&
	       grammar_lists(words, c->tokens[from].text, strlen(c->tokens[from].text)))
		from++;
	if (from >= end || !i)
		return;
	start = code_chain_start(c, end - 1);
	name[0] = '\0';
	if (start == from)
		code_chain_name(r, start, end - 1, name);
	if (is_any_name(c, i - 1)) {
		bind(r, c->tokens[i - 1].text, from, end);
		alias(r, c->tokens[i - 1].text, name);
	} else if (code_is_mark(c, i - 1, '}') && *name) {
		alias_members(r, c->tokens[i - 1].match + 1, name);
	}
}

/* for NAME in EXPRESSION, for (const NAME of EXPRESSION), for my NAME (EXPRESSION) */
static void read_loop(struct code_reader *r, u32 i)
{
	static const char words[] = "my our const let var";
	const struct code *c = r->code;
	bool list = code_is_mark(c, i + 1, '(');
	u32 at = i + 1 + list, end;

	while (is_any_name(c, at) &&
	       grammar_lists(words, c->tokens[at].text, strlen(c->tokens[at].text)))
		at++;
	if (is_any_name(c, at) &&
	    (code_is_name(c, at + 1, "in") || code_is_name(c, at + 1, "of"))) {
		end = code_expression_end(c, at + 2, c->count);
		for (u32 k = at + 2; k < end; k++)
			if (code_is_mark(c, k, ':') || code_is_name(c, k, "if") ||
			    code_is_name(c, k, "do"))
				end = k;
		bind(r, c->tokens[at].text, at + 2, end);
	} else if (is_any_name(c, at) && code_is_mark(c, at + 1, '(')) {
		bind(r, c->tokens[at].text, at + 2, c->tokens[at + 1].match);
	} else {
		bind(r, "$_", at,
		     list ? c->tokens[i + 1].match : code_expression_end(c, at, c->count));
	}
}

/* foreach (EXPRESSION as NAME), with EXPRESSION as NAME: `i` is at the as. */
static void read_as(struct code_reader *r, u32 i)
{
	const struct code *c = r->code;
	char name[CODE_NAME_MAX];
	u32 start = i ? code_chain_start(c, i - 1) : 0;

	if (start >= i || !is_any_name(c, i + 1))
		return;
	bind(r, c->tokens[i + 1].text, start, i);
	code_chain_name(r, start, i - 1, name);
	if (!find_alias(r, c->tokens[i + 1].text)) /* an import has told it */
		alias(r, c->tokens[i + 1].text, name);
}

/* RECEIVER.each(NAME => …), RECEIVER.each { |NAME| … }: `i` is at NAME, `open` the bracket. */
static void read_parameter(struct code_reader *r, u32 i, u32 open)
{
	const struct code *c = r->code;
	u32 start;

	if (!open)
		return;
	start = code_chain_start(c, open - 1);
	bind(r, c->tokens[i].text, start, open);
}

static void read_parameters(struct code_reader *r, u32 i)
{
	const struct code *c = r->code;
	u32 open = i ? i - 1 : 0;

	if (code_is_mark(c, i + 1, '>') || code_is_mark(c, i + 1, ')')) {
		open -= open && code_is_mark(c, open, '(') && code_is_mark(c, open - 1, '(');
		open -= open && code_is_name(c, open - 1, "function") ? 2 : 0;
		if (code_is_mark(c, open, '(') && open && is_any_name(c, open - 1) &&
		    open + 1 < i + 2 && (code_is_mark(c, i + 1, '>') || open + 1 < i))
			read_parameter(r, i, open);
	} else if (code_is_mark(c, i + 1, '|') && i >= 2 && code_is_mark(c, i - 1, '|') &&
		   (code_is_mark(c, i - 2, '{') || code_is_name(c, i - 2, "do"))) {
		read_parameter(r, i, i - 2);
	}
}

static void read_name(struct code_reader *r, u32 i)
{
	const struct code *c = r->code;
	bool python = c->language == CODE_PYTHON;

	bool member = i && (c->tokens[i - 1].kind == CODE_NAME || code_is_mark(c, i - 1, '.'));

	if (code_is_name(c, i, "import") && python && !member)
		read_import(r, i);
	else if (code_is_name(c, i, "from") && python)
		read_from(r, i);
	else if (code_is_name(c, i, "import") && c->language == CODE_JAVASCRIPT)
		read_module(r, i);
	else if (code_is_name(c, i, "for") || code_is_name(c, i, "foreach"))
		read_loop(r, i);
	else if (code_is_name(c, i, "as"))
		read_as(r, i);
	else
		read_parameters(r, i);
}

void code_read_names(struct code_reader *r)
{
	const struct code *c = r->code;

	for (u32 i = 0; i + 1 < c->count; i++) {
		if (c->tokens[i].kind == CODE_NAME)
			read_name(r, i);
		else if (code_is_mark(c, i, '='))
			read_assignment(r, i);
	}
}

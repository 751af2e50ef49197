#include "policy/code_reader.h"

#include <ctype.h>
#include <string.h>

#include "base/strbuf.h"
#include "policy/grammar.h"

void code_values_clear(struct code_values *v)
{
	for (u32 i = 0; i < v->count; i++)
		free(v->all[i]);
	v->count = 0;
	v->unknown = false;
}

static void add(struct code_values *v, const char *text)
{
	char *copy = v->count < CODE_MAX_VALUES ? strdup(text) : NULL;

	if (copy)
		v->all[v->count++] = copy;
	else
		v->unknown = true;
}

static void add_all(struct code_values *v, const struct code_values *more)
{
	for (u32 i = 0; i < more->count; i++)
		add(v, more->all[i]);
	v->unknown |= more->unknown;
}

/* --- what functions yield */

static bool is_listed(const char *list, const char *name)
{
	return grammar_lists(list, name, strlen(name));
}

/* The last name of a dotted one. */
static const char *last_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

/* Their arguments, one behind the other. */
static const char joining[] = "join resolve Path PurePath PosixPath Pathname File abspath normpath "
			      "realpath expand_path glob iglob rglob joinpath";
/* Their arguments, or what they are methods of. */
static const char passing[] =
	"listdir scandir walk readdirSync readdir globSync sync iterdir children each entries list "
	"sorted reversed open decode encode replace strip trim toString to_s filter map grep split "
	"str String expanduser expandvars as_posix resolve find forEach array_map scandir "
	"each_child list.files from text sql raw";
static const char passing_through[] = "format upper lower rstrip chomp";
static const char temporary[] = "mkdtemp mkdtempSync mkstemp TemporaryDirectory gettempdir tmpdir "
				"mktmpdir NamedTemporaryFile sys_get_temp_dir tempnam tempdir "
				"tempfile Tempfile tmpfile mktemp";
static const char homes[] = "homedir home HOME";

static void join(const struct code_values *of, const struct code_values *args,
		 struct code_values *ret)
{
	_cleanup_strbuf_ struct strbuf path = STRBUF_INIT;

	for (u32 i = 0; i < of->count && i < 1; i++)
		strbuf_adds(&path, of->all[i]);
	for (u32 i = 0; i < args->count; i++) {
		bool slash = path.len && path.data[path.len - 1] == '/';

		strbuf_addf(&path, "%s%s", path.len && !slash ? "/" : "", args->all[i]);
	}
	if (path.len)
		add(ret, strbuf_str(&path));
	else
		ret->unknown = true;
}

/* --- expressions */

static void evaluate_list(struct code_reader *r, u32 from, u32 to, u32 depth,
			  struct code_values *ret);

/* The arguments of a call, each one value: what is not known is CODE_UNKNOWN. */
static void evaluate_parts(struct code_reader *r, u32 from, u32 to, u32 depth,
			   struct code_values *ret)
{
	static const char unknown[] = { CODE_UNKNOWN, '\0' };

	for (u32 i = from; i < to;) {
		_cleanup_(code_values_clear) struct code_values part = { .count = 0 };
		u32 end = code_expression_end(r->code, i, to);

		evaluate_list(r, i, end, depth, &part);
		if (i < end)
			add(ret, part.count ? part.all[0] : unknown);
		i = end + 1;
	}
}

/* What the call of `name` yields, which is a method of what stands from `start` to `of`. */
static void evaluate_call(struct code_reader *r, const char *name, u32 start, u32 of, u32 open,
			  u32 depth, struct code_values *ret)
{
	_cleanup_(code_values_clear) struct code_values args = { .count = 0 }, receiver = { 0 };
	const char *last = last_name(name);
	u32 close = r->code->tokens[open].match;

	if (is_listed(temporary, last)) {
		add(ret, "/tmp/x");
		return;
	}
	if (is_listed(homes, last)) {
		add(ret, "~");
		return;
	}
	if (of > start)
		code_evaluate(r, start, of, depth + 1, &receiver);
	if (is_listed(joining, last)) {
		evaluate_parts(r, open + 1, close, depth + 1, &args);
		join(&receiver, &args, ret);
	} else if (is_listed(passing, last) || is_listed(passing_through, last)) {
		code_evaluate(r, open + 1, close, depth + 1, &args);
		add_all(ret, args.count ? &args : &receiver);
	} else {
		ret->unknown = true;
	}
}

static bool find_variable(struct code_reader *r, const char *name, u32 before, u32 depth,
			  struct code_values *ret)
{
	bool found = false;

	for (u32 i = 0; i < r->variables_count; i++) {
		u32 from = r->variables[i].from, to = r->variables[i].to;

		/* not in its own expression */
		if (strcmp(r->variables[i].name, name) != 0 || (from <= before && before < to))
			continue;
		found = true;
		code_evaluate(r, from, to, depth + 1, ret);
	}
	return found;
}

/* The end of the chain of names, calls and indices at `i`. */
static u32 chain_end(const struct code *c, u32 i, u32 to)
{
	for (i++; i < to;) {
		if ((code_is_mark(c, i, '(') || code_is_mark(c, i, '[')) && c->tokens[i].match > i)
			i = c->tokens[i].match + 1;
		else if (code_is_mark(c, i, '.') && i + 1 < to &&
			 c->tokens[i + 1].kind == CODE_NAME)
			i += 2;
		else
			break;
	}
	return MIN(i, to);
}

static bool is_number(const char *text)
{
	return isdigit((unsigned char)*text);
}

/* Names that are values, and tell nothing. */
static bool is_constant(const char *text)
{
	return is_listed("true false True False None null nil undef NULL TRUE FALSE", text);
}

static void evaluate_chain(struct code_reader *r, u32 from, u32 end, u32 depth,
			   struct code_values *ret)
{
	const struct code *c = r->code;
	u32 open = end - 1 > from ? c->tokens[end - 1].match : end;
	char name[CODE_NAME_MAX];

	code_chain_name(r, from, end - 1, name);
	if (is_listed(homes, last_name(name))) {
		add(ret, "~");
	} else if (open < end - 1 && code_is_mark(c, open, '(') && open) {
		u32 of = open >= from + 2 ? open - 2 : from;

		code_chain_name(r, from, open - 1, name);
		evaluate_call(r, name, from, of, open, depth, ret);
	} else if (open < end - 1 && code_is_mark(c, open, '[') && code_is_name(c, from, "Dir")) {
		code_evaluate(r, open + 1, end - 1, depth + 1, ret);
	} else if (end > from + 2 && code_is_mark(c, end - 2, '.') &&
		   is_listed(passing, last_name(name))) {
		code_evaluate(r, from, end - 2, depth + 1, ret);
	} else if (end == from + 1 && is_number(c->tokens[from].text)) {
		add(ret, c->tokens[from].text);
	} else if (end == from + 1 && is_constant(c->tokens[from].text)) {
		return;
	} else if (!find_variable(r, c->tokens[from].text, from, depth, ret)) {
		ret->unknown = true;
	}
}

/* The term at `i`; the index behind it. */
static u32 evaluate_term(struct code_reader *r, u32 i, u32 to, u32 depth, struct code_values *ret)
{
	const struct code *c = r->code;
	const struct code_token *t = &c->tokens[i];
	u32 end = chain_end(c, i, to);

	if (t->kind == CODE_NAME && end == i + 1 && end < to &&
	    (c->tokens[end].kind == CODE_STRING || c->tokens[end].kind == CODE_NAME) &&
	    (is_listed(joining, t->text) || is_listed(passing, t->text)))
		return end; /* glob "x" */
	if (t->kind == CODE_NAME) {
		evaluate_chain(r, i, end, depth, ret);
	} else if (t->kind == CODE_STRING && (end == i + 1 || !code_is_name(c, i + 2, "join"))) {
		add(ret, t->text);
	} else if (t->kind == CODE_MARK && strchr("([", *t->text) && t->match > i) {
		code_evaluate(r, i + 1, MIN(t->match, to), depth + 1, ret);
		end = chain_end(c, t->match, to);
	} else if (t->kind == CODE_MARK && *t->text == '{' && t->match > i) {
		end = t->match + 1;
	} else if (t->kind == CODE_MARK && *t->text == '-' && i + 1 < to &&
		   is_number(c->tokens[i + 1].text)) {
		add(ret, "-");
	} else if (t->kind != CODE_MARK) {
		ret->unknown = true;
	}
	return MAX(end, i + 1);
}

/* What stands side by side, or is joined by a +, is one text; a name of a loop or a condition ends
 * it. */
static void evaluate_list(struct code_reader *r, u32 from, u32 to, u32 depth,
			  struct code_values *ret)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_(code_values_clear) struct code_values term = { .count = 0 };
	bool known = false, several = false;

	for (u32 i = from; i < to && ++r->steps < CODE_MAX_STEPS;) {
		const struct code_token *t = &r->code->tokens[i];

		if (i > from && t->kind == CODE_NAME &&
		    is_listed("for if unless while else or and", t->text))
			break;
		code_values_clear(&term);
		i = evaluate_term(r, i, to, depth, &term);
		if (i >= to && !text.len && !several) {
			add_all(ret, &term);
			return;
		}
		known |= term.count > 0;
		several |= term.count > 0 || term.unknown;
		if (term.count)
			strbuf_adds(&text, term.all[0]);
		else if (term.unknown)
			strbuf_addc(&text, CODE_UNKNOWN);
	}
	if (known)
		add(ret, strbuf_str(&text));
	else
		ret->unknown |= several;
}

/* The index of the value behind key= or key: at `i`; `i` itself where there is none. */
static u32 skip_key(const struct code *c, u32 i, u32 end)
{
	bool key =
		i + 1 < end && (c->tokens[i].kind == CODE_NAME || c->tokens[i].kind == CODE_STRING);

	if (key && (code_is_mark(c, i + 1, '=') || code_is_mark(c, i + 1, ':') ||
		    (code_is_mark(c, i + 1, '>') && c->language != CODE_JAVASCRIPT)))
		return i + 2;
	return i;
}

void code_evaluate(struct code_reader *r, u32 from, u32 to, u32 depth, struct code_values *ret)
{
	if (depth > CODE_MAX_DEPTH || r->steps >= CODE_MAX_STEPS) {
		ret->unknown = true;
		return;
	}
	for (u32 i = from; i < to;) {
		u32 end = code_expression_end(r->code, i, to);

		r->steps++;
		if (skip_key(r->code, i, end) == i)
			evaluate_list(r, i, end, depth, ret);
		i = end + 1;
	}
}

static void add_named(struct code_reader *r, u32 key, u32 value, u32 end, u32 depth,
		      struct code_values *ret)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_(code_values_clear) struct code_values known = { .count = 0 };
	const struct code *c = r->code;

	if (code_is_mark(c, value, '{') && c->tokens[value].match > value)
		code_evaluate_named(r, value + 1, c->tokens[value].match, depth + 1, ret);
	code_evaluate(r, value, end, depth + 1, &known);
	strbuf_addf(&text, "%s=%s", c->tokens[key].text,
		    known.count					? known.all[0]
		    : end == value + 1 && c->tokens[value].text ? c->tokens[value].text
								: "");
	add(ret, strbuf_str(&text));
}

void code_evaluate_named(struct code_reader *r, u32 from, u32 to, u32 depth,
			 struct code_values *ret)
{
	const struct code *c = r->code;

	for (u32 i = from; i < to && depth < CODE_MAX_DEPTH && r->steps < CODE_MAX_STEPS;) {
		u32 end = code_expression_end(c, i, to), value = skip_key(c, i, end);

		r->steps++;
		if (value > i)
			add_named(r, i, value, end, depth, ret);
		else if (code_is_mark(c, i, '{') && c->tokens[i].match > i)
			code_evaluate_named(r, i + 1, MIN(c->tokens[i].match, to), depth + 1, ret);
		i = end + 1;
	}
}

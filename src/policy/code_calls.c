#include <ctype.h>
#include <string.h>

#include "policy/code_reader.h"
#include "policy/grammar.h"

struct caller {
	struct code_reader *reader;
	code_call_fn fn;
	void *data;
};

static bool is_listed(const char *list, const char *name)
{
	return grammar_lists(list, name, strlen(name));
}

/* Does this language call without brackets? */
static bool calls_by_word(const struct code *c)
{
	return c->language == CODE_PERL || c->language == CODE_RUBY || c->language == CODE_PHP ||
	       c->language == CODE_LUA || c->language == CODE_AWK;
}

/* Is the name at `i` made here, a key, or a word of the language, and no call? */
static bool is_no_call(const struct code *c, u32 i)
{
	static const char makers[] = "def sub function func class fn import use require package";

	if (i && c->tokens[i - 1].kind == CODE_NAME && is_listed(makers, c->tokens[i - 1].text))
		return true;
	if (code_is_mark(c, i + 1, '>') || code_is_mark(c, i + 1, '=') ||
	    code_is_mark(c, i + 1, '.'))
		return true;
	return (i && code_is_mark(c, i - 1, ':')) || isdigit((unsigned char)c->tokens[i].text[0]) ||
	       (c->language != CODE_JAVASCRIPT && strchr("$@", c->tokens[i].text[0]));
}

/* The end of arguments without brackets. */
static u32 words_end(const struct code *c, u32 from)
{
	u32 i = from;

	for (; i < from + 64 && i + 1 < c->count; i++) {
		const struct code_token *t = &c->tokens[i];

		if (t->kind == CODE_NEWLINE ||
		    (t->kind == CODE_MARK && strchr(";)]}.~|&?", *t->text)) ||
		    (t->kind == CODE_MARK && *t->text == '{' && i == from) ||
		    (t->kind == CODE_NAME &&
		     is_listed("if unless for foreach while until do or and", t->text)))
			break;
		if (t->kind == CODE_MARK && t->match > i)
			i = t->match;
	}
	return i;
}

static bool is_empty(const struct code *c, u32 from, u32 to)
{
	return from >= to ||
	       (code_is_mark(c, from, '{') && c->tokens[from].match == from + 1 && from + 2 >= to);
}

/* Without arguments it works on what it is a method of. */
static void read_arguments(struct code_reader *r, u32 start, u32 end, u32 from, u32 to,
			   struct code_call *ret)
{
	code_evaluate(r, from, to, 0, &ret->values);
	code_evaluate_named(r, from, to, 0, &ret->named);
	if (from >= to && end >= start + 2)
		code_evaluate(r, start, end - 1, 0, &ret->values);
	else if (from >= to)
		ret->values.unknown = true;
}

/* Tells the call of the chain from `start` to `end` with the arguments from `from` to `to`. */
static bool tell(struct caller *c, u32 start, u32 end, u32 from, u32 to)
{
	struct code_reader *r = c->reader;
	struct code_call call = { .empty = is_empty(r->code, from, to) };
	bool done;

	r->steps = 0;
	code_chain_name(r, start, end, call.name);
	call.doubtful = r->all_steps > CODE_MAX_ALL_STEPS ||
			r->variables_count == CODE_MAX_VARIABLES ||
			r->aliases_count == CODE_MAX_ALIASES;
	if (!call.doubtful)
		read_arguments(r, start, end, from, to, &call);
	r->all_steps += 1 + r->steps;
	done = c->fn(c->data, &call);
	code_values_clear(&call.values);
	code_values_clear(&call.named);
	return done;
}

/* map(os.remove, LIST), array_map("unlink", LIST), LIST.forEach(fs.unlinkSync): a function that is
 * given to another is called with what that has. */
static bool tell_given(struct caller *c, u32 start, u32 end, u32 from, u32 to)
{
	static const char appliers[] =
		"map array_map array_walk forEach each filter apply lapply "
		"sapply Thread Process submit run_in_executor call_user_func";
	const struct code *code = c->reader->code;
	u32 first = code_expression_end(code, from, to), receiver = end >= start + 2 ? start : from;

	if (!is_listed(appliers, code->tokens[end].text) || first == from)
		return false;
	/* a name, or one in a string */
	if ((code->tokens[from].kind != CODE_NAME || code->tokens[first - 1].kind != CODE_NAME ||
	     code_chain_start(code, first - 1) != from) &&
	    (code->tokens[from].kind != CODE_STRING || first != from + 1))
		return false;
	if (first < to)
		return tell(c, from, first - 1, first + 1, to);
	return receiver < from && tell(c, from, first - 1, start, end - 1);
}

static bool tell_name(struct caller *c, u32 i)
{
	const struct code *code = c->reader->code;
	bool brackets = code_is_mark(code, i + 1, '(');
	bool text = i + 1 < code->count && code->tokens[i + 1].kind == CODE_STRING;
	u32 start, from = i + 1 + brackets, to;

	if (is_no_call(code, i) || !(brackets || text || calls_by_word(code)))
		return false;
	start = code_chain_start(code, i);
	to = brackets ? code->tokens[i + 1].match : words_end(code, from);
	if (brackets && to == i + 1) /* it is left open */
		to = code_expression_end(code, from, code->count);
	return tell(c, start, i, from, to) || tell_given(c, start, i, from, to);
}

/* x["name"](…) */
static bool tell_index(struct caller *c, u32 i)
{
	const struct code *code = c->reader->code;
	u32 open = code->tokens[i].match;

	if (!code_is_mark(code, i + 1, '(') || code->tokens[i + 1].match <= i + 1 ||
	    open + 2 != i || code->tokens[open + 1].kind != CODE_STRING)
		return false;
	return tell(c, code_chain_start(code, i), i, i + 2, code->tokens[i + 1].match);
}

static bool tell_command(struct caller *c, u32 i)
{
	struct code_call call = { .name = "`" };
	bool done;

	call.values.all[0] = (char *)c->reader->code->tokens[i].text;
	call.values.count = 1;
	done = c->fn(c->data, &call);
	return done;
}

bool code_each_call(const struct code *code, code_call_fn fn, void *data)
{
	struct code_reader r = { .code = code };
	struct caller c = { &r, fn, data };

	code_read_names(&r);
	for (u32 i = 0; i + 1 < code->count; i++) {
		enum code_token_kind kind = code->tokens[i].kind;

		if ((kind == CODE_NAME && tell_name(&c, i)) ||
		    (kind == CODE_COMMAND && tell_command(&c, i)) ||
		    (code_is_mark(code, i, ']') && tell_index(&c, i)))
			return true;
	}
	return false;
}

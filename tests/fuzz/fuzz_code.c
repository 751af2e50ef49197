/* Code: a byte for the language, then the text. What a call is named stands in the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "policy/call.h"
#include "policy/code_words.h"

static bool check(void *data, const struct code_call *call)
{
	const char *dot = strrchr(call->name, '.'), *name = dot ? dot + 1 : call->name;

	if (strlen(call->name) + 1 < CODE_NAME_MAX && *name != '`' && !strstr(data, name))
		abort();
	if (call->values.count > CODE_MAX_VALUES || call->named.count > CODE_MAX_VALUES)
		abort();
	return false;
}

static void check_tokens(const struct code *c)
{
	for (u32 i = 0; i < c->count; i++)
		if (c->tokens[i].match >= c->count || c->tokens[c->tokens[i].match].match != i ||
		    !c->tokens[i].text)
			abort();
	if (c->tokens[c->count - 1].kind != CODE_END)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	enum code_language language;
	struct paths paths;
	struct work work = { 0 };
	struct code code;

	if (size < 1 || size > 4096 || memchr(data + 1, '\0', size - 1))
		return 0;
	language = (enum code_language)(data[0] % CODE_LANGUAGES);
	strbuf_add(&text, data + 1, size - 1);
	if (code_read(language, strbuf_str(&text), &code))
		abort();
	check_tokens(&code);
	code_each_call(&code, check, (void *)strbuf_str(&text));
	code_free(&code);
	paths_init(&paths, "/home/dev/app", "/home/dev", "/home/dev/app", -1);
	if (call_is_made("*.rm path:precious? sql:destructive no:x*", language, strbuf_str(&text),
			 &paths, true, &work) &&
	    !strcasestr(strbuf_str(&text), "rm"))
		abort();
	return 0;
}

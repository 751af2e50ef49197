#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/util.h"
#include "policy/graphql.h"
#include "text_case.h"

static void fields(void **state _unused_)
{
	static const struct text_case cases[] = {
		{ "mutation { gone }", true },
		{ "{gone}", true },
		{ "mutation M($id: ID!) {\n  x: gone(id: $id) { id }\n}", true },
		{ "query{a,gone}", true },
		{ "{ on { gone } }", true },
		{ "{ query gone }", false }, /* no field of any schema is called so alone */
		{ "query gone { a }", false },
		{ "mutation gone($a: Int) { b }", false },
		{ "fragment gone on T { a }", false },
		{ "fragment f on gone { a }", false },
		{ "{ ...gone }", false },
		{ "{ ...query gone }", true }, /* any name is a fragment's */
		{ "{ ..., \xef\xbb\xbfquery gone }", true },
		{ "{ ... on gone { a } }", false },
		{ "query Q($gone: Int) { a(b: $gone) }", false },
		{ "{ a @gone }", false },
		{ "{ goner notgone gone2 }", false },
		{ "{ a(b: \"gone\") }", false },
		{ "{ a(b: \"\\\"gone\") }", false },
		{ "{ a(b: \"\"\"\n\"gone\" \"\"\") }", false },
		{ "{ a(b: \"\"\"x\"\"\") gone }", true },
		{ "{ a(b: \"\"\"\\\\\"\"\" \"\"\") gone }", true },
		{ "{ a(b: \"\"\"\\\"\"\" gone \"\"\") }", false },
		{ "{ a # gone\n b }", false },
		{ "{ a # x\n gone }", true },
		{ "\"gone", false },
		{ "", false },
	};

	check_texts(cases, graphql_selects(text, len, "gone"));
}

static void bodies(void **state _unused_)
{
	static const struct text_case cases[] = {
		{ "{\"query\":\"{ gone }\"}", true },
		{ " { \"variables\" : {\"a\":[1,2]}, \"query\" : \"mutation "
		  "{\\n\\tgone(a:\\\"x\\\") }\" }",
		  true },
		{ "[{\"query\":\"{ a }\"},{\"query\":\"{ gone }\"}]", true },
		{ "\xef\xbb\xbf[{\"query\":\"{ gone }\"}]", true },
		{ "{\"query\":\"{ \\u0067one }\"}", true },
		{ "{\"\\u0071uery\":\"{ gone }\"}", true },
		{ "{\"query\":\"{ gone }", true }, /* cut */
		{ "{\"text\":\"{ gone }\"}", false },
		{ "{\"a\":{\"query\":\"{ gone }\"}}", false },
		{ "[[{\"query\":\"{ gone }\"}]]", false },
		{ "{\"a\":\"query\",\"b\":\"{ gone }\"}", false },
		{ "{\"query\":[\"{ gone }\"]}", false },
		{ "query: { gone }", false },
		{ "{\"query\":\"\\u00", false },
		{ "{\"query\":\"a\\", false },
		{ "", false },
	};

	check_texts(cases, graphql_body_selects(text, len, "gone"));
}

static void forms(void **state _unused_)
{
	static const struct text_case cases[] = {
		{ "query=%7Bgone%7D", true },
		{ "a=1&query=mutation+M+%7B+gone%28a%3A1%29+%7D&b", true },
		/* what stands beside it is no part of the document */
		{ "a=%22&query=%7Bgone%7D", true },
		{ "variables=%7B%22c%22:%22%23fff%22%7D&%71uery={gone}", true },
		{ "text=%7Bgone%7D&query=%7Bkept%7D", false },
		{ "query&gone=1", false },
		{ "query=%7", false },
		{ "", false },
	};

	check_texts(cases, graphql_form_selects(text, len, "gone"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(bodies),
		cmocka_unit_test(forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

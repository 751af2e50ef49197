#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/util.h"
#include "policy/graphql.h"

static void fields(void **state _unused_)
{
	static const struct {
		const char *document;
		bool selected;
	} cases[] = {
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
		{ "query Q($gone: Int) { a(b: $gone) }", false },
		{ "{ a @gone }", false },
		{ "{ goner notgone gone2 }", false },
		{ "{ a(b: \"gone\") }", false },
		{ "{ a(b: \"\\\"gone\") }", false },
		{ "{ a(b: \"\"\"\n\"gone\" \"\"\") }", false },
		{ "{ a(b: \"\"\"x\"\"\") gone }", true },
		{ "{ a # gone\n b }", false },
		{ "{ a # x\n gone }", true },
		{ "\"gone", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (graphql_selects(cases[i].document, strlen(cases[i].document), "gone") !=
		    cases[i].selected)
			fail_msg("%s", cases[i].document);
}

static void bodies(void **state _unused_)
{
	static const struct {
		const char *json;
		bool selected;
	} cases[] = {
		{ "{\"query\":\"{ gone }\"}", true },
		{ " { \"variables\" : {\"a\":[1,2]}, \"query\" : \"mutation "
		  "{\\n\\tgone(a:\\\"x\\\") }\" }",
		  true },
		{ "[{\"query\":\"{ a }\"},{\"query\":\"{ gone }\"}]", true },
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

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (graphql_body_selects(cases[i].json, strlen(cases[i].json), "gone") !=
		    cases[i].selected)
			fail_msg("%s", cases[i].json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Of whatever a project calls precious the kernel asks: what is run here is what it runs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "policy/paths.h"
#include "policy/project.h"
#include "policy/search.h"

/* --- single globs */

static struct bs_hints hints_of(const char *glob)
{
	char *globs[] = { (char *)glob };
	struct project p = { .precious = globs, .precious_count = 1 };
	struct bs_hints h;

	project_hints(&p, &h);
	assert_int_equal(h.count, 1);
	return h;
}

static bool asks(const struct bs_hints *h, const char *name)
{
	char copy[64] = { 0 };
	struct bs_ends e;

	memset(copy + strlen(name) + 1, '#', 8); /* what is behind a name counts for nothing */
	strcpy(copy, name);
	e = bs_ends_of(copy, (u32)strlen(name) + 1);
	return bs_is_hinted(h, &e);
}

static const struct {
	const char *glob, *asked, *not_asked;
} names[] = {
	{ "models/", "models", "models2" },
	{ "/srv/data", "data", "srv" },
	{ "~/notes", "notes", "note" },
	{ "*.parquet", "x.parquet", "x.parquets" },
	{ "*.parquet", "parquet", "arquet" }, /* 8 bytes decide */
	{ "release-*", "release-1", "rel" },
	{ "a?-keys", "ab-keys", "ab-key" },
	{ "**/x/**/longer-than-8", "longer-than-9", "shorter-than-8" },
	{ "a/bcd*/**", "bcd1", "a" },
	{ "data[0-9]/x", "data1", "x" },
	{ "a/data\\*", "dataset", "a" },
	{ "b", "b", "ab" },
	{ "*a", "a", "b" },
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct bs_hints h = hints_of(names[i].glob);

		if (!asks(&h, names[i].asked) || asks(&h, names[i].not_asked))
			fail_msg("%s", names[i].glob);
	}
}

static void test_nothing_to_look_for_is_asked_always(void **state)
{
	static const char *const globs[] = {
		"", "*", "**/*", "*secret*", "~/", "[ab]", "/", "\\*"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(globs); i++) {
		struct bs_hints h = hints_of(globs[i]);

		if (!asks(&h, "a") || !asks(&h, "anything-else"))
			fail_msg("'%s'", globs[i]);
	}
}

static void test_no_project_has_none(void **state)
{
	struct bs_hints h;

	(void)state;
	project_hints(NULL, &h);
	assert_int_equal(h.count, 0);
	assert_false(asks(&h, "a"));
}

static void test_all_that_a_project_may_have(void **state)
{
	static char texts[PROJECT_GLOBS][16];
	char *globs[PROJECT_GLOBS];
	struct project p = { .precious = globs, .precious_count = PROJECT_GLOBS };
	struct bs_hints h;

	(void)state;
	for (int i = 0; i < PROJECT_GLOBS; i++) {
		snprintf(texts[i], sizeof(texts[i]), i % 2 ? "*x.%02d" : "%02dx*", i);
		globs[i] = texts[i];
	}
	project_hints(&p, &h);
	assert_int_equal(h.count, PROJECT_GLOBS);
	assert_true(asks(&h, "00xyz") && asks(&h, "62x") && asks(&h, "x.01") && asks(&h, "ax.63"));
	assert_false(asks(&h, "01x") || asks(&h, "x.00"));
}

/* --- whatever matches is asked about */

static u64 seed = 1;

static u32 roll(u32 n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(seed >> 33) % n;
}

static void make(char *out, const char *const *pieces, u32 n)
{
	*out = '\0';
	for (u32 i = roll(5) + 1; i; i--)
		strcat(out, pieces[roll(n)]);
}

static bool is_asked(const struct bs_hints *h, const char *path)
{
	for (size_t len; *(path += strspn(path, "/")); path += len) {
		char name[64] = "";

		len = strcspn(path, "/");
		memcpy(name, path, len);
		if (asks(h, name))
			return true;
	}
	return false;
}

static void test_what_matches_is_asked_about(void **state)
{
	static const char *const globs[] = { "/",  "a", "b",	"longname", "*",     "?",  "/**/",
					     ".x", "~", "[ab]", "\\*",	    "[a/b]", "**", "\\/" };
	static const char *const parts[] = { "/", "a", "b", "longname", ".x", "/u", "*", "~" };
	u32 matched = 0;

	(void)state;
	for (int i = 0; i < 400000; i++) {
		char glob[64], path[64] = "/";
		const char *list[] = { glob };
		struct bs_hints h;
		struct paths paths;

		make(glob, globs, ARRAY_SIZE(globs));
		make(path + 1, parts, ARRAY_SIZE(parts));
		paths_init(&paths, "/", "/u", NULL, -1);
		paths.project = (struct precious) { list, 1 };
		if (strstr(path, "//") || !paths_is_kept(&paths, path))
			continue;
		matched++;
		h = hints_of(glob);
		if (!is_asked(&h, path))
			fail_msg("'%s' matches %s", glob, path);
	}
	assert_true(matched > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_nothing_to_look_for_is_asked_always),
		cmocka_unit_test(test_no_project_has_none),
		cmocka_unit_test(test_all_that_a_project_may_have),
		cmocka_unit_test(test_what_matches_is_asked_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

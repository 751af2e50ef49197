#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/production.h"

static void expect(bool wanted, const char *const *names, const char *const *globs)
{
	for (; *names; names++)
		if (production_is_named(*names, globs) != wanted)
			fail_msg("%s %s production", *names, wanted ? "is not" : "is");
}

static void test_words(void **state _unused_)
{
	static const char *const yes[] = { "prod",	    "PROD",	  "acme-prod",	"prod2",
					   "prod-eu-1",	    "a.prd.b",	  "production", "live_db",
					   "x/prod/y.yaml", "arn:prod:x", NULL };
	static const char *const no[] = { "",	      "product",  "reproduce",	    "nonprod",
					  "non-prod", "pre_prod", "not-production", "alive",
					  "delivery", "staging",  "no-live",	    NULL };

	expect(true, yes, NULL);
	expect(false, no, NULL);
}

static void test_a_later_word_counts(void **state _unused_)
{
	static const char *const yes[] = { "nonprod-or-prod", "pre-x-prod", NULL };

	expect(true, yes, NULL);
}

static void test_globs(void **state _unused_)
{
	static const char *const globs[] = { "*-eu-1", NULL };
	static const char *const yes[] = { "shop-eu-1", "SHOP-EU-1", "prod", NULL };
	static const char *const no[] = { "shop-eu-12", NULL };

	expect(true, yes, globs);
	expect(false, no, globs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_a_later_word_counts),
		cmocka_unit_test(test_globs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

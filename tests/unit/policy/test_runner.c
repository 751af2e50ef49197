#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "policy/runner.h"
#include "policy/shellwords.h"

/* What a command line runs, as text: "NAME: WORD…", "text: …", "elsewhere: WORD…", or "nothing". */
static const char *runs(const char *line)
{
	static char out[1024];
	struct runner_view v;
	size_t count;
	char **words;

	assert_int_equal(shellwords_split(line, &words, &count), 0);
	strcpy(out, "nothing");
	if (runner_read(words[0], words + 1, (u32)count - 1, &v)) {
		const char *name = v.runner->remote ? "elsewhere" : v.name;

		if (v.text)
			snprintf(out, sizeof(out), "text: %s", v.text);
		else
			snprintf(out, sizeof(out), "%s%s%s:", name, *v.package ? "=" : "",
				 v.package);
		for (u32 i = 0; !v.text && i < v.count; i++)
			strcat(strcat(out, " "), v.words[i]);
	}
	shellwords_free(words);
	return out;
}

static void test_packages(void **state _unused_)
{
	assert_string_equal(runs("npx prisma migrate reset"), "prisma: migrate reset");
	assert_string_equal(runs("npx -y -p x prisma@5.1.0 -f"), "prisma@5.1.0=prisma: -f");
	assert_string_equal(runs("npx --package=x @a/ng@2 b"), "@a/ng@2=ng: b");
	assert_string_equal(runs("npm --workspace w exec -- prisma -- x"), "prisma: x");
	assert_string_equal(runs("uvx --from p black==24 ."), "black==24=black: .");
	assert_string_equal(runs("deno run -A npm:prisma@5 x"), "npm:prisma@5=prisma: x");
	assert_string_equal(runs("npx -p x -c 'a b'"), "text: a b");
	assert_string_equal(runs("npx x -c 'a b'"), "x: -c a b");
	assert_string_equal(runs("npx -p x"), "nothing");
	assert_string_equal(runs("npm install x"), "nothing");
	assert_string_equal(runs("npm"), "nothing");
	assert_string_equal(runs("npxx prisma"), "nothing");
}

/* A runner's own words are no commands: pnpm rm PACKAGE removes no file. */
static void test_own_words(void **state _unused_)
{
	assert_string_equal(runs("pnpm rm lodash"), "nothing");
	assert_string_equal(runs("pnpm --filter api rm lodash"), "nothing");
	assert_string_equal(runs("pnpm exec rm x"), "rm: x");
	assert_string_equal(runs("yarn link x"), "nothing");
	assert_string_equal(runs("yarn prisma x"), "prisma: x");
	assert_string_equal(runs("yarn workspace api prisma x"), "yarn: prisma x");
	assert_string_equal(runs("yarn workspaces foreach -A run x y"), "yarn: run x y");
	assert_string_equal(runs("yarn exec 'a b'"), "text: a b");
}

static void test_environments(void **state _unused_)
{
	assert_string_equal(runs("aws-vault exec -d 1h p -- a -b"), "a: -b");
	assert_string_equal(runs("aws-vault exec p a -b"), "a: -b");
	assert_string_equal(runs("chamber exec s t -- a -b"), "a: -b");
	assert_string_equal(runs("chamber exec s t"), "nothing");
	assert_string_equal(runs("cross-env A=b C=d e f"), "e: f");
	assert_string_equal(runs("doppler run --command='a b'"), "text: a b");
	assert_string_equal(runs("k3s kubectl -n x delete y"), "kubectl: -n x delete y");
	assert_string_equal(runs("minikube -p q kubectl -- delete -n x"), "kubectl: delete -n x");
}

static void test_elsewhere(void **state _unused_)
{
	assert_string_equal(runs("heroku run -a x -- rm -rf y"), "elsewhere: rm -rf y");
	assert_string_equal(runs("fly ssh console -a x -C 'rm y'"), "text: rm y");
	assert_string_equal(runs("gcloud compute ssh vm --command=x"), "text: x");
	assert_string_equal(runs("gcloud compute ssh vm -- x y"), "elsewhere: x y");
	assert_string_equal(runs("gcloud compute ssh vm"), "nothing");
	assert_string_equal(runs("incus exec c -- a -b"), "elsewhere: a -b");
	assert_string_equal(runs("salt '*' cmd.run 'a b'"), "elsewhere: a b");
	assert_string_equal(runs("cf ssh app -c"), "nothing");
}

/* Each line names a program, and no two are the same. */
static void test_table(void **state _unused_)
{
	for (u32 i = 0; i < runners_count; i++) {
		assert_true(runners[i].line[0] && runners[i].line[0] != ' ');
		for (u32 k = 0; k < i; k++)
			assert_string_not_equal(runners[i].line, runners[k].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packages),     cmocka_unit_test(test_own_words),
		cmocka_unit_test(test_environments), cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests_name("runner", tests, NULL, NULL);
}

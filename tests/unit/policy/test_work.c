#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "policy/work.h"
#include "sample.h"

#define EXAMPLES                                                                                   \
	"  severity: high\n  verdict: hold\n  why: It is.\n"                                       \
	"  misses: [true, true]\n"

static const char pack[] =
	"pack: t\ntitle: T\nprograms:\n  x: {options: gnu}\n  python3:\n  function:\n  sh:\n"
	"signatures:\n"
	"- id: re\n  command: x {re:^(a|aa)+$} {re:^(b|bb)+$}\n"
	"  hits: [x a b, x aa bb]\n" EXAMPLES "- id: word\n  command: x -f drop\n"
	"  hits: [x -f drop, x drop -f]\n" EXAMPLES
	"- id: path\n  command: x {path:precious} {path:device}\n"
	"  hits: [x /etc/a /dev/sda, x /srv/a /dev/sdb]\n" EXAMPLES
	"- id: call\n  command: python3 ({call:rmtree path:precious?}|{call:unlink path:device})\n"
	"  hits: [python3 -c 'rmtree(a)', \"python3 -c 'unlink(\\\"/dev/sda\\\")'\"]\n" EXAMPLES
	"- id: forks\n  command: function * forks\n"
	"  hits: [\"sh -c 'f(){ f|f& }'\", \"sh -c 'f() { f& }'\"]\n" EXAMPLES;

/* Of the clock: before its first look, and after its last one. About a millisecond each under a
 * sanitizer. */
#define NOT_TIMED_NS (WORK_MAX_NS / 10)

static u64 processor_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

static char *repeat(const char *part, size_t count)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < count; i++)
		strbuf_adds(&text, part);
	return strbuf_take(&text);
}

/* A value that is looked into again at each of many calls. */
static char *nested(void)
{
	_cleanup_free_ char *open = repeat("os.path.join(", 3000), *closed = repeat(")", 3000),
			    *calls = repeat(";unlink(a)", 5000);
	char *text;

	return asprintf(&text, "a=%sx%s%s", open, closed, calls) < 0 ? NULL : text;
}

/* It takes not much longer than it may, and is held where it does. */
static void judge(const struct policy *p, char *const *argv)
{
	struct action a = {
		.argv = argv, .cwd = "/home/dev/app", .home = "/home/dev", .root_fd = -1
	};
	u64 begin = processor_time(), took;
	struct finding f;

	policy_match(p, &a, &f);
	took = processor_time() - begin;
	print_message("%s %.20s: %u ms, %s\n", argv[0], argv[1], (u32)(took / 1000000),
		      f.id ? f.id : "allowed");
	assert_true(took < 5 * WORK_MAX_NS); /* under a sanitizer too */
	assert_true(f.verdict >= VERDICT_HOLD || took < WORK_MAX_NS + NOT_TIMED_NS);
}

static void judge_words(const struct policy *p, const char *word, size_t count, const char *last)
{
	char **argv = calloc(count + 3, sizeof(*argv));

	assert_non_null(argv);
	argv[0] = (char *)"x";
	for (size_t i = 1; i <= count; i++)
		argv[i] = (char *)word;
	argv[count + 1] = (char *)last;
	judge(p, argv);
	free(argv);
}

static void judge_code(const struct policy *p, const char *name, char *code)
{
	char *argv[] = { (char *)name, (char *)"-c", code, NULL };

	assert_non_null(code);
	judge(p, argv);
	free(code);
}

static void test_hostile(void **state _unused_)
{
	struct policy *p = sample_policy(pack);

	judge_words(p, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", 40000, "b");
	judge_words(p, "/tmp/a/b/c/d/../../e/f/../g", 70000, "/dev/sda");
	judge_words(p, "-n", 800000, "-f");
	judge_code(p, "python3", repeat("rmtree(join(b,(c+", 7000));
	judge_code(p, "python3", nested());
	judge_code(p, "sh", repeat("f(){ ", 20000));
	policy_free(p);
}

/* What is long and takes no time is judged. */
static void test_long(void **state _unused_)
{
	_cleanup_free_ char *code = repeat("print('a'); ", 9000);
	char *argv[] = { (char *)"python3", (char *)"-c", code, NULL };
	struct action a = {
		.argv = argv, .cwd = "/home/dev/app", .home = "/home/dev", .root_fd = -1
	};
	struct policy *p = sample_policy(pack);
	struct finding f;

	policy_match(p, &a, &f);
	assert_int_equal(f.verdict, VERDICT_ALLOW);
	policy_free(p);
}

static void test_clock(void **state _unused_)
{
	struct work w = { 0 };
	u64 begin;

	assert_false(work_do(&w, 100));
	assert_int_equal(w.begin, 0);
	begin = processor_time();
	assert_false(work_do(&w, 1 << 20));
	while (!work_do(&w, 1 << 10))
		assert_true(processor_time() - begin < 10 * WORK_MAX_NS);
	assert_true(processor_time() - begin > WORK_MAX_NS);
	assert_true(work_do(&w, 0));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

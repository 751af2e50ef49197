#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "policy/project.h"
#include "sample.h"

static const char pack[] =
	"pack: tool\ntitle: Tool\nprograms: {tool: {options: gnu}, rm: }\nsignatures:\n"
	"- id: wipe\n  command: tool wipe\n  severity: high\n  verdict: hold\n  why: It is.\n"
	"  hits: [tool wipe, tool wipe x]\n  misses: [tool x, tool]\n"
	"- id: any\n  command: tool\n  severity: low\n  verdict: alert\n  why: It is.\n"
	"  hits: [tool wipe, tool mild]\n  misses: [toool x, t]\n"
	"- id: rm\n  command: rm {path:precious}\n  severity: low\n  verdict: deny\n  why: It is.\n"
	"  hits: [rm /etc, rm .]\n  misses: [rm a.txt, rm a]\n"
	"- id: net\n  connect: 10.0.0.0/8\n  severity: low\n  verdict: alert\n  why: It is.\n"
	"  hits: ['10.0.0.1:1', '10.0.0.2:1']\n  misses: ['1.0.0.1:1', '1.0.0.2:1']\n"
	"- id: gone\n  delete: '*.dat'\n  severity: low\n  verdict: alert\n  why: It is.\n"
	"  hits: [unlink /a.dat, rmdir /b/c.dat]\n  misses: [unlink /a, unlink /b]\n"
	"allow: [tool wipe allowed]\n";

#include "unit/policy/one_pack.h"

/* "id verdict" of a command line in a project, NULL: in none. */
static const char *ask(const struct project *project, const char *line)
{
	struct action a = {
		.cwd = "/home/dev/app", .home = "/home/dev", .project = project, .root_fd = -1
	};
	static char answer[64];
	struct finding f;
	char **words;

	assert_int_equal(shellwords_split(line, &words, NULL), 0);
	a.argv = words;
	policy_match(policy, &a, &f);
	if (f.verdict > VERDICT_ALLOW && !policy_is_candidate(policy, &a))
		fail_msg("no candidate: %s", line);
	shellwords_free(words);
	snprintf(answer, sizeof(answer), "%s %s", f.id ? f.id : "-", verdict_name(f.verdict));
	return answer;
}

static struct project *parse(const char *json)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct project *project = NULL;

	if (project_parse(policy, json, strlen(json), &project, &err))
		fail_msg("%s: %s", json, strbuf_str(&err));
	return project;
}

static void test_raises(void **state _unused_)
{
	_cleanup_(project_free_ptr) struct project *p =
		parse("{\"verdicts\":{\"tool.wipe\":\"kill\",\"tool.any\":\"hold\"},\"precious\":["
		      "\"*.txt\"]}");

	assert_string_equal(ask(NULL, "tool wipe"), "wipe hold");
	assert_string_equal(ask(p, "tool wipe"), "wipe kill");
	assert_string_equal(ask(NULL, "tool x"), "any alert");
	assert_string_equal(ask(p, "tool x"), "any hold");
	assert_string_equal(ask(NULL, "rm a.txt"), "- allow");
	assert_string_equal(ask(p, "rm a.txt"), "rm deny");
	assert_string_equal(ask(p, "rm a"), "- allow");
	assert_string_equal(ask(p, "tool wipe allowed"), "- allow"); /* the owner said so */
}

/* A lesser one that is raised above the others is the strictest. */
static void test_order(void **state _unused_)
{
	_cleanup_(project_free_ptr) struct project *p =
		parse("{\"verdicts\":{\"tool.any\":\"deny\"},\"precious\":[]}");

	assert_string_equal(ask(p, "tool wipe"), "any deny");
}

/* Whatever it says, nothing is lower than before. */
static void test_never_lowers(void **state _unused_)
{
	static const char *const lines[] = { "tool wipe", "tool x",  "rm /etc",
					     "rm a.txt",  "rm .git", "ssh h tool wipe" };
	static const char *const ids[] = { "tool.wipe", "tool.any", "tool.rm", "tool.net",
					   "tool.*" };
	static const char *const globs[] = { "*", "/", "~/x", "!*", "\\\\", "[", "**/a.txt" };
	u64 seed = 3;

	for (int i = 0; i < 500; i++) {
		_cleanup_(project_free_ptr) struct project *p = NULL;
		char json[256];

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		snprintf(json, sizeof(json), "{\"verdicts\":{\"%s\":\"%s\"},\"precious\":[\"%s\"]}",
			 ids[(seed >> 33) % ARRAY_SIZE(ids)],
			 verdict_name((enum verdict)((seed >> 40) % VERDICT_COUNT)),
			 globs[(seed >> 50) % ARRAY_SIZE(globs)]);
		p = parse(json);
		for (size_t k = 0; k < ARRAY_SIZE(lines); k++) {
			_cleanup_free_ char *before = strdup(ask(NULL, lines[k]));
			const char *after = ask(p, lines[k]);

			if (verdict_parse(strrchr(after, ' ') + 1) <
			    verdict_parse(strrchr(before, ' ') + 1))
				fail_msg("%s: %s: %s, not %s", json, lines[k], after, before);
		}
	}
}

static void test_no_project(void **state _unused_)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"verdicts\":{},\"precious\":{}}",
		"{\"verdicts\":[],\"precious\":[]}",
		"{\"verdicts\":{\"tool.wipe\":3},\"precious\":[]}",
		"{\"verdicts\":{\"tool.wipe\":\"no\"},\"precious\":[]}",
		"{\"verdicts\":{},\"precious\":[1]}",
		"{\"verdicts\":{},\"precious\":[\"a\"]} x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
		struct project *p = NULL;

		if (project_parse(policy, bad[i], strlen(bad[i]), &p, &err) != -EINVAL)
			fail_msg("%s", bad[i]);
		assert_null(p);
		assert_true(err.len > 0);
	}
}

static const struct {
	const char *text, *json, *fault;
} files[] = {
	{ "", "{\"verdicts\":{},\"precious\":[]}", NULL },
	{ "# none\n", "{\"verdicts\":{},\"precious\":[]}", NULL },
	{ "verdicts: {tool.wipe: deny}\nprecious: ['*.bin', data/]\n",
	  "{\"verdicts\":{\"tool.wipe\":\"deny\"},\"precious\":[\"*.bin\",\"data/\"]}", NULL },
	{ "verdicts: {tool.*: hold}\n", "{\"verdicts\":{\"tool.any\":\"hold\"},\"precious\":[]}",
	  NULL },
	{ "verdicts: {tool.wipe: hold}\n", "{\"verdicts\":{},\"precious\":[]}", NULL },
	{ "verdicts: {tool.rm: hold, tool.wipe: deny}\n",
	  "{\"verdicts\":{\"tool.wipe\":\"deny\"},\"precious\":[]}",
	  "x:1:21: tool.rm: 'hold' is weaker than 'deny', which the policy says: a project may "
	  "only "
	  "tighten\n" },
	{ "verdicts: {tool.wipe: 'off'}\n", "{\"verdicts\":{},\"precious\":[]}",
	  "x:1:24: tool.wipe: cannot be 'off': write alert, hold, deny or kill\n" },
	{ "verdicts: {tool.wip: deny}\n", "{\"verdicts\":{},\"precious\":[]}",
	  "x:1:12: there is no signature 'tool.wip': did you mean 'tool.wipe'?\n" },
	{ "verdicts: {tool.gone: alert}\n", "{\"verdicts\":{},\"precious\":[]}", NULL },
	{ "verdicts: {tool.gone: hold}\n", "{\"verdicts\":{},\"precious\":[]}",
	  "x:1:12: tool.gone only tells of deletions: the owner's settings can have them held, a "
	  "project cannot\n" },
	{ "verdicts: {tool.net: deny}\n", "{\"verdicts\":{},\"precious\":[]}",
	  "x:1:12: tool.net is about destinations, of which a project says nothing\n" },
	{ "allow: [tool]\n", "{\"verdicts\":{},\"precious\":[]}",
	  "x:1:1: unknown key 'allow': known here are verdicts or precious\n" },
	{ "a: [\n", "{\"verdicts\":{},\"precious\":[]}", "x:" },
};

static void test_files(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_strbuf_ struct strbuf json = STRBUF_INIT, err = STRBUF_INIT;
		_cleanup_(project_free_ptr) struct project *p = NULL;
		unsigned int faults = project_read(policy, "x", files[i].text,
						   strlen(files[i].text), &json, &err);

		assert_int_equal(faults != 0, files[i].fault != NULL);
		if (files[i].fault && !strstr(strbuf_str(&err), files[i].fault))
			fail_msg("%s", strbuf_str(&err));
		assert_string_equal(strbuf_str(&json), files[i].json);
		p = parse(strbuf_str(&json));
	}
}

static void test_limits(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, json = STRBUF_INIT, err = STRBUF_INIT;

	strbuf_adds(&text, "precious: [");
	for (int i = 0; i < PROJECT_GLOBS + 1; i++)
		strbuf_addf(&text, "a%d, ", i);
	strbuf_adds(&text, "b]\n");
	assert_int_equal(project_read(policy, "x", strbuf_str(&text), text.len, &json, &err), 2);
	assert_non_null(strstr(strbuf_str(&err), "a project has at most 64 precious globs\n"));
	assert_non_null(strstr(strbuf_str(&json), "\"a63\"]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_raises),	     cmocka_unit_test(test_order),
		cmocka_unit_test(test_never_lowers), cmocka_unit_test(test_no_project),
		cmocka_unit_test(test_files),	     cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("project", tests, set_up, tear_down);
}

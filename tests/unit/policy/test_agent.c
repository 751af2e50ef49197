#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sample.h"

static const char profile[] = "agent: demo\n"
			      "title: Demo Agent\n"
			      "names: [demo, demo-agent-*, {name: amp, paths: "
			      "['@ampcode/cli/bin/amp.exe', .local/bin/amp]}]\n"
			      "scripts: ['@demo/cli/main.js', bin/demoscript, -m demo.main]\n"
			      "files: ['demo/versions/*']\n"
			      "hits: [demo]\n"
			      "misses: [ls]\n";

struct question {
	const char *line, *name, *file;
	bool found, looked; /* an agent; found by the first look */
};

static void ask(const struct policy *p, const struct question *q)
{
	struct action a = { .name = q->name, .path = q->file, .cwd = "/home/dev", .root_fd = -1 };
	const char *agent;
	char **words;

	assert_int_equal(shellwords_split(q->line, &words, NULL), 0);
	a.argv = words;
	agent = policy_match_agent(p, &a);
	if ((agent != NULL) != q->found || (agent && strcmp(agent, "demo") != 0))
		fail_msg("%s, name %s, file %s: agent %s", q->line, q->name, q->file, agent);
	if (policy_may_be_agent(p, &a) != q->looked)
		fail_msg("%s, name %s: the first look says otherwise", q->line, q->name);
	shellwords_free(words);
}

static void test_starts(void **state _unused_)
{
	static const struct question questions[] = {
		{ "demo --continue", NULL, NULL, true, true },
		{ "/usr/local/bin/demo", NULL, NULL, true, true },
		{ "demo", NULL, "/home/dev/.local/share/demo/versions/2.0.1", true, true },
		{ "/proc/self/exe", "/proc/self/exe", "/opt/demo/versions/2.0.1", true, false },
		{ "demo-agent-x64", NULL, NULL, true, true },
		{ "demo-agent", NULL, NULL, false, true }, /* eight bytes are all it sees */
		{ "demolish", NULL, NULL, false, false },
		{ "demo2", NULL, NULL, false, false },
		{ "ls demo", NULL, NULL, false, false },
		{ "vim demo.md", NULL, NULL, false, false },
		{ "amp", NULL, NULL, false, true },
		{ "/home/dev/.local/bin/amp x", NULL, NULL, true, true },
		{ "amp", "/usr/bin/amp", "/usr/lib/node_modules/@ampcode/cli/bin/amp.exe", true,
		  true },
		{ "amp", "/usr/bin/amp", "/usr/lib/amp", false, true },
		{ "node /usr/lib/node_modules/@demo/cli/main.js -p x", NULL, NULL, true, true },
		{ "node --max-old-space-size=9 @demo/cli/main.js", NULL, NULL, true, true },
		{ "node /x/cli/main.js @demo", NULL, NULL, false, true },
		{ "node x.js", NULL, NULL, false, false },
		{ "bun run /x/@demo/cli/main.js", NULL, NULL, true, true },
		{ "deno run -A /x/@demo/cli/main.js", NULL, NULL, true, true },
		{ "node /usr/local/bin/demo", NULL, NULL, true, true },
		{ "node --use-system-ca /x/index.js", "node", NULL, false, false },
		{ "/x/.local/bin/amp --use-system-ca /x/index.js", "/x/node", NULL, true, true },
		{ "python3.11 -m demo.main", NULL, NULL, true, true },
		{ "python3 -mdemo.main", NULL, NULL, true, true },
		{ "python3 -m demo.other", NULL, NULL, false, true },
		{ "/x/.venv/bin/python /x/bin/demoscript y", "/x/bin/demoscript",
		  "/usr/bin/python3.11", true, true },
		{ "bash -c demo", NULL, NULL, false, false },
		{ "sh /usr/local/bin/demoscript", NULL, NULL, true, false },
	};
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(profile);

	for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
		ask(p, &questions[i]);
}

/* A link's target counts as well. */
static void test_links(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(profile);
	char dir[] = "/tmp/backstop-agent-XXXXXX", link[64], line[96], target[96];
	char *words[] = { line, NULL };
	struct action a = { .argv = words, .cwd = "/", .root_fd = open("/", O_PATH | O_CLOEXEC) };

	assert_non_null(mkdtemp(dir));
	snprintf(link, sizeof(link), "%s/amp", dir);
	snprintf(target, sizeof(target), "lib/@ampcode/cli/bin/amp.exe");
	assert_int_equal(symlink(target, link), 0);
	snprintf(line, sizeof(line), "%s", link);
	assert_string_equal(policy_match_agent(p, &a), "demo");
	close(a.root_fd);
	a.root_fd = -1;
	assert_null(policy_match_agent(p, &a));
	unlink(link);
	rmdir(dir);
}

static void test_keys(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(profile);
	const char *title = NULL;
	unsigned int asked = 0;
	u32 count;
	const struct agent_key *keys = policy_agent_keys(p, &count);

	for (u32 i = 0; i < count; i++) {
		char name[9] = { 0 };

		assert_true(i == 0 || keys[i - 1].name < keys[i].name);
		memcpy(name, &keys[i].name, 8);
		if (keys[i].how == BS_AGENT_SCAN)
			continue;
		asked++;
		assert_true(strcmp(name, "demo") == 0 || strcmp(name, "demo-age") == 0 ||
			    strcmp(name, "amp") == 0 || strcmp(name, "main.js") == 0 ||
			    strcmp(name, "demoscri") == 0);
	}
	assert_int_equal(asked, 5);
	assert_string_equal(policy_agent(p, 0, &title), "demo");
	assert_string_equal(title, "Demo Agent");
	assert_null(policy_agent(p, 1, &title));
}

static void test_none(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy("pack: x\ntitle: X\n");
	char *words[] = { (char *)"claude", NULL };
	struct action a = { .argv = words, .root_fd = -1 };
	u32 count = 1;

	policy_agent_keys(p, &count);
	assert_int_equal(count, 0);
	assert_null(policy_match_agent(p, &a));
	assert_false(policy_may_be_agent(p, &a));
}

static const struct {
	const char *text, *fault;
} faults[] = {
	{ "agent: A\ntitle: T\nnames: [a]\nhits: [a]\nmisses: [b]\n",
	  "s:1:8: agent: 'A' is no name: write small letters, digits and -, a letter first\n" },
	{ "agent: a\ntitle: T\nhits: [a]\nmisses: [b]\n",
	  "s:1:1: names:, scripts: or files: is missing: nothing tells this agent\n" },
	{ "agent: a\ntitle: T\nnames: [cursor-*]\nhits: [cursor-x]\nmisses: [b]\n",
	  "s:3:9: 'cursor-*': a glob needs 8 bytes without a wildcard before it, for the kernel "
	  "knows "
	  "no more of a name; list the names\n" },
	{ "agent: a\ntitle: T\nnames: [x/y]\nhits: [y]\nmisses: [b]\n",
	  "s:3:9: 'x/y': a program's name has no / in it; write {name: NAME, paths: [GLOB]} to ask "
	  "for "
	  "a path as well\n" },
	{ "agent: a\ntitle: T\nnames: ['@@']\nhits: ['@@']\nmisses: [b]\n",
	  "s:3:10: '@@' cannot be searched for: letters or digits are needed in it\n" },
	{ "agent: a\ntitle: T\nscripts: [-x y]\nhits: [x]\nmisses: [b]\n",
	  "s:3:11: '-x y': write -m MODULE, or a glob on a path\n" },
	{ "agent: a\ntitle: T\nnames: [a]\nhits: [a]\nmisses: [a b]\n",
	  "s:5:10: misses: 'a b' starts it\n" },
	{ "agent: a\ntitle: T\nnames: [a]\nhits: [b]\nmisses: [b]\n",
	  "s:4:8: hits: 'b' does not start it\n" },
	{ "agent: a\ntitle: T\nnames: [a]\nhits: [{run: a, name: b}]\nmisses: [b]\n",
	  "s:4:14: hits: 'a' starts it, but the kernel's first look does not find it\n" },
	{ "agent: a\ntitle: T\nnames: [a]\nhits: []\nmisses: [b]\n",
	  "s:4:1: hits: needs an example\n" },
	{ "agent: a\ntitle: T\nname: [a]\nhits: [a]\nmisses: [b]\n",
	  "s:3:1: unknown key 'name': did you mean 'names'?\n" },
};

static void test_faults(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;
		struct compile_stats stats;

		assert_int_equal(policy_compile_text("s", faults[i].text, strlen(faults[i].text),
						     &image, &stats, &err),
				 -EINVAL);
		if (!strstr(strbuf_str(&err), faults[i].fault))
			fail_msg("%s:\n%s", faults[i].text, strbuf_str(&err));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starts), cmocka_unit_test(test_links),
		cmocka_unit_test(test_keys),   cmocka_unit_test(test_none),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "sample.h"

static const char pack[] =
	"pack: d\ntitle: D\nsignatures:\n"
	"- {id: state, delete: '**/*.tfstate', severity: high, verdict: hold, why: It is.,\n"
	"   hits: [unlink /a.tfstate, truncate /x/b.tfstate],\n"
	"   misses: [unlink /a.tfstate.x, unlink /tmp/a.tfstate]}\n"
	"- id: git\n"
	"  delete: {path: .git/**, except: '**/*.lock', by: '!(git|git-*)', under: '!dpkg'}\n"
	"  severity: high\n  verdict: deny\n  why: It is.\n"
	"  hits: [unlink /x/.git, rmdir /x/.git/a/b]\n"
	"  misses: [unlink /x/.git/a.lock, unlink /x/.gitignore]\n"
	"- id: home\n"
	"  delete: {path: ['~/.ssh/**', /srv/data, '/o[pq]t/?/**/a\\*b'], how: [unlink, move]}\n"
	"  severity: high\n  verdict: hold\n  why: It is.\n"
	"  hits: [unlink /home/x/.ssh/a, move /srv/data]\n"
	"  misses: [truncate /home/x/.ssh/a, unlink /srv/data/x]\n"
	"- id: tools\n  delete: {path: '*.db', by: (rm|git clean)}\n"
	"  severity: low\n  verdict: hold\n  why: It is.\n"
	"  hits: [unlink /a.db, {run: unlink /b/c.db, by: git clean -f}]\n"
	"  misses: [{run: unlink /b.db, by: git gc}, unlink /home/dev/app/build/a.db]\n"
	"- id: told\n  delete: /etc/**\n"
	"  severity: low\n  verdict: alert\n  why: It is.\n"
	"  hits: [unlink /etc/x, unlink /etc/y/z]\n  misses: [unlink /x/etc, unlink /usr/etc]\n"
	"- id: precious\n  delete: '{precious}'\n"
	"  severity: high\n  verdict: hold\n  why: It is.\n"
	"  hits: [{run: unlink /x/models/a, precious: models/}, {run: unlink /b.pq, precious: "
	"'*.pq'}]\n"
	"  misses: [unlink /x/models/a, {run: unlink /c.pr, precious: '*.pq'}]\n"
	"- id: other\n  delete: {other_name: true}\n"
	"  severity: high\n  verdict: hold\n  why: It is.\n"
	"  hits: [unlink /x, {run: truncate /x, links: 2}]\n"
	"  misses: [{run: unlink /x, links: 2}, {run: rename-over /x, links: 3}]\n"
	"- id: burst\n"
	"  delete: [{burst: 20/5s, by: '!(git|sed)'}, {burst: 20/5s, how: unlink, by: git clean}]\n"
	"  severity: low\n  verdict: hold\n  why: It is.\n"
	"  hits: [20/5s, 30/1s]\n  misses: [19/5s, 20/6s]\n"
	"- id: wide\n  delete: {burst: 30/60s}\n"
	"  severity: high\n  verdict: kill\n  why: It is.\n"
	"  hits: [30/60s, 31/1s]\n  misses: [29/60s, 3/1s]\n"
	"allow:\n- delete: [/srv/x/*.tfstate, '/mnt/**']\n- delete: {path: '~/ok/**', by: rm}\n";

static const char *const clean[] = { "git", "-C", "x", "clean", "-fd", NULL };
static const char *const checkout[] = { "git", "checkout", "main", NULL };
static const char *const hg[] = { "/usr/bin/python3", "/usr/bin/git-x", "pull", NULL };
static const char *const busybox[] = { "rm", "x", NULL };
static const char *const installs[] = { "sh", "dpkg", "apt", NULL };
static const char *const shells[] = { "sh", "bash", NULL };

static const char *ask(const struct policy *p, const struct deletion *question)
{
	struct deletion d = *question;
	static char answer[64];
	struct finding f;

	if (!d.op)
		d.op = BS_DELETE_UNLINK;
	if (!d.home)
		d.home = "/home/dev";
	policy_match_delete(p, &d, &f);
	if (f.verdict >= VERDICT_HOLD && !policy_is_delete_candidate(p, &d))
		fail_msg("no candidate: %s", d.path);
	assert_int_equal(f.id != NULL, f.signature != (u32)-1);
	snprintf(answer, sizeof(answer), "%s %s",
		 f.id	  ? f.id
		 : f.pack ? f.pack
			  : "-",
		 verdict_name(f.verdict));
	return answer;
}

static const struct {
	struct deletion d;
	const char *answer;
} questions[] = {
	{ { .path = "/home/dev/app/a.tfstate" }, "state hold" },
	{ { .path = "/home/dev/app/A.TFSTATE" }, "- allow" },
	{ { .path = "/home/dev/app/tfstate" }, "- allow" },
	{ { .path = "/home/dev/.cache/a.tfstate" }, "- allow" },
	{ { .path = "/srv/node_modules/x/a.tfstate" }, "- allow" },
	{ { .path = "/srv/x/a.tfstate" }, "d allow" },
	{ { .path = "/srv/x/y/a.tfstate" }, "state hold" },
	/* both of the paths count, and each has its own allow rules */
	{ { .path = "/tmp/x", .inner = "/app/.git/HEAD" }, "git deny" },
	{ { .path = "/mnt/HEAD", .inner = "/app/.git/HEAD" }, "git deny" },
	{ { .path = "/mnt/a.tfstate", .inner = "/a.txt" }, "d allow" },
	{ { .path = "/a.tfstate", .inner = "/mnt/a.txt" }, "state hold" },
	{ { .path = "/a.tfstate", .inner = "/app/.git/HEAD" }, "git deny" },
	/* who does it */
	{ { .path = "/x/.git/HEAD", .program = "rm" }, "git deny" },
	{ { .path = "/x/.git/HEAD", .program = "git" }, "- allow" },
	{ { .path = "/x/.git/HEAD", .program = "git-gc" }, "- allow" },
	{ { .path = "/x/.git/HEAD", .program = "python3.11", .argv = (char *const *)hg },
	  "- allow" },
	{ { .path = "/x/.git/HEAD", .program = "bash", .behind = installs }, "- allow" },
	{ { .path = "/x/.git/HEAD", .program = "dpkg", .behind = shells }, "- allow" },
	{ { .path = "/x/.git/HEAD", .program = "bash", .behind = shells }, "git deny" },
	{ { .path = "/x/a.db" }, "tools hold" },
	{ { .path = "/x/a.db", .program = "python3" }, "- allow" },
	{ { .path = "/x/a.db", .program = "busybox", .argv = (char *const *)busybox },
	  "tools hold" },
	{ { .path = "/x/a.db", .program = "git" }, "tools hold" },
	{ { .path = "/x/a.db", .program = "git", .argv = (char *const *)clean }, "tools hold" },
	{ { .path = "/x/a.db", .program = "git", .argv = (char *const *)checkout }, "- allow" },
	/* homes: for an allow rule the user's own, and a program that is known */
	{ { .path = "/home/dev/.ssh" }, "home hold" },
	{ { .path = "/root/.ssh/x" }, "home hold" },
	{ { .path = "/home/alice/.ssh/x" }, "home hold" },
	{ { .path = "/home/.ssh/x" }, "- allow" },
	{ { .path = "/data/dev/.ssh/x", .home = "/data/dev" }, "home hold" },
	{ { .path = "/home/dev/.ssh/x", .op = BS_DELETE_TRUNCATE }, "- allow" },
	{ { .path = "/home/dev/ok/a.tfstate", .program = "rm" }, "d allow" },
	{ { .path = "/home/dev/ok/a.tfstate", .program = "mv" }, "state hold" },
	{ { .path = "/home/dev/ok/a.tfstate" }, "state hold" },
	{ { .path = "/root/ok/a.tfstate", .program = "rm" }, "state hold" },
	/* globs */
	{ { .path = "/opt/1/a*b" }, "home hold" },
	{ { .path = "/oqt/1/2/3/a*b" }, "home hold" },
	{ { .path = "/opt/1/axb" }, "- allow" },
	{ { .path = "/opt/12/a*b" }, "- allow" },
	{ { .path = "/srv/data/x" }, "- allow" },
	{ { .path = "/etc" }, "told alert" },
	{ { .path = "/x/etc/y" }, "- allow" },
	/* other names and bursts */
	{ { .path = "/x/y", .protected_inode = true }, "other hold" },
	{ { .path = "/x/y", .protected_inode = true, .links = 1 }, "other hold" },
	{ { .path = "/x/y", .protected_inode = true, .links = 2 }, "- allow" },
	{ { .path = "/x/y", .op = BS_DELETE_PUNCH, .protected_inode = true, .links = 2 },
	  "other hold" },
	{ { .path = "/tmp/y", .protected_inode = true, .links = 1 }, "- allow" },
	{ { .path = "/tmp/y", .op = BS_DELETE_TRUNCATE, .protected_inode = true, .links = 2 },
	  "other hold" },
	{ { .path = "/x/y", .burst = true }, "burst hold" },
	{ { .path = "/x/y", .op = BS_DELETE_TRUNCATE, .burst = true }, "- allow" },
	{ { .path = "/x/y", .burst = true, .program = "git", .argv = (char *const *)checkout },
	  "- allow" },
	{ { .path = "/x/y", .burst = true, .program = "git", .argv = (char *const *)clean },
	  "burst hold" },
	{ { .path = "/mnt/y", .burst = true }, "d allow" },
	{ { .path = "/home/dev/app/x.o", .burst = true }, "- allow" },
	{ { .path = "/srv/target/x", .burst = true }, "- allow" },
	{ { .path = "/tmp/y", .burst = true }, "- allow" },
	{ { .path = "/x/a.tfstate", .burst = true }, "state hold" },
};

static void test_verdicts(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(pack);

	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		const char *answer = ask(p, &questions[i].d);

		if (strcmp(answer, questions[i].answer) != 0)
			fail_msg("%zu: %s: %s, not %s", i, questions[i].d.path, answer,
				 questions[i].answer);
	}
}

static void test_lists(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(pack);
	const char *name;
	u32 n = 0;

	assert_string_equal(policy_deletion(p, 0, 0), "**/*.tfstate");
	assert_null(policy_deletion(p, 0, 1));
	assert_string_equal(policy_deletion(p, 1, 0),
			    "path .git/**; except **/*.lock; by !(git|git-*); under !(dpkg)");
	assert_string_equal(policy_deletion(p, 2, 0),
			    "path ~/.ssh/**, /srv/data, /o[pq]t/?/**/a\\*b; how unlink, move");
	assert_string_equal(policy_deletion(p, 7, 1), "burst 20/5s; how unlink; by (git clean)");
	assert_int_equal(policy_burst(p).count, 20);
	assert_int_equal(policy_burst(p).seconds, 5);
	for (; (name = policy_build_output(p, n)); n++)
		assert_null(strpbrk(name, "*?[/"));
	assert_true(n > 50);
	for (int op = BS_DELETE_UNLINK; op < BS_DELETE_OPS; op++)
		assert_int_equal(delete_op_parse(delete_op_name((enum bs_delete_op)op)), op);
	assert_int_equal(delete_op_parse("rename-over"), BS_DELETE_RENAME);
	assert_int_equal(delete_op_parse("remove"), -EINVAL);
}

static void test_counts(void **state _unused_)
{
	static const struct {
		struct deletion d;
		bool counts;
	} all[] = {
		{ { .op = BS_DELETE_UNLINK, .path = "/x/y" }, true },
		{ { .op = BS_DELETE_RENAME, .path = "/x/y" }, true },
		{ { .op = BS_DELETE_UNLINK, .path = "/sys/fs/bpf/a/b" }, false },
		{ { .op = BS_DELETE_UNLINK, .path = "/proc/self/fd/7/a" }, false },
		{ { .op = BS_DELETE_UNLINK, .path = "/process/y" }, true },
		{ { .op = BS_DELETE_TRUNCATE, .path = "/x/y" }, false },
		{ { .op = BS_DELETE_RENAME, .path = "/x/y", .program = "sed" }, false },
		{ { .op = BS_DELETE_UNLINK,
		    .path = "/x/y",
		    .program = "git",
		    .argv = (char *const *)checkout },
		  false },
		{ { .op = BS_DELETE_UNLINK,
		    .path = "/x/y",
		    .program = "git",
		    .argv = (char *const *)clean },
		  true },
		{ { .op = BS_DELETE_UNLINK, .path = "/x/node_modules/y" }, false },
		{ { .op = BS_DELETE_UNLINK, .path = "/x/node_modules" }, false },
		{ { .op = BS_DELETE_UNLINK, .path = "/home/dev/app/y.o" }, false },
		{ { .op = BS_DELETE_UNLINK, .path = "/dev/shm/y" }, false },
	};
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(pack);

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct deletion d = all[i].d;

		d.home = "/home/dev";
		d.workspace = "/home/dev/app";
		if (policy_counts(p, &d) != all[i].counts)
			fail_msg("%zu: %s", i, d.path);
	}
}

static void test_project(void **state _unused_)
{
	static const char json[] = "{\"verdicts\":{\"d.state\":\"deny\"},\"precious\":["
				   "\"models/\",\"*.pq\",\"/srv/a\",\"~/b\"]}";
	static const char *const precious[] = { "/w/models/a", "/w/models", "/x.pq", "/srv/a/b",
						"/home/u/b" };
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(pack);
	_cleanup_(project_free_ptr) struct project *project = NULL;
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;

	assert_int_equal(project_parse(p, json, strlen(json), &project, &err), 0);
	assert_string_equal(ask(p, &(struct deletion) { .path = "/a.tfstate", .project = project }),
			    "state deny");
	assert_string_equal(ask(p, &(struct deletion) { .path = "/w/models/a" }), "- allow");
	for (size_t i = 0; i < ARRAY_SIZE(precious); i++)
		assert_string_equal(ask(p, &(struct deletion) { .path = precious[i],
								.home = "/home/u",
								.project = project }),
				    "precious hold");
	assert_string_equal(
		ask(p,
		    &(struct deletion) { .path = "/w/x", .inner = "/w/y.pq", .project = project }),
		"precious hold");
	assert_string_equal(ask(p, &(struct deletion) { .path = "/w/a.pqx", .project = project }),
			    "- allow");
}

/* --- whatever would be held, the kernel asks of */

static u64 seed = 1;

static u32 roll(u32 n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(seed >> 33) % n;
}

static const char *const pieces[] = { "a",
				      "b",
				      "Git",
				      ".git",
				      ".db",
				      "x y",
				      "etc",
				      "-",
				      "é",
				      "1",
				      ".",
				      "_",
				      "@",
				      "data",
				      "ab",
				      "+",
				      "abcdefghijklmnopqrstuvwxyz0123456789" };
static const char *const wild[] = { "*", "?", "[a-f]", "[!x]", "\\*" };

static void add_glob(struct strbuf *out)
{
	u32 parts = 1 + roll(4);

	strbuf_adds(out, roll(3) == 0 ? "/" : roll(4) == 0 ? "~/" : "");
	for (u32 i = 0; i < parts; i++) {
		strbuf_adds(out, i ? "/" : "");
		if (roll(4) == 0) {
			strbuf_adds(out, "**");
			continue;
		}
		for (u32 k = 0, n = 1 + roll(3); k < n; k++)
			strbuf_adds(out, roll(3) ? pieces[roll(ARRAY_SIZE(pieces))]
						 : wild[roll(ARRAY_SIZE(wild))]);
	}
}

/* A path that is likely to match: what a glob says, with its wildcards filled in. */
static void add_path(struct strbuf *out, const char *glob)
{
	if (glob[0] == '~') {
		strbuf_adds(out, "/home/dev");
		glob++;
	} else if (glob[0] != '/') {
		strbuf_adds(out, roll(2) ? "/" : "/top/");
	}
	for (; *glob; glob++) {
		if (glob[0] == '*' || glob[0] == '?')
			strbuf_adds(out, roll(3) ? pieces[roll(ARRAY_SIZE(pieces))] : "z");
		else if (glob[0] == '[')
			strbuf_addc(out, 'b'), glob = strchr(glob, ']');
		else if (glob[0] != '\\')
			strbuf_addc(out, roll(40) ? *glob : 'q');
	}
	if (!roll(4))
		strbuf_adds(out, "/more");
}

/* How many of the paths that the globs of one policy stand for are held. */
static u32 try_globs(char **globs, size_t count)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, image = STRBUF_INIT, err = STRBUF_INIT;
	_cleanup_(policy_free_ptr) struct policy *p = NULL;
	struct compile_stats stats;
	u32 held = 0;

	strbuf_adds(&text, "pack: p\ntitle: P\nsignatures:\n- id: a\n  severity: low\n"
			   "  verdict: hold\n  why: It is.\n"
			   "  hits: [unlink /zz/z1, unlink /zz/z2]\n"
			   "  misses: [unlink /yy/1, unlink /yy/2]\n  delete: ['/zz/*'");
	for (size_t i = 0; i < count; i++)
		strbuf_addf(&text, ", '%s'", globs[i]);
	strbuf_adds(&text, "]\n");
	/* a glob may say too little to be searched for, or match an example */
	if (policy_compile_text("p", strbuf_str(&text), text.len, &image, &stats, &err))
		return 0;
	assert_int_equal(policy_from_memory(image.data, image.len, &p, &err), 0);
	for (u32 i = 0; i < 40; i++) {
		_cleanup_strbuf_ struct strbuf path = STRBUF_INIT;

		add_path(&path, globs[i % count]);
		if (strncmp(ask(p, &(struct deletion) { .path = strbuf_str(&path) }), "a ", 2) == 0)
			held++;
	}
	return held;
}

static void test_candidates(void **state _unused_)
{
	u32 held = 0;

	for (int i = 0; i < 400; i++) {
		struct strbuf texts[3] = { 0 };
		char *globs[3];

		for (size_t k = 0; k < ARRAY_SIZE(globs); k++) {
			add_glob(&texts[k]);
			globs[k] = texts[k].data;
		}
		held += try_globs(globs, ARRAY_SIZE(globs));
		for (size_t k = 0; k < ARRAY_SIZE(globs); k++)
			strbuf_free(&texts[k]);
	}
	assert_true(held > 2000);
}

/* --- faults */

#define ONE(rule)                                                                                  \
	"pack: a\ntitle: A\nsignatures:\n- id: x\n  delete: " rule                                 \
	"\n  severity: low\n  verdict: hold\n  why: It is.\n"                                      \
	"  hits: [unlink /a.db, unlink /b.db]\n  misses: [unlink /c, unlink /d]\n"

static const struct {
	const char *text, *fault;
} faults[] = {
	{ ONE("'*.dbx'"), "hits: 'unlink /a.db' does not match a.x\n" },
	{ ONE("'*'"), "s:5:12: '*': a name is needed in it\n" },
	{ ONE("/**"), "'/**': a name is needed in it\n" },
	{ ONE("'?@*'"), "'?@*' has nothing that the kernel can search for: letters or digits" },
	{ ONE("a/../b"), "'a/../b': a path is written as it resolves, without . and ..\n" },
	{ ONE("'a**b'"), "** stands for whole directories" },
	{ ONE("'~x/a'"), "behind ~ stands a /" },
	{ ONE("'{scratch}'"), "of what stands in braces {precious} alone is known here\n" },
	{ ONE("{path: a, how: [remove]}"), "how: cannot be 'remove': write unlink, rmdir" },
	{ ONE("{path: a, by: '!(a|/b)'}"), "'!(a|/b)': write base names of programs" },
	{ ONE("{burst: 10}"), "burst: cannot be '10': write how many in how many seconds" },
	{ ONE("{by: rm}"), "a rule about deletions has path:, or burst:, or other_name: true\n" },
	{ ONE("{path: a, burst: 1/1s}"), "a rule about deletions has path:, or burst:, or" },
	{ ONE("{what: a}"), "unknown key 'what'" },
	{ ONE("'*.db'\n  connect: 10.0.0.1"),
	  "a signature has command:, connect:, delete: or send:, and one of them only\n" },
	{ "pack: a\ntitle: A\nallow: [{delete: '{precious}'}]\n",
	  "'{precious}': what is precious is not allowed as such: name the paths\n" },
	{ "pack: a\ntitle: A\nallow: [{delete: {burst: 1/1s}}]\n", "unknown key 'burst'" },
	{ "pack: a\ntitle: A\nsignatures:\n- {id: x, delete: '*.db', severity: low, verdict: hold, "
	  "why: It is., hits: [unlink a.db, remove /a.db], misses: [unlink /c, unlink /d]}\n",
	  "'unlink a.db' is no deletion: write what is done to an absolute path" },
	{ "pack: a\ntitle: A\nsignatures:\n- {id: x, delete: {burst: 5/5s}, severity: low, "
	  "verdict: "
	  "hold, why: It is., hits: [5/5s, many], misses: [4/5s, 5/6s]}\n",
	  "'many' is no burst: write how many in how many seconds, such as 200/10s\n" },
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

/* ---- whole directories */

static const char sparing[] =
	"pack: d\ntitle: D\nsignatures:\n"
	"- id: git\n"
	"  delete: {path: .git/**, except: '**/*.lock', by: '!git', under: '!dpkg'}\n"
	"  severity: high\n  verdict: hold\n  why: It is.\n"
	"  hits: [unlink /x/.git/a, rmdir /x/.git/a/b]\n"
	"  misses: [unlink /x/.git/a.lock, unlink /x/.gitignore]\n"
	"- id: home\n  delete: ['~/.ssh/**', '~/.aws', /srv/data]\n"
	"  severity: high\n  verdict: hold\n  why: It is.\n"
	"  hits: [unlink /home/x/.ssh/a, unlink /srv/data]\n"
	"  misses: [unlink /srv/data/x, unlink /srv/y]\n"
	"- id: files\n  delete: {path: '*.db', by: rm}\n"
	"  severity: low\n  verdict: hold\n  why: It is.\n"
	"  hits: [unlink /a.db, unlink /b/c.db]\n  misses: [unlink /a.dbx, {run: unlink /a.db, by: "
	"cp}]\n"
	"- id: precious\n  delete: {path: '{precious}', by: '!git'}\n"
	"  severity: high\n  verdict: hold\n  why: It is.\n"
	"  hits: [{run: unlink /m/a, precious: m/}, {run: unlink /b.pq, precious: '*.pq'}]\n"
	"  misses: [unlink /x/models/a, {run: unlink /c.pr, precious: '*.pq'}]\n"
	"allow:\n- delete: /srv/free/**\n";

static void test_spared_directories(void **state _unused_)
{
	static const struct {
		const char *path, *program, *inner;
		bool spared;
	} all[] = {
		{ "/x/.git/objects/3f/a", "git", NULL, true },
		{ "/x/.git/objects/3f/a.lock", "rm", NULL, false }, /* others there are found */
		{ "/x/.git/objects/3f/a", NULL, NULL, false },
		{ "/x/.git/objects/3f/a", "git", "/data/a", false },
		{ "/x/src/a.c", "rm", NULL, false }, /* "a.db" is found */
		{ "/tmp/x/a.db", "rm", NULL, true },
		{ "/x/src/a.c", "git", NULL, true },
		{ "/x/src/a.c", "cp", NULL, false } /* ".git" is found */,
		{ "/srv/x", "git", NULL, false }, /* "data" is found */
		{ "/srv/data/x", "git", NULL, true },
		{ "/home/dev/x", "git", NULL, false },
		{ "/home/dev/.ssh/x", "git", NULL, false },
		{ "/home/dev/app/x", "git", NULL, true },
		{ "/home/x", "git", NULL, false },
		{ "/x", "git", NULL, false },
		{ "/root/.ssh/x", "git", NULL, false },
		{ "/srv/free/x/.git/y", "rm", NULL, false }, /* whatever an owner allows */
	};
	struct policy *p = sample_policy(sparing);

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct deletion d = { .op = BS_DELETE_UNLINK,
				      .path = all[i].path,
				      .inner = all[i].inner,
				      .program = all[i].program,
				      .behind = installs,
				      .home = "/home/dev" };

		if (policy_spares_directory(p, &d) != all[i].spared)
			fail_msg("%s by %s", d.path, d.program ?: "?");
	}
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_project),
		cmocka_unit_test(test_candidates),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_spared_directories),
	};

	return cmocka_run_group_tests_name("delete", tests, NULL, NULL);
}

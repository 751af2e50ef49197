#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "policy/destination.h"
#include "sample.h"

static const char pack[] =
	"pack: tool\ntitle: Tool\nprograms: {tool: {options: gnu}, rm: }\nsignatures:\n"
	"- id: wipe\n  command: tool wipe\n  severity: high\n  verdict: hold\n  why: It is.\n"
	"  instead: tool mild\n  hits: [tool wipe, tool wipe x]\n  misses: [tool x, tool]\n"
	"- id: mild\n  command: tool mild\n  severity: low\n  verdict: alert\n  why: It is.\n"
	"  hits: [tool mild, tool mild x]\n  misses: [tool x, tool]\n"
	"- id: rm\n  command: rm {path:precious}\n  severity: low\n  verdict: deny\n  why: It is.\n"
	"  hits: [rm /etc, rm .]\n  misses: [rm a.txt, rm a]\n"
	"- id: net\n  connect: 10.0.0.0/8\n  severity: low\n  verdict: alert\n  why: It is.\n"
	"  hits: ['10.0.0.1:1', '10.0.0.2:1']\n  misses: ['1.0.0.1:1', '1.0.0.2:1']\n"
	"- id: gone\n  delete: '*.dat'\n  severity: low\n  verdict: alert\n  why: It is.\n"
	"  hits: [unlink /a.dat, rmdir /b/c.dat]\n  misses: [unlink /a, unlink /b]\n"
	"- id: kept\n  delete: '{precious}'\n  severity: low\n  verdict: hold\n  why: It is.\n"
	"  hits: [{run: unlink /a.q, precious: '*.q'}, {run: unlink /m/q, precious: m/}]\n"
	"  misses: [unlink /a.q, unlink /m/q]\n";
static const char other[] =
	"pack: other\ntitle: Other\nprograms: {other: {values: [-n], reads: [get, show "
	"!-f]}}\nsignatures:\n"
	"- id: x\n  command: other x\n  severity: high\n  verdict: hold\n  why: It is.\n"
	"  hits: [other x, other x y]\n  misses: [other y, other]\nallow: [other x allowed]\n";
static const char profile[] =
	"agent: demo\ntitle: Demo\nnames: [demo]\nhits: [demo]\nmisses: [x]\n";
static const char profile2[] =
	"agent: second\ntitle: Second\nnames: [second]\nhits: [second]\nmisses: [x]\n";

/* A directory with settings beside packs/ and agents/. */
struct place {
	char dir[64], settings[128], image[128];
};

static void put(const struct place *p, const char *name, const char *text)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	assert_int_equal(io_replace_file(path, text, strlen(text), 0644), 0);
}

static void make(struct place *p)
{
	char path[192];

	strcpy(p->dir, "/tmp/backstop-settings-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->settings, sizeof(p->settings), "%s/backstop.yaml", p->dir);
	snprintf(p->image, sizeof(p->image), "%s/image", p->dir);
	snprintf(path, sizeof(path), "%s/packs", p->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/agents", p->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	put(p, "packs/tool.yaml", pack);
	put(p, "packs/other.yaml", other);
	put(p, "agents/demo.yaml", profile);
	put(p, "agents/second.yaml", profile2);
}

static void drop(struct place *p)
{
	static const char *const names[] = {
		"backstop.yaml",  "image", "packs/tool.yaml",	 "packs/other.yaml",
		"packs/new.yaml", "packs", "agents/second.yaml", "agents/demo.yaml",
		"agents"
	};
	char path[192];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, names[i]);
		remove(path);
	}
	rmdir(p->dir);
}

#define FROM "packs: {from: packs}\nagents: {from: [agents]}\n"

static int compile(const struct place *p, const char *settings, struct strbuf *image,
		   struct strbuf *err)
{
	struct compile_stats stats;

	put(p, "backstop.yaml", settings);
	return policy_compile(NULL, 0, p->settings, image, &stats, err);
}

/* The policy of `settings`, in a place of its own. */
static struct policy *open_with(const char *settings)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;
	_cleanup_(drop) struct place place;
	struct policy *p = NULL;

	make(&place);
	if (compile(&place, settings, &image, &err) ||
	    policy_from_memory(image.data, image.len, &p, &err))
		fail_msg("%s", strbuf_str(&err));
	return p;
}

static enum verdict ask(const struct policy *p, const char *line)
{
	struct action a = { .cwd = "/home/dev/app", .home = "/home/dev", .root_fd = -1 };
	struct finding f;
	char **words;

	assert_int_equal(shellwords_split(line, &words, NULL), 0);
	a.argv = words;
	policy_match(p, &a, &f);
	shellwords_free(words);
	return f.verdict;
}

static enum verdict ask_net(const struct policy *p, const char *dest, bool *ret_candidate)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct connection c;
	struct finding f;

	assert_true(connection_parse("x", dest, &c, &err));
	policy_match_connect(p, &c, &f);
	*ret_candidate = policy_is_connect_candidate(p, &c);
	return f.verdict;
}

/* "verdict", and "asked" where the kernel does. */
static const char *ask_delete(const struct policy *p, const char *path)
{
	struct deletion d = { .op = BS_DELETE_UNLINK, .path = path, .home = "/home/dev" };
	static char answer[32];
	struct finding f;

	policy_match_delete(p, &d, &f);
	snprintf(answer, sizeof(answer), "%s%s", verdict_name(f.verdict),
		 policy_is_delete_candidate(p, &d) ? " asked" : "");
	return answer;
}

static void test_deletions(void **state _unused_)
{
	static const struct {
		const char *settings, *path, *answer;
	} all[] = {
		{ "", "/a.dat", "alert" },
		{ "", "/a.parquet", "allow" },
		{ "preset: strict\n", "/a.dat", "hold asked" },
		{ "verdicts: {tool.gone: deny}\n", "/a.dat", "deny asked" },
		{ "verdicts: {tool.gone: off}\n", "/a.dat", "allow" },
		{ "allow: [{delete: '/srv/**'}]\n", "/srv/a.dat", "allow" },
		{ "allow: [{delete: '/srv/**'}]\n", "/a.dat", "alert" },
		{ "precious: ['*.parquet']\n", "/w/a.parquet", "hold asked" },
		{ "precious: ['*.parquet']\n", "/w/build/a.parquet", "hold asked" },
		{ "precious: ['*.parquet']\n", "/w/parquet", "allow" },
		{ "precious: [models/, '~/notes']\n", "/w/models/x/y", "hold asked" },
		{ "precious: [models/, '~/notes']\n", "/home/dev/notes/x", "hold asked" },
		{ "precious: [models/, '~/notes']\n", "/w/notes/x", "allow asked" },
		{ "precious: ['~/', '*']\n", "/home/dev/x", "allow" }, /* too much to ask of */
		{ "precious: [m/]\nallow: [{delete: '/w/**'}]\n", "/w/m/x", "allow asked" },
		{ "precious: [m/]\nverdicts: {tool.kept: off}\n", "/w/m/x", "allow" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		_cleanup_strbuf_ struct strbuf settings = STRBUF_INIT;
		_cleanup_(policy_free_ptr) struct policy *p = NULL;

		strbuf_addf(&settings, "%s%s", FROM, all[i].settings);
		p = open_with(strbuf_str(&settings));
		if (strcmp(ask_delete(p, all[i].path), all[i].answer) != 0)
			fail_msg("%zu: %s: %s, not %s", i, all[i].path, ask_delete(p, all[i].path),
				 all[i].answer);
	}
}

static void test_defaults(void **state _unused_)
{
	static const char *const empty[] = { FROM, "# nothing\n" FROM };

	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		_cleanup_(policy_free_ptr) struct policy *p = open_with(empty[i]);
		const struct settings *s = policy_settings(p);

		assert_int_equal(s->mode, MODE_ENFORCE);
		assert_int_equal(s->when_down, WHEN_DOWN_HOLD);
		assert_int_equal(s->hold_timeout, 600);
		assert_true(s->follow_agents && s->notify);
		assert_string_equal(s->approvers, "backstop");
		assert_string_equal(s->pins, "/sys/fs/bpf/backstop");
		assert_int_equal(ask(p, "tool wipe"), VERDICT_HOLD);
		assert_int_equal(ask(p, "other x"), VERDICT_HOLD);
		assert_int_equal(ask(p, "other x allowed"), VERDICT_ALLOW);
	}
}

static void test_values(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p =
		open_with(FROM "mode: shadow\nhold_timeout: 2h\nwhen_down: kill\napprovers: wheel\n"
			       "notify: false\npins: /sys/fs/bpf/x\n");
	const struct settings *s = policy_settings(p);

	assert_int_equal(s->mode, MODE_SHADOW);
	assert_int_equal(s->when_down, WHEN_DOWN_KILL);
	assert_int_equal(s->hold_timeout, 7200);
	assert_true(s->follow_agents && !s->notify);
	assert_string_equal(s->approvers, "wheel");
	assert_string_equal(s->pins, "/sys/fs/bpf/x");
}

static void test_verdicts(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p = open_with(
		FROM
		"verdicts: {tool.wipe: kill, tool.*: deny, tool.mild: 'off', other.*: alert}\n");
	bool candidate;

	assert_int_equal(ask(p, "tool wipe"), VERDICT_KILL);
	assert_int_equal(ask(p, "tool mild"), VERDICT_ALLOW);
	assert_int_equal(ask(p, "other x"), VERDICT_ALERT);
	/* a stricter verdict freezes what was let go */
	assert_int_equal(ask_net(p, "10.0.0.1:22", &candidate), VERDICT_DENY);
	assert_true(candidate);
}

static void test_strict(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p =
		open_with(FROM "preset: strict\nverdicts: {tool.net: alert}\n");
	bool candidate;

	assert_int_equal(ask(p, "tool mild"), VERDICT_HOLD);
	assert_int_equal(ask(p, "rm /etc"), VERDICT_DENY);
	assert_int_equal(ask(p, "other get"), VERDICT_ALLOW);
	/* what the owner says counts more */
	assert_int_equal(ask_net(p, "10.0.0.1:22", &candidate), VERDICT_ALERT);
}

static void test_read_only(void **state _unused_)
{
	static const char *const reads[] = { "other get",     "other -n x get y",
					     "other show x",  "other x allowed",
					     "other --help",  "other get --help",
					     "tool mild-not", "other --version" };
	static const char *const writes[] = {
		"other",   "other put get", "other show -f",	 "other -z get put",
		"other x", "npx other put", "other run x --help"
	};
	_cleanup_(policy_free_ptr) struct policy *p = open_with(FROM "preset: read-only\n");
	char *argv[] = { (char *)"other", (char *)"put", NULL };
	struct action a = { .argv = argv, .root_fd = -1 };
	struct finding f;

	for (size_t i = 0; i < ARRAY_SIZE(reads); i++)
		if (ask(p, reads[i]) != VERDICT_ALLOW)
			fail_msg("%s", reads[i]);
	for (size_t i = 0; i < ARRAY_SIZE(writes); i++)
		if (ask(p, writes[i]) != VERDICT_HOLD)
			fail_msg("%s", writes[i]);
	policy_match(p, &a, &f);
	assert_string_equal(f.pack, "other");
	assert_string_equal(f.id, "read-only");
	assert_true(policy_is_candidate(p, &a));
}

/* The signature of the preset can be changed like any other. */
static void test_read_only_off(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p =
		open_with(FROM "preset: read-only\nverdicts: {other.read-only: 'off'}\n");

	assert_int_equal(ask(p, "other put"), VERDICT_ALLOW);
	assert_int_equal(ask(p, "other x"), VERDICT_HOLD);
}

static void test_off(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p =
		open_with("packs: {from: packs, off: other}\n"
			  "agents: {from: agents, off: [demo], follow: false}\n");
	const char *title;

	assert_int_equal(ask(p, "other x"), VERDICT_ALLOW);
	assert_int_equal(ask(p, "tool wipe"), VERDICT_HOLD);
	assert_string_equal(policy_agent(p, 0, &title), "second");
	assert_null(policy_agent(p, 1, &title));
	assert_false(policy_settings(p)->follow_agents);
}

static void test_allow(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p =
		open_with(FROM "allow: [tool wipe scratch, {connect: '10.0.0.1:22'}]\n"
			       "verdicts: {tool.net: hold}\n");
	bool candidate;

	assert_int_equal(ask(p, "tool wipe scratch"), VERDICT_ALLOW);
	assert_int_equal(ask(p, "tool wipe scratch more"), VERDICT_HOLD);
	assert_int_equal(ask_net(p, "10.0.0.1:22", &candidate), VERDICT_ALLOW);
	assert_int_equal(ask_net(p, "10.0.0.1:23", &candidate), VERDICT_HOLD);
}

static void test_precious(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p =
		open_with(FROM "precious: ['*.txt', models/, /tmp/keep, ~/notes]\n");
	static const char *const lost[] = {
		"rm a.txt",
		"rm x/y/a.txt",
		"rm models",
		"rm models/a/b",
		"rm node_modules/models",
		"rm /tmp/keep/x",
		"rm /home/dev/notes/x",
		"rm a.txt/b",
	};
	static const char *const free[] = { "rm a.txtx", "rm model", "rm /tmp/keeper",
					    "rm node_modules/x", "rm a" };

	for (size_t i = 0; i < ARRAY_SIZE(lost); i++)
		if (ask(p, lost[i]) != VERDICT_DENY)
			fail_msg("%s", lost[i]);
	for (size_t i = 0; i < ARRAY_SIZE(free); i++)
		if (ask(p, free[i]) != VERDICT_ALLOW)
			fail_msg("%s", free[i]);
}

#define KEY_HEAD "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd"
#define KEY_TEXT KEY_HEAD "ef"

static void test_approver_keys(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p =
		open_with(FROM "approver_keys:\n  alice: " KEY_TEXT "\n  bob.x: \""
			       "ff" KEY_HEAD "\"\n");
	u8 key[APPROVER_KEY] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
	struct approver got;

	for (size_t i = 8; i < sizeof(key); i++)
		key[i] = key[i - 8];
	assert_int_equal(policy_approver(p, key, &got), 0);
	assert_string_equal(got.name, "alice");
	assert_memory_equal(got.key, key, sizeof(key));
	memmove(key + 1, key, sizeof(key) - 1);
	key[0] = 0xff;
	assert_int_equal(policy_approver(p, key, &got), 0);
	assert_string_equal(got.name, "bob.x");
	key[31] ^= 1;
	assert_int_equal(policy_approver(p, key, &got), -ENOENT);
}

static const struct {
	const char *text, *fault;
} faults[] = {
	{ "mod: shadow\n",
	  "1:1: unknown key 'mod': did you mean 'mode'?\n    mod: shadow\n    ^\n" },
	{ "mode: shadows\n", "1:7: mode: cannot be 'shadows': did you mean 'shadow'?\n" },
	{ "hold_timeout: 600\n",
	  "1:15: hold_timeout: cannot be '600': write a time from 1s to 24h" },
	{ "hold_timeout: 25h\n", "1:15: hold_timeout: cannot be '25h'" },
	{ "hold_timeout: 0s\n", "1:15: hold_timeout: cannot be '0s'" },
	{ "hold_timeout: 10 m\n", "1:15: hold_timeout: cannot be '10 m'" },
	{ "when_down: hol\n", "1:12: when_down: cannot be 'hol': did you mean 'hold'?\n" },
	{ "approvers: a b\n", "1:12: approvers: 'a b' is no name of a group\n" },
	{ "approver_keys: {alice: 0123}\n", "1:24: approver_keys: '0123' is no public key" },
	{ "approver_keys: {alice: " KEY_TEXT "0}\n", "1:24: approver_keys: " },
	{ "approver_keys: {a b: " KEY_TEXT "}\n",
	  "1:17: approver_keys: 'a b' is no name of an approver" },
	{ "approver_keys: {alice: " KEY_TEXT ", bob: " KEY_TEXT "}\n",
	  "1:95: approver_keys: this is the key of 'alice'" },
	{ "notify: maybe\n", "1:9: notify: cannot be 'maybe'" },
	{ "pins: bpf\n", "1:7: pins: is an absolute path" },
	{ "packs: {of: x}\n", "1:9: unknown key 'of': did you mean 'off'?\n" },
	{ FROM "verdicts: {tool.wip: hold}\n",
	  "3:12: there is no signature 'tool.wip': did you mean 'tool.wipe'?\n" },
	{ FROM "verdicts: {tols.*: hold}\n",
	  "3:12: there is no signature 'tols.*': did you mean 'tool.*'?\n" },
	{ FROM "verdicts: {tool.wipe: allow}\n",
	  "3:23: tool.wipe: cannot be 'allow': write off, alert, hold, deny or kill\n" },
	{ "packs: {from: packs, off: [others]}\nagents: {from: agents}\n",
	  "1:28: there is no pack 'others': did you mean 'other'?\n" },
	{ "packs: {from: packs}\nagents: {from: agents, off: [dmo]}\n",
	  "2:30: there is no agent 'dmo': did you mean 'demo'?\n" },
	{ FROM "allow: [toool wipe]\n", "3:9: unknown program 'toool': did you mean 'tool'?\n" },
	{ FROM "allow: [{connect: db}]\n", "3:19: 'db' is no address" },
	{ "packs: {from: nowhere}\n", "/nowhere: No such file or directory\n" },
};

static void test_faults(void **state _unused_)
{
	_cleanup_(drop) struct place place;

	make(&place);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;

		assert_int_equal(compile(&place, faults[i].text, &image, &err), -EINVAL);
		if (!strstr(strbuf_str(&err), faults[i].fault))
			fail_msg("%s:\n%s", faults[i].text, strbuf_str(&err));
		assert_int_equal(image.len, 0);
	}
	unlink(place.settings);
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;
	struct compile_stats stats;
	assert_int_equal(policy_compile(NULL, 0, place.settings, &image, &stats, &err), -EINVAL);
	assert_non_null(strstr(strbuf_str(&err), "backstop.yaml: No such file or directory\n"));
}

/* --- freshness */

static void write_image(const struct place *p)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;

	if (compile(p, FROM, &image, &err))
		fail_msg("%s", strbuf_str(&err));
	assert_int_equal(io_replace_file(p->image, image.data, image.len, 0644), 0);
}

static void test_fresh(void **state _unused_)
{
	static const char *const changed[] = { "packs/tool.yaml", "packs/new.yaml",
					       "agents/demo.yaml", "backstop.yaml" };
	_cleanup_(drop) struct place p;
	char path[192];

	make(&p);
	assert_int_equal(policy_fresh(p.image, p.settings), 0);
	write_image(&p);
	assert_int_equal(policy_fresh(p.image, p.settings), 1);
	assert_int_equal(policy_fresh(p.image, "/etc/passwd"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(changed); i++) {
		write_image(&p);
		assert_int_equal(policy_fresh(p.image, p.settings), 1);
		put(&p, changed[i], strcmp(changed[i], "agents/demo.yaml") == 0 ? profile : pack);
		if (policy_fresh(p.image, p.settings) != 0)
			fail_msg("%s", changed[i]);
		snprintf(path, sizeof(path), "%s/packs/new.yaml", p.dir);
		unlink(path);
	}
	write_image(&p);
	snprintf(path, sizeof(path), "%s/packs/other.yaml", p.dir);
	unlink(path);
	assert_int_equal(policy_fresh(p.image, p.settings), 0);
	put(&p, "image", "nonsense");
	assert_int_equal(policy_fresh(p.image, p.settings), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),      cmocka_unit_test(test_deletions),
		cmocka_unit_test(test_values),	      cmocka_unit_test(test_approver_keys),
		cmocka_unit_test(test_verdicts),      cmocka_unit_test(test_off),
		cmocka_unit_test(test_strict),	      cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_read_only_off), cmocka_unit_test(test_allow),
		cmocka_unit_test(test_precious),      cmocka_unit_test(test_faults),
		cmocka_unit_test(test_fresh),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}

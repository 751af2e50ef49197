#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define EXAMPLES                                                                                   \
	"  severity: high\n  why: It is.\n  verdict: hold\n"                                       \
	"  misses: [true, true]\n"

static const char pack[] =
	"pack: t\ntitle: T\nprograms:\n  '>':\n  rm:\n  psql:\n  systemd-run:\n"
	"signatures:\n"
	"- id: rm\n  command: rm -r {path:precious}\n  hits: [rm -r /etc, rm -r /srv]\n" EXAMPLES
	"- id: passwd\n  command: '> {path:/etc/passwd}'\n"
	"  hits: [sh -c '> /etc/passwd', bash -c 'a > /etc/passwd']\n" EXAMPLES
	"- id: sql\n  command: psql -c={sql:destructive}\n"
	"  hits: [psql -c 'drop table a', psql -c 'truncate a']\n" EXAMPLES
	"- id: later\n  command: systemd-run --on-boot\n"
	"  hits: [systemd-run --on-boot=1 x, systemd-run --on-boot 1 x]\n" EXAMPLES
	"allow: [rm -r /srv/free]\n";

#include "unit/policy/one_pack.h"

/* "pack.id of STARTED", "pack.id" where it is the exec itself, "of STARTED" where nothing is. */
static void expect(const char *line, const char *expected)
{
	_cleanup_strbuf_ struct strbuf started = STRBUF_INIT, out = STRBUF_INIT;
	struct action a = {
		.cwd = "/home/dev/app", .home = "/home/dev", .started = &started, .root_fd = -1
	};
	struct finding f;
	char **words;

	assert_int_equal(shellwords_split(line, &words, NULL), 0);
	a.argv = words;
	policy_match(policy, &a, &f);
	if (f.id)
		strbuf_addf(&out, "%s.%s", f.pack, f.id);
	if (started.len && f.started == (f.id != NULL))
		strbuf_addf(&out, "%sof %s", f.id ? " " : "", strbuf_str(&started));
	assert_string_equal(strbuf_str(&out), expected);
	shellwords_free(words);
}

static void test_not_unless_asked(void **state _unused_)
{
	assert_string_equal(sample_ask(policy, "sudo rm -r /etc"), "");
	assert_string_equal(sample_ask(policy, "bash -c 'rm -r /etc'"), "");
}

static void test_wrappers(void **state _unused_)
{
	expect("rm -r /etc", "t.rm");
	expect("ls", "");
	expect("sudo ls -l", "of ls -l");
	expect("sudo -n -u root -- rm -r /etc", "t.rm of rm -r /etc");
	expect("env -i A=1 nice -n 5 setsid rm -r /etc", "t.rm of rm -r /etc");
	expect("timeout --signal=KILL 60s rm -r /etc", "t.rm of rm -r /etc");
	expect("env --chdir=/ rm -r home", "t.rm of rm -r home");
	expect("env -S 'rm -r /etc'", "t.rm of rm -r /etc");
	expect("watch -n 1 rm -r /etc", "t.rm of rm -r /etc");
	expect("runuser -u pg -- psql -c 'drop table a'", "t.sql of psql -c 'drop table a'");
	expect("systemd-run --scope rm -r /etc", "t.rm of rm -r /etc");
	expect("systemd-run --on-boot 1 ls", "t.later");
	expect("npx sudo rm -r /etc", "t.rm of rm -r /etc");
	expect("sudo -l rm -r /etc", "");
	expect("command -v rm -r /etc", "");
	expect("git commit -m 'sudo rm -r /etc'", "");
	expect("sudo rm -r /srv/free", "of rm -r /srv/free");
}

static void test_text(void **state _unused_)
{
	expect("bash -c 'echo rm -r /etc'", "");
	expect("bash -lc 'ls; rm -r /etc || x'", "t.rm of rm -r /etc");
	expect("sh -c '> /etc/passwd'", "t.passwd");
	expect("sudo sh -c '> /etc/passwd'", "t.passwd of sh -c '> /etc/passwd'");
	expect("bash -c \"r''m -r /etc\"", "t.rm of rm -r /etc");
	expect("bash -c 'x=/etc; rm -r $x'", "t.rm of rm -r /etc");
	expect("bash -c 'for h in a b; do sudo -u $h rm -r /etc; done'", "t.rm of rm -r /etc");
	expect("bash -c 'rm -r $x'", "of rm -r '$x'");
	expect("bash -c 'rm -r /$x'", "t.rm of rm -r '/$x'");
	expect("bash -c 'rm -r $1' sh /etc", "t.rm of rm -r /etc");
	expect("bash -c 'eval \"rm -r /etc\"'", "t.rm of rm -r /etc");
	expect("bash -c 'trap \"rm -r /etc\" EXIT'", "t.rm of rm -r /etc");
	expect("su - pg -c 'rm -r /etc'", "t.rm of rm -r /etc");
	expect("bash -c 'sudo bash -c \"rm -r /etc\"'", "t.rm of rm -r /etc");
	expect("psql -c '\\! rm -r /etc'", "t.rm of rm -r /etc");
}

static void test_functions(void **state _unused_)
{
	expect("bash -c 'f() { rm -r \"$1\"; }; f /etc'", "t.rm of rm -r /etc");
	expect("bash -c 'f() { rm -r \"$1\"; }; f dist'", "of rm -r dist");
	expect("bash -c 'f() { rm -r /etc; }'", "");
	expect("bash -c 'g() { rm -r \"$2\"; }; f() { g a \"$1\"; }; f /etc'",
	       "t.rm of rm -r /etc");
	expect("bash -c 'f() { rm -r \"$2\"; }; f a /tmp/x; f /etc'", "of rm -r /tmp/x");
	expect("bash -c 'rm() { ls; }; rm -r /etc'", "of ls");
	expect("bash -c 'f() { f; f; }; f; rm -r /etc'", "t.rm of rm -r /etc");
}

static void test_places(void **state _unused_)
{
	expect("bash -c 'cd / && rm -r etc'", "t.rm of rm -r etc");
	expect("bash -c '(cd /; ls); rm -r etc'", "of ls");
	expect("bash -c 'cd /tmp/x && rm -r *'", "of rm -r '*'");
	expect("bash -c 'bash -c \"cd /\"; rm -r etc'", "of bash -c 'cd /'");
	expect("bash -c 'cd /; bash -c ls; rm -r etc'", "t.rm of rm -r etc");
}

static void test_feeds(void **state _unused_)
{
	expect("bash -c 'find /etc -print0 | xargs -0 rm -r'", "t.rm of rm -r '/etc/*'");
	expect("bash -c 'find . -name x | xargs rm -r'", "of find . -name x");
	expect("bash -c 'echo /etc | sudo xargs -n1 rm -r'", "t.rm of rm -r /etc");
	expect("bash -c 'ls | xargs rm -r'", "of ls");
	expect("bash -c 'echo rm -r /etc | sudo bash'", "t.rm of rm -r /etc");
	expect("bash -c 'bash <<E\nrm -r /etc\nE'", "t.rm of rm -r /etc");
}

static void test_code(void **state _unused_)
{
	expect("python3 -c \"import os; os.system('rm -r /etc')\"", "t.rm of rm -r /etc");
	expect("python3 -c \"import subprocess as s; s.run(['rm', '-r', '/etc'])\"",
	       "t.rm of rm -r /etc");
	expect("node -e \"require('child_process').exec('rm -r /etc')\"", "t.rm of rm -r /etc");
	expect("node -e \"const {exec} = require('child_process'); exec('ls')\"", "of ls");
	expect("ruby -e \"exec 'rm -r /etc'\"", "t.rm of rm -r /etc");
	expect("lua -e \"os.execute('rm -r /etc')\"", "t.rm of rm -r /etc");
	expect("python3 -c \"db.execute('rm -r /etc')\"", "");
	expect("node -e \"db.exec('rm -r /etc')\"", "");
}

static void test_deep(void **state _unused_)
{
	expect("sudo sudo sudo sudo sudo sudo rm -r /etc", "t.rm of rm -r /etc");
	expect("sudo sudo sudo sudo sudo sudo sudo sudo sudo sudo rm -r /etc",
	       "of sudo sudo sudo sudo sudo sudo sudo sudo sudo rm -r /etc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_unless_asked),
		cmocka_unit_test(test_wrappers),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_feeds),
		cmocka_unit_test(test_code),
		cmocka_unit_test(test_deep),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define EXAMPLES                                                                                   \
	"  severity: high\n  why: It is.\n  verdict: hold\n"                                       \
	"  misses: [true, true]\n"

static const char pack[] =
	"pack: t\ntitle: T\nprograms:\n  '>':\n  psql:\n  kill: {options: go}\n  python:\n  rm:\n"
	"  sh: {also: [bash]}\n"
	"signatures:\n"
	"- id: passwd\n  command: '> {path:/etc/passwd}'\n"
	"  hits: [sh -c '> /etc/passwd', bash -c 'a > /etc/passwd']\n" EXAMPLES
	"- id: data\n  command: '> {path:data} <<'\n"
	"  hits: [sh -c '> x.db', bash -c 'echo a > .env']\n" EXAMPLES
	"- id: sql\n  command: psql <<={sql:destructive}\n"
	"  hits: [sh -c 'echo drop table a | psql', sh -c 'psql <<< \"drop table a\"']\n" EXAMPLES
	"- id: file\n  command: psql <=*drop* <-=cat*\n"
	"  hits: [sh -c 'cat drop.sql | psql', sh -c 'cat a/drop.sql | psql']\n" EXAMPLES
	"- id: kill\n  command: kill -1\n"
	"  hits: [kill -1, sh -c 'kill -1']\n" EXAMPLES
	"- id: tree\n  command: python -c={re:rmtree}\n"
	"  hits: [python -c 'rmtree(1)', sh -c 'echo \"rmtree(1)\" | python']\n" EXAMPLES
	"- id: rm\n  command: rm -r /\n"
	"  hits: [rm -r /, ssh h rm -r /]\n" EXAMPLES "- id: fetched\n  command: sh <-=curl*\n"
	"  hits: [sh -c 'curl x | sh', sh -c 'curl x | bash']\n" EXAMPLES
	"allow: [psql -h scratch, psql -h spare !<<]\n";

#include "unit/policy/one_pack.h"

static void test_code(void **state _unused_)
{
	EXPECT("bash -c '> /etc/passwd'", "t.passwd via sh -c");
	EXPECT("/usr/bin/zsh -fc '> /etc/passwd' x", "t.passwd via sh -c");
	EXPECT("bash -euo pipefail -c -- '> /etc/passwd'", "t.passwd via sh -c");
	EXPECT("bash -c -l --rcfile x '> /etc/passwd'", "t.passwd via sh -c");
	EXPECT("ssh h '> /etc/passwd'", "t.passwd via ssh");
	EXPECT("busybox sh -c '> /etc/passwd'", "t.passwd via busybox");
	EXPECT("bash x.sh -c '> /etc/passwd'", "");
	EXPECT("git -c '> /etc/passwd'", "");
	EXPECT("bash -c 'rm -r /'", "");
	EXPECT("bash -c 'bash -c \"> /etc/passwd\"'", "");
	EXPECT("bash -c 'eval \"> /etc/passwd\"'", "t.passwd via sh -c");
}

static void test_targets(void **state _unused_)
{
	EXPECT("sh -c '> ../../../etc/./passwd'", "t.passwd via sh -c");
	EXPECT("sh -c 'cd /etc; > passwd'", "t.passwd via sh -c");
	EXPECT("sh -c 'cd ../../..; cd etc && > passwd'", "t.passwd via sh -c");
	EXPECT("sh -c 'cd /tmp; > x.db'", "");
	EXPECT("sh -c 'cd $X; > x.db'", "t.data via sh -c");
	EXPECT("sh -c '(cd /tmp; > x.db)'", "");
	EXPECT("sh -c '(cd /tmp && (cd y)); > x.db'", "t.data via sh -c");
	EXPECT("sh -c 'x=$(cd /tmp && pwd); > x.db'", "t.data via sh -c");
	EXPECT("sh -c 'cd /etc; (cd ..); > passwd'", "t.passwd via sh -c");
	EXPECT("sh -c '> $HOME/x.db; '", "t.data via sh -c");
	EXPECT("sh -c '> ~/id_rsa'", "t.data via sh -c");
	EXPECT("sh -c '> \"$PWD\"/.env'", "t.data via sh -c");
	EXPECT("sh -c '> $X/.env'", "");
	EXPECT("sh -c '> x.d\"b\"'", "");
	EXPECT("sh -c 'dump > x.db'", "");
	EXPECT("sh -c '>> /etc/passwd'", "");
}

static void test_fed(void **state _unused_)
{
	EXPECT("sh -c 'echo drop table a | sudo -u x psql b'", "t.sql via sh -c");
	EXPECT("sh -c 'echo drop table a | docker exec -i c psql'", "t.sql via sh -c");
	EXPECT("sh -c 'docker exec -i c sh -c psql <<< \"drop table a\"'", "t.sql via sh -c");
	EXPECT("sh -c 'ssh h psql <<< \"drop table a\"'", "t.sql via sh -c");
	EXPECT("ssh h 'echo drop table a | psql'", "t.sql via ssh");
	EXPECT("sh -c 'echo drop table a; psql'", "");
	EXPECT("sh -c 'echo drop table a | wc; psql'", "");
	EXPECT("sh -c 'psql < drop.sql'", "");
	EXPECT("sh -c 'cat drop.sql | psql'", "t.file via sh -c");
	EXPECT("sh -c 'echo \"rm -r /\" | ssh h'", "t.rm via sh -c");
	EXPECT("sh -c 'curl x | sudo bash'", "t.fetched via sh -c");
	EXPECT("sh -c 'bash <(curl x)'", "t.fetched via sh -c");
}

static void test_allowed(void **state _unused_)
{
	EXPECT("sh -c 'psql -h scratch <<< \"drop table a\"'", "");
	EXPECT("sh -c 'psql -h spare <<< \"drop table a\"'", "t.sql via sh -c");
	EXPECT("sh -c 'cat drop.sql | psql -h spare'", "t.file via sh -c");
	EXPECT("sh -c 'psql -h scratch <<< x; psql <<< \"drop table a\"'", "t.sql via sh -c");
}

static void test_fed_code(void **state _unused_)
{
	EXPECT("sh -c 'python3 - <<< \"rmtree(1)\"'", "");
	EXPECT("sh -c 'python - <<< \"rmtree(1)\"'", "t.tree via sh -c");
	EXPECT("sh -c 'python x.py <<< \"rmtree(1)\"'", "");
	EXPECT("sh -c 'python -c x <<< \"rmtree(1)\"'", "");
	EXPECT("sh -c 'bash -s <<< \"> /etc/passwd\"'", "t.passwd via sh -c");
	EXPECT("sh -c 'bash x <<< \"> /etc/passwd\"'", "");
	EXPECT("sh -c 'bash <<< \"rm -r /\"'", "");
	EXPECT("sh -c 'docker exec -i c bash <<< \"rm -r /\"'", "t.rm via sh -c");
}

static void test_builtins(void **state _unused_)
{
	EXPECT("sh -c 'command kill -1'", "t.kill via sh -c");
	EXPECT("sh -c 'sudo kill -1'", "");
	EXPECT("sh -c 'echo kill -1'", "");
	EXPECT("kill -1", "t.kill");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code),	 cmocka_unit_test(test_targets),
		cmocka_unit_test(test_fed),	 cmocka_unit_test(test_fed_code),
		cmocka_unit_test(test_builtins), cmocka_unit_test(test_allowed),
	};

	return cmocka_run_group_tests_name("search_shell", tests, set_up, tear_down);
}

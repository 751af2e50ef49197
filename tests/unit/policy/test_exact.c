#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define EXAMPLES                                                                                   \
	"  severity: high\n  verdict: hold\n  why: It is.\n"                                       \
	"  misses: [true, true]\n"

/* One program in each style of options; the hits are tried when the pack is compiled. */
static const char pack[] =
	"pack: t\ntitle: T\nprograms:\n"
	"  git: {options: gnu, values: [-C, -c, --git-dir, commit -m, --depth?], flags: [-p, "
	"--bare]}\n"
	"  tar: {options: getopt, values: [-f, -b?], flags: [-v]}\n"
	"  terraform: {options: go, values: [-chdir, -var]}\n"
	"  redis-cli: {nocase: true, values: [-h, get -x]}\n"
	"  dd:\n"
	"  mv:\n"
	"  psql: {options: gnu}\n"
	"  cloud: {options: gnu, values: [--zone]}\n"
	"signatures:\n"
	"- id: cloud\n  command: cloud *!(list|get) (delete|rm*)!rmdir\n"
	"  hits: [cloud vm delete x, cloud --zone list vm delete]\n" EXAMPLES
	"- id: force\n  command: git push (-f|--force|--mirror) !--force-with-lease "
	"!(-n|--dry-run)\n"
	"  hits: [git push -f, git push --force]\n" EXAMPLES
	"- id: checkout\n  command: git checkout -- *\n"
	"  hits: [git checkout -- a, git -C x checkout -- a b]\n" EXAMPLES
	"- id: branch\n  command: git branch -D !main\n"
	"  hits: [git branch -D x, git branch x -D]\n" EXAMPLES
	"- id: extract\n  command: tar -x -f=/dev/*\n"
	"  hits: [tar -xf /dev/sda, tar -x -f/dev/sda]\n" EXAMPLES
	"- id: destroy\n  command: terraform destroy !-dry\n"
	"  hits: [terraform destroy, terraform -chdir=x destroy]\n" EXAMPLES
	"- id: target\n  command: terraform apply -target=aws_*\n"
	"  hits: [terraform apply -target=aws_x, terraform apply -target aws_x]\n" EXAMPLES
	"- id: yes\n  command: terraform apply -yes\n"
	"  severity: high\n  verdict: hold\n  why: It is.\n"
	"  hits: [terraform apply -yes, terraform apply --yes=true, terraform apply -yes false]\n"
	"  misses: [terraform apply -yes=false, terraform apply --yes=false]\n"
	"- id: flush\n  command: redis-cli (flushall|flushdb)\n"
	"  hits: [redis-cli FLUSHALL, redis-cli -h x flushdb]\n" EXAMPLES
	"- id: get\n  command: redis-cli get prod\n"
	"  hits: [redis-cli get prod, redis-cli GET -x a PROD]\n" EXAMPLES
	"- id: device\n  command: dd of={path:device} !if=/dev/sdb\n"
	"  hits: [dd of=/dev/sda, dd if=x of=/dev/sda]\n" EXAMPLES
	"- id: away\n  command: mv {path:precious} {path:scratch}\n"
	"  hits: [mv /etc/x /tmp, mv -v /tmp/a /etc/x /tmp/b]\n" EXAMPLES
	"- id: sql\n  command: psql (-c|--command)={sql:destructive}\n"
	"  hits: [psql -c 'drop table x', psql '--command=drop table x']\n" EXAMPLES
	"- id: re\n  command: psql {re:^prod-[0-9]{2}$} !{glob:*safe*}\n"
	"  hits: [psql prod-12, psql a prod-12]\n" EXAMPLES
	"- id: files\n  command: mv over ({exists:a}|{exists:b}) !{exists:c}\n"
	"  severity: high\n  verdict: hold\n  why: It is.\n"
	"  hits: [{run: mv over, files: [a]}, {run: mv over x, files: [d, b]}]\n"
	"  misses: [mv over, {run: mv over, files: [d]}, {run: mv over, files: [a, c]}]\n"
	"- id: value\n  command: tar -c -f={exists:.}\n"
	"  severity: high\n  verdict: hold\n  why: It is.\n"
	"  hits: [{run: tar -cf x, files: [x]}, {run: tar -cf ../y, files: [../y]}]\n"
	"  misses: [tar -cf x, {run: tar -cf x, files: [y]}]\n";

#include "unit/policy/one_pack.h"

static void test_gnu(void **state _unused_)
{
	EXPECT("git push -uf", "t.force");
	EXPECT("git push --forc", "t.force");
	EXPECT("git push --force=x origin", "t.force");
	EXPECT("git push origin -f main", "t.force");
	EXPECT("git -C push push -f", "t.force");
	EXPECT("git --git-dir push status -f", "");
	EXPECT("git push --fo", "");
	EXPECT("git push -- -f", "");
	EXPECT("git push --force-with-lease -f", "");
	EXPECT("git push -fn", "");
	EXPECT("git push -f --dry", "");
	EXPECT("git push", "");
	EXPECT("git push -x", "");
	EXPECT("git", "");
}

/* An abbreviation that fits several options counts for the match, not against it. */
static void test_doubtful_abbreviations(void **state _unused_)
{
	EXPECT("git push --forc", "t.force");
	EXPECT("git push -f --forc", "t.force");
	EXPECT("git push -f --force-w", "");
}

static void test_unknown_options(void **state _unused_)
{
	EXPECT("git --unknown push -f", "t.force");
	EXPECT("git --unknown x push -f", "t.force");
	EXPECT("git -x y --z w push -f", "t.force");
	EXPECT("git --bare x push -f", "");
	EXPECT("git --depth push -f", "t.force");
	EXPECT("git --unknown=x y push -f", "");
	EXPECT("git push --unknown -f", "t.force");
}

static void test_values_of_one_command(void **state _unused_)
{
	EXPECT("git commit -m push -f", "");
	EXPECT("git branch -m x -D", "t.branch");
	EXPECT("git branch -D main", "");
	EXPECT("git branch -D x main", "");
}

static void test_dashes(void **state _unused_)
{
	EXPECT("git checkout -- .", "t.checkout");
	EXPECT("git checkout main", "");
	EXPECT("git checkout --", "");
}

static void test_getopt(void **state _unused_)
{
	EXPECT("tar -xvf /dev/sda", "t.extract");
	EXPECT("tar xf /dev/sda", "");
	EXPECT("tar -f x -x", "");
	EXPECT("tar -f -x -f /dev/x", "");
	EXPECT("tar -x -f=/dev/x", "t.extract");
	EXPECT("tar -bxf /dev/sda -x", "");
	EXPECT("tar -x -f", "");
	EXPECT("tar -xf x -f /dev/x", "t.extract");
}

static void test_go(void **state _unused_)
{
	EXPECT("terraform --chdir x destroy", "t.destroy");
	EXPECT("terraform destroy -dry", "");
	EXPECT("terraform destroy --dry=true", "");
	EXPECT("terraform destroy -dr", "t.destroy");
	EXPECT("terraform plan destroy", "");
	EXPECT("terraform -var destroy plan", "");
	EXPECT("terraform apply --target=aws_x", "t.target");
	EXPECT("terraform apply -target x -target aws_x", "t.target");
	EXPECT("terraform apply -target x", "");
}

static void test_words(void **state _unused_)
{
	EXPECT("redis-cli FlushAll", "t.flush");
	EXPECT("redis-cli get flushall", "");
	EXPECT("redis-cli GET -x PROD", "");
	EXPECT("/usr/bin/redis-cli flushall", "t.flush");
	EXPECT("redis-cli.exe flushall", "t.flush");
	EXPECT("REDIS-CLI flushall", "");
}

/* An exception behind a word is of its operand alone. */
static void test_exceptions(void **state _unused_)
{
	EXPECT("cloud vm delete list", "t.cloud");
	EXPECT("cloud vm delete get list", "t.cloud");
	EXPECT("cloud list delete", "");
	EXPECT("cloud get delete vm", "");
	EXPECT("cloud listing delete", "t.cloud");
	EXPECT("cloud vm rmall", "t.cloud");
	EXPECT("cloud vm rmdir delete", "");
	EXPECT("cloud --unknown list vm delete", "t.cloud");
	EXPECT("cloud delete", "");
}

static void test_predicates(void **state _unused_)
{
	EXPECT("dd if=/dev/sdb of=/dev/sda", "");
	EXPECT("dd of=x", "");
	EXPECT("dd of=/dev/null", "");
	EXPECT("mv /tmp/a /etc/b", "");
	EXPECT("mv -- /etc/a -x /tmp", "t.away");
	EXPECT("psql -c 'select 1' -c 'drop table x'", "t.sql");
	EXPECT("psql -c 'select 1'", "");
	EXPECT("psql -cdrop\\ table\\ x", "t.sql");
	EXPECT("psql prod-123", "");
	EXPECT("psql prod-12 unsafe", "");
}

/* Options that nobody knows make few readings; where they make too many, it is a match. */
static void test_many(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;

	strbuf_adds(&line, "git");
	for (int i = 0; i < 30; i++)
		strbuf_addf(&line, " --x%d push", i);
	EXPECT(strbuf_str(&line), "");
	for (int i = 0; i < 5000; i++)
		strbuf_addf(&line, " --x%d push", i);
	strbuf_adds(&line, " -- --force");
	EXPECT(strbuf_str(&line), "t.force");
}

static const char rules[] =
	"pack: t\ntitle: T\nprograms:\n  rm: {options: gnu, values: [--from]}\n  terraform: "
	"{options: go}\n  cloud:\n"
	"signatures:\n"
	"- id: cloud\n  command: cloud * delete\n"
	"  hits: [cloud vm delete, cloud disk delete x]\n" EXAMPLES
	"- id: rm\n  command: rm -r\n  hits: [rm -r x, rm -r y]\n" EXAMPLES
	"- id: destroy\n  command: terraform destroy\n"
	"  hits: [terraform destroy, terraform destroy -x]\n" EXAMPLES
	"allow:\n- rm -r {path:output}\n- terraform destroy -target=scratch\n- rm -r --from=x ...\n"
	"- rm keep {path:output}\n- cloud *!(vm|db) delete\n";

/* An owner's rule covers what it states and nothing beyond. */
static void test_allow(void **state _unused_)
{
	struct policy *before = policy;

	policy = sample_policy(rules);
	EXPECT("rm -r src", "t.rm");
	EXPECT("rm -r dist build", "");
	EXPECT("rm -r dist /", "t.rm");
	EXPECT("rm -r --recursive-x dist", "");
	EXPECT("rm keep -r dist", "");
	EXPECT("rm keep -r", "t.rm");
	EXPECT("rm -r --from=x a b", "");
	EXPECT("rm -r --from=x --from=y a b", "t.rm");
	EXPECT("terraform destroy -target=scratch", "");
	EXPECT("terraform destroy -target=scratch -target=prod", "t.destroy");
	EXPECT("terraform destroy", "t.destroy");
	EXPECT("cloud disk delete", "");
	EXPECT("cloud vm delete", "t.cloud");
	EXPECT("cloud disk delete x", "t.cloud");
	EXPECT("ssh h 'rm -r /root/x/dist; terraform destroy'", "t.destroy via ssh");
	policy_free(policy);
	policy = before;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gnu),
		cmocka_unit_test(test_doubtful_abbreviations),
		cmocka_unit_test(test_unknown_options),
		cmocka_unit_test(test_values_of_one_command),
		cmocka_unit_test(test_dashes),
		cmocka_unit_test(test_getopt),
		cmocka_unit_test(test_go),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_predicates),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_allow),
	};

	return cmocka_run_group_tests_name("exact", tests, set_up, tear_down);
}

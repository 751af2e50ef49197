#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define EXAMPLES                                                                                   \
	"  severity: high\n  why: It is.\n"                                                        \
	"  misses: [true, true]\n"

static const char pack[] =
	"pack: t\ntitle: T\nprograms:\n  rm:\n  manage:\n  prisma:\n  kafka-topics.sh:\n"
	"  liquibase:\n  flask:\n  'py.*test':\n  psql: {options: gnu}\n  ssh: {options: getopt}\n"
	"signatures:\n"
	"- id: rm\n  command: rm -r {path:precious}\n  verdict: hold\n"
	"  hits: [rm -r /etc, rm -r /]\n" EXAMPLES
	"- id: rm-root\n  command: rm -r {path:root}\n  verdict: deny\n"
	"  hits: [rm -r /etc, rm -r /]\n" EXAMPLES
	"- id: flush\n  command: manage flush\n  verdict: hold\n"
	"  hits: [manage flush, python manage.py flush]\n" EXAMPLES
	"- id: reset\n  command: prisma migrate reset\n  verdict: hold\n"
	"  hits: [prisma migrate reset, prisma migrate reset -f]\n" EXAMPLES
	"- id: topics\n  command: kafka-topics.sh --delete\n  verdict: hold\n"
	"  hits: [kafka-topics.sh --delete, bash kafka-topics.sh --delete]\n" EXAMPLES
	"- id: drop\n  command: liquibase dropAll\n  verdict: hold\n"
	"  hits: [liquibase dropAll, liquibase dropAll -x]\n" EXAMPLES
	"- id: flask\n  command: flask drop\n  verdict: hold\n"
	"  hits: [flask drop, flask drop x]\n" EXAMPLES
	"- id: glob\n  command: py.*test wipe\n  verdict: alert\n"
	"  hits: [py.test wipe, py.xtest wipe]\n" EXAMPLES
	"- id: sql\n  command: psql -c={sql:destructive}\n  verdict: hold\n"
	"  hits: [psql -c 'drop table a', psql -c 'truncate a']\n" EXAMPLES;

#include "unit/policy/one_pack.h"

static void test_strictest(void **state _unused_)
{
	EXPECT("rm -r /etc", "t.rm-root");
	EXPECT("rm -r /etc/x", "t.rm");
	EXPECT("rm -r dist", "");
}

static void test_scripts(void **state _unused_)
{
	EXPECT("python3.11 manage.py flush", "t.flush via python");
	EXPECT("python -W x -u ./manage.py flush", "t.flush via python");
	EXPECT("python -m manage flush", "t.flush via python");
	EXPECT("python -mmanage flush", "t.flush via python");
	EXPECT("python -um flask drop", "t.flask via python");
	EXPECT("python -c manage.py flush", "");
	EXPECT("python x.py manage.py flush", "");
	EXPECT("pythonx manage.py flush", "");
	EXPECT("node node_modules/prisma/build/index.js migrate reset", "t.reset via node");
	EXPECT("node -r x --import y node_modules/@a/prisma/x.js migrate reset",
	       "t.reset via node");
	EXPECT("node /a/node_modules/.bin/prisma migrate reset", "t.reset via node");
	EXPECT("node -e node_modules/.bin/prisma migrate reset", "");
	EXPECT("bash -x -o pipefail /opt/kafka-topics.sh --delete", "t.topics via bash");
	EXPECT("bash -c 'rm -r /'", "");
	EXPECT("php -d x=y -f manage.php flush", "t.flush via php");
	EXPECT("ruby -I lib bin/manage flush", "t.flush via ruby");
	EXPECT("perl manage.pl flush", "t.flush via perl");
	EXPECT("java -Xmx1g -cp x -jar lib/liquibase.jar dropAll", "t.drop via java");
	EXPECT("java Liquibase dropAll", "");
	EXPECT("py.test wipe", "t.glob");
}

static void test_loaders(void **state _unused_)
{
	EXPECT("/lib64/ld-linux-x86-64.so.2 /bin/rm -r /etc", "t.rm-root via ld.so");
	EXPECT("ld-linux-x86-64.so.2 --library-path /x --argv0 y rm -r /", "t.rm-root via ld.so");
	EXPECT("ld-linux-x86-64.so.2 --list /bin/rm -r /", "");
	EXPECT("busybox rm -r /", "t.rm-root via busybox");
	EXPECT("busybox --install -s", "");
	EXPECT("busybox", "");
	EXPECT("busybox sh -c 'cd x; r\"\"m -r /'", "t.rm-root via busybox");
	EXPECT("busybox env A=b xargs rm -r /", "t.rm-root via busybox");
	EXPECT("toybox rm -r /", "t.rm-root via busybox");
	EXPECT("busybox sh -c 'rm -r dist'", "");
	EXPECT("ld.so busybox sh -c 'rm -r /'", "t.rm-root via ld.so");
	EXPECT("coreutils --coreutils-prog=rm -r /", "t.rm-root via coreutils");
	EXPECT("busybox sh kafka-topics.sh --delete", "t.topics via busybox");
}

static void test_ssh(void **state _unused_)
{
	EXPECT("ssh host rm -r /srv/x", "t.rm via ssh");
	EXPECT("ssh -p 22 -i k -oA=b host -- rm -r /srv/x", "t.rm via ssh");
	EXPECT("ssh host -p 22 'cd /x && sudo -u a rm -r /srv/x'", "t.rm via ssh");
	EXPECT("ssh host \"bash -lc 'rm -r /srv/x'\"", "t.rm via ssh");
	EXPECT("ssh host 'env A=1 timeout -s 9 5 nice -n 3 xargs -n 1 r\"\"m -r /srv/x'",
	       "t.rm via ssh");
	EXPECT("ssh host 'eval rm -r /srv/x'", "t.rm via ssh");
	EXPECT("ssh host 'su - a -c \"rm -r /srv/x\"'", "t.rm via ssh");
	EXPECT("ssh host 'echo $(rm -r ~/x)'", "t.rm via ssh");
	EXPECT("ssh a ssh b rm -r /srv/x", "t.rm via ssh");
	EXPECT("ssh host 'rm -r /*'", "t.rm-root via ssh");
	EXPECT("ssh host 'rm -r /tmp/x'", "");
	EXPECT("ssh host 'cd app && rm -r dist'", "");
	EXPECT("ssh host \"echo 'rm -r /'\"", "");
	EXPECT("ssh host", "");
	EXPECT("ssh", "");
	EXPECT("ssh host psql -c \"'drop table a'\"", "t.sql via ssh");
}

static void test_containers(void **state _unused_)
{
	EXPECT("docker exec -it -u root web rm -r /data", "t.rm via docker exec");
	EXPECT("docker -H x container exec web sh -c 'rm -r /data'", "t.rm via docker exec");
	EXPECT("docker run --rm -v /:/host -e A=b alpine rm -r /host", "t.rm via docker run");
	EXPECT("docker run --rm -itv /:/host alpine rm -r /host", "t.rm via docker run");
	EXPECT("docker run -v /:/host --entrypoint rm alpine -r /host", "t.rm via docker run");
	EXPECT("docker run --entrypoint rm alpine -r /data", "");
	EXPECT("docker run alpine sh -c 'rm -r /data; ssh h rm -r /data'", "t.rm via docker run");
	EXPECT("docker run alpine psql -c 'drop table a'", "t.sql via docker run");
	EXPECT("docker compose -f x.yml exec -T db psql -c 'drop table a'",
	       "t.sql via docker compose exec");
	EXPECT("docker-compose run db psql -c 'drop table a'", "t.sql via docker-compose run");
	EXPECT("podman exec web rm -r /data", "t.rm via podman exec");
	EXPECT("docker ps", "");
	EXPECT("docker exec web", "");
	EXPECT("docker run alpine rm -r /tmp/x", "");
	EXPECT("docker rm -r /", "");
}

static void test_pods(void **state _unused_)
{
	EXPECT("kubectl -n x exec -it pod -c web -- rm -r /data", "t.rm via kubectl exec");
	EXPECT("kubectl exec pod -- sh -c 'rm -r /data'", "t.rm via kubectl exec");
	EXPECT("kubectl exec pod rm -r /data", "t.rm via kubectl exec");
	EXPECT("oc rsh pod rm -r /data", "t.rm via oc rsh");
	EXPECT("kubectl run x --image=y -- rm -r /data", "t.rm via kubectl run");
	EXPECT("kubectl debug node/x -it --image y -- chroot /host rm -r /data",
	       "t.rm via kubectl debug");
	EXPECT("docker exec db gosu postgres rm -r /data", "t.rm via docker exec");
	EXPECT("docker exec db runuser -u postgres -- rm -r /data", "t.rm via docker exec");
	EXPECT("docker exec db su postgres -c 'rm -r /data'", "t.rm via docker exec");
	EXPECT("docker exec db flock /x nsenter -t 1 -m rm -r /data", "t.rm via docker exec");
	EXPECT("kubectl run rm --image=y", "");
	EXPECT("kubectl exec pod", "");
	EXPECT("kubectl get exec rm", "");
}

/* Names of the file, as exec'ed, and of argv[0] count alike. */
static void test_names(void **state _unused_)
{
	char *words[] = { (char *)"ls", (char *)"-r", (char *)"/etc/x", NULL };
	char *script[] = { (char *)"/usr/bin/awk", (char *)"-f", (char *)"/x/manage",
			   (char *)"flush", NULL };
	struct action a = { .argv = words, .cwd = "/", .root_fd = -1 };
	struct finding f;

	policy_match(policy, &a, &f);
	assert_null(f.id);
	a.path = "/usr/bin/rm";
	policy_match(policy, &a, &f);
	assert_string_equal(f.id, "rm");
	assert_true(policy_is_candidate(policy, &a));
	a.path = NULL;
	a.name = "/opt/rm";
	policy_match(policy, &a, &f);
	assert_string_equal(f.id, "rm");
	assert_true(policy_is_candidate(policy, &a));
	char *applet[] = { (char *)"sh", (char *)"-c", (char *)"rm -r /etc/x", NULL };
	a = (struct action) { .argv = applet, .path = "/bin/busybox", .cwd = "/", .root_fd = -1 };
	policy_match(policy, &a, &f);
	assert_string_equal(f.id, "rm");
	assert_true(policy_is_candidate(policy, &a));
	a = (struct action) { .argv = script,
			      .path = "/usr/bin/gawk",
			      .name = "/x/manage",
			      .cwd = "/",
			      .root_fd = -1 };
	policy_match(policy, &a, &f);
	assert_string_equal(f.id, "flush");
	assert_true(policy_is_candidate(policy, &a));
}

static const char owned[] = "pack: t\ntitle: T\nprograms:\n  one: {also: [tool]}\n  two: {also: "
			    "[tool]}\n  echo:\n  ssh:\n"
			    "signatures:\n"
			    "- id: wipe\n  command: one wipe\n  verdict: deny\n"
			    "  hits: [one wipe, tool wipe]\n" EXAMPLES
			    "allow:\n- two wipe scratch\n- echo ...\n- ssh staging ...\n";

/* An allow rule counts wherever it stands, for the name it is about. */
static void test_allow(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(owned);
	char *words[] = { (char *)"echo", (char *)"wipe", NULL };
	struct action a = { .argv = words, .path = "/usr/bin/one", .cwd = "/", .root_fd = -1 };
	struct finding f;

	assert_string_equal(sample_ask(p, "tool wipe x"), "t.wipe");
	assert_string_equal(sample_ask(p, "tool wipe scratch"), "");
	assert_string_equal(sample_ask(p, "one wipe scratch"), "t.wipe");
	assert_string_equal(sample_ask(p, "ssh staging one wipe"), "");
	assert_string_equal(sample_ask(p, "ssh prod one wipe"), "t.wipe via ssh");
	assert_string_equal(sample_ask(p, "ssh prod 'echo x; one wipe'"), "t.wipe via ssh");
	policy_match(p, &a, &f);
	assert_int_equal(f.verdict, VERDICT_DENY);
}

static const char *ask_nested(int count, const char *carrier)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;

	for (int i = 0; i < count; i++)
		strbuf_addf(&line, "%s ", carrier);
	strbuf_adds(&line, "rm -r /");
	return sample_ask(policy, strbuf_str(&line));
}

/* A carrier in a carrier in a carrier …: an end is made. */
static void test_depth(void **state _unused_)
{
	assert_string_equal(ask_nested(8, "ssh h"), "t.rm-root via ssh");
	assert_string_equal(ask_nested(8, "ld.so"), "t.rm-root via ld.so");
	assert_string_equal(ask_nested(9, "ssh h"), "");
	assert_string_equal(ask_nested(9, "ld.so"), "");
	assert_string_equal(ask_nested(2000, "ssh h"), "");
}

/* A mount, or a rename meanwhile, gives its file another path. */
static void test_own_name_of_the_file(void **state _unused_)
{
	char *words[] = { (char[]) { "x" }, (char[]) { "-r" }, (char[]) { "/etc" }, NULL };
	struct action a = {
		.argv = words, .path = "/tmp/innocent", .name = "./innocent", .root_fd = -1
	};
	struct finding f;

	policy_match(policy, &a, &f);
	assert_null(f.id);
	a.file = "rm";
	policy_match(policy, &a, &f);
	assert_string_equal(f.id, "rm-root");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strictest),  cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_loaders),	   cmocka_unit_test(test_ssh),
		cmocka_unit_test(test_containers), cmocka_unit_test(test_pods),
		cmocka_unit_test(test_names),	   cmocka_unit_test(test_depth),
		cmocka_unit_test(test_allow),	   cmocka_unit_test(test_own_name_of_the_file),
	};

	return cmocka_run_group_tests_name("search", tests, set_up, tear_down);
}

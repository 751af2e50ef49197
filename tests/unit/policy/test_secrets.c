/* Secrets in arguments are hidden, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/secrets.h"
#include "policy/shellwords.h"

static struct secrets *secrets;

static int set_up(void **state)
{
	(void)state;
	return secrets_new(&secrets);
}

static int tear_down(void **state)
{
	(void)state;
	secrets_free(secrets);
	return 0;
}

static char *joined(char *const *argv)
{
	static char buf[4096];

	buf[0] = '\0';
	for (int i = 0; argv[i]; i++) {
		strcat(buf, i ? " " : "");
		strcat(buf, argv[i]);
	}
	return buf;
}

/* The words of `line`, masked and joined by blanks; "" where nothing is hidden. */
static const char *masked(const char *line)
{
	_cleanup_free_ char **shown = NULL;
	char **words;

	assert_int_equal(shellwords_split(line, &words, NULL), 0);
	assert_int_equal(secrets_mask(secrets, words, &shown), 0);
	shellwords_free(words);
	return shown ? joined(shown) : "";
}

static const char *const hidden[][2] = {
	{ "psql postgres://app:hunter2@db/shop -c 'drop table t'",
	  "psql postgres://***@db/shop -c drop table t" },
	{ "psql postgres://app:hun#ter/2?a@db/shop", "psql postgres://***@db/shop" },
	{ "psql postgres://app:p@hunter2@db/shop", "psql postgres://***@db/shop" },
	{ "psql postgres://app:123#4@db/shop", "psql postgres://***@db/shop" },
	{ "redis-cli -u redis://:hunter2@h:6379/0", "redis-cli -u redis://***@h:6379/0" },
	{ "git clone https://ghp_0123456789abcdef0123@github.com/x/y",
	  "git clone https://***@github.com/x/y" },
	{ "mysql -uroot -phunter2 shop", "mysql -uroot -p*** shop" },
	{ "mysqladmin -u root -phunter2 drop shop", "mysqladmin -u root -p*** drop shop" },
	{ "redis-cli -a hunter2 flushall", "redis-cli -a *** flushall" },
	{ "curl -u me:hunter2 -X DELETE https://h/x", "curl -u *** -X DELETE https://h/x" },
	{ "curl -ume:hunter2 https://h/x", "curl -u*** https://h/x" },
	{ "curl --user=me:hunter2 https://h/x", "curl --user=*** https://h/x" },
	{ "curl -H 'Authorization: Bearer abc.def' https://h",
	  "curl -H Authorization: Bearer *** https://h" },
	{ "curl -H 'X-Api-Key: abcdef' https://h", "curl -H X-Api-Key: *** https://h" },
	{ "curl 'https://h/x?token=abc&y=1'", "curl https://h/x?token=***&y=1" },
	{ "curl -d '{\"password\": \"a b\"}' https://h",
	  "curl -d {\"password\": \"***\"} https://h" },
	{ "env PGPASSWORD=hunter2 psql", "env PGPASSWORD=*** psql" },
	{ "env AWS_SECRET_ACCESS_KEY=abc/def aws s3 ls",
	  "env AWS_SECRET_ACCESS_KEY=*** aws s3 ls" },
	{ "tool --password hunter2 run", "tool --password *** run" },
	{ "tool --db-password=hunter2 run", "tool --db-password=*** run" },
	{ "tool --api-key abc --force", "tool --api-key *** --force" },
	{ "docker login -u me -p hunter2 reg", "docker login -u me -p *** reg" },
	{ "sshpass -p hunter2 ssh h", "sshpass -p *** ssh h" },
	{ "sqlcmd -S h -P hunter2 -Q 'drop database x'", "sqlcmd -S h -P *** -Q drop database x" },
	{ "x 'Server=h;User=sa;Pwd=hunter2;Database=d'", "x Server=h;User=sa;Pwd=***;Database=d" },
	{ "psql -c \"alter user app password 'hunter2'\"",
	  "psql -c alter user app password '***'" },
	{ "mysql -e \"create user a identified by 'hunter2'\"",
	  "mysql -e create user a identified by '***'" },
	{ "mysql -e \"alter user a identified with sha256_password as 'hun''ter2'\"",
	  "mysql -e alter user a identified with sha256_password as '***'" },
	{ "mysql -e 'create user a identified by \"hunter2\"'",
	  "mysql -e create user a identified by \"***\"" },
	{ "mysql -e \"set password for a = password('hunter2')\"",
	  "mysql -e set password for a = password('***')" },
	{ "psql -c \"create role a password e'hun''ter2' login\"",
	  "psql -c create role a password e'***' login" },
	{ "psql -c \"create role a password 'cut off here\"",
	  "psql -c create role a password '***" },
	{ "echo xoxb-1234567890-abcdefghij", "echo ***" },
	{ "x eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2lnbmF0dXJl", "x ***" },
	{ "sh -c 'curl -H \"Authorization: Basic abcd\" x; TOKEN=abc make'",
	  "sh -c curl -H \"Authorization: Basic ***\" x; TOKEN=*** make" },
};

static void test_hidden(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		assert_string_equal(masked(hidden[i][0]), hidden[i][1]);
}

/* Tokens that are known by how they look, in either case. */
static void test_tokens(void **state)
{
	static const char *const begins[] = {
		"ghp_",
		"gho_",
		"ghu_",
		"ghs_",
		"ghr_",
		"github_pat_",
		"glpat-",
		"xoxa-",
		"xoxb-",
		"xoxp-",
		"xoxr-",
		"xoxs-",
		"sk-",
		"sk_live_",
		"hf_",
		"rk_live_",
		"npm_",
		"dop_v1_",
		"hvs.",
		"pypi-",
		"shpat_",
		"dapi",
		"lin_api_",
		"AIza",
		"ya29.",
		"AKIA",
		"ASIA",
		"Ghp_",
		"SG.0123456789abcdef.",
		"eyJ01234567.01234567.",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(begins); i++) {
		char line[128];

		snprintf(line, sizeof(line), "x %s%s", begins[i],
			 strcasestr("akia asia", begins[i]) ? "0123456789ABCDEF"
							    : "0123456789abcdef0123456789abcdef");
		if (strcmp(masked(line), "x ***"))
			fail_msg("%s: %s", line, masked(line));
	}
	assert_string_equal(masked("x '-----BEGIN RSA PRIVATE KEY-----abc-'"),
			    "x -----BEGIN RSA PRIVATE KEY-----***-");
}

static const char *const shown[] = {
	"terraform destroy -auto-approve",
	"git clone git@github.com:x/y.git",
	"ssh dev@host rm -rf /srv",
	"aws secretsmanager delete-secret --secret-id prod/db",
	"kubectl delete secret db-password",
	"mysql -u root -p shop",
	"psql --no-password -c 'select 1'",
	"env PWD=/home/dev HOME=/home/dev make",
	"git commit -m 'tokens are tokens; the author: me'",
	"vault token revoke -self",
	"ls tokens/ passwords.txt",
	"curl https://host:8080/a@b",
	"npm install http://host:4873/x/-/x@1.0.0.tgz",
	"docker run -p 80:80 -it x",
};

static void test_shown(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		assert_string_equal(masked(shown[i]), "");
}

static void test_long_words_are_searched_or_hidden(void **state)
{
	_cleanup_free_ char *word = malloc(1 << 20), **out = NULL;
	char *argv[] = { (char *)"x", word, NULL };

	(void)state;
	memset(word, 'a', 1 << 20);
	strcpy(word + (1 << 20) - 40, " password=hunter2");
	assert_int_equal(secrets_mask(secrets, argv, &out), 0);
	assert_non_null(out);
	assert_null(strstr(out[1], "hunter2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_long_words_are_searched_or_hidden),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* Agents in a PATH and a home that the test made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/installed.h"
#include "unit/policy/sample.h"

static const char profile[] = "agent: demo\n"
			      "title: Demo Agent\n"
			      "names: [demo]\n"
			      "hits: [demo]\n"
			      "misses: [ls]\n";

static char dir[64];

static void put(const char *name, mode_t mode)
{
	_cleanup_free_ char *path = NULL, *parent = NULL;
	int fd;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	parent = strdup(path);
	*strrchr(parent, '/') = '\0';
	assert_int_equal(io_mkdir_p(parent, 0755), 0);
	fd = open(path, O_CREAT | O_WRONLY, mode);
	assert_true(fd >= 0);
	close(fd);
}

static int set_up(void **state _unused_)
{
	char path[256];

	strcpy(dir, "/tmp/test-installed-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/one::/no/such/dir:%s/two", dir, dir);
	setenv("PATH", path, 1);
	snprintf(path, sizeof(path), "%s/home", dir);
	setenv("HOME", path, 1);
	unsetenv("SUDO_USER");
	return 0;
}

static int tear_down(void **state _unused_)
{
	char command[128];

	snprintf(command, sizeof(command), "/bin/rm -r '%s'", dir);
	return system(command);
}

static void expect(const char *text)
{
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(profile);
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT, expected = STRBUF_INIT;

	for (; *text; text++)
		if (*text == '$')
			strbuf_adds(&expected, dir);
		else
			strbuf_addc(&expected, *text);
	installed_agents(p, &out);
	assert_string_equal(strbuf_str(&out), strbuf_str(&expected));
}

static void each_agent_is_named_once(void **state _unused_)
{
	expect("");
	put("home/.nvm/versions/node/v22/bin/demo", 0755);
	expect("demo ($/home/.nvm/versions/node/v22/bin/demo)");
	put("two/demo", 0755);
	put("two/ls", 0755);
	expect("demo ($/two/demo)");
}

static void what_cannot_be_run_is_none(void **state _unused_)
{
	put("one/demo", 0644);
	put("two/demo/file", 0755);
	expect("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_agent_is_named_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_run_is_none, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

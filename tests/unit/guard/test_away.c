/* What is protected below a directory, whoever removes it. */
#include "fixture.h"
#include "base/loop.h"
#include "fake_kernel.h"
#include "guard/away.h"
#include "guard/reaper.h"

#include <sys/stat.h>

static const char pack[] =
	"pack: d\ntitle: D\nsignatures:\n"
	"- {id: dear, delete: {path: '*.dear', by: '(rm|mv)'}, severity: high,\n"
	"   verdict: hold, why: It is.,\n"
	"   hits: [unlink /srv/a.dear, unlink /srv/b.dear],\n"
	"   misses: [unlink /srv/x, {run: unlink /srv/a.dear, by: cp}]}\n"
	"- {id: told, delete: '*.told', severity: low, verdict: alert, why: It is.,\n"
	"   hits: [unlink /srv/a.told, unlink /srv/b.told],\n"
	"   misses: [unlink /srv/x, unlink /srv/y]}\n";
static char top[64]; /* no scratch */

static int set_up(void **state)
{
	memset(&fake, 0, sizeof(fake));
	if (guard_set_up(state))
		return -1;
	guard.loop = loop_new();
	policy_free(guard.policy);
	guard.policy = sample_policy(pack);
	snprintf(top, sizeof(top), "/opt/test-away-XXXXXX");
	if (!mkdtemp(top))
		snprintf(top, sizeof(top), "%s", "");
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", top[0] ? top : "/nonexistent");
	reaper_forget_all();
	loop_free(guard.loop);
	guard.loop = NULL;
	return system(command) || guard_tear_down(state);
}

static const char *in_top(const char *name)
{
	static char path[1024];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void make_file(const char *name)
{
	int fd = open(in_top(name), O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void assert_found(const char *in, const char *want)
{
	char path[1100];
	struct deletion d = { .op = BS_DELETE_MOVE, .program = "cp", .path = path };
	_cleanup_free_ char *found = NULL;

	if (!top[0]) {
		print_message("skipped: no directory can be made in /opt\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s", in_top(in));
	found = away_find(&guard, (u32)getpid(), &d);
	if (!want)
		assert_null(found);
	else if (!want[0])
		assert_string_equal(found, "");
	else
		assert_string_equal(found, in_top(want));
}

static void test_below(void **state _unused_)
{
	mkdir(in_top("d"), 0700);
	mkdir(in_top("d/e"), 0700);
	make_file("d/x.told");
	assert_found("d", NULL);
	make_file("d/e/a.dear");
	assert_found("d", "d/e/a.dear");
	assert_found("d/e/a.dear", "d/e/a.dear"); /* itself */
	assert_found("d/x.told", NULL);
	assert_found("gone", "");
}

static void test_links(void **state _unused_)
{
	mkdir(in_top("d"), 0700);
	mkdir(in_top("other"), 0700);
	make_file("other/a.dear");
	assert_int_equal(symlink("../other", in_top("d/link")), 0);
	assert_found("d", NULL); /* what it names stays where it is */
	assert_int_equal(symlink("other", in_top("link")), 0);
	assert_found("link", NULL);
}

static void test_too_deep(void **state _unused_)
{
	char path[512] = "d";

	mkdir(in_top(path), 0700);
	for (int i = 0; i < 80; i++)
		mkdir(in_top(strcat(path, "/d")), 0700);
	assert_found("d", "");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = { CASE(test_below), CASE(test_links),
					    CASE(test_too_deep) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

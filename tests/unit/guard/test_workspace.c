/* The child that reads a project file is this very program, which prints the file: see main(). */
#include "fixture.h"
#include "fake_kernel.h"

#include "base/io.h"
#include "guard/link.h"
#include "guard/workspace.h"

static char workspace[] = "/tmp/backstop-workspace-XXXXXX";
static char image[sizeof(state_dir) + 16];

static int set_up(void **state)
{
	if (geteuid()) {
		print_message("skipped: needs root\n");
		skip();
	}
	memset(&fake, 0, sizeof(fake));
	strcpy(workspace + strlen(workspace) - 6, "XXXXXX");
	if (guard_set_up(state) || !mkdtemp(workspace))
		return -1;
	snprintf(image, sizeof(image), "%s/policy.image", state_dir);
	guard.image = image;
	guard.loop = loop_new();
	return io_replace_file(image, "x", 1, 0644);
}

static int tear_down(void **state)
{
	char command[128];

	workspace_end_all(&guard);
	loop_free(guard.loop);
	snprintf(command, sizeof(command), "rm -r '%s'", workspace);
	return system(command) ?: guard_tear_down(state);
}

static struct session *session_in(const char *project)
{
	struct session *s = new_session(0x19ab);
	char path[128];

	s->uid = 0;
	s->workspace = strdup(workspace);
	snprintf(path, sizeof(path), "%s/.backstop.yaml", workspace);
	if (project)
		assert_int_equal(io_replace_file(path, project, strlen(project), 0600), 0);
	return s;
}

static void leave(void *data)
{
	loop_quit(data, 0);
}

static void run_for(int ms)
{
	loop_add_timer(guard.loop, ms * 1000, leave, guard.loop, NULL);
	loop_run(guard.loop);
}

/* On an overloaded machine the start of a session does not wait for it. */
static void read_now(const struct session *s)
{
	workspace_read(&guard, s->id);
	if (!LIST_EMPTY(&guard.readings))
		run_for(1900);
}

static const char tightened[] = "{\"verdicts\":{\"tool.alert\":\"deny\"},\"precious\":[]}";

static void test_tightens(void **state _unused_)
{
	struct session *s = session_in(tightened);

	read_now(s);
	assert_non_null(s->project);
	assert_string_equal(s->project_text, tightened);
	assert_true(LIST_EMPTY(&guard.readings));
}

static void test_no_file(void **state _unused_)
{
	struct session *s = session_in(NULL);

	read_now(s);
	assert_null(s->project);
	assert_true(LIST_EMPTY(&guard.readings));
}

static void test_no_workspace(void **state _unused_)
{
	struct session *s = new_session(0x19ab);

	read_now(s);
	assert_null(s->project);
	assert_true(LIST_EMPTY(&guard.readings));
}

static void test_nonsense(void **state _unused_)
{
	struct session *s = session_in("no JSON");

	read_now(s);
	assert_null(s->project);
}

/* While events are drained nothing waits; the answer comes by the loop. */
static void test_later(void **state _unused_)
{
	struct session *s = session_in(tightened);

	guard.draining = true;
	workspace_read(&guard, s->id);
	assert_null(s->project);
	assert_false(LIST_EMPTY(&guard.readings));
	run_for(1000);
	assert_non_null(s->project);
	assert_true(LIST_EMPTY(&guard.readings));
}

/* A child that hangs is ended after its time, and has no effect. */
static void test_too_late(void **state _unused_)
{
	struct session *s = session_in("hang");
	u64 before = boot_ns();

	workspace_read(&guard, s->id);
	assert_true(boot_ns() - before < 1000000000ULL);
	assert_false(LIST_EMPTY(&guard.readings));
	run_for(5500);
	assert_null(s->project);
	assert_true(LIST_EMPTY(&guard.readings));
}

static void test_session_ends_meanwhile(void **state _unused_)
{
	struct session *s = session_in(tightened);

	guard.draining = true;
	workspace_read(&guard, s->id);
	session_end(&guard, s->id);
	run_for(1000);
	assert_true(LIST_EMPTY(&guard.readings));
}

static void test_other_policy(void **state _unused_)
{
	struct session *s = session_in(tightened);
	struct policy *old = guard.policy;

	read_now(s);
	guard.policy = sample_policy(sample_pack);
	workspace_reload_all(&guard);
	policy_free(old);
	assert_non_null(s->project);
}

/* A deletion is frozen only to prevent it. */
static void test_the_kernel_is_told_what_is_precious(void **state _unused_)
{
	struct session *s = session_in("{\"verdicts\":{},\"precious\":[\"*.a\",\"b/\"]}");

	read_now(s);
	assert_non_null(s->project);
	assert_int_equal(fake.hints, 2);
	guard.options.mode = MODE_SHADOW;
	workspace_reload_all(&guard);
	assert_int_equal(fake.hints, 0);
}

/* backstop policy project --policy FILE PATH */
static int be_child(const char *path)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (io_read_file(AT_FDCWD, path, 4096, &text)) {
		fprintf(stderr, "cannot read %s: %s\n", path, strerror(ENOENT));
		return 1;
	}
	if (!strcmp(strbuf_str(&text), "hang"))
		pause();
	fputs(strbuf_str(&text), stdout);
	return 0;
}

int main(int argc, char **argv)
{
#define WORKSPACE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WORKSPACE_TEST(test_tightens),
		WORKSPACE_TEST(test_no_file),
		WORKSPACE_TEST(test_no_workspace),
		WORKSPACE_TEST(test_nonsense),
		WORKSPACE_TEST(test_later),
		WORKSPACE_TEST(test_too_late),
		WORKSPACE_TEST(test_session_ends_meanwhile),
		WORKSPACE_TEST(test_other_policy),
		WORKSPACE_TEST(test_the_kernel_is_told_what_is_precious),
	};

	if (argc == 6)
		return be_child(argv[5]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

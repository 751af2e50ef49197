/* What a session tried to do to the guard, as it is told. */
#include "fixture.h"
#include "fake_kernel.h"

#include "guard/protect.h"

static struct bs_tamper_event attempt(enum bs_tamper what)
{
	return (struct bs_tamper_event) {
		.head = { .type = BS_EVENT_TAMPER,
			  .size = sizeof(struct bs_tamper_event),
			  .number = 7,
			  .time = boot_ns(),
			  .session = 0x19ab,
			  .tgid = (u32)gone_child(),
			  .tid = 4000 },
		.what = what,
		.times = 1,
		.uid = 0,
	};
}

/* What the journal says of it. */
static void expect_told(const struct bs_tamper_event *e, const char *reason)
{
	json_t *line;

	protect_event(&guard, e);
	line = journal_line(1);
	assert_int_equal(number_at(line, "class_uid"), 2004);
	assert_int_equal(number_at(line, "disposition_id"), OCSF_BLOCKED);
	assert_string_equal(text_at(line, "unmapped.backstop.reason"), reason);
	assert_string_equal(text_at(line, "unmapped.backstop.verdict"), "deny");
	assert_string_equal(text_at(line, "finding_info.analytic.uid"), "self.tamper");
	json_decref(line);
}

static void test_signal(void **state _unused_)
{
	struct bs_tamper_event e = attempt(BS_TAMPER_SIGNAL);

	new_session(0x19ab);
	e.detail = SIGKILL;
	e.target = (u32)getpid();
	expect_told(&e, "SIGKILL to the guard");
}

static void test_signal_without_a_name(void **state _unused_)
{
	struct bs_tamper_event e = attempt(BS_TAMPER_SIGNAL);

	e.detail = 40;
	e.target = (u32)getppid();
	expect_told(&e, "signal 40 to the guard's keeper");
}

static void test_trace_of_another(void **state _unused_)
{
	struct bs_tamper_event e = attempt(BS_TAMPER_TRACE);

	e.target = 1;
	expect_told(&e, "tracing process 1, which is held or not of this session");
}

static void test_file_with_an_odd_name(void **state _unused_)
{
	struct bs_tamper_event e = attempt(BS_TAMPER_REMOVE);

	memcpy(e.name, "a\033[2J", 6);
	e.times = 3;
	expect_told(&e, "removing a\\e[2J, 3 times");
}

static void test_bpf(void **state _unused_)
{
	struct bs_tamper_event e = attempt(BS_TAMPER_BPF);

	e.detail = 13;
	expect_told(&e, "bpf() with command 13");
}

static void test_unknown_kind(void **state _unused_)
{
	struct bs_tamper_event e = attempt(BS_TAMPERS + 5);

	expect_told(&e, "something unknown");
}

/* On its own stderr, or on that of who started it; not on that of a process of another session. */
static void test_explained(void **state _unused_)
{
	struct bs_tamper_event e = attempt(BS_TAMPER_MODULE);
	char text[512] = "";
	int fds[2];
	pid_t child;

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	child = stopped_child(fds[1]);
	e.parent = (u32)child;
	fake.label.session = 0x19ac;
	protect_event(&guard, &e);
	assert_int_equal(read(fds[0], text, sizeof(text)), -1);
	assert_int_equal(guard.explanations_lost, 1);
	fake.label.session = 0x19ab;
	protect_event(&guard, &e);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(
		text, "backstop: denied: loading or removing a kernel module\nbackstop: why:"));
	end_child(child);
	close(fds[0]);
	close(fds[1]);
}

static void test_explained_only_so_often(void **state _unused_)
{
	struct bs_tamper_event e = attempt(BS_TAMPER_MODULE);

	for (int i = 0; i < 20; i++)
		protect_event(&guard, &e);
	assert_int_equal(guard.explanations_lost, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUARD_TEST(test_signal),
		GUARD_TEST(test_signal_without_a_name),
		GUARD_TEST(test_trace_of_another),
		GUARD_TEST(test_file_with_an_odd_name),
		GUARD_TEST(test_bpf),
		GUARD_TEST(test_unknown_kind),
		GUARD_TEST(test_explained),
		GUARD_TEST(test_explained_only_so_often),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

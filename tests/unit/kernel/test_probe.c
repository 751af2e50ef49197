#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/probe.h"
#include "kernel/probe_internal.h"

static void need_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("skipped: needs root to load programs\n");
	skip();
}

static const struct probe *find(const char *name)
{
	for (size_t i = 0; i < probes_count; i++)
		if (strcmp(probes[i].name, name) == 0)
			return &probes[i];
	fail_msg("no probe %s", name);
	return NULL;
}

/* Programs called "probe" that are loaded now. */
static unsigned int programs_left(void)
{
	unsigned int count = 0;
	__u32 id = 0;

	while (bpf_prog_get_next_id(id, &id) == 0) {
		struct bpf_prog_info info = { 0 };
		__u32 len = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0)
			count += strcmp(info.name, "probe") == 0;
		close(fd);
	}
	return count;
}

static unsigned int fds_open(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += lseek(fd, 0, SEEK_CUR) >= 0 || dup2(fd, fd) >= 0;
	return n;
}

static void each_says_what_it_costs_and_what_to_do(void **state)
{
	(void)state;
	assert_in_range(probes_count, 10, 64);
	for (size_t i = 0; i < probes_count; i++) {
		_cleanup_strbuf_ struct strbuf remedy = STRBUF_INIT;

		assert_in_range(strlen(probes[i].name), 2, 14);
		assert_true(strlen(probes[i].what) > 5);
		assert_true(strlen(probes[i].cost) > 5);
		probe_advise(&probes[i], &remedy);
		assert_true(remedy.len > 10);
		assert_ptr_equal(find(probes[i].name), &probes[i]);
	}
}

static void nothing_is_left_behind(void **state)
{
	int policy = sched_getscheduler(0);
	unsigned int fds;

	(void)state;
	need_root();
	for (int round = 0; round < 2; round++) {
		fds = fds_open();
		for (size_t i = 0; i < probes_count; i++) {
			_cleanup_strbuf_ struct strbuf detail = STRBUF_INIT;
			enum probe_state s = probe_run(&probes[i], &detail);

			assert_int_not_equal(s, PROBE_UNKNOWN);
			assert_true(s == PROBE_OK || detail.len > 0);
		}
	}
	/* libbpf keeps nothing either, from the second round on */
	assert_int_equal(fds_open(), fds);
	assert_int_equal(sched_getscheduler(0), policy);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	for (int i = 0; i < 20 && programs_left() > 0; i++)
		usleep(50000); /* the kernel frees them a little later */
	assert_int_equal(programs_left(), 0);
}

/* What a probe says must depend on what it tries: without privileges it fails. */
static void without_root_it_is_unknown_or_missing(void **state)
{
	_cleanup_strbuf_ struct strbuf detail = STRBUF_INIT;

	(void)state;
	need_root();
	assert_int_equal(seteuid(65534), 0);
	enum probe_state tracepoints = probe_run(find("tracepoints"), &detail);
	enum probe_state privileges = probe_run(find("privileges"), &detail);

	assert_int_equal(seteuid(0), 0);
	assert_int_equal(tracepoints, PROBE_UNKNOWN);
	assert_int_equal(privileges, PROBE_MISSING);
	assert_string_equal(strbuf_str(&detail),
			    "no CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_KILL, "
			    "CAP_DAC_READ_SEARCH");
}

/* What is missing only for another thing's sake names that. */
static void tracepoints_without_btf(void **state)
{
	(void)state;
	assert_non_null(strstr(tracepoints_remedy(false), "see btf"));
	assert_non_null(strstr(tracepoints_remedy(true), "CONFIG_BPF_EVENTS"));
}

/* Nothing is missing here: then the kernel's words must do. */
static void test_explain(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	need_root();
	probe_explain(-EINVAL, "  libbpf: no\n", &text);
	assert_string_equal(strbuf_str(&text),
			    "the kernel refused the BPF programs (Invalid argument): 'backstop "
			    "doctor' says what is missing\n  libbpf: no\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_explain),
		cmocka_unit_test(each_says_what_it_costs_and_what_to_do),
		cmocka_unit_test(nothing_is_left_behind),
		cmocka_unit_test(without_root_it_is_unknown_or_missing),
		cmocka_unit_test(tracepoints_without_btf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

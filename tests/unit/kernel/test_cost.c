/* What the verifier has to do for each program, with the shipped policy on this kernel, where
 * candidates are asked about and where they are only told of. Prints a line a program: its name,
 * instructions processed, and microseconds that its load took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/internal.h"
#include "policy/send.h"

#define PROGRAMS  256
#define INSNS_MAX 200000

struct cost {
	const char *name;
	u64 begun; /* its load, CLOCK_BOOTTIME */
	u32 insns;
};

static int by_begin(const void *a, const void *b)
{
	const struct cost *x = a, *y = b;

	return x->begun < y->begun ? -1 : x->begun > y->begun;
}

/* In the order of their loads, which follow each other. */
static int read_costs(const struct kernel *k, struct cost *costs)
{
	struct bpf_program *p;
	int n = 0;

	bpf_object__for_each_program(p, k->skel->obj)
	{
		struct bpf_prog_info info = { 0 };
		u32 len = sizeof(info);

		if (!bpf_program__autoload(p))
			continue;
		assert_true(n < PROGRAMS);
		assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len), 0);
		costs[n++] = (struct cost) { .name = bpf_program__name(p),
					     .begun = info.load_time,
					     .insns = info.verified_insns };
	}
	qsort(costs, n, sizeof(*costs), by_begin);
	return n;
}

static struct kernel *open_with(const struct policy *policy, bool observes, const char *pins)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct kernel *k = NULL;
	struct kernel_tables t = { .scan = policy_scan_tables(policy),
				   .nets = policy_net_tables(policy),
				   .deletes = policy_delete_tables(policy),
				   .burst = policy_burst(policy),
				   .sends = policy_send_tables(policy),
				   .observes = observes };

	if (kernel_open(pins, &t, &k, &err)) {
		print_message("skipped: %s\n", strbuf_str(&err));
		skip();
	}
	return k;
}

static void print_costs(const struct kernel *k, const struct cost *costs, int n)
{
	print_message("tier: %s\n", tier_name(kernel_tier(k)));
	for (int i = 0; i < n; i++) {
		u64 end = i + 1 < n ? costs[i + 1].begun : costs[i].begun; /* the last is small */

		print_message("cost %s %u %llu\n", costs[i].name, costs[i].insns,
			      (unsigned long long)(end - costs[i].begun) / 1000);
	}
}

static void check_costs(const struct policy *policy, bool observes)
{
	static struct cost costs[PROGRAMS];
	const char *refused;
	struct kernel *k;
	char pins[64];
	int fd, n;

	fd = kernel_private_pins(pins, sizeof(pins));
	assert_true(fd >= 0);
	k = open_with(policy, observes, pins);
	refused = kernel_refused(k);
	if (refused)
		fail_msg("programs were refused:\n%s", refused);
	n = read_costs(k, costs);
	print_costs(k, costs, n);
	kernel_close(k);
	close(fd);
	for (int i = 0; i < n; i++)
		assert_in_range(costs[i].insns, 1, INSNS_MAX);
}

static void no_program_costs_too_much(void **state)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct policy *policy;

	if (geteuid()) {
		print_message("skipped: needs root to load programs\n");
		skip();
	}
	assert_int_equal(policy_open(POLICY_IMAGE, &policy, &err), 0);
	check_costs(policy, **(bool **)state);
	policy_free(policy);
}

int main(void)
{
	static bool asks = false, observes = true;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(no_program_costs_too_much, &asks),
		cmocka_unit_test_prestate(no_program_costs_too_much, &observes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

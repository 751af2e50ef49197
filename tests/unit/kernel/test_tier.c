/* Which tier each hook gets, what is given up, and what is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/internal.h"
#include "base/strbuf.h"
#include "kernel/tier.h"

/* All hooks in one tier, but for the second. */
static struct tiers all_in(enum bs_tier tier, enum bs_tier second, int err)
{
	struct tiers t = { 0 };

	for (size_t i = 0; i < tier_hooks_count; i++)
		t.of[i] = tier;
	t.of[1] = second;
	t.err[1] = err;
	return t;
}

static bool is_in_table(const char *program)
{
	const char *hook = strchr(program, '_') + 1;

	for (size_t i = 0; i < tier_hooks_count; i++)
		if (!strcmp(tier_hooks[i].name, hook))
			return true;
	return false;
}

static void each_program_has_its_line_and_each_line_its_programs(void **state)
{
	struct backstop_bpf *s = backstop_bpf__open();
	struct bpf_program *p;

	(void)state;
	assert_non_null(s);
	bpf_object__for_each_program(p, s->obj)
	{
		const char *section = bpf_program__section_name(p);

		if (!strncmp(section, "lsm/", 4) || !strncmp(section, "fmod_ret/", 9))
			assert_true(is_in_table(bpf_program__name(p)));
	}
	for (size_t i = 0; i < tier_hooks_count; i++) {
		assert_non_null(tier_program(s, i, BS_TIER_LSM));
		assert_int_equal(!tier_program(s, i, BS_TIER_FMOD_RET), tier_hooks[i].lsm_only);
	}
	backstop_bpf__destroy(s);
}

static void what_a_kernel_does_not_take_is_not_loaded(void **state)
{
	struct backstop_bpf *s = backstop_bpf__open();
	struct tiers t = { 0 };

	(void)state;
	assert_non_null(s);
	for (int tier = BS_TIER_FMOD_RET; tier < BS_TIERS; tier++)
		tier_fail(&t, 0, tier, -EPERM);
	tier_choose(s, &t);
	assert_int_equal(tier_of(&t), BS_TIER_TRACE);
	for (size_t i = 0; i < tier_hooks_count; i++) {
		assert_false(bpf_program__autoload(tier_program(s, i, BS_TIER_LSM)));
		if (!tier_hooks[i].lsm_only)
			assert_false(bpf_program__autoload(tier_program(s, i, BS_TIER_FMOD_RET)));
	}
	backstop_bpf__destroy(s);
}

static void the_first_hook_is_loaded_in_each_tier_that_is_used(void **state)
{
	struct tiers t = all_in(BS_TIER_LSM, BS_TIER_FMOD_RET, -ENOENT);

	(void)state;
	assert_true(tier_is_wanted(&t, 0, BS_TIER_LSM));
	assert_true(tier_is_wanted(&t, 0, BS_TIER_FMOD_RET));
	assert_true(tier_is_wanted(&t, 1, BS_TIER_FMOD_RET));
	assert_false(tier_is_wanted(&t, 1, BS_TIER_LSM));
	t.of[1] = BS_TIER_LSM;
	assert_false(tier_is_wanted(&t, 0, BS_TIER_FMOD_RET));
}

static void a_tier_without_proof_is_given_up_for_all_hooks(void **state)
{
	struct tiers t = { 0 };

	(void)state;
	tier_fail(&t, 0, BS_TIER_LSM, -ENODATA);
	for (size_t i = 0; i < tier_hooks_count; i++)
		assert_int_equal(t.without[i], 1 << BS_TIER_LSM);
	tier_fail(&t, 1, BS_TIER_FMOD_RET, -EPERM);
	assert_int_equal(t.without[1], 1 << BS_TIER_LSM | 1 << BS_TIER_FMOD_RET);
	assert_int_equal(t.without[0], 1 << BS_TIER_LSM);
	assert_int_equal(t.err[1], -ENODATA); /* the better tier's */
}

/* Of a hook that is in neither form, the better tier may have been given up for another reason. */
static void a_hook_that_need_not_be_there_costs_nothing(void **state)
{
	struct tiers t = { 0 };

	(void)state;
	for (size_t i = 0; i < tier_hooks_count; i++) {
		tier_fail(&t, i, BS_TIER_LSM, -ENODATA);
		t.of[i] = BS_TIER_FMOD_RET;
		if (!tier_hooks[i].optional)
			continue;
		tier_fail(&t, i, BS_TIER_FMOD_RET, -ENOENT);
		t.of[i] = BS_TIER_TRACE;
	}
	assert_int_equal(tier_of_use(&t, TIER_DELETE), BS_TIER_FMOD_RET);
}

static void what_is_out_of_memory_is_not_weaker_for_that(void **state)
{
	struct tiers t = all_in(BS_TIER_LSM, BS_TIER_LSM, 0);

	(void)state;
	assert_false(tier_refused(&t, -ENOMEM, ""));
	assert_int_equal(t.without[0], 0);
	assert_true(tier_refused(&t, -EINVAL,
				 "libbpf: prog 'exec_loaded': BPF program load "
				 "failed: Invalid argument\n"));
	assert_int_equal(t.without[0], 1 << BS_TIER_LSM | 1 << BS_TIER_FMOD_RET);
	t = (struct tiers) { 0 };
	assert_false(tier_refused(&t, -EINVAL, ""));
}

static void only_the_program_that_was_refused_is_given_up(void **state)
{
	struct tiers t = all_in(BS_TIER_LSM, BS_TIER_LSM, 0);
	char said[256];

	(void)state;
	snprintf(said, sizeof(said),
		 "  libbpf: prog 'lsm_%s': BPF program load failed: Invalid argument\n",
		 tier_hooks[1].name);
	assert_true(tier_refused(&t, -EINVAL, said));
	assert_int_equal(t.without[0], 0);
	assert_int_equal(t.without[1], 1 << BS_TIER_LSM);
	assert_int_equal(t.without[2], 0);
}

static void nothing_refuses_where_nothing_is_attached(void **state)
{
	struct tiers t = all_in(BS_TIER_LSM, BS_TIER_LSM, 0);
	struct bs_shared *shared = calloc(1, sizeof(*shared));

	(void)state;
	assert_non_null(shared);
	assert_false(tier_prove(shared, 1, &t));
	assert_int_equal(shared->state.self_test, 0);
	assert_int_equal(t.without[0], 1 << BS_TIER_LSM);
	free(shared);
}

static void mixed_tiers_are_told(void **state)
{
	struct tiers t = all_in(BS_TIER_LSM, BS_TIER_TRACE, -ENOENT);
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;
	enum tier_use use = tier_hooks[1].use;

	(void)state;
	assert_int_equal(tier_of(&t), BS_TIER_LSM);
	assert_int_equal(tier_of_use(&t, use), BS_TIER_TRACE);
	assert_int_equal(tier_of_use(&t, tier_hooks[0].use), BS_TIER_LSM);
	tier_describe(&t, &text);
	assert_memory_equal(strbuf_str(&text), "lsm, ", 5);
	assert_non_null(strstr(strbuf_str(&text), tier_uses[use].name));
	tier_explain(&t, use, &why);
	assert_non_null(strstr(strbuf_str(&why), tier_hooks[1].name));
	assert_non_null(strstr(strbuf_str(&why), ": trace (this kernel has no such hook)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_program_has_its_line_and_each_line_its_programs),
		cmocka_unit_test(what_a_kernel_does_not_take_is_not_loaded),
		cmocka_unit_test(the_first_hook_is_loaded_in_each_tier_that_is_used),
		cmocka_unit_test(a_tier_without_proof_is_given_up_for_all_hooks),
		cmocka_unit_test(a_hook_that_need_not_be_there_costs_nothing),
		cmocka_unit_test(what_is_out_of_memory_is_not_weaker_for_that),
		cmocka_unit_test(only_the_program_that_was_refused_is_given_up),
		cmocka_unit_test(nothing_refuses_where_nothing_is_attached),
		cmocka_unit_test(mixed_tiers_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Each field of bpf/kernel_types.h against the running kernel's BTF: libbpf relocates offsets, but
 * trusts our widths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "backstop/event.h"
#include "backstop.skel.h"

#define FIELDS_MIN                                                                                 \
	40 /* there are that many; fewer compared would mean that the test sees nothing */

static const struct btf *ours, *theirs;
static int compared, wrong;

static int find_struct(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
}

/* The type of the member `name`, which may stand in an anonymous struct or union; 0: there is none.
 */
static __u32 member_type(const struct btf *btf, __u32 id, const char *name)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	const struct btf_member *m = btf_members(t);

	for (int i = 0; i < btf_vlen(t); i++, m++) {
		const char *n = btf__name_by_offset(btf, m->name_off);
		__u32 inner = 0;

		if (!strcmp(n, name))
			return m->type;
		if (!n[0] && btf_is_composite(btf__type_by_id(btf, m->type)))
			inner = member_type(btf, m->type, name);
		if (inner)
			return inner;
	}
	return 0;
}

static bool is_pointer(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (btf_is_typedef(t) || btf_is_mod(t))
		t = btf__type_by_id(btf, t->type);
	return btf_is_ptr(t);
}

static void compare_field(const char *type, const char *field, __u32 our_id, __u32 their_id)
{
	long long our_size = btf__resolve_size(ours, our_id);
	long long their_size = their_id ? btf__resolve_size(theirs, their_id) : -1;
	bool nested = btf_is_struct(btf__type_by_id(ours, our_id));

	compared++;
	if (!their_id) {
		printf("%s.%s: the kernel has no such field\n", type, field);
		wrong++;
	} else if (!nested && (our_size != their_size ||
			       is_pointer(ours, our_id) != is_pointer(theirs, their_id))) {
		printf("%s.%s: %lld bytes here, %lld in the kernel\n", type, field, our_size,
		       their_size);
		wrong++;
	}
}

static void compare_struct(__u32 id)
{
	const struct btf_type *t = btf__type_by_id(ours, id);
	const char *name = btf__name_by_offset(ours, t->name_off);
	const struct btf_member *m = btf_members(t);
	int their_id = name[0] ? find_struct(theirs, name) : -1;

	if (their_id < 0 || !strncmp(name, "bs_", 3))
		return;
	for (int i = 0; i < btf_vlen(t); i++, m++) {
		const char *field = btf__name_by_offset(ours, m->name_off);

		compare_field(name, field, m->type, member_type(theirs, their_id, field));
	}
}

static void every_field_has_the_kernels_width(void **state)
{
	struct backstop_bpf *skel = backstop_bpf__open();
	struct btf *vmlinux = btf__load_vmlinux_btf();

	(void)state;
	assert_non_null(skel);
	assert_non_null(vmlinux);
	ours = bpf_object__btf(skel->obj);
	theirs = vmlinux;
	for (__u32 id = 1; id < btf__type_cnt(ours); id++)
		if (btf_is_struct(btf__type_by_id(ours, id)))
			compare_struct(id);
	printf("%d fields compared\n", compared);
	assert_true(compared >= FIELDS_MIN);
	assert_int_equal(wrong, 0);
	btf__free(vmlinux);
	backstop_bpf__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_field_has_the_kernels_width) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

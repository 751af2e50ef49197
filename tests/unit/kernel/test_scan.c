/* The scan in the kernel against the scan in user space, on the same inputs, with the tables of the
 * shipped policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "kernel/scan_maps.h"

#define TABLES(t)	((const struct scan_tables *)(t))
#define BS_FILTER(t, i) ((const u8 *)TABLES(t)->filter + (i))
#define BS_MASK(t, m)	(m)
#define BS_BUCKET(t, i) (&TABLES(t)->buckets[(i) & (TABLES(t)->buckets_count - 1)])
#define BS_LIST(t, i)	((i) < TABLES(t)->lists_count ? &TABLES(t)->lists[i] : NULL)
#define BS_ANCHOR(t, i) ((i) < TABLES(t)->anchors_count ? &TABLES(t)->anchors[i] : NULL)
#define BS_RULE(t, i)	((i) < TABLES(t)->rules_count ? &TABLES(t)->rules[i] : NULL)
#define BS_LOOP(n, f, c)                                                                           \
	do {                                                                                       \
		for (u32 loop_i = 0; loop_i < (n); loop_i++)                                       \
			if (f(loop_i, c))                                                          \
				break;                                                             \
	} while (0)
#include "backstop/match.h"
#include "scan_input.h"
#include "scan.skel.h"

#define INPUTS 3000

static struct policy *policy;
static struct scan_bpf *skel;

static const char *const words[] = {
	"terraform", "destroy",	  "git",      "push",	"--force", "rm",
	"-rf",	     "/",	  "kubectl",  "delete", "ns",	   "ls",
	"-la",	     "docker",	  "volume",   "psql",	"-c",	   "DROP",
	"TABLE",     "aws",	  "s3",	      "rb",	"echo",	   "RM",
	"rmdir",     "format",	  "bin/rm",   "x",	"",	   "plan",
	"show",	     "redis-cli", "flushall", "bash",	"-c",	   ":(){ :|:& };:",
	"f() {",
};

static u32 next_random(void)
{
	static u64 seed = 20260101;

	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return seed >> 33;
}

/* Words of commands, random bytes, and padding that moves them over the borders of blocks and
 * chunks. */
static u32 make_input(u8 *data)
{
	u32 len = 0, count = 1 + next_random() % 6;

	for (u32 i = 0; i < count; i++) {
		const char *word = words[next_random() % ARRAY_SIZE(words)];
		u32 padding =
			next_random() % 8 ? next_random() % 20 : next_random() % (BS_SCAN_MAX / 8);

		for (u32 k = 0; k < padding; k++)
			data[len++] = next_random() % 4 ? 'a' + next_random() % 26 : next_random();
		data[len++] = 0;
		memcpy(data + len, word, strlen(word) + 1);
		len += strlen(word) + 1;
	}
	return len;
}

static u32 scan_here(const struct scan_tables *t, const u8 *data, u32 len)
{
	static struct bs_scan scan;

	bs_scan_begin(&scan, t);
	for (u32 at = 0; at < len; at += BS_CHUNK)
		bs_scan_chunk(&scan, t, data + at, MIN(len - at, (u32)BS_CHUNK),
			      len - at >= BS_CHUNK);
	return bs_scan_end(&scan, t);
}

static u32 scan_there(struct input *in)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int map = bpf_map__fd(skel->maps.inputs);
	u32 zero = 0;

	assert_int_equal(bpf_map_update_elem(map, &zero, in, 0), 0);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.scan_input), &opts), 0);
	assert_int_equal(bpf_map_lookup_elem(map, &zero, in), 0);
	return in->candidate;
}

static void kernel_and_user_space_agree(void **state)
{
	const struct scan_tables *t = policy_scan_tables(policy);
	static struct input in;
	u32 candidates = 0;

	(void)state;
	for (int i = 0; i < INPUTS; i++) {
		u32 here;

		memset(&in, 0, sizeof(in));
		in.len = make_input(in.data);
		here = scan_here(t, in.data, in.len);
		assert_int_equal(scan_there(&in), here);
		candidates += here;
	}
	printf("%u of %d inputs are candidates\n", candidates, INPUTS);
	assert_in_range(candidates, INPUTS / 20, INPUTS - INPUTS / 20);
}

static int load(void **state)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	const struct scan_tables *t;

	(void)state;
	if (policy_open(POLICY_IMAGE, &policy, &err)) {
		printf("%s\n", strbuf_str(&err));
		return -1;
	}
	t = policy_scan_tables(policy);
	skel = scan_bpf__open();
	if (!skel)
		return -1;
	skel->rodata->scan_filter_mask = scan_maps_mask(t);
	skel->rodata->scan_bucket_mask = t->buckets_count - 1;
	return scan_maps_size(skel->obj, "scan", t) || scan_bpf__load(skel) ||
	       scan_maps_fill(skel->obj, "scan", t);
}

static int unload(void **state)
{
	(void)state;
	scan_bpf__destroy(skel);
	policy_free(policy);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(kernel_and_user_space_agree) };

	return cmocka_run_group_tests(tests, load, unload);
}

/* The scan on an input that user space gives, for bpf_prog_test_run: the very code of bpf/scan.h.
 */
#include "scan.h"
#include "scan_input.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct input);
} inputs SEC(".maps");

static long scan_step(u32 i, void *data)
{
	struct input *in = *(struct input **)data;
	u32 at = (i * BS_CHUNK) & (BS_SCAN_MAX - 1), len;
	const void *table = scan_table();

	if (!table || i * BS_CHUNK >= in->len)
		return 1;
	len = in->len - i * BS_CHUNK;
	bs_scan_chunk(&in->scan, table, in->data + at, len < BS_CHUNK ? len : BS_CHUNK,
		      len >= BS_CHUNK);
	return 0;
}

SEC("raw_tp")
int scan_input(void *ctx)
{
	u32 zero = 0;
	struct input *in = bpf_map_lookup_elem(&inputs, &zero);
	const void *table = scan_table();

	if (!in || !table)
		return 0;
	bs_scan_begin(&in->scan, table);
	bpf_loop(BS_SCAN_MAX / BS_CHUNK, scan_step, &in, 0);
	in->candidate = bs_scan_end(&in->scan, table);
	return 0;
}

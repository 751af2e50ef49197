/* Fills a ring with what user space says, for bpf_prog_test_run. */
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>

#include "ring_input.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} ring SEC(".maps");

volatile int go; /* lets put_slowly() end */

SEC("syscall")
int put_record(struct ring_input *in)
{
	struct ring_input record = *in;

	return bpf_ringbuf_output(&ring, &record, sizeof(record), 0);
}

SEC("syscall")
int put_discarded(struct ring_input *in)
{
	struct ring_input *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record)
		return -1;
	*record = *in;
	bpf_ringbuf_discard(record, 0);
	return 0;
}

static long is_told(u32 i, void *data)
{
	return go ? 1 : 0;
}

static long wait_longer(u32 i, void *data)
{
	bpf_loop(1 << 20, is_told, NULL, 0);
	return go ? 1 : 0;
}

/* Keeps its record unfinished until it is told to go on. */
SEC("syscall")
int put_slowly(struct ring_input *in)
{
	struct ring_input *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record)
		return -1;
	*record = *in;
	bpf_loop(1 << 20, wait_longer, NULL, 0);
	bpf_ringbuf_submit(record, 0);
	return 0;
}

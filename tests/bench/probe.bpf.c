/* A program that does nothing, where a library is probed: what the trap costs by itself. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("uprobe")
int empty_probe(void *ctx)
{
	return 0;
}

/* A program that does nothing, at the end of each system call: what being there costs by itself. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/sys_exit")
int empty_call(void *ctx)
{
	return 0;
}

/* Refuses all programs on security hooks, as whoever runs a machine may. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "backstop/types.h"

#define EPERM 1

char LICENSE[] SEC("license") = "GPL";

SEC("fmod_ret/security_bpf")
int BPF_PROG(refuse, int cmd, union bpf_attr *attr)
{
	u32 type = 0, where = 0;

	if (cmd != BPF_PROG_LOAD)
		return 0;
	bpf_probe_read_kernel(&type, sizeof(type), &attr->prog_type);
	bpf_probe_read_kernel(&where, sizeof(where), &attr->expected_attach_type);
	if (type == BPF_PROG_TYPE_LSM ||
	    (type == BPF_PROG_TYPE_TRACING && where == BPF_MODIFY_RETURN))
		return -EPERM;
	return 0;
}

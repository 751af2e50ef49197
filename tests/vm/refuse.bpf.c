/* Refuses all programs on security hooks, or those of two names, as whoever runs a machine may. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "backstop/types.h"

#define EPERM 1

const volatile u64 names[2][2]; /* as the kernel has them, filled with zeros; zero: all */

char LICENSE[] SEC("license") = "GPL";

static __always_inline int is_meant(const union bpf_attr *attr)
{
	u64 name[2] = {};

	if (!names[0][0])
		return 1;
	bpf_probe_read_kernel(name, sizeof(name), attr->prog_name);
	return (name[0] == names[0][0] && name[1] == names[0][1]) ||
	       (name[0] == names[1][0] && name[1] == names[1][1]);
}

SEC("fmod_ret/security_bpf")
int BPF_PROG(refuse, int cmd, union bpf_attr *attr)
{
	u32 type = 0, where = 0;

	if (cmd != BPF_PROG_LOAD)
		return 0;
	bpf_probe_read_kernel(&type, sizeof(type), &attr->prog_type);
	bpf_probe_read_kernel(&where, sizeof(where), &attr->expected_attach_type);
	if (type != BPF_PROG_TYPE_LSM &&
	    (type != BPF_PROG_TYPE_TRACING || where != BPF_MODIFY_RETURN))
		return 0;
	return is_meant(attr) ? -EPERM : 0;
}

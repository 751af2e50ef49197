/* What the kernel side knows of deletions. */
#include <errno.h>

#include <bpf/bpf.h>

#include "kernel/internal.h"

int kernel_watch_deletions(_unused_ struct kernel *k, _unused_ bool on)
{
	return 0;
}

int kernel_protect_inode(_unused_ struct kernel *k, _unused_ u32 dev, _unused_ u64 inode,
			 _unused_ bool on)
{
	return 0;
}

int kernel_burst(struct kernel *k, u32 tgid, u64 start, enum bs_burst what)
{
	int fd = bpf_map__fd(k->skel->maps.processes);
	struct bs_process p;

	if (bpf_map_lookup_elem(fd, &tgid, &p))
		return -ESRCH;
	p.start = start;
	p.burst = what;
	return bpf_map_update_elem(fd, &tgid, &p, BPF_EXIST) ? -ESRCH : 0;
}

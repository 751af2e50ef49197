/* Files that processes have mapped: those that a process serves (FUSE) are not opened. It may never
 * answer, and while the kernel reads what it is to probe, no process of the machine can fork. */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/internal.h"

#define ROWS 64

/* 0: `ret` is of the mapping that begins at `start`; -ENOENT: there is none. */
static int find_row(int fd, u64 start, struct bs_mapped *ret)
{
	struct bs_mapped rows[ROWS];
	ssize_t n;

	while ((n = read(fd, rows, sizeof(rows))) > 0 || (n < 0 && errno == EAGAIN))
		for (ssize_t i = 0; i < n / (ssize_t)sizeof(*rows); i++)
			if (rows[i].start == start) {
				*ret = rows[i];
				return 0;
			}
	return n < 0 ? -errno : -ENOENT;
}

static int look_up(const struct kernel *k, u32 tgid, u64 start, struct bs_mapped *ret)
{
	union bpf_iter_link_info of = { .task.tid = tgid };
	struct bpf_iter_attach_opts opts;
	struct bpf_link *link;
	_cleanup_close_ int fd = -1;
	int r;

	memset(&opts, 0, sizeof(opts)); /* what is behind the last field, too: else it is refused */
	opts.sz = sizeof(opts);
	opts.link_info = &of;
	opts.link_info_len = sizeof(of);
	link = bpf_program__attach_iter(k->skel->progs.mapped_list, &opts);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	r = fd < 0 ? -errno : find_row(fd, start, ret);
	bpf_link__destroy(link);
	return r;
}

/* Nobody is asked for what O_PATH opens, and it keeps its mount, and so the mount's number: what
 * the process may map there meanwhile is another's. */
int kernel_open_mapped(const struct kernel *k, u32 tgid, u64 start, u64 end, u64 *real)
{
	_cleanup_close_ int fd = -1;
	struct bs_mapped row = { 0 };
	struct statx st;
	char path[96];
	int r;

	snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", tgid,
		 (unsigned long long)start, (unsigned long long)end);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st))
		return -errno;
	r = look_up(k, tgid, start, &row);
	if (r)
		return r;
	if (row.fuse || row.mount != st.stx_mnt_id)
		return -EREMOTE;
	*real = row.real;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = open(path, O_RDONLY | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

#include "kernel/protect.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "kernel/internal.h"

void kernel_protect_begin(struct kernel *k)
{
	struct bs_state *s = &kernel_shared(k)->state;
	struct stat st;

	if (!stat("/proc/self/ns/mnt", &st))
		s->guard_mounts = (u32)st.st_ino;
	s->learner_fill++;
}

/* The open itself may fail, as that of a socket does: its hook comes before. */
int kernel_protect(struct kernel *k, const char *path, u32 flags)
{
	struct bs_state *s = &kernel_shared(k)->state;
	u32 before = s->learned;
	int fd, err;

	s->learner_flags = flags;
	__atomic_store_n(&s->learner, (u32)gettid(), __ATOMIC_SEQ_CST);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	err = errno;
	__atomic_store_n(&s->learner, 0, __ATOMIC_SEQ_CST);
	if (fd >= 0)
		close(fd);
	if (*(volatile u32 *)&s->learned != before)
		return 0;
	return fd < 0 ? -err : -ENOTSUP;
}

/* Removes what this filling does not have. Returns how many it has. */
static u32 drop_stale(int map, u32 fill)
{
	struct bs_protect_key key, next;
	struct bs_protected p;
	u32 count = 0;
	bool more = !bpf_map_get_next_key(map, NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(map, &key, &next);
		if (!bpf_map_lookup_elem(map, &key, &p) && p.fill != fill)
			bpf_map_delete_elem(map, &key);
		else
			count++;
	}
	return count;
}

u32 kernel_protect_end(struct kernel *k)
{
	return drop_stale(bpf_map__fd(k->skel->maps.protected),
			  kernel_shared(k)->state.learner_fill);
}

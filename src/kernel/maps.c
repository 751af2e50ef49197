/* Labels, sessions and notes in the kernel's maps. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/io.h"
#include "kernel/internal.h"

static int put(const struct bpf_map *map, const void *key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY);
}

static int get(const struct bpf_map *map, const void *key, void *value)
{
	return bpf_map_lookup_elem(bpf_map__fd(map), key, value);
}

/* Of a pidfd's process, from its fdinfo; 0: gone. */
static u32 pid_of(int pidfd)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	const char *line;
	char path[64];
	long pid;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	line = io_read_file(AT_FDCWD, path, 4096, &sb) ? NULL : strstr(strbuf_str(&sb), "Pid:");
	pid = line ? strtol(line + 4, NULL, 10) : 0;
	return pid > 0 ? (u32)pid : 0;
}

/* Its exit, which would remove the entry, may have passed already. */
static int note_process(struct kernel *k, int pidfd, u64 session)
{
	struct bs_process p = { .session = session };
	struct pollfd exited = { .fd = pidfd, .events = POLLIN };
	u32 tgid = pid_of(pidfd);
	int r = tgid ? put(k->skel->maps.processes, &tgid, &p) : -ESRCH;

	if (!r && poll(&exited, 1, 0) == 1) {
		bpf_map_delete_elem(bpf_map__fd(k->skel->maps.processes), &tgid);
		r = -ESRCH;
	}
	return r;
}

/* What its program was judged by stays. */
int kernel_set_label(struct kernel *k, int pidfd, const struct bs_label *label)
{
	struct bs_label all = *label, before;
	int r;

	if (!kernel_get_label(k, pidfd, &before))
		all.judged = before.judged;
	r = put(k->skel->maps.labels, &pidfd, &all);
	return r ?: note_process(k, pidfd, label->session);
}

int kernel_adopt(struct kernel *k, u32 tgid, u64 session)
{
	struct bs_process p = { .session = session };

	return put(k->skel->maps.processes, &tgid, &p);
}

#define ADOPT_PASSES 1000

static int read_to_end(int fd)
{
	char buf[256];
	ssize_t n;

	do
		n = read(fd, buf, sizeof(buf));
	while (n > 0 || (n < 0 && errno == EAGAIN));
	return n < 0 ? -errno : 0;
}

int kernel_adopt_run(struct kernel *k)
{
	struct bpf_link *link = bpf_program__attach_iter(k->skel->progs.lineage_adopt, NULL);
	const volatile u32 *adopted = &kernel_shared(k)->state.adopted;
	u32 first = *adopted, before = first - 1;
	int r = link ? 0 : -errno;

	for (int i = 0; i < ADOPT_PASSES && !r && *adopted != before; i++) {
		_cleanup_close_ int fd = bpf_iter_create(bpf_link__fd(link));

		before = *adopted;
		r = fd < 0 ? -errno : read_to_end(fd);
	}
	bpf_link__destroy(link);
	return r ?: (int)(*adopted - first);
}

int kernel_get_label(const struct kernel *k, int pidfd, struct bs_label *ret)
{
	return get(k->skel->maps.labels, &pidfd, ret);
}

int kernel_set_session(struct kernel *k, u64 id, const struct bs_session *s)
{
	return put(k->skel->maps.sessions, &id, s);
}

int kernel_get_session(const struct kernel *k, u64 id, struct bs_session *ret)
{
	return get(k->skel->maps.sessions, &id, ret);
}

void kernel_remove_session(struct kernel *k, u64 id)
{
	bpf_map_delete_elem(bpf_map__fd(k->skel->maps.sessions), &id);
	bpf_map_delete_elem(bpf_map__fd(k->skel->maps.records), &id);
	bpf_map_delete_elem(bpf_map__fd(k->skel->maps.hints), &id);
}

int kernel_set_hints(struct kernel *k, u64 session, const struct bs_hints *h)
{
	if (h->count)
		return put(k->skel->maps.hints, &session, h);
	bpf_map_delete_elem(bpf_map__fd(k->skel->maps.hints), &session);
	return 0;
}

int kernel_next_session(const struct kernel *k, u64 *session)
{
	u64 after = *session;

	return bpf_map_get_next_key(bpf_map__fd(k->skel->maps.sessions), after ? &after : NULL,
				    session);
}

int kernel_next_process(const struct kernel *k, u32 *tgid)
{
	u32 after = *tgid;

	return bpf_map_get_next_key(bpf_map__fd(k->skel->maps.processes), after ? &after : NULL,
				    tgid);
}

int kernel_put_record(struct kernel *k, u64 session, const struct bs_record *r)
{
	return put(k->skel->maps.records, &session, r);
}

int kernel_get_record(const struct kernel *k, u64 session, struct bs_record *ret)
{
	return get(k->skel->maps.records, &session, ret);
}

int kernel_put_approval(struct kernel *k, u64 hold, u64 signature)
{
	return put(k->skel->maps.approvals, &hold, &signature);
}

int kernel_get_approval(const struct kernel *k, u64 hold, u64 *ret_signature)
{
	return get(k->skel->maps.approvals, &hold, ret_signature);
}

int kernel_answer_connect(struct kernel *k, u32 tid, const struct bs_waiting *w)
{
	return bpf_map_update_elem(bpf_map__fd(k->skel->maps.waiting), &tid, w, BPF_EXIST);
}

int kernel_get_waiting(const struct kernel *k, u32 tid, struct bs_waiting *ret)
{
	return get(k->skel->maps.waiting, &tid, ret);
}

struct bs_slot *kernel_slots(const struct kernel *k)
{
	return k->slots;
}

/* The programs that do what others were passed over for: at tracepoints of perf (bpf/shared.h). */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/io.h"
#include "base/strbuf.h"
#include "kernel/internal.h"

struct pair {
	struct bpf_program *first, *late;
	struct bpf_link **link; /* of the latter */
};
#define PAIRS	 4
#define TRIPWIRE 3 /* which of them is attached on demand */

static void find_pairs(struct backstop_bpf *s, struct pair ret[PAIRS])
{
	const struct pair all[PAIRS] = {
		{ s->progs.exec_loaded, s->progs.exec_late, &s->links.exec_late },
		{ s->progs.lineage_newtask, s->progs.newtask_late, &s->links.newtask_late },
		{ s->progs.lineage_exit, s->progs.exit_late, &s->links.exit_late },
		[TRIPWIRE] = { s->progs.tripwire_enter, s->progs.tripwire_late,
			       &s->links.tripwire_late },
	};

	memcpy(ret, all, sizeof(all));
}

/* Kernels from 7.2 on preempt tasks in tracepoints. Nothing but their age tells: it shows in no
 * type, and to see it happen takes luck. */
static bool is_needed(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return true;
	return major > 7 || (major == 7 && minor >= 2);
}

void late_choose(struct backstop_bpf *s, bool wanted)
{
	struct pair pairs[PAIRS];

	find_pairs(s, pairs);
	for (int i = 0; i < PAIRS; i++)
		bpf_program__set_autoload(pairs[i].late, wanted && is_needed());
}

/* ---- attaching */

/* One of our own: nobody may have mounted it. */
static int open_tracefs(void)
{
	_cleanup_close_ int fs = (int)syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* The number of the tracepoint that the program's section names: "tracepoint/GROUP/NAME". */
static int tracepoint_id(const struct bpf_program *p, u64 *ret)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_close_ int tracefs = open_tracefs();
	char path[128];
	int r;

	if (tracefs < 0)
		return tracefs;
	snprintf(path, sizeof(path), "events/%s/id", strchr(bpf_program__section_name(p), '/') + 1);
	r = io_read_file(tracefs, path, 32, &text);
	if (!r)
		*ret = strtoull(strbuf_str(&text), NULL, 10);
	return r;
}

/* An event of one CPU runs the program on all. */
static int open_event(const struct bpf_program *p)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	u64 id;
	int fd, r = tracepoint_id(p, &id);

	if (r)
		return r;
	attr.config = id;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

struct bpf_link *late_attach(const struct bpf_program *p)
{
	struct bpf_link *link;
	int event = open_event(p);

	if (event < 0) {
		errno = -event;
		return NULL;
	}
	link = bpf_program__attach_perf_event(p, event);
	if (!link)
		close(event);
	return link;
}

/* At once, not when its pin goes: that is done later, by a thread of the kernel. */
static void drop(struct kernel *k, const struct bpf_program *p, struct bpf_link **link)
{
	_cleanup_close_ int last = kernel_open_link(k, p);

	kernel_drop_link(k, p);
	if (link) {
		bpf_link__destroy(*link);
		*link = NULL;
	}
}

static bool attach(struct kernel *k, u32 generation, const struct pair *p)
{
	return bpf_program__autoload(p->late) &&
	       !kernel_attach_one(k, generation, p->late, -1, p->link);
}

void late_replace(struct kernel *k, struct backstop_bpf *s, u32 generation)
{
	struct pair pairs[PAIRS], old[PAIRS] = { 0 };

	find_pairs(s, pairs);
	if (k->skel)
		find_pairs(k->skel, old);
	k->has_late = true;
	for (int i = 0; i < PAIRS; i++) {
		drop(k, pairs[i].late, old[i].link);
		if ((i != TRIPWIRE || kernel_has_tripwire(k)) && !attach(k, generation, &pairs[i]))
			k->has_late = false;
	}
}

/* ---- counting */

static u64 misses_of(const struct bpf_program *p)
{
	struct bpf_prog_info info = { 0 };
	u32 len = sizeof(info);
	int fd = bpf_program__fd(p);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) ? info.recursion_misses : 0;
}

u64 kernel_missed(const struct kernel *k)
{
	struct pair pairs[PAIRS];
	struct bpf_program *p;
	u64 sum = 0;

	bpf_object__for_each_program(p, k->skel->obj) sum += misses_of(p);
	find_pairs(k->skel, pairs);
	for (int i = 0; i < PAIRS && k->has_late; i++)
		sum -= MAX(misses_of(pairs[i].first), misses_of(pairs[i].late));
	return sum;
}

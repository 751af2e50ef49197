#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "kernel/internal.h"
#include "kernel/probe.h"
#include "kernel/tables.h"

/* libbpf has one print function for the whole process, without an argument. */
static struct strbuf *load_messages;

/* Of the verifier's log, which is long, the end tells the fault. */
static int collect_message(enum libbpf_print_level level, const char *fmt, va_list args)
{
	static char line[64 * 1024];
	size_t len;

	if (level != LIBBPF_WARN || !load_messages || load_messages->len > 4096)
		return 0;
	vsnprintf(line, sizeof(line), fmt, args);
	len = strlen(line);
	if (len > 1024)
		strbuf_addf(load_messages, "  %.100s\n  ...\n  %s", line, line + len - 800);
	else
		strbuf_addf(load_messages, "  %s", line);
	return 0;
}

/* ---- attaching */

int kernel_open_cgroup(void)
{
	FILE *f = setmntent("/proc/self/mounts", "r");
	struct mntent *e;
	int fd = -ENOENT;

	while (f && (e = getmntent(f)))
		if (!strcmp(e->mnt_type, "cgroup2")) {
			fd = open(e->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (fd < 0)
				fd = -errno;
			break;
		}
	if (f)
		endmntent(f);
	return fd;
}

static void link_name(u32 generation, const struct bpf_program *p, char *buf, size_t size)
{
	snprintf(buf, size, "g%u_%s", generation, bpf_program__name(p));
}

static int pin_link(const struct kernel *k, u32 generation, const struct bpf_program *p,
		    struct bpf_link *link)
{
	char name[64];

	link_name(generation, p, name, sizeof(name));
	return pins_put(&k->pins, name, bpf_link__fd(link));
}

void kernel_drop_link(const struct kernel *k, const struct bpf_program *p)
{
	char name[64];

	link_name(k->generation, p, name, sizeof(name));
	pins_drop(&k->pins, name);
}

void kernel_detach_one(const struct kernel *k, const struct bpf_program *p, struct bpf_link **link)
{
	if (!*link)
		return;
	kernel_drop_link(k, p);
	bpf_link__destroy(*link);
	*link = NULL;
}

int kernel_open_link(const struct kernel *k, const struct bpf_program *p)
{
	char name[64];

	link_name(k->generation, p, name, sizeof(name));
	return pins_get(&k->pins, name);
}

void kernel_let_go_link(const struct kernel *k, const struct bpf_program *p)
{
	char name[64];

	link_name(k->generation, p, name, sizeof(name));
	pins_let_go(&k->pins, name);
}

int kernel_take_back_link(const struct kernel *k, const struct bpf_program *p)
{
	char name[64];

	link_name(k->generation, p, name, sizeof(name));
	return pins_take_back(&k->pins, name);
}

int kernel_attach_one(const struct kernel *k, u32 generation, struct bpf_program *p, int cgroup,
		      struct bpf_link **ret)
{
	struct bpf_link *link;
	int r;

	if (bpf_program__type(p) == BPF_PROG_TYPE_TRACEPOINT)
		link = late_attach(p);
	else if (cgroup < 0)
		link = bpf_program__attach(p);
	else
		link = bpf_program__attach_cgroup(p, cgroup);
	if (!link)
		return -errno;
	r = pin_link(k, generation, p, link);
	if (r)
		bpf_link__destroy(link);
	else
		*ret = link;
	return r;
}

struct attachment {
	struct bpf_program *prog;
	struct bpf_link **link;
};

static int attach_connects(struct kernel *k, struct backstop_bpf *s, u32 generation)
{
	const struct attachment all[] = {
		{ s->progs.connect_ip4, &s->links.connect_ip4 },
		{ s->progs.connect_ip6, &s->links.connect_ip6 },
		{ s->progs.connect_send4, &s->links.connect_send4 },
		{ s->progs.connect_send6, &s->links.connect_send6 },
	};
	_cleanup_close_ int cgroup = kernel_open_cgroup();
	int r = cgroup < 0 ? cgroup : 0;

	for (size_t i = 0; i < ARRAY_SIZE(all) && !r; i++)
		r = kernel_attach_one(k, generation, all[i].prog, cgroup, all[i].link);
	if (!r && k->demand & TIER_BY_DELETES)
		r = kernel_attach_packets(k, s, generation, cgroup);
	return r;
}

/* Shall deletions be seen when they have happened? */
static bool watches_calls(const struct kernel *k, const struct backstop_bpf *s)
{
	return k->demand & TIER_BY_DELETES && s->rodata->delete_unhooked;
}

static int attach(struct kernel *k, struct backstop_bpf *s, u32 generation)
{
	const struct attachment all[] = {
		{ s->progs.lineage_newtask, &s->links.lineage_newtask },
		{ s->progs.lineage_exit, &s->links.lineage_exit },
		{ s->progs.connect_bridge, &s->links.connect_bridge },
		{ s->progs.protect_moved, &s->links.protect_moved },
		{ s->progs.exec_loaded, &s->links.exec_loaded },
		{ kernel_has_tripwire(k) ? s->progs.tripwire_enter : NULL,
		  &s->links.tripwire_enter },
		{ watches_calls(k, s) ? s->progs.delete_done : NULL, &s->links.delete_done },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all) && !r; i++)
		if (all[i].prog)
			r = kernel_attach_one(k, generation, all[i].prog, -1, all[i].link);
	if (!r)
		r = kernel_attach_libraries(k, s, generation);
	if (r)
		return r;
	r = attach_connects(k, s, generation);
	free(k->blind);
	k->blind = NULL;
	if (r && asprintf(&k->blind,
			  r == -ENOENT ? "no cgroup2 hierarchy is mounted (mount -t "
					 "cgroup2 cgroup2 /sys/fs/cgroup)%s"
				       : "the cgroup programs cannot be attached: %s",
			  r == -ENOENT ? "" : strerror(-r)) < 0)
		return -ENOMEM;
	return 0;
}

/* ---- a generation of programs */

static u32 next_generation(const struct kernel *k)
{
	return MAX(k->generation, pins_generation(&k->pins)) + 1;
}

static int load(struct kernel *k, const struct kernel_tables *t, u32 generation,
		struct backstop_bpf **ret)
{
	struct backstop_bpf *s = backstop_bpf__open();
	int r;

	if (!s)
		return -errno;
	s->rodata->generation = generation;
	tier_choose(s, &k->tiers);
	late_choose(s, k->tiers.finds_tasks);
	r = tables_size(s, &k->tiers, t);
	if (!r && (k->skel || k->adopted))
		r = kept_reuse(k, s);
	if (!r)
		r = backstop_bpf__load(s);
	if (!r)
		r = tables_fill(s, t);
	if (r)
		backstop_bpf__destroy(s);
	else
		*ret = s;
	return r;
}

/* Attaches what was loaded, lets it act, and drops what acted before. -EAGAIN: some of it was
 * given up. */
static int take_over(struct kernel *k, struct backstop_bpf *s, u32 generation)
{
	struct backstop_bpf *old = k->skel;
	int r = attach(k, s, generation);

	if (!r && (!kernel_attach_hooks(k, s, generation) ||
		   !tier_prove(&s->bss->shared, generation, &k->tiers)))
		r = -EAGAIN;
	if (r)
		return r;
	__atomic_store_n(&s->bss->shared.state.generation, generation, __ATOMIC_SEQ_CST);
	late_replace(k, s, generation);
	k->generation = generation;
	k->skel = s;
	pins_drop_links(&k->pins, generation);
	backstop_bpf__destroy(old);
	return 0;
}

static bool give_up_hooks(struct kernel *k, int err)
{
	const char *said = load_messages ? strbuf_str(load_messages) : "";

	if (k->skel || !tier_refused(&k->tiers, err, said))
		return false;
	if (!k->refused)
		k->refused = strdup(said);
	if (load_messages)
		strbuf_reset(load_messages);
	return true;
}

/* -EAGAIN: what failed was given up. */
static int try_next(struct kernel *k, const struct kernel_tables *t)
{
	u32 generation = next_generation(k);
	struct backstop_bpf *s;
	int r = load(k, t, generation, &s);

	if (r)
		return give_up_hooks(k, r) ? -EAGAIN : r;
	r = take_over(k, s, generation);
	if (r) { /* in this order, as descriptors may have run out */
		backstop_bpf__destroy(s);
		pins_drop_links(&k->pins, k->generation);
	}
	return r;
}

#define RETRIES 2

/* Ends, as nothing is given up twice. What has acted until now was attached before: what fails may
 * have failed for the moment, and is tried again before it is given up. */
static int next(struct kernel *k, const struct kernel_tables *t)
{
	struct tiers before = k->tiers;
	int retries = k->skel ? RETRIES : 0;
	int r;

	while ((r = try_next(k, t)) == -EAGAIN)
		if (retries-- > 0)
			k->tiers = before;
	if (r)
		k->tiers = before;
	return r;
}

/* ---- open and close */

static void on_record(void *data, const void *record, size_t size)
{
	struct consumer *c = data;

	if (size >= sizeof(struct bs_event) && c->fn)
		c->fn(c->data, record);
}

static int open_maps(struct kernel *k)
{
	struct bpf_map *rings[] = { k->skel->maps.decisions, k->skel->maps.events };
	int r = 0;

	for (int i = 0; i < KERNEL_RINGS && !r; i++)
		r = ring_open(bpf_map__fd(rings[i]), &k->consumers[i].ring);
	return r ?: shared_map_slots(bpf_map__fd(k->skel->maps.slots), &k->slots);
}

/* Only a whole set is taken over: the shared state is pinned last. It says which generation acts.
 */
static int adopt(struct kernel *k)
{
	_cleanup_close_ int fd = pins_get(&k->pins, SHARED_PIN);
	struct bs_shared *shared = NULL;
	int r = fd < 0 ? fd : shared_map(fd, &shared);

	if (r)
		return r;
	k->generation = shared->state.generation;
	k->adopted = true;
	munmap(shared, sizeof(*shared));
	return 0;
}

/* Are there sessions that a guard before this one left? Their deletions are seen without a gap. */
static bool has_sessions(const struct kernel *k)
{
	_cleanup_close_ int fd = pins_get(&k->pins, SESSIONS_PIN);
	u64 first;

	return fd >= 0 && !bpf_map_get_next_key(fd, NULL, &first);
}

static int start(struct kernel *k, const char *pins, const struct kernel_tables *t,
		 struct strbuf *err)
{
	int r = pins_open(&k->pins, pins, err);

	if (r)
		return r;
	r = adopt(k);
	if (r && r != -ENOENT)
		return r;
	if (!k->adopted)
		kept_drop(k);
	else if (has_sessions(k))
		k->demand = TIER_BY_DELETES;
	r = next(k, t);
	if (!r && !k->adopted) {
		k->skel->bss->shared.state.guard_cpu = ~0U;
		r = kept_pin(k);
	}
	if (r) {
		if (!k->adopted)
			pins_remove(&k->pins);
		return r;
	}
	return open_maps(k);
}

static int with_messages(int (*fn)(struct kernel *k, const char *pins,
				   const struct kernel_tables *t, struct strbuf *err),
			 struct kernel *k, const char *pins, const struct kernel_tables *t,
			 struct strbuf *err)
{
	_cleanup_strbuf_ struct strbuf messages = STRBUF_INIT;
	libbpf_print_fn_t before = libbpf_set_print(collect_message);
	size_t said = err->len;
	int r;

	load_messages = &messages;
	r = fn(k, pins, t, err);
	libbpf_set_print(before);
	load_messages = NULL;
	if (r && err->len == said)
		probe_explain(r, strbuf_str(&messages), err);
	return r;
}

int kernel_open(const char *pins, const struct kernel_tables *t, struct kernel **ret,
		struct strbuf *err)
{
	_cleanup_(kernel_close_ptr) struct kernel *k = calloc(1, sizeof(*k));
	int r = k ? with_messages(start, k, pins, t, err) : -ENOMEM;

	if (r)
		return r;
	*ret = TAKE_PTR(k);
	return 0;
}

static int reload(struct kernel *k, _unused_ const char *pins, const struct kernel_tables *t,
		  _unused_ struct strbuf *err)
{
	return next(k, t);
}

int kernel_reload(struct kernel *k, const struct kernel_tables *t, struct strbuf *err)
{
	return with_messages(reload, k, NULL, t, err);
}

bool kernel_was_adopted(const struct kernel *k)
{
	return k->adopted;
}

enum bs_tier kernel_tier(const struct kernel *k)
{
	return tier_of(&k->tiers);
}

const struct tiers *kernel_tiers(const struct kernel *k)
{
	return &k->tiers;
}

void kernel_set_guard(struct kernel *k, u32 guard, u32 keeper)
{
	struct bs_state *s = &kernel_shared(k)->state;

	__atomic_store_n(&s->guard, guard, __ATOMIC_RELAXED);
	__atomic_store_n(&s->keeper, keeper, __ATOMIC_RELAXED);
}

const char *kernel_refused(const struct kernel *k)
{
	return k->refused;
}

const char *kernel_blind(const struct kernel *k)
{
	return k->blind;
}

void kernel_unpin(struct kernel *k)
{
	pins_remove(&k->pins);
}

void kernel_close(struct kernel *k)
{
	if (!k)
		return;
	for (int i = 0; i < KERNEL_RINGS; i++)
		ring_close(k->consumers[i].ring);
	if (k->slots)
		munmap(k->slots, SHARED_SLOTS_BYTES);
	kernel_free_libraries(k);
	backstop_bpf__destroy(k->skel);
	pins_free(&k->pins);
	free(k->blind);
	free(k->refused);
	free(k);
}

int kernel_private_pins(char *buf, size_t size)
{
	_cleanup_close_ int fs = (int)syscall(SYS_fsopen, "bpf", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	fd = (int)syscall(SYS_fsmount, fs, 0, 0);
	if (fd < 0)
		return -errno;
	snprintf(buf, size, "/proc/self/fd/%d/backstop", fd);
	return fd;
}

/* ---- events */

void kernel_on_event(struct kernel *k, enum kernel_ring ring, kernel_event_fn fn, void *data)
{
	k->consumers[ring].fn = fn;
	k->consumers[ring].data = data;
}

int kernel_ring_fd(const struct kernel *k, enum kernel_ring ring)
{
	return ring_fd(k->consumers[ring].ring);
}

int kernel_consume(struct kernel *k, enum kernel_ring ring, int max)
{
	return ring_consume(k->consumers[ring].ring, on_record, &k->consumers[ring], max);
}

void kernel_release(struct kernel *k, enum kernel_ring ring)
{
	ring_release(k->consumers[ring].ring);
}

struct ring_use kernel_ring_use(const struct kernel *k, enum kernel_ring ring)
{
	return ring_use(k->consumers[ring].ring);
}

struct bs_shared *kernel_shared(const struct kernel *k)
{
	return &k->skel->bss->shared;
}

void kernel_set_polling(struct kernel *k, bool polling)
{
	__atomic_store_n(&kernel_shared(k)->state.guard_polls, polling, __ATOMIC_SEQ_CST);
}

void kernel_set_cpu(struct kernel *k, int cpu)
{
	__atomic_store_n(&kernel_shared(k)->state.guard_cpu, (u32)cpu, __ATOMIC_RELAXED);
}

const volatile struct bs_counters *kernel_counters(const struct kernel *k)
{
	return &kernel_shared(k)->counters;
}

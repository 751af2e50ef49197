#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "backstop/event.h"
#include "backstop.skel.h"
#include "kernel/kernel.h"
#include "kernel/scan_maps.h"

struct ring {
	struct ring_buffer *buffer;
	kernel_event_fn fn;
	void *data;
	int left; /* events that this kernel_consume() may still hand over */
};

struct kernel {
	struct backstop_bpf *skel;
	struct ring rings[KERNEL_RINGS];
	struct bs_slot *slots;
};

#define SLOTS_BYTES (BS_SLOTS * sizeof(struct bs_slot))

/* libbpf has one print function for the whole process, without an argument. */
static struct strbuf *load_messages;

static int collect_message(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[512];

	if (level == LIBBPF_WARN && load_messages && load_messages->len < 4096) {
		vsnprintf(line, sizeof(line), fmt, args);
		strbuf_addf(load_messages, "  %s", line);
	}
	return 0;
}

static int on_record(void *data, void *record, size_t size)
{
	struct ring *r = data;

	if (size >= sizeof(struct bs_event) && r->fn)
		r->fn(r->data, record);
	return --r->left > 0 ? 0 : -EAGAIN;
}

static int open_rings(struct kernel *k)
{
	struct bpf_map *maps[] = { k->skel->maps.decisions, k->skel->maps.events };

	for (int i = 0; i < KERNEL_RINGS; i++) {
		struct ring *r = &k->rings[i];

		r->buffer = ring_buffer__new(bpf_map__fd(maps[i]), on_record, r, NULL);
		if (!r->buffer)
			return -errno;
	}
	k->slots = mmap(NULL, SLOTS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(k->skel->maps.slots), 0);
	if (k->slots == MAP_FAILED) {
		k->slots = NULL;
		return -errno;
	}
	return 0;
}

static int attach(struct backstop_bpf *s)
{
	struct bpf_program *progs[] = { s->progs.lineage_newtask, s->progs.lineage_exit,
					s->progs.exec_loaded };
	struct bpf_link **links[] = { &s->links.lineage_newtask, &s->links.lineage_exit,
				      &s->links.exec_loaded };

	for (size_t i = 0; i < ARRAY_SIZE(progs); i++) {
		*links[i] = bpf_program__attach(progs[i]);
		if (!*links[i])
			return -errno;
	}
	return 0;
}

static int load(struct kernel *k, const struct scan_tables *t)
{
	int r;

	k->skel = backstop_bpf__open();
	if (!k->skel)
		return -errno;
	k->skel->rodata->scan_mask = scan_maps_mask(t);
	k->skel->rodata->scan_accepts = t->accepts_count;
	k->skel->rodata->scan_start = t->start;
	r = scan_maps_size(k->skel->obj, t);
	if (!r)
		r = backstop_bpf__load(k->skel);
	if (!r)
		r = scan_maps_fill(k->skel->obj, t);
	if (!r)
		r = open_rings(k);
	return r ?: attach(k->skel);
}

int kernel_open(const struct scan_tables *t, struct kernel **ret, struct strbuf *err)
{
	_cleanup_(kernel_close_ptr) struct kernel *k = calloc(1, sizeof(*k));
	_cleanup_strbuf_ struct strbuf messages = STRBUF_INIT;
	libbpf_print_fn_t before;
	int r;

	if (!k)
		return -ENOMEM;
	load_messages = &messages;
	before = libbpf_set_print(collect_message);
	r = load(k, t);
	libbpf_set_print(before);
	load_messages = NULL;
	if (r) {
		strbuf_addf(err,
			    "the kernel refused the BPF programs (%s): 'backstop doctor' says what "
			    "is missing\n%s",
			    strerror(-r), strbuf_str(&messages));
		return r;
	}
	*ret = TAKE_PTR(k);
	return 0;
}

void kernel_close(struct kernel *k)
{
	if (!k)
		return;
	for (int i = 0; i < KERNEL_RINGS; i++)
		ring_buffer__free(k->rings[i].buffer);
	if (k->slots)
		munmap(k->slots, SLOTS_BYTES);
	backstop_bpf__destroy(k->skel);
	free(k);
}

void kernel_on_event(struct kernel *k, enum kernel_ring ring, kernel_event_fn fn, void *data)
{
	k->rings[ring].fn = fn;
	k->rings[ring].data = data;
}

int kernel_ring_fd(const struct kernel *k, enum kernel_ring ring)
{
	return ring_buffer__epoll_fd(k->rings[ring].buffer);
}

int kernel_consume(struct kernel *k, enum kernel_ring ring, int max)
{
	struct ring *r = &k->rings[ring];

	r->left = max;
	ring_buffer__consume(r->buffer);
	return max - r->left;
}

void kernel_set_polling(struct kernel *k, bool polling)
{
	__atomic_store_n(&k->skel->bss->guard_polls, polling, __ATOMIC_SEQ_CST);
}

void kernel_set_cpu(struct kernel *k, int cpu)
{
	__atomic_store_n(&k->skel->data->guard_cpu, (u32)cpu, __ATOMIC_RELAXED);
}

int kernel_set_label(struct kernel *k, int pidfd, const struct bs_label *label)
{
	return bpf_map_update_elem(bpf_map__fd(k->skel->maps.labels), &pidfd, label, BPF_ANY);
}

int kernel_get_label(const struct kernel *k, int pidfd, struct bs_label *ret)
{
	return bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.labels), &pidfd, ret);
}

int kernel_set_session(struct kernel *k, u64 id, const struct bs_session *s)
{
	return bpf_map_update_elem(bpf_map__fd(k->skel->maps.sessions), &id, s, BPF_ANY);
}

int kernel_get_session(const struct kernel *k, u64 id, struct bs_session *ret)
{
	return bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.sessions), &id, ret);
}

void kernel_remove_session(struct kernel *k, u64 id)
{
	bpf_map_delete_elem(bpf_map__fd(k->skel->maps.sessions), &id);
}

struct bs_slot *kernel_slots(const struct kernel *k)
{
	return k->slots;
}

const volatile struct bs_counters *kernel_counters(const struct kernel *k)
{
	return &k->skel->bss->counters;
}

int kernel_set_tripwire(struct kernel *k, bool on)
{
	struct bpf_link **link = &k->skel->links.tripwire_enter;

	if (on == !!*link)
		return 0;
	if (!on) {
		bpf_link__destroy(*link);
		*link = NULL;
		return 0;
	}
	*link = bpf_program__attach(k->skel->progs.tripwire_enter);
	return *link ? 0 : -errno;
}

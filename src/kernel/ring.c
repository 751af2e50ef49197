#include "kernel/ring.h"

#include <errno.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "backstop/types.h"

/* The map's pages: one with the consumer's position, which alone we may write; one with the
 * producer's; the data, twice in a row, so that a record never breaks at the end. */
struct ring {
	int fd;
	size_t page, size;
	unsigned long *consumer;
	const unsigned long *producer; /* NULL: not mapped */
	const char *data;
	unsigned long next; /* position of what is handed over next */
	unsigned long peak; /* bytes */
};

struct record_head {
	u32 len; /* with BPF_RINGBUF_BUSY_BIT and BPF_RINGBUF_DISCARD_BIT */
	u32 page;
};
_Static_assert(sizeof(struct record_head) == BPF_RINGBUF_HDR_SZ, "the kernel's");

void ring_close(struct ring *r)
{
	if (!r)
		return;
	if (r->consumer)
		munmap(r->consumer, r->page);
	if (r->producer)
		munmap((void *)r->producer, r->page + 2 * r->size);
	free(r);
}

static int map_pages(struct ring *r)
{
	void *p = mmap(NULL, r->page, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	r->consumer = p;
	p = mmap(NULL, r->page + 2 * r->size, PROT_READ, MAP_SHARED, r->fd, r->page);
	if (p == MAP_FAILED)
		return -errno;
	r->producer = p;
	r->data = (const char *)p + r->page;
	return 0;
}

static int set_up(struct ring *r, int map_fd)
{
	struct bpf_map_info info = { 0 };
	u32 len = sizeof(info);
	int err;

	if (bpf_obj_get_info_by_fd(map_fd, &info, &len))
		return -errno;
	if (info.type != BPF_MAP_TYPE_RINGBUF)
		return -EINVAL;
	r->fd = map_fd;
	r->page = sysconf(_SC_PAGESIZE);
	r->size = info.max_entries;
	err = map_pages(r);
	if (!err)
		r->next = __atomic_load_n(r->consumer, __ATOMIC_ACQUIRE);
	return err;
}

int ring_open(int map_fd, struct ring **ret)
{
	_cleanup_(ring_close_ptr) struct ring *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	err = set_up(r, map_fd);
	if (err)
		return err;
	*ret = TAKE_PTR(r);
	return 0;
}

int ring_fd(const struct ring *r)
{
	return r->fd;
}

static unsigned long record_room(u32 len)
{
	return (BPF_RINGBUF_HDR_SZ + (unsigned long)len + 7) & ~7UL;
}

int ring_consume(struct ring *r, ring_fn fn, void *data, int max)
{
	unsigned long end = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
	unsigned long used = end - *r->consumer;
	int count = 0;

	r->peak = MAX(r->peak, used);
	while (count < max && r->next < end) {
		const struct record_head *head =
			(const void *)(r->data + (r->next & (r->size - 1)));
		u32 len = __atomic_load_n(&head->len, __ATOMIC_ACQUIRE);

		if (len & BPF_RINGBUF_BUSY_BIT)
			break;
		r->next += record_room(len & ~BPF_RINGBUF_DISCARD_BIT);
		if (len & BPF_RINGBUF_DISCARD_BIT)
			continue;
		fn(data, head + 1, len);
		count++;
	}
	return count;
}

void ring_release(struct ring *r)
{
	__atomic_store_n(r->consumer, r->next, __ATOMIC_RELEASE);
}

struct ring_use ring_use(const struct ring *r)
{
	unsigned long used = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE) - *r->consumer;

	return (struct ring_use) { .size = r->size, .used = used, .peak = MAX(r->peak, used) };
}

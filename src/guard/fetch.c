#include "guard/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "base/log.h"
#include "guard/aside.h"
#include "guard/slot.h"

#define READ_MAX    (4UL * 1024 * 1024) /* bytes of a write */
#define FETCHES_MAX 8			/* children of a session, of which some may hang */
#define PARTS_MAX   (BS_SEND_DATA / sizeof(struct iovec))

struct fetched_bytes {
	ssize_t got;
	char bytes[];
};

struct fetch {
	LIST_ENTRY(fetch) entry;
	struct guard *guard;
	struct bs_send_event *event;
	struct iovec parts[PARTS_MAX];
	size_t parts_count, len;
	struct fetched_bytes *shared; /* with the child; NULL: not yet */
	struct aside *aside;
};

static size_t shared_size(const struct fetch *f)
{
	return sizeof(*f->shared) + f->len;
}

static void fetch_free(struct fetch *f)
{
	aside_end(f->aside);
	if (f->shared)
		munmap(f->shared, shared_size(f));
	free(f->event);
	free(f);
}

static void run(void *data)
{
	struct fetch *f = data;
	struct iovec mine = { f->shared->bytes, f->len };

	f->shared->got =
		process_vm_readv((pid_t)f->event->head.tid, &mine, 1, f->parts, f->parts_count, 0);
}

static bool is_gone(const struct fetch *f)
{
	const struct bs_send_event *e = f->event;

	return e->slot < BS_SLOTS &&
	       slot_state(&kernel_slots(f->guard->kernel)[e->slot], e->ticket) == BS_SLOT_FREE;
}

static void on_done(void *data)
{
	struct fetch *f = data;
	ssize_t got = f->shared->got;
	struct fetched bytes = { .bytes = f->shared->bytes,
				 .len = (size_t)MAX(got, 0),
				 .whole = got == (ssize_t)f->len };

	LIST_REMOVE(f, entry); /* its slot is to be decided */
	if (!is_gone(f))
		send_fetched(f->guard, f->event, &bytes);
	fetch_free(f);
}

static void list_parts(struct fetch *f)
{
	const struct bs_send_event *e = f->event;

	if (e->flags & BS_SEND_AWAY) {
		f->parts_count = MIN(e->copied, sizeof(f->parts)) / sizeof(*f->parts);
		memcpy(f->parts, e->data, f->parts_count * sizeof(*f->parts));
	} else {
		f->parts_count = 1;
		f->parts[0] =
			(struct iovec) { (void *)(e->buffer + e->copied), e->size - e->copied };
	}
	for (size_t i = 0; i < f->parts_count; i++) {
		f->parts[i].iov_len = MIN(f->parts[i].iov_len, READ_MAX - f->len);
		f->len += f->parts[i].iov_len;
	}
}

static size_t count_of(const struct guard *g, u64 session)
{
	const struct fetch *f;
	size_t n = 0;

	LIST_FOREACH (f, &g->fetches, entry)
		n += f->event->head.session == session;
	return n;
}

static int start_reading(struct fetch *f)
{
	void *shared = mmap(NULL, shared_size(f), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return -errno;
	f->shared = shared;
	f->shared->got = -1;
	return aside_start(f->guard->loop, -1, run, on_done, f, &f->aside);
}

static int start(struct guard *g, const struct bs_send_event *e)
{
	struct fetch *f = calloc(1, sizeof(*f));
	int r = -ENOMEM;

	if (!f)
		return r;
	f->guard = g;
	f->event = malloc(e->head.size);
	if (f->event) {
		memcpy(f->event, e, e->head.size);
		list_parts(f);
		r = start_reading(f);
	}
	if (r)
		fetch_free(f);
	else
		LIST_INSERT_HEAD(&g->fetches, f, entry);
	return r;
}

static bool is_needed(const struct bs_send_event *e)
{
	return e->flags & BS_SEND_AWAY || (e->buffer && e->size > e->copied);
}

bool fetch_start(struct guard *g, const struct bs_send_event *e)
{
	static const struct fetched nothing = { .bytes = "", .refused = true };
	int r;

	if (!is_needed(e))
		return false;
	r = count_of(g, e->head.session) < FETCHES_MAX && aside_has_room() ? start(g, e) : -EAGAIN;
	if (!r)
		return true;
	log_errno(r, "what process %u is about to send is not read", e->head.tgid);
	send_fetched(g, e, &nothing);
	return true;
}

bool fetch_has_slot(const struct guard *g, u32 slot, u32 ticket)
{
	const struct fetch *f;

	LIST_FOREACH (f, &g->fetches, entry)
		if (f->event->slot == slot && f->event->ticket == ticket)
			return true;
	return false;
}

void fetch_forget(struct guard *g, u64 session)
{
	struct fetch *f, *next;

	for (f = LIST_FIRST(&g->fetches); f; f = next) {
		next = LIST_NEXT(f, entry);
		if (session && f->event->head.session != session)
			continue;
		LIST_REMOVE(f, entry);
		fetch_free(f);
	}
}

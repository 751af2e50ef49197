/* The functions of src/kernel/, for a test that needs none: they note what they are asked. Stands
 * in one file a program. */
#ifndef TESTS_GUARD_FAKE_KERNEL_H
#define TESTS_GUARD_FAKE_KERNEL_H

#include <errno.h>
#include <string.h>

#include "kernel/kernel.h"

static struct {
	struct bs_slot slots[BS_SLOTS];
	struct bs_counters counters;
	struct bs_label label; /* session 0: none */
	struct bs_session session;
	u64 session_id;			       /* 0: there is none */
	int set_label, set_session, get_label; /* what they return, where not 0 */
} fake;

int kernel_open(const struct scan_tables *t _unused_, struct kernel **ret _unused_,
		struct strbuf *err _unused_)
{
	return -ENOSYS;
}

void kernel_close(struct kernel *k _unused_)
{
}

void kernel_on_event(struct kernel *k _unused_, enum kernel_ring ring _unused_,
		     kernel_event_fn fn _unused_, void *data _unused_)
{
}

int kernel_ring_fd(const struct kernel *k _unused_, enum kernel_ring ring _unused_)
{
	return -1;
}

int kernel_consume(struct kernel *k _unused_, enum kernel_ring ring _unused_, int max _unused_)
{
	return 0;
}

void kernel_set_polling(struct kernel *k _unused_, bool polling _unused_)
{
}

void kernel_set_cpu(struct kernel *k _unused_, int cpu _unused_)
{
}

int kernel_set_label(struct kernel *k _unused_, int pidfd, const struct bs_label *label)
{
	if (pidfd < 0)
		return -EBADF;
	if (!fake.set_label)
		fake.label = *label;
	return fake.set_label;
}

int kernel_get_label(const struct kernel *k _unused_, int pidfd, struct bs_label *ret)
{
	if (pidfd < 0 || fake.get_label)
		return fake.get_label ?: -EBADF;
	if (!fake.label.session)
		return -ENOENT;
	*ret = fake.label;
	return 0;
}

int kernel_set_session(struct kernel *k _unused_, u64 id, const struct bs_session *s)
{
	if (fake.set_session)
		return fake.set_session;
	fake.session_id = id;
	fake.session = *s;
	return 0;
}

int kernel_get_session(const struct kernel *k _unused_, u64 id, struct bs_session *ret)
{
	if (id != fake.session_id)
		return -ENOENT;
	*ret = fake.session;
	return 0;
}

void kernel_remove_session(struct kernel *k _unused_, u64 id)
{
	if (id == fake.session_id)
		fake.session_id = 0;
}

struct bs_slot *kernel_slots(const struct kernel *k _unused_)
{
	return fake.slots;
}

const volatile struct bs_counters *kernel_counters(const struct kernel *k _unused_)
{
	return &fake.counters;
}

int kernel_set_tripwire(struct kernel *k _unused_, bool on _unused_)
{
	return 0;
}

#endif

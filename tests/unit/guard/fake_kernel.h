/* The functions of src/kernel/, for a test that needs none: they note what they are asked. Stands
 * in one file a program. */
#ifndef TESTS_GUARD_FAKE_KERNEL_H
#define TESTS_GUARD_FAKE_KERNEL_H

#include <errno.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/protect.h"
#include "kernel/tier.h"

static struct {
	struct bs_slot slots[BS_SLOTS];
	struct bs_shared shared;
	struct bs_label label; /* session 0: none */
	struct bs_session session;
	u64 session_id;			       /* 0: there is none */
	int set_label, set_session, get_label; /* what they return, where not 0 */
	struct bs_record record;
	u32 hints;	/* that a session has */
	u32 adopted[8]; /* processes that kernel_adopt() was given */
	int adopted_count, adopt_run;
	u64 approval, approved_signature;
	struct bs_said said;
	u32 waiting_tid; /* 0: nobody waits */
	struct bs_waiting waiting;
	const char *blind;
	u64 missed;
	bool watches_deletions;
	enum bs_burst bursts[4]; /* what kernel_burst() was told, in order */
	int bursts_count;
	u64 spared[4]; /* what kernel_spare() was given */
	int spared_count;
	struct {
		char path[256];
		u32 flags;
	} protected[256]; /* what kernel_protect() was given */
	int protected_count;
} fake;

/* The one thread of a process, which asks and waits. */
static _unused_ void fake_asks(u32 kind, u32 tid, u32 slot, u32 ticket)
{
	fake.slots[slot] = (struct bs_slot) {
		.word = BS_SLOT_WORD(ticket, BS_SLOT_ASKED), .kind = kind, .tgid = tid, .tid = tid
	};
	fake.waiting_tid = tid;
	fake.waiting = (struct bs_waiting) { .kind = kind, .slot = slot, .ticket = ticket };
}

int kernel_open(const char *pins _unused_, const struct kernel_tables *t _unused_,
		struct kernel **ret _unused_, struct strbuf *err _unused_)
{
	return -ENOSYS;
}

int kernel_reload(struct kernel *k _unused_, const struct kernel_tables *t _unused_,
		  struct strbuf *err _unused_)
{
	return 0;
}

bool kernel_was_adopted(const struct kernel *k _unused_)
{
	return false;
}

const char *kernel_blind(const struct kernel *k _unused_)
{
	return fake.blind;
}

const char *kernel_refused(const struct kernel *k _unused_)
{
	return NULL;
}

enum bs_tier kernel_tier(const struct kernel *k _unused_)
{
	return BS_TIER_TRACE;
}

void kernel_set_guard(struct kernel *k _unused_, u32 guard _unused_, u32 keeper _unused_)
{
}

void kernel_protect_begin(struct kernel *k _unused_)
{
}

u32 kernel_protect_end(struct kernel *k _unused_)
{
	return (u32)fake.protected_count;
}

int kernel_protect(struct kernel *k _unused_, const char *path, u32 flags)
{
	if (access(path, F_OK))
		return -errno;
	if (fake.protected_count == ARRAY_SIZE(fake.protected))
		return -E2BIG;
	snprintf(fake.protected[fake.protected_count].path, sizeof(fake.protected[0].path), "%s",
		 path);
	fake.protected[fake.protected_count++].flags = flags;
	return 0;
}

void kernel_unpin(struct kernel *k _unused_)
{
}

void kernel_release(struct kernel *k _unused_, enum kernel_ring ring _unused_)
{
}

struct ring_use kernel_ring_use(const struct kernel *k _unused_, enum kernel_ring ring)
{
	return (struct ring_use) { .size = 1 << 20, .used = 8 * (ring + 1), .peak = 4096 };
}

int kernel_adopt(struct kernel *k _unused_, u32 tgid, u64 session _unused_)
{
	if (fake.adopted_count == ARRAY_SIZE(fake.adopted))
		return -E2BIG;
	fake.adopted[fake.adopted_count++] = tgid;
	return 0;
}

int kernel_adopt_run(struct kernel *k _unused_)
{
	return fake.adopt_run;
}

int kernel_put_record(struct kernel *k _unused_, u64 session _unused_, const struct bs_record *r)
{
	fake.record = *r;
	return 0;
}

int kernel_get_record(const struct kernel *k _unused_, u64 session _unused_, struct bs_record *ret)
{
	*ret = fake.record;
	return 0;
}

int kernel_next_session(const struct kernel *k _unused_, u64 *session)
{
	if (*session || !fake.session_id)
		return -ENOENT;
	*session = fake.session_id;
	return 0;
}

int kernel_next_process(const struct kernel *k _unused_, u32 *tgid _unused_)
{
	return -ENOENT;
}

int kernel_watch_library(struct kernel *k _unused_, u32 tgid _unused_, u64 start _unused_,
			 u64 end _unused_)
{
	return 0;
}

int kernel_watch_packets(struct kernel *k _unused_, bool on _unused_)
{
	return 0;
}

int kernel_look_at_packets(struct kernel *k _unused_)
{
	return 0;
}

int kernel_say(struct kernel *k _unused_, const struct bs_send *of, u32 say)
{
	fake.said = (struct bs_said) { .position = of->position, .say = say };
	return 0;
}

int kernel_let_go_packets(struct kernel *k _unused_, u64 cookie _unused_, u32 end _unused_)
{
	return 0;
}

int kernel_put_approval(struct kernel *k _unused_, u64 hold, u64 signature)
{
	fake.approval = hold;
	fake.approved_signature = signature;
	return 0;
}

int kernel_get_approval(const struct kernel *k _unused_, u64 hold, u64 *ret_signature)
{
	if (!hold || hold != fake.approval)
		return -ENOENT;
	*ret_signature = fake.approved_signature;
	return 0;
}

int kernel_answer_connect(struct kernel *k _unused_, u32 tid, const struct bs_waiting *w)
{
	fake.waiting_tid = tid;
	fake.waiting = *w;
	return 0;
}

int kernel_get_waiting(const struct kernel *k _unused_, u32 tid, struct bs_waiting *ret)
{
	if (!tid || tid != fake.waiting_tid)
		return -ENOENT;
	*ret = fake.waiting;
	return 0;
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

int kernel_set_hints(struct kernel *k _unused_, u64 session _unused_, const struct bs_hints *h)
{
	fake.hints = h->count;
	return 0;
}

struct bs_slot *kernel_slots(const struct kernel *k _unused_)
{
	return fake.slots;
}

struct bs_shared *kernel_shared(const struct kernel *k _unused_)
{
	return &fake.shared;
}

u64 kernel_missed(const struct kernel *k _unused_)
{
	return fake.missed;
}

const volatile struct bs_counters *kernel_counters(const struct kernel *k _unused_)
{
	return &fake.shared.counters;
}

int kernel_watch_deletions(struct kernel *k _unused_, bool on)
{
	fake.watches_deletions = on;
	return 0;
}

int kernel_burst(struct kernel *k _unused_, u32 tgid _unused_, u64 start _unused_,
		 enum bs_burst what)
{
	if (fake.bursts_count < (int)ARRAY_SIZE(fake.bursts))
		fake.bursts[fake.bursts_count++] = what;
	return 0;
}

int kernel_spare(struct kernel *k _unused_, u64 place)
{
	if (fake.spared_count < (int)ARRAY_SIZE(fake.spared))
		fake.spared[fake.spared_count++] = place;
	return 0;
}

const struct tiers *kernel_tiers(const struct kernel *k _unused_)
{
	static const struct tiers none;

	return &none;
}

int kernel_set_tripwire(struct kernel *k _unused_, bool on _unused_)
{
	return 0;
}

#endif

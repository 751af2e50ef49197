/* The kernel side, loaded and attached: rings, labels, slots, counters. */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include "backstop/event.h"
#include "base/util.h"
#include "policy/policy.h"

struct kernel;

/* Loads the programs with the scan's tables and attaches them. On failure `err` says what was
 * refused and what is needed. 0 or a negative errno. Everything is detached by kernel_close(), or
 * when the process ends. */
int kernel_open(const struct scan_tables *t, struct kernel **ret, struct strbuf *err);
void kernel_close(struct kernel *k);
DEFINE_CLEANUP(struct kernel, kernel_close);

/* Two rings. Their fds become readable when the kernel wakes the guard. */
enum kernel_ring { KERNEL_DECISIONS, KERNEL_EVENTS, KERNEL_RINGS };
typedef void (*kernel_event_fn)(void *data, const struct bs_event *e);
void kernel_on_event(struct kernel *k, enum kernel_ring ring, kernel_event_fn fn, void *data);
int kernel_ring_fd(const struct kernel *k, enum kernel_ring ring);
/* Hands over at most `max` events; returns how many. */
int kernel_consume(struct kernel *k, enum kernel_ring ring, int max);
/* While true the guard looks at KERNEL_EVENTS by itself and is not woken for each event. */
void kernel_set_polling(struct kernel *k, bool polling);
/* The CPU on which the guard will wake up, as it runs there now with realtime priority; -1: not
 * known. */
void kernel_set_cpu(struct kernel *k, int cpu);

/* Labels, by pidfd (of a thread group leader). kernel_get_label(): -ENOENT where there is none. */
int kernel_set_label(struct kernel *k, int pidfd, const struct bs_label *label);
int kernel_get_label(const struct kernel *k, int pidfd, struct bs_label *ret);

int kernel_set_session(struct kernel *k, u64 id, const struct bs_session *s);
int kernel_get_session(const struct kernel *k, u64 id, struct bs_session *ret);
void kernel_remove_session(struct kernel *k, u64 id);

/* BS_SLOTS slots, shared with the kernel. */
struct bs_slot *kernel_slots(const struct kernel *k);
const volatile struct bs_counters *kernel_counters(const struct kernel *k);

/* Attaches or detaches the tripwire on system calls. 0 or a negative errno. */
int kernel_set_tripwire(struct kernel *k, bool on);

#endif

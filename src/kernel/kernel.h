/* The kernel side, loaded and attached: rings, labels, slots, counters. */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include "backstop/event.h"
#include "backstop/hint.h"
#include "base/util.h"
#include "kernel/ring.h"
#include "kernel/tier.h"
#include "policy/policy.h"

struct kernel;

/* What the programs are loaded with. Pointers need to live only until the call returns. */
struct kernel_tables {
	const struct scan_tables *scan;
	const struct net_tables *nets;
	const struct agent_key *agents; /* none: only asked sessions begin */
	u32 agents_count;
	const struct scan_tables *deletes; /* none: no deletion is a candidate for its path */
	const struct scan_tables *sends;   /* none: what is sent is not looked at */
	bool observes;			   /* what is sent is told, and never waits */
	const char *const *build_output;   /* names of directories, NULL ends; none: NULL */
	struct burst burst;
};

/* A bpffs of this process's own, whose pins end with the last process that inherited its fd. `buf`
 * gets the path by which this process and its children reach it. The fd or a negative errno. */
int kernel_private_pins(char *buf, size_t size);

/* Loads the programs and attaches them; maps and links are pinned in the directory `pins`, which is
 * made. Where pins of a former guard are there, its maps are taken over with all that they hold,
 * its programs act until the new ones do, and are dropped then: no action goes unseen. On failure
 * `err` says what was refused and what is needed. 0, -ESTALE (pins of another version), or a
 * negative errno. */
int kernel_open(const char *pins, const struct kernel_tables *t, struct kernel **ret,
		struct strbuf *err);
/* New tables, taken over in one moment. After a failure the old ones are in force. All programs are
 * attached anew: hooks that the kernel does not take again are given up, and kernel_tiers() is
 * another then. */
int kernel_reload(struct kernel *k, const struct kernel_tables *t, struct strbuf *err);
/* Why connects are not seen on this machine; NULL: they are. */
const char *kernel_blind(const struct kernel *k);
/* How the security hooks are attached; kernel_tier() is that of the best. */
enum bs_tier kernel_tier(const struct kernel *k);
const struct tiers *kernel_tiers(const struct kernel *k);
/* What was said when programs of security hooks were refused, which are given up; NULL: none was.
 */
const char *kernel_refused(const struct kernel *k);
/* Who may continue held tasks. */
void kernel_set_guard(struct kernel *k, u32 guard, u32 keeper);
/* Were pins of a former guard taken over? */
bool kernel_was_adopted(const struct kernel *k);
/* Removes the pins: kernel_close() then detaches everything. */
void kernel_unpin(struct kernel *k);
/* Lets go; what is pinned goes on. */
void kernel_close(struct kernel *k);
DEFINE_CLEANUP(struct kernel, kernel_close);

/* For the keeper, which has no struct kernel: the pinned slots and shared state, mapped; they stay
 * valid when the pins are gone. 0 or a negative errno. */
int kernel_map_slots(const char *pins, struct bs_slot **ret);
int kernel_map_shared(const char *pins, struct bs_shared **ret);
/* Removes all pins where no guard is left to do so: what nobody has open is detached. */
void kernel_drop_pins(const char *pins);

/* Two rings. Their fds become readable when the kernel wakes the guard. */
enum kernel_ring { KERNEL_DECISIONS, KERNEL_EVENTS, KERNEL_RINGS };
typedef void (*kernel_event_fn)(void *data, const struct bs_event *e);
void kernel_on_event(struct kernel *k, enum kernel_ring ring, kernel_event_fn fn, void *data);
int kernel_ring_fd(const struct kernel *k, enum kernel_ring ring);
/* Hands over at most `max` events, which stay in the ring until kernel_release(): a guard that dies
 * before it leaves them to the next. Returns how many. */
int kernel_consume(struct kernel *k, enum kernel_ring ring, int max);
void kernel_release(struct kernel *k, enum kernel_ring ring);
struct ring_use kernel_ring_use(const struct kernel *k, enum kernel_ring ring);
/* While true the guard looks at KERNEL_EVENTS by itself and is not woken for each event. */
void kernel_set_polling(struct kernel *k, bool polling);
/* The CPU on which the guard will wake up, as it runs there now with realtime priority; -1: not
 * known. */
void kernel_set_cpu(struct kernel *k, int cpu);

/* Labels, by pidfd (of a thread group leader). kernel_get_label(): -ENOENT where there is none.
 * kernel_set_label() also makes the process known to the connect hooks. */
int kernel_set_label(struct kernel *k, int pidfd, const struct bs_label *label);
int kernel_get_label(const struct kernel *k, int pidfd, struct bs_label *ret);

/* Makes process `tgid`, which runs, one of a session that kernel_set_session() made with no tasks;
 * kernel_adopt_run() labels its threads and all that descends from it, and from other members of
 * sessions, until nothing is new. The latter returns how many tasks it labelled. */
int kernel_adopt(struct kernel *k, u32 tgid, u64 session);
int kernel_adopt_run(struct kernel *k);

int kernel_set_session(struct kernel *k, u64 id, const struct bs_session *s);
int kernel_get_session(const struct kernel *k, u64 id, struct bs_session *ret);
void kernel_remove_session(struct kernel *k, u64 id);
/* What the guard is asked about in this session besides; kept for the guard after it. 0 or a
 * negative errno. */
int kernel_set_hints(struct kernel *k, u64 session, const struct bs_hints *h);

/* The guard's notes on a session. */
int kernel_put_record(struct kernel *k, u64 session, const struct bs_record *r);
int kernel_get_record(const struct kernel *k, u64 session, struct bs_record *ret);
/* The session after `*session` (0: the first) in no particular order; -ENOENT behind the last. */
int kernel_next_session(const struct kernel *k, u64 *session);

/* Which signature, by the hash of its name, an approved hold covers; kept likewise. */
int kernel_put_approval(struct kernel *k, u64 hold, u64 signature);
int kernel_get_approval(const struct kernel *k, u64 hold, u64 *ret_signature);

/* The answer that the restarted connect or deletion of thread `tid` will find. */
int kernel_answer_connect(struct kernel *k, u32 tid, const struct bs_waiting *w);
/* What thread `tid` waits for; -ENOENT: nothing. */
int kernel_get_waiting(const struct kernel *k, u32 tid, struct bs_waiting *ret);

/* BS_SLOTS slots, shared with the kernel. */
struct bs_slot *kernel_slots(const struct kernel *k);
struct bs_shared *kernel_shared(const struct kernel *k);
const volatile struct bs_counters *kernel_counters(const struct kernel *k);
/* How often a hook was passed without the programs that now stand there: the kernel runs none on a
 * CPU on which it was interrupted. Where the kernel can be preempted, another task may interrupt it
 * (fmod_ret; from 7.2 on tracepoints too, where most have a second program). */
u64 kernel_missed(const struct kernel *k);

/* While a session is alive: what sees deletions, or kinds of them, at a price that all tasks pay.
 * On the trace tier no deletion is seen without. 0 or a negative errno. */
int kernel_watch_deletions(struct kernel *k, bool on);
/* What becomes of a burst of deletions, for this process and those that it makes: enum bs_burst.
 * 0, or -ESRCH: the process is gone, or of no session. */
int kernel_burst(struct kernel *k, u32 tgid, u64 start, enum bs_burst what);
/* What is deleted in this place (of a delete event) is not asked about again for its path. 0 or a
 * negative errno. */
int kernel_spare(struct kernel *k, u64 place);

/* While there are sessions, and behind kernel_watch_deletions(): what looks at packets is attached.
 * Without any, no library is watched either. 0 or a negative errno. */
int kernel_watch_packets(struct kernel *k, bool on);
/* From now on also those that leave, where hooks ask: some are made of pages, which no hook can
 * read. 0 or a negative errno. */
int kernel_look_at_packets(struct kernel *k);
/* A file that the process has mapped there: where it is a library that encrypts, what is given to
 * it is looked at from now on, as the file is now. 1: it is, and will be after a reload; 0: it is
 * none, or the policy does not look at what is sent; -EREMOTE: a FUSE has it, and it is not opened;
 * or another negative errno. */
int kernel_watch_library(struct kernel *k, u32 tgid, u64 start, u64 end);
/* With what the program in this file encrypts, by what it has of it, where nothing in it can be
 * probed; NULL: nobody knows. Reads all of it. */
const char *kernel_guess_library(int fd);
/* A connection that waits with its packets: they leave, up to the sequence number `end`. 0 or a
 * negative errno. */
int kernel_let_go_packets(struct kernel *k, u64 cookie, u32 end);
/* What the guard says (enum bs_say) of a stream at this write, for one that does not wait for it. 0
 * or a negative errno. */
int kernel_say(struct kernel *k, const struct bs_send *of, u32 say);
/* The process after `*tgid` (0: the first) of any session; -ENOENT behind the last. */
int kernel_next_process(const struct kernel *k, u32 *tgid);

/* Attaches or detaches the tripwire on system calls. 0 or a negative errno. */
int kernel_set_tripwire(struct kernel *k, bool on);

#endif

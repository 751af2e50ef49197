/* What the files of the kernel side share. */
#ifndef KERNEL_INTERNAL_H
#define KERNEL_INTERNAL_H

#include <sys/queue.h>

#include "backstop/event.h"

#include "backstop.skel.h"
#include "kernel/kernel.h"
#include "kernel/pins.h"
#include "kernel/ring.h"
#include "kernel/tier.h"

struct consumer {
	struct ring *ring;
	kernel_event_fn fn;
	void *data;
};

LIST_HEAD(library_list, library); /* library.c */

struct kernel {
	struct backstop_bpf *skel;
	struct pins pins;
	u32 generation;
	bool adopted;
	char *blind; /* why connects are not seen; NULL: they are */
	struct consumer consumers[KERNEL_RINGS];
	struct bs_slot *slots;
	struct tiers tiers;
	char *refused; /* what was said of the first program of a hook that was refused */
	u32 demand;    /* enum tier_demand: which hooks are needed now */
	struct library_list libraries;
	u32 library_count; /* that ever were, for the names of pins */
	bool has_late;	   /* what is passed over has a second program */
};

/* kept.c: before a load, the maps of the running object, or of the pins; 0 or a negative errno. */
int kept_reuse(struct kernel *k, struct backstop_bpf *s);
int kept_pin(struct kernel *k);
void kept_drop(struct kernel *k); /* the pins of a set that is not whole */

/* library.c: for a new generation. 0 or a negative errno. */
int kernel_attach_libraries(struct kernel *k, struct backstop_bpf *s, u32 generation);
void kernel_free_libraries(struct kernel *k);
void kernel_drop_libraries(struct kernel *k); /* they are probed no more */

/* mapped.c: opens what the process has mapped there, to read it. `real`: which inode of the kernel
 * it is, whatever way leads there, as long as it is open. -EREMOTE: it is of a FUSE; or another
 * negative errno. */
int kernel_open_mapped(const struct kernel *k, u32 tgid, u64 start, u64 end, u64 *real);

/* The file descriptor of the root of cgroup2, or a negative errno. */
int kernel_open_cgroup(void);
/* send_maps.c: what looks at packets, for all of the host. 0 or a negative errno. */
int kernel_attach_packets(struct kernel *k, struct backstop_bpf *s, u32 generation, int cgroup);

/* Attaches it, to the cgroup where one is given, and pins its link. */
int kernel_attach_one(const struct kernel *k, u32 generation, struct bpf_program *p, int cgroup,
		      struct bpf_link **ret);
void kernel_drop_link(const struct kernel *k, const struct bpf_program *p);
/* What is attached no more; nothing where it is not. */
void kernel_detach_one(const struct kernel *k, const struct bpf_program *p, struct bpf_link **link);
/* Its pinned link. An fd, or a negative errno. */
int kernel_open_link(const struct kernel *k, const struct bpf_program *p);
/* For a security hook: pins_sweep() has yet to do the rest. */
void kernel_let_go_link(const struct kernel *k, const struct bpf_program *p);
int kernel_take_back_link(const struct kernel *k, const struct bpf_program *p);

/* hooks.c: attaches the security hooks; gives up those that fail: false. */
bool kernel_attach_hooks(struct kernel *k, struct backstop_bpf *s, u32 generation);
/* Attaches, or lets go of, the hooks that `by` needs. 0 or a negative errno: the first that failed.
 */
int kernel_demand(struct kernel *k, enum tier_demand by, bool on);
bool kernel_has_tripwire(const struct kernel *k);

/* late.c: shall the programs be loaded that do what others were passed over for? */
void late_choose(struct backstop_bpf *s, bool wanted);
/* Attaches one of them. NULL and errno. */
struct bpf_link *late_attach(const struct bpf_program *p);
/* Attaches those of the next generation, which acts already, instead of those of the one before.
 * All of perf have one place at a tracepoint, that of the first that came: they go first, so that
 * the new ones come behind what they shall stand in for. What a kernel does not take it may do
 * without: kernel_missed() counts what that loses. */
void late_replace(struct kernel *k, struct backstop_bpf *s, u32 generation);

/* symbol.c: where in the file a function of a program or library is best probed, with nothing of it
 * done and its arguments where they were; 0: there is no such function. */
u64 kernel_find_function(int fd, const char *name);
/* The same of what both are but a front of: `front` calls it first, and it is `other`, or that
 * calls it, too. */
u64 kernel_find_behind(int fd, const char *front, const char *other);
/* How far into the function that is, by its first instructions. */
#define KERNEL_CODE 64
size_t kernel_probe_offset(const u8 code[static KERNEL_CODE]);
/* go.c: where in the file a function of a program of Go is to be probed, behind the first of its
 * instructions; 0: there is none, or it begins otherwise than known. */
u64 kernel_find_go(int fd, const char *name);
/* How far behind its beginning that is. */
size_t kernel_go_offset(const u8 code[static KERNEL_CODE]);

#define SHARED_SLOTS_BYTES (BS_SLOTS * sizeof(struct bs_slot))
#define SHARED_SLOTS_PIN   "slots"
#define SHARED_PIN	   "shared"
#define SESSIONS_PIN	   "sessions"

/* shared.c: maps what the fd of the map of slots, or of the shared state, stands for. */
int shared_map_slots(int fd, struct bs_slot **ret);
int shared_map(int fd, struct bs_shared **ret);

#endif

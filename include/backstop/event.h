/* What the kernel side and the guard share: labels, hold slots, events, losses. Both are built
 * together; fields are in host byte order, times in nanoseconds of CLOCK_BOOTTIME unless they say
 * otherwise. */
#ifndef BACKSTOP_EVENT_H
#define BACKSTOP_EVENT_H

#include "backstop/scan_tables.h"

/* The label of a tracked task, in task local storage: inherited by each new task. */
struct bs_label {
	u64 session;
	u32 approval; /* the hold whose approval covers this task and what follows from it, 0: none
		       */
	u32 slot;     /* 1 + index of the slot it last had, 0: none; not inherited */
};

/* A session in the map of sessions, keyed by its number. */
struct bs_session {
	u64 tasks; /* alive; at 0 the session has ended */
	u64 execs;
	u32 root; /* tgid of the first process: ancestors are named up to it */
	u32 reserved;
};
#define BS_SESSIONS 4096 /* the guard refuses to start more */

/* A candidate's place in the array of holds, which the guard maps into its memory. Each state is
 *left by one side's compare-and-swap, so that the two never disagree on who stops the task:
 *
 *	FREE -> CLAIMED -> ASKED	the kernel (fills in the slot, then waits a moment for the
 *guard) ASKED -> ALLOWED	guard: go on, nothing was stopped; the kernel frees the slot ASKED
 *-> SEIZED		guard: traced and interrupted, so the task traps by itself ASKED -> STOPPED
 *kernel: the guard was late, SIGSTOP is sent
 *	ASKED -> FREE		kernel: a traced task, which cannot be held, got no answer and is
 *killed SEIZED|STOPPED -> RELEASED	guard: decided; only now may the task enter a system call
 *again RELEASED, or the task gone -> FREE	guard
 *
 * The word holds a ticket above the state. Each claim makes a new ticket, so that a late answer to
 *a former owner of the slot is no answer to the next.
 */
enum bs_slot_state {
	BS_SLOT_FREE,
	BS_SLOT_CLAIMED,
	BS_SLOT_ASKED,
	BS_SLOT_ALLOWED,
	BS_SLOT_SEIZED,
	BS_SLOT_STOPPING,
	BS_SLOT_STOPPED,
};
#define BS_SLOT_STATE(word)	    ((word)&7)
#define BS_SLOT_WORD(ticket, state) ((ticket) << 3 | (state))

struct bs_slot {
	u32 word;  /* ticket << 3 | enum bs_slot_state */
	u32 tgid;  /* also the tid: a task that has just exec'ed is alone in its process */
	u64 start; /* of the task: with tgid, its identity */
	u64 session;
};

#define BS_SLOTS                                                                                   \
	4096 /* open holds; when all are taken a candidate is killed, and that is counted */
#define BS_SLOT_PROBES 16
#define BS_NO_SLOT     0xffffffffU

enum bs_event_type {
	BS_EVENT_EXEC = 1,
	BS_EVENT_ARGS, /* argv beyond the exec event of the same tgid, which comes behind */
	BS_EVENT_EXIT, /* of a process: its last thread is gone */
	BS_EVENT_END,  /* of a session: its last task is gone */
};

enum bs_exec_flag {
	BS_EXEC_CANDIDATE = 1 << 0,
	BS_EXEC_TRACED =
		1 << 1, /* was being traced: decided while it waits in the kernel, or killed */
	BS_EXEC_UNREADABLE = 1 << 2, /* argv could not be read in the kernel */
	BS_EXEC_TOO_LONG = 1 << 3,   /* more than BS_SCAN_MAX bytes */
	BS_EXEC_KILLED =
		1 << 4, /* killed in the kernel: no slot was free, or no answer for a traced task */
	BS_EXEC_DELETED = 1 << 5, /* its file has no name any more (memfd, unlinked) */
	BS_EXEC_SETID = 1 << 6,	  /* set-user-ID, set-group-ID or file capabilities */
};

struct bs_event {
	u16 type; /* enum bs_event_type */
	u16 reserved;
	u32 size; /* bytes of the whole event */
	u64 time;
	u64 session;
	u32 tgid;
	u32 tid;
};

#define BS_ANCESTORS 8
#define BS_CWD_PARTS 32 /* components; a deeper path loses its upper part */
#define BS_CWD_MAX   1024
#define BS_NAME_MAX  512
#define BS_FILE_MAX  256

/* data[] holds, in this order: name (as given to execve) and NUL, the base name of the loaded file
 * and NUL, the first bytes of argv, words ended by NUL (these three are scanned as one chunk), and
 * cwd: its components from the last to the first, each with NUL. */
struct bs_exec_event {
	struct bs_event head;
	u64 start;  /* start time of the process */
	u64 cgroup; /* cgroup2 id */
	u64 inode;  /* of the loaded file, with dev */
	u32 dev;    /* kernel's encoding: major << 20 | minor */
	u32 flags;  /* enum bs_exec_flag */
	u32 uid, euid, gid;
	u32 tty;		     /* device number in the kernel's encoding, 0: none */
	u32 slot;		     /* index of its slot, or BS_NO_SLOT */
	u32 ticket;		     /* of that slot */
	u32 approval;		     /* as in its label */
	u32 args_total;		     /* bytes of argv in the process */
	u32 ancestors[BS_ANCESTORS]; /* tgids, parent first, 0 ends */
	u16 name_len, file_len, args_len, cwd_len; /* bytes in data[] */
	u32 cwd_deep; /* not 0: cwd has more than BS_CWD_PARTS components */
	u32 reserved;
	char data[];
};

#define BS_EVENT_DATA_MAX (BS_CHUNK + BS_CWD_MAX)

struct bs_args_event {
	struct bs_event head;
	u32 part; /* 0, 1, 2 … */
	u32 len;
	char data[];
};

struct bs_exit_event {
	struct bs_event head;
	u64 start;
	s32 code; /* as wait(2) gives it */
	u32 reserved;
};

/* What is lost, by cause. Losing an event never changes a verdict. */
enum bs_loss {
	BS_LOSS_EVENT,	  /* no room in the ring of events */
	BS_LOSS_DECISION, /* no room in the ring of decisions: the guard finds the hold by its slot
			   */
	BS_LOSS_SLOT,	  /* all slots taken: the candidate was killed */
	BS_LOSS_LABEL,	  /* a new task could not be labelled: its maker was killed */
	BS_LOSS_STOP,	  /* SIGSTOP could not be sent: the task was killed */
	BS_LOSS_COUNT,
};

/* Counters, one set for the whole machine. */
struct bs_counters {
	u64 losses[BS_LOSS_COUNT];
	u64 execs, candidates;
	u64 shaken;  /* candidates that the guard answered in time */
	u64 stopped; /* candidates that were sent SIGSTOP */
	u64 tripped; /* held tasks that ran all the same, and were killed */
	u64 events;  /* made, lost ones included */
};

_Static_assert(sizeof(struct bs_label) == 16, "ABI");
_Static_assert(sizeof(struct bs_slot) == 24, "ABI");
_Static_assert(sizeof(struct bs_event) == 32, "ABI");
_Static_assert(sizeof(struct bs_exec_event) == 144, "ABI");

#endif

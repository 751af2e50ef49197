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
	u64 judged;   /* the task's program: of its execs, by the kernel's count, the one that was
		       * looked at last; 0: not known */
};

/* A burst's window is seen as buckets: one less than these make up the window. */
#define BS_BURST_BUCKETS 16

/* A session in the map of sessions, keyed by its number. */
struct bs_session {
	u64 tasks; /* alive; at 0 the session has ended */
	u64 execs, connects, deletes;
	u32 root; /* tgid of the first process: ancestors are named up to it */
	u32 reserved;
	/* deletions that count, by time: number of the bucket since boot << 24 | deletions in it */
	u64 burst[BS_BURST_BUCKETS];
};
#define BS_SESSIONS 4096 /* the guard refuses to start more */

/* What the guard knows of a session, for the guard after it. */
struct bs_record {
	char agent[64], workspace[1024];
	u64 started_ms; /* epoch */
	u32 uid, tty;	/* tty in the kernel's encoding, 0: none */
	u32 unattended;
	u32 holds; /* that were ever made in it */
};

/* How the start of an agent is told among untracked execs, by the first bytes of its name. */
enum bs_agent_how {
	BS_AGENT_ASK = 1, /* the guard is asked */
	BS_AGENT_SCAN,	  /* an interpreter: asked where the scan of its argv finds something */
};
#define BS_AGENT_KEYS 1024

/* A set of ports: port p is byte p / 8, bit p % 8. */
#define BS_PORT_BYTES 8192

/* A tracked process, in the hash keyed by tgid: cgroup programs of kernels before 6.18 cannot read
 * a label. */
struct bs_process {
	u64 session;
	u64 start;  /* of the process that `burst` is for */
	u32 burst;  /* enum bs_burst; a new process inherits it */
	u32 looked; /* pages of code that it had mapped when the guard looked for libraries */
};
/* What became of a burst of deletions, for the process that had it. */
enum bs_burst {
	BS_BURST_COUNTS, /* undecided: its deletions count */
	BS_BURST_ALLOWED,
	BS_BURST_DENIED, /* what would count fails with EPERM */
	BS_BURST_RESET,	 /* its session's count begins anew with its next deletion */
};
#define BS_PROCESSES 65536 /* when full, a new process is killed, and that is counted */

/* Where a connection goes. */
struct bs_dest {
	u8 addr[16]; /* IPv6; IPv4 as ::ffff:a.b.c.d; the unspecified address as loopback */
	u16 port;    /* host byte order */
	u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP … */
	u8 datagram; /* of an unconnected socket: sendto and its like */
};

/* A candidate's place in the array of slots, which the guard and the keeper map into their memory.
 * Each state is left by one side's compare-and-swap, so that no two disagree on who stops the task:
 *
 *	FREE -> CLAIMED -> ASKED	kernel: fills in the slot, then waits a moment for the guard
 *	ASKED -> ALLOWED		guard: go on, nothing was stopped; the kernel frees the slot
 *	ASKED -> REFUSED		guard: a connect or deletion fails with EPERM; the kernel
 *					frees the slot
 *	ASKED -> SEIZED			keeper: traced and interrupted, so the task traps by itself
 *	ASKED -> STOPPING -> STOPPED	kernel: the guard was late, SIGSTOP is sent
 *	ASKED -> FREE			kernel: it cannot be held, got no answer, and is killed
 *					(exec), refused (connect) or goes on (agent)
 *	ASKED, ALLOWED, REFUSED -> FREE	kernel: the thread of a connect or deletion came for no
 *					answer: it has ended, or asks for something else
 *	STOPPED -> SEIZED		keeper: traced, its SIGSTOP is taken back
 *	SEIZED or STOPPED -> FREE	guard or keeper: decided, or the task is gone
 *
 * The word holds a ticket above the state. Each claim makes a new ticket, so that a late answer
 * to a former owner of the slot is no answer to the next. */
enum bs_slot_state {
	BS_SLOT_FREE,
	BS_SLOT_CLAIMED,
	BS_SLOT_ASKED,
	BS_SLOT_ALLOWED,
	BS_SLOT_SEIZED,
	BS_SLOT_STOPPING,
	BS_SLOT_STOPPED,
	BS_SLOT_REFUSED,
};
#define BS_SLOT_STATE(word)	    ((word)&7)
#define BS_SLOT_WORD(ticket, state) ((ticket) << 3 | (state))

enum bs_slot_kind {
	BS_SLOT_EXEC,
	BS_SLOT_CONNECT,
	BS_SLOT_AGENT, /* an untracked exec that may be an agent's: never stopped */
	BS_SLOT_DELETE,
	BS_SLOT_DELETED, /* it has happened (BS_DELETE_DONE): the task is stopped as an exec's is */
	BS_SLOT_SEND,
	BS_SLOT_SENDING, /* before a library encrypts it: the task is stopped likewise */
};

struct bs_slot {
	u32 word; /* ticket << 3 | enum bs_slot_state */
	u32 tgid, tid;
	u32 kind;  /* enum bs_slot_kind */
	u64 start; /* of the process: with tgid, its identity */
	u64 session;
	u64 number; /* of its event */
	/* what the guard notes for the guard after it: */
	u64 hold;     /* number of the hold, 0: no human is asked */
	u64 since_ms; /* epoch */
	/* with the answer: */
	u32 say; /* enum bs_say */
	u32 reserved;
};

/* Open holds. When all are taken a candidate is killed or refused, and that is counted. */
#define BS_SLOTS       4096
#define BS_SLOT_PROBES 16
#define BS_NO_SLOT     0xffffffffU

/* What a deletion is about: the same again is the same deletion. */
struct bs_object {
	u32 op; /* enum bs_delete_op */
	u32 dev;
	u64 inode, parent_inode;
};

/* Of a rename: what else the system call is about. Its paths are read again when it comes again. */
struct bs_meeting {
	u64 inode;	  /* that has the other name, or 0 */
	u64 parent_inode; /* where that name is */
	u64 builds;	  /* a directory with that name is build output */
};

/* A write on a connection: the same again is the same write. */
struct bs_send {
	u64 stream;   /* number of the connection */
	u64 position; /* in it */
	u64 hash;     /* of the bytes, keyed */
};

/* What the guard says of a stream with its answer. */
enum bs_say {
	BS_SAY_WATCH = 1 << 0, /* all that is written next is a candidate */
	BS_SAY_BLIND = 1 << 1, /* nothing can be seen in it from here on */
	BS_SAY_SHAPE = 1 << 2, /* so is any write of its shape */
	BS_SAY_SHIFT = 24,     /* of these in bs_waiting.flags */
};

/* The same for one that did not wait for the answer, by the stream's number. */
struct bs_said {
	u64 position; /* of the write that was asked about */
	u32 say;
	u32 reserved;
};

/* The connect, deletion or write that a thread asks for, or waits with, in the hash keyed by tid.
 * The system call restarts after the decision, and takes the answer for this very one from here. */
enum bs_answer { BS_ANSWER_NONE, BS_ANSWER_PASS, BS_ANSWER_REFUSE };
struct bs_waiting {
	union {
		struct bs_dest dest;
		struct bs_object object;
		struct bs_send send;
		u64 key[3];
	};
	u32 kind;   /* enum bs_slot_kind */
	u32 answer; /* enum bs_answer */
	u32 flags;  /* enum bs_connect_flag, bs_delete_flag or bs_send_flag */
	/* the kernel's own: */
	u32 bridge; /* what its tracing program is asked to do */
	u32 slot, ticket;
	u64 until; /* CLOCK_MONOTONIC: when the thread is stopped */
	struct bs_meeting meeting;
};
#define BS_WAITING 8192

/* State that outlives a guard, and that its successor goes on with. */
struct bs_state {
	u32 generation;	 /* of the programs that act: others beside them do nothing */
	u32 guard_cpu;	 /* where the guard and the keeper wake up; ~0: not known */
	u32 guard_polls; /* the guard looks at `events` by itself: it need not be woken */
	u32 down;	 /* the guard is known to be down: enum bs_down */
	u32 tickets;
	u32 adopted;   /* tasks that were labelled while they ran */
	u64 last_hold; /* number of the newest hold */
	u64 sequence;  /* of the newest journal line */
	u32 run;       /* random: events are numbered anew with each set of pins; 0: none yet */
	/* who may continue a held task; 0: none runs */
	u32 guard, keeper;
	/* thread that now tries whether security hooks refuse, and which: BS_TESTED() */
	u32 self_test, self_tested;
	/* thread whose open() says that a file is protected, and how: enum bs_protect */
	u32 learner, learner_flags;
	u32 learner_fill, learned; /* number of the filling; opens that were noted */
	u32 guard_mounts;	   /* the guard's mount namespace */
	u32 packets;		   /* what leaves from pages is looked at */
	u32 frozen; /* a task may be stopped that would go on if it ran: the fence stands */
};
#define BS_TESTED(generation, tier) ((generation) << 2 | (tier))

/* How the security hooks are attached: the better comes last. */
enum bs_tier {
	BS_TIER_TRACE, /* not at all */
	BS_TIER_FMOD_RET,
	BS_TIER_LSM,
	BS_TIERS,
};
enum bs_down {
	BS_UP,
	BS_DOWN_HOLD, /* candidates are stopped at once, and wait */
	BS_DOWN_ALLOW,
	BS_DOWN_KILL, /* a connect is refused */
};

enum bs_event_type {
	BS_EVENT_EXEC = 1,
	BS_EVENT_ARGS, /* argv beyond the exec event of the same tgid, which comes behind */
	BS_EVENT_EXIT, /* of a process: its last thread is gone */
	BS_EVENT_END,  /* of a session: its last task is gone */
	BS_EVENT_CONNECT,
	BS_EVENT_DELETE,
	BS_EVENT_SEND,
	BS_EVENT_NAMES,	 /* what a name server answered; it has no number */
	BS_EVENT_TAMPER, /* a labelled task was refused a way to harm its monitor */
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
	BS_EXEC_AGENT = 1 << 7,	  /* not tracked, but may be the start of an agent */
	BS_EXEC_DOWN = 1 << 8,	  /* let go or killed in the kernel, as the guard was down */
};

struct bs_event {
	u16 type; /* enum bs_event_type */
	u16 reserved;
	u32 size;   /* bytes of the whole event */
	u64 number; /* 1, 2 … over all events but ARGS; a lost event's number is missing; 0: ARGS */
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
	u32 changed;  /* when its file was changed last, in seconds since the epoch; 0: not known */
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

enum bs_connect_flag {
	BS_CONNECT_CANDIDATE = 1 << 0,
	BS_CONNECT_TRACED = 1 << 1,
	BS_CONNECT_FIXED = 1 << 2, /* its system call cannot be restarted (io_uring, sendmmsg): only
				      allowed or refused */
	BS_CONNECT_REFUSED =
		1 << 3,		  /* refused in the kernel: no slot was free, or no answer came */
	BS_CONNECT_DOWN = 1 << 4, /* let go or killed in the kernel, as the guard was down */
	BS_CONNECT_LOOK = 1 << 5, /* the guard has yet to look for libraries that encrypt */
};

struct bs_connect_event {
	struct bs_event head;
	u64 start; /* of the process */
	struct bs_dest dest;
	u32 flags; /* enum bs_connect_flag */
	u32 uid;
	u32 slot, ticket; /* slot: BS_NO_SLOT where it was not frozen */
	u32 parent;	  /* tgid */
};

/* What a deletion does to its object. */
enum bs_delete_op {
	BS_DELETE_UNLINK = 1,
	BS_DELETE_RMDIR,
	BS_DELETE_TRUNCATE, /* by path or fd, or O_TRUNC */
	BS_DELETE_RENAME,   /* another file was renamed over it */
	BS_DELETE_PUNCH,    /* fallocate: a hole, zeros, or a range cut out */
	BS_DELETE_EXCHANGE, /* it changes places with another file */
	BS_DELETE_MOVE,	    /* it gets another name */
	BS_DELETE_OPS,
};

/* The first five are those of enum bs_connect_flag. */
enum bs_delete_flag {
	BS_DELETE_CANDIDATE = 1 << 0,
	BS_DELETE_TRACED = 1 << 1,
	BS_DELETE_FIXED = 1 << 2,
	BS_DELETE_REFUSED = 1 << 3,
	BS_DELETE_DOWN = 1 << 4,
	BS_DELETE_BURST = 1 << 5, /* the session's limit is reached */
	BS_DELETE_INODE = 1 << 6, /* a protected file under another name */
	BS_DELETE_DONE = 1 << 7,  /* it has happened: nothing could refuse it */
	BS_DELETE_CUT = 1 << 8,	  /* the path is deeper than there is room for */
	BS_DELETE_MADE = 1 << 9,  /* the session made it a moment before: it is in no burst */
	BS_DELETE_AWAY = 1 << 10, /* a rename takes it into scratch or build output */
};

#define BS_DELETE_PARTS	    32	 /* components of a path; a deeper one loses its upper part */
#define BS_DELETE_PATH	    1024 /* bytes of each path */

#define BS_PROTECTED_INODES 65536 /* files that are protected by whatever name */
#define BS_BUILD_NAME	    32 /* bytes of the name of a directory of build output, with its NUL */

/* data[] holds the path as the task's root has it: its components from the last to the first, each
 * with NUL; then, where a bind mount makes a difference, likewise its path inside its file system.
 * With BS_DELETE_DONE the path is one string, as the system call was given it, and NUL; behind it,
 * where it is relative, the directory that it begins in, by components. Of what was reached by a
 * descriptor they are the file's last component, and its directory. */
struct bs_delete_event {
	struct bs_event head;
	u64 start; /* of the process */
	u64 inode; /* of the object, with dev */
	u64 parent_inode;
	u64 bytes; /* that it has, or loses */
	u64 place; /* of its directory, for its program alone: see `spared`; 0: it is asked anew */
	u32 dev;   /* kernel's encoding: major << 20 | minor */
	u32 links; /* names that it has before */
	u32 op;	   /* enum bs_delete_op */
	u32 flags; /* enum bs_delete_flag */
	u32 uid;
	u32 parent;		 /* tgid */
	u32 slot, ticket;	 /* slot: BS_NO_SLOT where it was not frozen */
	u32 burst;		 /* deletions that count, in the window that ends with this one */
	s32 dirfd;		 /* BS_DELETE_DONE: as the system call was given it */
	u16 path_len, inner_len; /* bytes in data[] */
	u32 generation;		 /* of the inode */
	char data[];
};

/* The first five are those of enum bs_connect_flag. */
enum bs_send_flag {
	BS_SEND_CANDIDATE = 1 << 0,
	BS_SEND_TRACED = 1 << 1,
	BS_SEND_FIXED = 1 << 2,
	BS_SEND_REFUSED = 1 << 3,
	BS_SEND_DOWN = 1 << 4,
	BS_SEND_FIRST = 1 << 5, /* of its stream that was seen: always a candidate */
	BS_SEND_BEGUN = 1 << 6, /* and nothing went before it */
	BS_SEND_LOST = 1 << 7,	/* not all of it could be read */
	BS_SEND_PAGES =
		1 << 8, /* pages are about to be sent: nothing but that packets be looked at */
	BS_SEND_MORE = 1 << 9,	/* no candidate yet: bytes of the next, behind those that it has */
	BS_SEND_AWAY = 1 << 10, /* nothing but that memory be read, which brings it there: data[]
				   has struct iovec of it */
};

enum bs_send_source {
	BS_SEND_SOCKET,
	BS_SEND_TLS,	/* what a library is about to encrypt */
	BS_SEND_EGRESS, /* a packet, which does not leave before it is let go */
	BS_SEND_UNIX,	/* a Unix socket is about to be connected to, or sent a datagram: data[] has
			   its path by components, as a deletion's; or `path` is an abstract name */
	BS_SEND_SOURCES,
};

#define BS_SEND_DATA 16384 /* bytes of a write that its event has */
#define BS_SEND_TAIL 80	   /* bytes that went before */
#define BS_UNIX_PATH 108

struct bs_send_event {
	struct bs_event head;
	u64 start; /* of the process */
	struct bs_send send;
	u64 buffer; /* where the bytes are in the process; 0: in several places */
	u64 cookie; /* of the socket, as SO_COOKIE has it; 0: not known */
	u32 size;   /* of the write */
	u32 copied; /* bytes in data[] */
	u32 flags;  /* enum bs_send_flag */
	u32 uid;
	u32 parent;		 /* tgid */
	u32 slot, ticket;	 /* slot: BS_NO_SLOT where it was not frozen */
	s32 fd;			 /* as the system call was given it */
	u32 source;		 /* enum bs_send_source */
	struct bs_dest dest;	 /* of IP; else all zeros */
	char path[BS_UNIX_PATH]; /* of a Unix socket's other end; an abstract name begins with @ */
	u32 end;		 /* of a packet: the sequence number behind its last byte */
	u8 tail[BS_SEND_TAIL]; /* the last bytes that went before; where there were fewer, zeros */
	u8 data[];	       /* without a gap: the kernel scans tail and data as one */
};

/* How a function that is probed is given what it shall encrypt: the probe's cookie. */
enum bs_tls_given {
	BS_TLS_SIZE, /* as C passes connection, buffer and size_t */
	BS_TLS_INT,  /* the same with an int, of which the upper half of its register tells nothing
		      */
	BS_TLS_GO,   /* in Go's registers */
};

/* A file that a process has mapped. */
struct bs_mapped {
	u64 start;
	u64 real;  /* the address of its inode: of an overlay's file, that of the layer's */
	u32 mount; /* its number, as STATX_MNT_ID is */
	u32 fuse;  /* a process serves it, which may never answer */
};

#define BS_NAMES_MAX 4096 /* bytes of an answer */

struct bs_names_event {
	struct bs_event head; /* of no process */
	u32 len;	      /* bytes in data[] */
	u32 stream;	      /* they came over TCP */
	u8 data[];
};

/* How a file is protected from labelled tasks. */
enum bs_protect {
	BS_PROTECT_FILE = 1 << 0,   /* not written, removed, renamed, linked, chmod'ed, locked */
	BS_PROTECT_INSIDE = 1 << 1, /* of a directory: nor is anything in it, and nothing is made */
	BS_PROTECT_NAME = 1 << 2,   /* a directory above such: not removed, renamed, mounted over */
	BS_PROTECT_UNITS = 1 << 3,  /* a directory in which no name of ours may be made */
	BS_PROTECT_CGROUP = 1 << 4, /* a cgroup of the guard's, or one above: nothing is written */
};
/* A file as the kernel knows it. What stat(2) tells is another device on btrfs and overlayfs. */
struct bs_protect_key {
	u64 inode;
	u32 dev, generation;
};
struct bs_protected {
	u32 flags; /* enum bs_protect */
	u32 fill;  /* the number of the filling that had it last */
};
#define BS_PROTECTED_MAX 4096
#define BS_OUR_NAME	 "backstop" /* names of units begin with it */

/* What a labelled task was refused. */
enum bs_tamper {
	BS_TAMPER_SIGNAL = 1, /* `detail`: the signal */
	BS_TAMPER_TRACE,      /* ptrace, /proc/PID/mem, process_vm_writev, pidfd_getfd */
	BS_TAMPER_BPF,	      /* bpf(); `detail`: its command */
	BS_TAMPER_SCHEDULE,   /* scheduling, priority, I/O priority */
	BS_TAMPER_LIMIT,      /* prlimit; `detail`: which */
	BS_TAMPER_PROC,	      /* a file in /proc/PID of the guard or the keeper */
	BS_TAMPER_KERNEL,     /* a file in /proc that sets something for the whole machine */
	BS_TAMPER_MODULE,     /* a module is loaded or removed */
	BS_TAMPER_WRITE,
	BS_TAMPER_REMOVE,
	BS_TAMPER_RENAME,
	BS_TAMPER_LINK,
	BS_TAMPER_CREATE,
	BS_TAMPER_CHANGE, /* mode, owner, attributes */
	BS_TAMPER_LOCK,
	BS_TAMPER_WATCH, /* fanotify: to be asked before files are opened */
	BS_TAMPER_MOUNT,
	BS_TAMPER_UNMOUNT,
	BS_TAMPER_CGROUP, /* a file of the guard's cgroup, or of one above */
	BS_TAMPER_MOVE,	  /* the guard was moved to another cgroup: who did it was killed */
	BS_TAMPERS,
};
#define BS_TAMPER_NAME 64

struct bs_tamper_event {
	struct bs_event head;
	u64 start;  /* of the process */
	u64 cgroup; /* cgroup2 id */
	u32 what;   /* enum bs_tamper */
	u32 detail;
	u32 target; /* tgid that it was done to, 0: none */
	u32 times; /* that the process was refused the like since the event before, this included */
	u32 uid;
	u32 parent;		   /* tgid */
	char name[BS_TAMPER_NAME]; /* last component of the file, "": none */
};

/* What is lost, by cause. Losing an event never changes a verdict. */
enum bs_loss {
	BS_LOSS_EVENT,	  /* no room in the ring of events */
	BS_LOSS_DECISION, /* no room in the ring of decisions: the guard finds the hold by its slot
			   */
	BS_LOSS_ARGS,	  /* no room for a part of a long argv */
	BS_LOSS_SLOT,	  /* all slots taken: the candidate was killed or refused */
	BS_LOSS_LABEL,	  /* a new task could not be labelled: its maker was killed */
	BS_LOSS_STOP,	  /* SIGSTOP could not be sent: the task was killed */
	BS_LOSS_COUNT,
};

/* Counters, one set for the whole machine. */
struct bs_counters {
	u64 losses[BS_LOSS_COUNT];
	u64 execs, connects, candidates;
	u64 deletes;   /* that were events */
	u64 uncounted; /* deletions of scratch and build output, which are none */
	u64 unscanned; /* deletions that were candidates as no scratch memory was free */
	u64 sends;     /* writes that were looked at */
	u64 shaken;    /* candidates that the guard answered in time */
	u64 stopped;   /* candidates that were sent SIGSTOP */
	u64 tripped;   /* held tasks that ran all the same, and were killed */
	u64 unshaken;  /* signals to held tasks that were refused */
	u64 tampers;   /* what labelled tasks were refused to do to the guard */
	u64 fenced;    /* what held tasks that ran all the same were refused */
	u64 late;      /* done by a second program: the first was passed over, or comes later */
	u64 events;    /* made, lost ones included: the number of the newest */
};

/* All that the programs share with the guard, in one block. */
struct bs_shared {
	struct bs_state state;
	struct bs_counters counters;
};

_Static_assert(sizeof(struct bs_label) == 24, "ABI");
_Static_assert(sizeof(struct bs_slot) == 64, "ABI");
_Static_assert(sizeof(struct bs_dest) == 20, "ABI");
_Static_assert(sizeof(struct bs_waiting) == 80, "ABI");
_Static_assert(sizeof(struct bs_event) == 40, "ABI");
_Static_assert(sizeof(struct bs_exec_event) == 152, "ABI");
_Static_assert(sizeof(struct bs_connect_event) == 88, "ABI");
_Static_assert(sizeof(struct bs_tamper_event) == 144, "ABI");
_Static_assert(sizeof(struct bs_object) == 24, "ABI");
_Static_assert(sizeof(struct bs_delete_event) == 128, "ABI");
_Static_assert(sizeof(struct bs_send_event) == 336, "ABI");

/* Of all that is pinned: a guard adopts only what has its own number. */
#define BS_ABI 7

#endif

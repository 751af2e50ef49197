/* What the files of the guard share. */
#ifndef GUARD_INTERNAL_H
#define GUARD_INTERNAL_H

#include <sys/queue.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "base/map.h"
#include "guard/control.h"
#include "guard/guard.h"
#include "journal/journal.h"
#include "journal/numbers.h"
#include "journal/ocsf.h"
#include "kernel/kernel.h"
#include "policy/policy.h"
#include "policy/secrets.h"

struct users;
struct paths;
struct gone;

struct session {
	u64 id;
	char name[20]; /* the id in hex, as people see it */
	char *agent, *workspace, *home, *tty;
	u32 tty_dev;
	pid_t root;
	uid_t uid;
	bool unattended;
	int64_t started_ms;
	unsigned int holds;	 /* that were ever made in it */
	char *subagents;	 /* ids of other profiles seen in it, "codex, aider"; NULL: none */
	struct project *project; /* what its workspace tightens; NULL: nothing */
	char *project_text;	 /* which was made of this; NULL: of nothing */
	struct gone *gone;	 /* what was deleted of late; NULL: nothing */
};

/* A process of a session, as its last exec left it; for the names of ancestors. */
struct process {
	u32 tgid;
	u64 start;
	char *path, *cwd;
	char *name;    /* as given to execve */
	char **argv;   /* its first words; one block; NULL: not known */
	char *command; /* escaped, shortened */
	u32 ancestors[BS_ANCESTORS];
	u32 tty;
	u64 cgroup;
};

/* What a deletion takes away. Owns its strings. */
struct object {
	struct bs_object id;
	char *path;  /* as the task's root has it; "": not known */
	char *inner; /* inside its file system, where that is another */
	char *below; /* what is protected in a directory that leaves: "": not known; NULL: nothing
		      */
	char *lies;  /* the same in words */
	u64 bytes;
	u64 place; /* of its directory, as the kernel knows it; 0: not known */
	u32 links;
	u32 burst;   /* deletions in the window that ends with it, as the kernel counts */
	bool counts; /* in a burst */
};

/* What leaves on a connection. Owns its strings. */
struct sent {
	struct bs_send id;
	u64 cookie; /* of the socket; 0: not known */
	int fd;	    /* in the process */
	u32 size, end;
	enum bs_send_source source;
	u32 say;	      /* enum bs_say */
	struct linger linger; /* of the socket, before it was kept back */
	bool kept;
	struct finding finding;
	bool again; /* it was found for `name`, which is told again as often as it is sent */
	const char *protocol; /* NULL: not known */
	char *path;	      /* of a Unix socket; NULL: it is none */
	char *text;	      /* the message that was found, shortened, escaped; NULL: none was */
	char *name;	      /* for which the other end stands; NULL: not known */
	const char *opaque;   /* with this write begins "tls" or "quic"; NULL: neither */
	const char *unseen;   /* the library that is not probed; NULL: it is no such line */
	char **names;	      /* of that: all; one block; NULL: none is known */
};

/* An exec as the guard sees it: the kernel's event, decoded. Or a connect or a deletion: then
 * `kind` and `dest` or `object` say so, and the rest is the program that does it. Owns its strings.
 */
struct exec {
	enum bs_slot_kind kind;
	struct bs_dest dest;
	struct object object;
	struct sent sent;
	u64 number; /* of the kernel's event */
	u64 time, start, inode;
	u32 tgid, tid, uid, euid, dev, tty, flags, approval, slot, ticket;
	u32 ancestors[BS_ANCESTORS];
	u64 cgroup;
	struct session *session; /* not owned; NULL: gone */
	u64 session_id;
	char **argv;   /* one block */
	char **masked; /* the same without secrets, to be shown and recorded; NULL: it has none */
	size_t argc;
	char *command; /* where argv is not known: its words, escaped; may be NULL too */
	char *name, *file, *path, *cwd;
	u32 program; /* the process whose exec that was, where it was not its own; or 0 */
	u64 program_start;
	bool truncated;
	bool found;		     /* by its slot, without its event */
	bool fresh;		     /* its file was changed since its session began */
	struct context *context;     /* what is around it; NULL: nothing is known */
	const char *environment[24]; /* names that load code into it; NULL ends */
};

struct decision {
	enum verdict verdict; /* what is done */
	struct finding finding;
	const char *reason; /* why it is not the finding's verdict; may be NULL */
	u64 approval;	    /* the hold whose grant or approval let it pass, 0: none */
	bool pending;	    /* none yet: it hangs on answers about what is around it */
	bool again;	    /* it was said of its process a moment ago: not once more */
	bool burst;	    /* a deletion found for how many there are, not for its path */
};

enum hold_outcome { HOLD_OPEN, HOLD_RELEASE, HOLD_REFUSE, HOLD_KILL };

/* A frozen task, from the moment the guard has seized it until it is gone or runs. */
struct hold {
	LIST_ENTRY(hold) entry;
	u64 id; /* 0 where no human is asked */
	struct guard *guard;
	struct exec *exec; /* NULL once a grant has taken it over, at the very end */
	struct decision decision;
	struct policy *policy;	 /* whose strings the decision has */
	u32 tid, slot, ticket;	 /* tid: of an exec also the tgid */
	int pidfd;		 /* of the process */
	bool counted;		 /* among the guard's open holds: a human is asked */
	bool trapped;		 /* it reported its stop: it can be released or refused */
	bool remembered;	 /* at its end: a human may allow the next attempt */
	struct inquiry *inquiry; /* it is not decided yet; NULL: it is */
	unsigned int inquiries;
	enum hold_outcome outcome;
	struct loop_source *timeout;
	int64_t since_ms, expires_ms;
	char *by, *because; /* of the decision, once there is one */
};
LIST_HEAD(hold_list, hold);

/* The memory of holds that were refused: approving one makes a grant. */
struct grant {
	LIST_ENTRY(grant) entry;
	u64 hold;
	struct exec *exec;
	int64_t expires_ms; /* of an approved one; 0: not approved (yet) */
	char *by;
};
LIST_HEAD(grant_list, grant);
LIST_HEAD(waker_list, waker);	  /* wake.c */
LIST_HEAD(reading_list, reading); /* workspace.c */
LIST_HEAD(pass_list, pass);	  /* pass.c */
LIST_HEAD(remark_list, remark);	  /* delete.c */
LIST_HEAD(unseen_list, unseen);	  /* unseen.c */
LIST_HEAD(fetch_list, fetch);	  /* fetch.c */
LIST_HEAD(lookup_list, lookup);	  /* lookup.c */
LIST_HEAD(refusal_list, refusal); /* send_socket.c */

/* Which events of the kernel's stand in the journal. */
struct recorded {
	char run[9];		/* in hex; "": not known */
	struct numbers numbers; /* of this run, as far back as an event may come again */
	struct numbers before;	/* those of them that a guard before this one recorded */
	u64 count;		/* of this run, over all its guards */
	u64 unwritten;		/* the journal could not take them */
	u64 found_count;	/* whose decision the kernel lost, found by their slot */
	struct map found;	/* number -> 1: of this guard's */
	struct map deletions;	/* number -> line of a deletion that was held before this guard */
	u64 of;			/* the event that the next line of the guard's own is about */
	bool batch, sync;	/* lines wait for report_flush(), which also syncs */
	enum fsync_policy fsync;
};

/* send.c */
struct streams {
	struct map by_id;
	TAILQ_HEAD(send_stream_list, send_stream) order; /* the longest silent first */
};

struct report_counts {
	u64 made, recorded, lost;
};

/* figures.c: of this guard's life */
#define FIGURES_BUCKETS 15
#define FIGURES_KINDS	4
#define FIGURES_ENDS	4
struct histogram {
	u64 counts[FIGURES_BUCKETS + 1]; /* the last is that of all beyond */
	u64 sum_ns;
};
struct figures {
	u64 actions[FIGURES_KINDS][VERDICT_COUNT];
	u64 findings[SEVERITY_COUNT][VERDICT_COUNT];
	u64 ends[FIGURES_ENDS]; /* of holds */
	struct histogram decision, freeze;
};

/* The guard's own files, protect.c. */
struct protected
{
	u32 files;
	int watch; /* fd: their directories; 0 or negative: none */
	struct loop_source *source, *later;
	int64_t since_ms; /* start of the period in which `explained` were told */
	unsigned int explained;
};

/* How a guard leaves: for good, or for the guard after it. */
enum guard_end { GUARD_RUNS, GUARD_STOP, GUARD_LEAVE };

struct guard {
	struct guard_options options; /* mode and hold_timeout: those in force */
	struct loop *loop;
	struct link *link; /* to the keeper */
	struct kernel *kernel;
	struct policy *policy;
	struct journal *journal;
	struct recorded recorded;
	struct figures figures;
	struct control *control;
	struct users *users;
	struct paths *paths;
	struct secrets *secrets;
	struct ocsf_host host;
	char *hostname, *machine_id, *release, *boot_id;
	char *image;   /* path of the policy's image */
	char *pins;    /* directory */
	int pins_lock; /* fd */
	bool realtime; /* SCHED_FIFO was granted */
	int cpu;       /* where guard and keeper run with realtime priority; -1: anywhere */
	bool ready, reloading, draining;
	bool blind; /* it was said that connects are not seen */
	enum guard_end end;
	int64_t started_ms;
	struct map sessions;  /* id -> struct session */
	struct map processes; /* tgid -> struct process */
	struct map
		args; /* tgid -> struct strbuf: argv beyond the first chunk, until its exec event */
	struct map dests;	       /* connect.c: tgid -> where it last connected to */
	struct map libraries;	       /* library.c: files that were looked at */
	struct streams streams;	       /* send_stream.c */
	struct unseen_list unseen;     /* unseen.c */
	struct fetch_list fetches;     /* fetch.c */
	struct lookup_list lookups;    /* lookup.c */
	struct refusal_list refusals;  /* send_socket.c */
	struct resolved *resolved;     /* names.c */
	struct pass_list passes;       /* pass.c */
	struct remark_list remarks;    /* delete.c */
	struct loop_source *lift;      /* delete.c */
	u64 burst_losses, burst_since; /* delete.c: lost events, and since when none was */
	struct hold_list holds;
	struct grant_list grants;
	struct waker_list wakers;
	struct reading_list readings;
	unsigned int open_holds, open_execs /* of those */, grant_count;
	u64 last_hold, sequence, explanations_lost;
	u64 swept_losses; /* sum of losses when slots and sessions were last looked through */
	u32 sweep_at;	  /* slot where that look goes on; 0: it is over */
	bool sweep_lost;  /* it is for losses */
	bool sweep_again; /* slots; what was looked at then may have been stopped since */
	int64_t notified_since_ms; /* start of the period in which `notified` were shown */
	unsigned int notified;
	struct loop_source *tripwire_rest, *fence_rest;
	struct loop_source *watch; /* session.c: to attach or detach what sees deletions */
	struct protected protected;
	struct loop_source *poll, *watch_signals;
	unsigned int idle_polls;
};

int64_t now_ms(void);		  /* epoch */
u64 boot_ns(void);		  /* CLOCK_BOOTTIME */
int64_t boot_to_ms(u64 boot_ns_); /* epoch */

/* exec.c */
static inline char *const *exec_shown(const struct exec *x)
{
	return x->masked ?: x->argv;
}
/* What an event of any kind tells of its process. */
void exec_take_head(struct guard *g, struct exec *x, const struct bs_event *head, u64 start,
		    u32 uid);
struct exec *exec_decode(struct guard *g, const struct bs_exec_event *e);
/* The same for a frozen task whose event was lost; NULL where it is gone. */
struct exec *exec_from_slot(struct guard *g, u32 slot, u32 ticket);
/* What /proc says of a process now; 0, or -ESRCH where it is gone. */
int exec_read_proc(struct guard *g, struct exec *x);
/* environment.c: of a frozen candidate, whose context is there */
void exec_read_environment(struct exec *x);
void exec_free(struct exec *x);
DEFINE_CLEANUP(struct exec, exec_free);
static inline bool exec_is_deletion(const struct exec *x)
{
	return x->kind == BS_SLOT_DELETE || x->kind == BS_SLOT_DELETED;
}
static inline bool exec_is_sending(const struct exec *x)
{
	return x->kind == BS_SLOT_SEND || x->kind == BS_SLOT_SENDING;
}
/* Components from the last to the first, each ended by NUL -> "/first/…/last". */
char *exec_join_parts(const char *parts, size_t len, bool cut);
/* File, argv, cwd and session; of connects file, destination and session; of deletions file,
 * object and session. */
bool exec_same(const struct exec *a, const struct exec *b);
/* Is the argv in the frozen process still the one that was decided on? Its own user could have
 * written to its memory. */
bool exec_args_unchanged(const struct exec *x);
void exec_drop_args(struct guard *g); /* what waits for an exec event */
void exec_keep_args(struct guard *g, const struct bs_args_event *e);
void exec_forget_args(struct guard *g, u32 tgid);

/* process.c */
void process_exec(struct guard *g, const struct exec *x);
/* That of `tgid`, or, of a fork that has not exec'ed, of its parent; NULL: not known. */
const struct process *process_of(const struct guard *g, u32 tgid, u32 parent);
/* The program of one that is not looked at itself. False: nothing is known of it. */
bool process_copy(const struct guard *g, struct exec *x, u32 parent);
void process_exit(struct guard *g, u32 tgid);
void process_sweep(struct guard *g);
void process_free_all(struct guard *g);

/* paths.c: names for numbers */
struct users *users_new(void);
void users_free(struct users *u);
const char *users_name(struct users *u, uid_t uid); /* of /etc/passwd; NULL where it has none */
struct paths *paths_new(void);
void paths_free(struct paths *p);
const char *paths_cgroup(struct paths *p, u64 id);    /* NULL where it cannot be found */
const char *paths_cgroup_root(const struct paths *p); /* where cgroup2 is mounted; NULL: nowhere */
/* The path of a file that some process has been seen to run. */
void paths_learn(struct paths *p, u32 dev, u64 inode, const char *path);
const char *paths_file(struct paths *p, u32 dev, u64 inode);
void tty_name(u32 dev, char *buf, size_t size); /* "pts/3"; "" for none */
u32 tty_from_stat(int tty_nr);			/* /proc/PID/stat's encoding -> the kernel's */

/* decide.c */
/* The finding on an exec, by paths from `root` on (-1: as they are written). */
void decide_match(const struct guard *g, const struct exec *x, int root, struct finding *ret);
int decide_open_root(const struct exec *x); /* of its process, O_PATH; or -1 */
void decide(struct guard *g, const struct exec *x, struct decision *ret);
/* The same without what nobody has answered yet: it is never pending. */
void decide_at_once(struct guard *g, const struct exec *x, struct decision *ret);

/* connect.c */
void connect_event(struct guard *g, const struct bs_connect_event *e);
/* NULL: no memory. */
struct exec *connect_decode(struct guard *g, const struct bs_connect_event *e);
/* Is it an address of the task's own host? */
bool connect_is_own(const struct exec *x);
/* A frozen connect whose event was lost; NULL where it is gone. */
struct exec *connect_from_slot(struct guard *g, u32 slot, u32 ticket);

/* Where the process last connected to; all zeros: not known. */
struct bs_dest connect_last(const struct guard *g, u32 tgid);
void connect_forget(struct guard *g, u32 tgid);
void connect_forget_all(struct guard *g);

/* names.c */
void names_event(struct guard *g, const struct bs_names_event *e);
/* For which names the address stands in this session, as resolved_names() has it. */
size_t names_of(const struct guard *g, u64 session, const struct bs_dest *d, const char **ret);

/* send.c */
void send_event(struct guard *g, const struct bs_send_event *e);
/* What fetch.c has read of the memory that an event tells of. */
struct fetched {
	const char *bytes;
	size_t len;
	bool whole;
	bool refused; /* it was not even tried */
};
/* The event, with that; NULL: nothing had to be read. */
void send_fetched(struct guard *g, const struct bs_send_event *e, const struct fetched *rest);
/* NULL: no memory. */
struct exec *send_decode(struct guard *g, const struct bs_send_event *e,
			 const struct fetched *rest);
/* For events, and for people. */
struct ocsf_sending send_shown(const struct exec *x);
/* Before the answer: what is said of the stream. */
void send_say(struct guard *g, const struct exec *x);
/* It goes: packets that were dropped may leave. */
void send_released(struct guard *g, const struct exec *x);

/* send_stream.c */
void send_start(struct guard *g);
void send_forget(struct guard *g, u64 session);
void send_forget_all(struct guard *g);

/* send_socket.c */
/* Its packets are dropped: where its process ends, even together with the guard, the connection is
 * reset, and TCP does not try again. */
void send_keep_back(struct exec *x);
/* And goes nowhere: it is reset at once, as who inherited it would wait for ever. */
void send_cut(const struct exec *x);
/* And did not wait for that: its packets are sent at once. */
void send_push(const struct exec *x);
/* Its refusal is on the way. A client of PostgreSQL that sends nothing more for a second is told.
 */
void send_refused(struct guard *g, const struct exec *x);
void send_forget_refusals(struct guard *g); /* their clients are told now */

/* delete.c */
void delete_start(struct guard *g); /* the kernel is open */
void delete_event(struct guard *g, const struct bs_delete_event *e);
/* NULL: no memory. */
struct exec *delete_decode(struct guard *g, const struct bs_delete_event *e);
/* A frozen deletion, as the journal has it; NULL where it is not known, or gone. */
struct exec *delete_from_slot(struct guard *g, u32 slot, u32 ticket);
void delete_match(struct guard *g, const struct exec *x, struct decision *ret);
/* It is asked about, and nothing is found: nor is anything else that its program deletes there. */
void delete_spare(struct guard *g, const struct exec *x, const struct decision *d);
/* It happens: it counts from now on. */
void delete_is_gone(struct guard *g, const struct exec *x);
/* The session's others of late, in words. */
void delete_list_gone(const struct guard *g, const struct exec *x, struct strbuf *out);
u32 delete_count_gone(const struct guard *g, const struct exec *x);
/* It is decided: what follows from the same process goes the same way, for a moment or, with a
 * burst that may go on, for good. */
void delete_remember(struct guard *g, const struct exec *x, const struct decision *d, bool refused);
void delete_recall(struct guard *g, const struct exec *x, struct decision *d);
/* A human let it go on after its end. */
void delete_allow_burst(struct guard *g, const struct exec *x);
void delete_forget_all(struct guard *g);

/* pass.c: what humans approved for as long as a process runs its program */
/* It may connect there again; and what it was started to delete it may delete. */
void pass_remember(struct guard *g, const struct exec *x, u64 hold);
u64 pass_of(const struct guard *g, const struct exec *x); /* the hold, or 0 */
void pass_forget(struct guard *g, u32 tgid);
void pass_forget_all(struct guard *g);

/* agent.c: profiles */
/* An untracked exec that may be an agent's; it waits a moment in the kernel. */
void agent_event(struct guard *g, const struct bs_exec_event *e);
/* A tracked exec: is it a sub-agent? */
void agent_seen(struct guard *g, const struct exec *x);
/* Those that run already. */
void agent_find_running(struct guard *g);

/* grant.c */
void grant_remember(struct guard *g, struct hold *h); /* takes its exec */
int grant_approve(struct guard *g, u64 hold, const char *by, struct strbuf *err);
u64 grant_use(struct guard *g, const struct exec *x); /* the hold whose grant this is, or 0 */
void grant_free_all(struct guard *g);

/* What was refused under this number, and may be allowed; NULL: nothing. */
const struct exec *grant_find_exec(const struct guard *g, u64 hold);

/* hold_request.c: what is held or was refused under this number; NULL: nothing. */
const struct exec *hold_find_exec(const struct guard *g, u64 id);

/* signed.c: what a signed decision must say of the action, in hex. 0 or -ENOMEM. */
int signed_digest(struct guard *g, const struct exec *x, char *ret);

/* candidate.c: from the ring to a verdict */
void candidate_event(struct guard *g, const struct bs_exec_event *e);
/* Finds those whose event was lost, from slot `sweep_at` on until CLOCK_BOOTTIME is `end`, or all:
 * then `sweep_at` is 0. True: it has to look again, as some may yet be stopped. */
bool candidate_sweep(struct guard *g, u64 end);
/* A new guard has taken over what is held: whose slot is seized all the same is not. */
void candidate_free_stale(struct guard *g);
/* An action that was not frozen: reported, and with it what a signature says of it. */
void candidate_passed(struct guard *g, struct exec *x);
/* For events of other kinds. Was it found by its slot, and so decided, before its event was read?
 * `asks`: it can only wait in the kernel. */
bool candidate_is_known(const struct guard *g, u32 slot, u32 ticket, bool asks);
void candidate_decide(struct guard *g, struct exec *x); /* takes x, which is frozen */
/* It was never frozen: the kernel itself let it go, refused or killed it. */
void candidate_missed(struct guard *g, const struct exec *x);

/* hold.c */
/* What an approval of the signature is noted under. */
u64 signature_key(const struct finding *f);

/* guard.c: what happened before a decision is known then; `all`: however much that is. */
void guard_read_events(struct guard *g, bool all);

/* guard.c: true when `fd` is readable, false after `ms` milliseconds. Candidates are decided
 * meanwhile. Not for what drain() calls. */
/* Holds may end meanwhile, and the policy may be replaced. */
bool guard_wait(struct guard *g, int fd, int ms);
/* No hold ends meanwhile, nor is the policy replaced: that waits until control is back in the loop.
 */
bool guard_pause(struct guard *g, int fd, int ms);

/* explain.c: on the task's own stderr, without ever waiting */
void explain_start(struct guard *g, const struct hold *h);
void explain_forget_all(void); /* what is still being written */
void explain_end(struct guard *g, const struct hold *h);
/* Where there is no hold. */
void explain_action(struct guard *g, const struct exec *x, const struct decision *d);
/* These lines, to a process that runs in that session; false: there is none. */
bool explain_text(struct guard *g, u32 tgid, u64 session, const struct strbuf *text);
void explain_to(struct guard *g, int pidfd, u64 hold, const struct exec *x,
		const struct decision *d);

/* notify.c: on the desktop of the session's user, where the settings say so */
void notify_hold(struct guard *g, const struct hold *h);

/* recorded.c: every event of the kernel's is recorded once, or counted as lost */
/* What guards before this one recorded of the run. 0 or a negative errno. */
int recorded_open(struct guard *g); /* the journal; 0 or a negative errno, logged */
int recorded_start(struct guard *g);
void recorded_free(struct guard *g);
bool report_is_recorded(const struct guard *g, u64 number);
/* The next line of report_guard() is about this event. */
void report_of(struct guard *g, u64 number);
/* After all that its handlers did: an event that is not recorded is now, as far as it is known. */
void report_rest(struct guard *g, const struct bs_event *e);
/* From here on lines wait for report_flush(), which comes before what was consumed is released. */
void report_batch(struct guard *g);
void report_flush(struct guard *g);
void report_counts(const struct guard *g, struct report_counts *ret);
/* For a line that is being made of event `number`: its mark. */
void recorded_mark(struct guard *g, u64 number, bool found, struct ocsf_event *ret);
/* What the journal says of a deletion that was held before this guard. 0 or -ENOENT. */
int recorded_object(const struct guard *g, u64 number, struct object *ret);
/* For struct journal_options; `data` is the guard. */
void recorded_lost(void *data, const char *line, size_t len);

/* report.c: the journal and those who watch */
void report_action(struct guard *g, const struct exec *x, enum ocsf_disposition disposition);
/* The same with the verdict, and why it is so; NULL: there is no reason. */
void report_decided(struct guard *g, const struct exec *x, enum ocsf_disposition disposition,
		    enum verdict verdict, const char *reason);
/* The same for an event of which nothing is recorded, with the reason; NULL: there is none. */
void report_unknown(struct guard *g, const struct exec *x, enum ocsf_disposition disposition,
		    const char *reason);
void report_finding(struct guard *g, const struct exec *x, const struct decision *d,
		    const struct hold *h, enum ocsf_disposition disposition, u64 latency_ns);
/* The action in words, as its line has them. */
void report_describe(struct guard *g, const struct exec *x, struct strbuf *out);
void report_exit(struct guard *g, const struct bs_exit_event *e);
void report_guard(struct guard *g, const struct session *s, const char *name, const char *fmt, ...)
	_printf_(4, 5);
/* Says where connects are not seen, and where they are again. */
void report_blind(struct guard *g);
void report_sync(struct guard *g);
void report_sync_later(struct guard *g); /* without waiting */

/* session.c */
/* After a restart: the sessions that the kernel knows. */
void session_restore_all(struct guard *g);
/* What changed in it is kept for the guard after this one. */
void session_keep(struct guard *g, const struct session *s);
struct session *session_get(const struct guard *g, u64 id);
void session_end(struct guard *g, u64 id);
void session_sweep(struct guard *g);
void session_free_all(struct guard *g);

#endif

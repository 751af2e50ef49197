/* Events as OCSF 1.8 JSON (https://schema.ocsf.io/1.8.0). What OCSF has no name for stands in
 * `unmapped`. */
#ifndef JOURNAL_OCSF_H
#define JOURNAL_OCSF_H

#include <stdint.h>
#include <sys/types.h>

#include "backstop/event.h"
#include "base/strbuf.h"

/* What every event of this guard says of where it was made; NULL: not known. */
struct ocsf_host {
	const char *hostname, *machine_id, *kernel, *version, *tier, *boot_id;
};

struct ocsf_process {
	pid_t pid;
	uint64_t start_ns;   /* CLOCK_BOOTTIME; with boot_id and pid the process's uid */
	int64_t created_ms;  /* epoch; 0: not known */
	const char *path;    /* of its file; NULL: not known */
	char *const *argv;   /* NULL: not known */
	const char *command; /* where argv is NULL: the command line, escaped; may be NULL too */
	const char *cwd;     /* NULL: not known */
	const char *tty;     /* "pts/3"; NULL: none */
	const char *cgroup;  /* path; NULL: not known */
	uid_t uid, euid;
	const char *user; /* name of uid; NULL: not known */
	bool truncated;	  /* argv is not whole */
	/* names of variables that load code into it, NULL ends; may be NULL */
	const char *const *environment;
	bool fresh;    /* its file was changed since its session began */
	int exit_code; /* of ocsf_exit(): as wait(2) gives it */
};

enum ocsf_disposition {
	OCSF_UNSTATED = -1, /* the event says nothing of it */
	OCSF_UNKNOWN = 0,
	OCSF_ALLOWED = 1,
	OCSF_BLOCKED = 2,
	OCSF_APPROVED = 8,
	OCSF_DELAYED = 14,
	OCSF_ALERT = 19,
	OCSF_REJECTED = 25,
};

/* A deletion. Strings are not owned. */
struct ocsf_deletion {
	enum bs_delete_op op;
	const char *path;  /* as the process's root has it; "": not known */
	const char *inner; /* inside its file system, where that is another; may be NULL */
	uint64_t inode, bytes;
	uint32_t dev; /* kernel's encoding */
	uint32_t links;
	uint32_t burst;	   /* of one that was found to be a burst: how many, 0: it was not */
	bool done;	   /* it had happened when it was seen */
	pid_t program_pid; /* the process whose exec its program is of; 0: its own */
	uint64_t program_start_ns;
};
/* "unlink", "rename-over" … */
const char *ocsf_deletion_word(enum bs_delete_op op);
enum bs_delete_op ocsf_deletion_op(const char *word); /* 0: it is none */

/* What leaves on a connection. */
struct ocsf_sending {
	const char *text;     /* the message, shortened and escaped; NULL: not known */
	const char *protocol; /* "postgres" …; NULL: not known */
	const char *name;     /* for which the other end stands; NULL: not known */
	const char *path;     /* of a Unix socket; NULL: it is none */
	bool connects;	      /* nothing yet: the socket is about to be connected to */
	bool encrypted;	      /* it was seen before a library encrypts it */
	const char *unseen;   /* the library with which it is encrypted unseen; NULL: none is */
	char *const *names;   /* all for which the other end stands; may be NULL */
};

struct ocsf_event {
	int64_t time_ms;   /* epoch */
	uint64_t sequence; /* of this guard's life */
	uint64_t number;   /* of the kernel's event, 0: of none */
	const char *run;   /* where numbers began anew; NULL: nothing is said of it */
	uint64_t recorded; /* events of the run that stand in the journal, this one included; 0:
			      not the first line of its event */
	uint64_t unwritten, found; /* as above: events that could not be written; decisions that
				      the kernel counts as lost, and that were found all the same */
	const char *session;	   /* session id; NULL: of none */
	const char *agent;	   /* its agent's name; NULL: not known */
	struct ocsf_process process;
	const struct ocsf_process *ancestors; /* parent first */
	size_t ancestor_count;
	const struct bs_dest *dest;	      /* of a connect; NULL: it is none */
	const char *hostname;		      /* for which that stands; NULL: not known */
	const struct ocsf_deletion *deletion; /* likewise */
	const struct ocsf_sending *sending;   /* likewise; `dest` says where to */
	enum ocsf_disposition disposition;
	/* of a finding; `signature` is "pack.id", NULL: no signature matched */
	const char *verdict, *severity, *signature, *why, *instead, *technique, *carrier, *context;
	const char *policy_version, *mode;
	uint64_t hold;	     /* number of the hold, 0: none */
	const char *by;	     /* who decided: "uid 1000 (dev)", "timeout" …; NULL: the policy */
	const char *reason;  /* why it was decided so, in words; may be NULL */
	uint64_t latency_ns; /* from the freeze to the release; 0: not known */
};

/* The word that people read for what became of an action: "held", "denied" …; verdict may be NULL.
 */
const char *ocsf_word(enum ocsf_disposition d, const char *verdict);
/* What a process is about to do, for people: its command, "connect 10.0.0.5:5432 by psql", "unlink
 * /srv/app/.env by rm". */
void ocsf_action(struct strbuf *out, const struct ocsf_event *e);

/* "connect 10.0.0.5:5432", "send [fd00::1]:53" */
#define OCSF_DEST_MAX 64
void ocsf_dest(const struct bs_dest *d, char *buf, size_t size);
/* "send DROP TABLE users to 10.0.0.5:5432" */
void ocsf_sending(struct strbuf *out, const struct bs_dest *d, const struct ocsf_sending *s);

/* What a line says of the kernel's event that it was made of. */
struct ocsf_event_mark {
	uint64_t number, recorded, unwritten, found; /* as in struct ocsf_event */
	int64_t time_ms;
};
/* Reads it out of a line that was made here: true where the line is of an event of `run`. */
bool ocsf_read_mark(const char *line, size_t len, const char *run, struct ocsf_event_mark *ret);

/* Does the line state a deletion? */
bool ocsf_is_deletion(const char *line, size_t len);
/* Reads it; the strings are the caller's. 0, -EINVAL, or -ENOMEM. */
int ocsf_read_deletion(const char *line, size_t len, struct ocsf_deletion *ret);

/* One line each, without newline, appended to `out`. */

/* A program was started (1007, Launch). */
void ocsf_exec(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e);
/* A process connects, or sends without connecting (4001, Open or Traffic). */
void ocsf_connect(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e);
/* A file or directory loses its content or its name (1001: Delete, Update or Rename). */
void ocsf_delete(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e);
/* A process ended (1007, Terminate). */
void ocsf_exit(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e);
/* A signature's match, or what was decided on a hold (2004). The events of one hold share their
 * finding's uid: the first creates it, the decision closes it. */
void ocsf_finding(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e);
/* The guard itself: started, stopped, a session began or ended, losses (6002). `name` is the
 * activity in words ("guard started" and "guard stopped" are OCSF's own); of the event only its
 * time, sequence, session, agent, severity and mode count. */
void ocsf_guard(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e,
		const char *name, const char *message);

#endif

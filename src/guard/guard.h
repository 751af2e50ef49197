/* The guard: tracks sessions, decides candidates, keeps holds, writes the journal. */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include <stdint.h>
#include <sys/types.h>

#include "base/json.h"
#include "base/util.h"
#include "policy/policy.h"

#define GUARD_SOCKET	  "/run/backstop/guard.sock"
#define GUARD_STATE_DIR	  "/var/lib/backstop"
#define GUARD_NOTIFY_SEND "/usr/bin/notify-send" /* shows a hold on the desktop */
#define GUARD_USER	  "backstop"		 /* of 'backstop serve' */
#define GUARD_GROUP	  "backstop"		 /* its members may approve */

struct guard_options {
	const char *policy;   /* path of the image; NULL: compiled from `settings` into state_dir */
	const char *settings; /* path of the settings file, NULL: none */
	const char *socket;   /* path of the control socket */
	const char *state_dir; /* holds journal/ */
	const char *pins;      /* directory in a bpffs; NULL: by the policy's settings */
	enum mode mode;
	unsigned int hold_timeout;	/* seconds */
	bool mode_given, timeout_given; /* else the policy's settings say, at start and reload */
	bool embedded; /* ends with its last session; `owner` may approve as well */
	uid_t owner;
	unsigned int restarts; /* of the guard, that the keeper has made */
	int log_fd; /* where messages go once it is ready, with the time; 0: they stay on stderr */
};

struct guard;

/* The keeper's child, see keeper.h: loads, attaches, listens, and runs until the keeper, at the
 * other end of the socket `link`, has it end. 0 or a negative errno, with a message logged. */
int guard_run(const struct guard_options *o, int link);

/* --- what the control socket asks; errors are negative errnos, with words for the asker in `err`
 */

/* Labels the single-threaded process `pid`, which `pidfd` holds, as the root of a new session. The
 * session's id is `ret_session`. */
struct session_options {
	const char *agent; /* "" where not named */
	bool unattended;   /* nobody will approve: a hold is denied at once */
};
int guard_start_session(struct guard *g, pid_t pid, int pidfd, const struct session_options *o,
			uint64_t *ret_session, struct strbuf *err);
/* Labels process `pid` with all its descendants, or all that live in a cgroup (path in the cgroup2
 * hierarchy) with theirs, as one session, again and again until nothing is new. */
int guard_attach(struct guard *g, pid_t pid, const struct session_options *o, uint64_t *ret_session,
		 struct strbuf *err);
int guard_attach_cgroup(struct guard *g, const char *path, const struct session_options *o,
			uint64_t *ret_session, struct strbuf *err);
/* The group whose members may approve, by the settings in force; NULL: none. */
const char *guard_approvers(const struct guard *g);
/* New settings and packs, atomically; the policy in force stays where they have a fault. */
int guard_reload(struct guard *g, struct strbuf *err);

/* Does the task behind `pidfd` carry a label? 1 and its session in `ret_session`, 0 or a negative
 * errno. */
int guard_is_labelled(struct guard *g, int pidfd, uint64_t *ret_session);

/* Allows hold `id` once: the open one is let go; for one that was denied or timed out, a grant is
 * kept for its next attempt. `by` is who says so. */
int guard_approve(struct guard *g, uint64_t id, const char *by, struct strbuf *err);
int guard_deny(struct guard *g, uint64_t id, const char *by, const char *reason,
	       struct strbuf *err);

/* Either, as an approver of the settings signed it: see approval.h. */
int guard_decide_signed(struct guard *g, const char *text, const char *signature,
			struct strbuf *err);
const char *guard_host(const struct guard *g); /* as signed decisions name it */

/* Members of the object that is open in `j`. */
void guard_describe_status(struct guard *g, struct json *j);
void guard_describe_pending(struct guard *g, struct json *j); /* "holds": […] */

#endif

/* Sessions: the trees that are tracked. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/proc.h"
#include "guard/burst.h"
#include "guard/fetch.h"
#include "guard/resolved.h"
#include "guard/internal.h"
#include "guard/library.h"
#include "guard/unseen.h"
#include "guard/workspace.h"

static void session_free(struct session *s)
{
	if (!s)
		return;
	free(s->agent);
	free(s->workspace);
	free(s->home);
	free(s->tty);
	free(s->subagents);
	free(s->project_text);
	project_free(s->project);
	gone_free(s->gone);
	free(s);
}
DEFINE_CLEANUP(struct session, session_free);

struct session *session_get(const struct guard *g, u64 id)
{
	return map_get(&g->sessions, id);
}

/* Milliseconds of the clock, or the next number that is free. */
static u64 new_id(const struct guard *g)
{
	u64 id = now_ms();

	while (session_get(g, id))
		id++;
	return id;
}

static char *home_of(uid_t uid)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw;
	char *home = NULL;

	while (f && !home && (pw = fgetpwent(f)))
		if (pw->pw_uid == uid)
			home = strdup(pw->pw_dir);
	if (f)
		fclose(f);
	return home;
}

static bool is_single_threaded(pid_t pid)
{
	struct stat st;
	char path[32];

	/* a directory's link count is 2 and one for each directory in it */
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return !stat(path, &st) && st.st_nlink == 3;
}

/* What follows from its id, uid and terminal; takes the strings. */
static struct session *session_fill(struct session *s, char *agent, char *workspace)
{
	char tty[32];

	tty_name(s->tty_dev, tty, sizeof(tty));
	snprintf(s->name, sizeof(s->name), "%llx", (unsigned long long)s->id);
	s->home = home_of(s->uid);
	s->agent = agent;
	s->tty = strdup(tty);
	s->workspace = workspace;
	return s->agent && s->tty ? s : NULL;
}

static struct session *session_new(struct guard *g, pid_t pid, const struct session_options *o)
{
	_cleanup_(session_free_ptr) struct session *s = calloc(1, sizeof(*s));
	_cleanup_free_ char *cwd = proc_readlink(pid, "cwd"), *home = NULL;
	struct proc_stat st = { 0 };
	struct proc_ids ids = { 0 };

	if (!s)
		return NULL;
	proc_read_stat(pid, &st);
	proc_read_ids(pid, &ids);
	s->id = new_id(g);
	s->root = pid;
	s->uid = ids.uid;
	s->tty_dev = tty_from_stat(st.tty_nr);
	s->unattended = o->unattended;
	s->started_ms = now_ms();
	home = home_of(s->uid);
	if (!session_fill(s, strdup(o->agent),
			  cwd && policy_workspace(cwd, home) ? TAKE_PTR(cwd) : NULL))
		return NULL;
	return TAKE_PTR(s);
}

void session_keep(struct guard *g, const struct session *s)
{
	struct bs_record r = { .started_ms = s->started_ms,
			       .uid = s->uid,
			       .tty = s->tty_dev,
			       .unattended = s->unattended,
			       .holds = s->holds };

	snprintf(r.agent, sizeof(r.agent), "%s", s->agent);
	snprintf(r.workspace, sizeof(r.workspace), "%s", s->workspace ?: "");
	if (kernel_put_record(g->kernel, s->id, &r))
		log_warning("session %s cannot be noted for a next guard: that one will not know "
			    "its agent",
			    s->name);
}

static int too_many(struct strbuf *err, int r)
{
	if (r == -E2BIG)
		strbuf_addf(err, "%d sessions run already, the most there can be", BS_SESSIONS);
	else
		strbuf_addf(err, "the label could not be set: %s", strerror(-r));
	return r;
}

/* What sees deletions and packets costs every task something, and so do probes of libraries: they
 * are there for sessions. */
static void watch_all(void *data)
{
	struct guard *g = data;
	bool on = g->sessions.count > 0;
	int r = kernel_watch_deletions(g->kernel, on);

	loop_remove(g->watch);
	g->watch = NULL;
	if (r)
		log_errno(r, "deletions are not seen");
	r = kernel_watch_packets(g->kernel, on);
	if (r)
		log_errno(r, "names of addresses are not seen");
	if (!on)
		library_forget_all(g);
}

#define WATCH_REST 10000000 /* microseconds after the last session: the next is often near */

/* Attaching and detaching take the kernel some 20 ms each, in which an agent that starts would not
 * get its label in time. */
static void watch_later(struct guard *g, uint64_t usec)
{
	loop_remove(g->watch);
	g->watch = NULL;
	if (loop_add_timer(g->loop, usec, watch_all, g, &g->watch))
		watch_all(g);
}

/* In the kernel, with `tasks` of them labelled by the caller; then in the guard. Takes `s`. */
static int session_add(struct guard *g, struct session *session, u64 tasks, struct strbuf *err)
{
	_cleanup_(session_free_ptr) struct session *s = session;
	struct bs_session counts = { .tasks = tasks, .root = s->root };
	int r = kernel_set_session(g->kernel, s->id, &counts);

	if (r)
		return too_many(err, r);
	r = map_set(&g->sessions, s->id, s);
	if (r) {
		kernel_remove_session(g->kernel, s->id);
		return too_many(err, r);
	}
	session_keep(g, TAKE_PTR(s));
	watch_later(g, 1);
	return 0;
}

static void session_begun(struct guard *g, u64 id)
{
	const struct session *s = session_get(g, id);

	report_guard(g, s, "session started", "session %s of uid %u started", s->name, s->uid);
	workspace_read(g, id);
}

static void session_undo(struct guard *g, u64 id)
{
	struct session *s = map_remove(&g->sessions, id);

	kernel_remove_session(g->kernel, id);
	session_free(s);
	watch_later(g, WATCH_REST);
}

int guard_start_session(struct guard *g, pid_t pid, int pidfd, const struct session_options *o,
			uint64_t *ret_session, struct strbuf *err)
{
	struct bs_label label = { 0 };
	struct session *s;
	int r;

	if (!is_single_threaded(pid)) {
		strbuf_addf(
			err,
			"process %d has several threads: a session starts from a process with one",
			pid);
		return -EINVAL;
	}
	s = session_new(g, pid, o);
	if (!s)
		return too_many(err, -ENOMEM);
	label.session = s->id;
	r = session_add(g, s, 1, err);
	if (r)
		return r;
	r = kernel_set_label(g->kernel, pidfd, &label);
	if (r) {
		session_undo(g, label.session);
		return too_many(err, r);
	}
	watch_all(g); /* before its first instruction */
	session_begun(g, label.session);
	*ret_session = label.session;
	return 0;
}

/* ---- processes that run already */

static int refuse_tracked(struct guard *g, pid_t pid, struct strbuf *err)
{
	_cleanup_close_ int pidfd = pidfd_open(pid, 0);
	uint64_t session = 0;
	int r = pidfd < 0 ? -errno : guard_is_labelled(g, pidfd, &session);

	if (r > 0)
		strbuf_addf(err, "process %d belongs to session %llx already", pid,
			    (unsigned long long)session);
	else if (r < 0)
		strbuf_addf(err, "process %d: %s", pid, strerror(-r));
	return r > 0 ? -EEXIST : r;
}

/* The session is known; labels what descends from its members. */
static int adopt(struct guard *g, u64 id, struct strbuf *err)
{
	int n = kernel_adopt_run(g->kernel);

	if (n > 0) {
		session_begun(g, id);
		return 0;
	}
	session_undo(g, id);
	strbuf_addf(err, "no task could be labelled: %s", n ? strerror(-n) : "it has ended");
	return n ?: -ESRCH;
}

int guard_attach(struct guard *g, pid_t pid, const struct session_options *o, uint64_t *ret_session,
		 struct strbuf *err)
{
	struct session *s;
	u64 id;
	int r = refuse_tracked(g, pid, err);

	if (r)
		return r;
	s = session_new(g, pid, o);
	if (!s)
		return too_many(err, -ENOMEM);
	id = s->id;
	r = session_add(g, s, 0, err);
	if (r)
		return r;
	r = kernel_adopt(g->kernel, (u32)pid, id);
	if (r) {
		session_undo(g, id);
		strbuf_addf(err, "process %d cannot be noted in the kernel: %s", pid, strerror(-r));
		return r;
	}
	r = adopt(g, id, err);
	if (!r)
		*ret_session = id;
	return r;
}

/* Of cgroup.procs, and of the cgroups below; those that have a session keep it. Returns how many
 * are new. */
static int adopt_cgroup(struct guard *g, int dir, u64 session)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	_cleanup_strbuf_ struct strbuf ignored = STRBUF_INIT;
	char *line, *at;
	int n = 0;

	if (io_read_file(dir, "cgroup.procs", 16UL << 20, &sb))
		return 0;
	at = (char *)strbuf_str(&sb);
	while ((line = strsep(&at, "\n"))) {
		pid_t pid = (pid_t)strtol(line, NULL, 10);

		if (pid > 0 && !refuse_tracked(g, pid, &ignored))
			n += !kernel_adopt(g->kernel, (u32)pid, session);
	}
	return n;
}

static int adopt_cgroups(struct guard *g, int dir, u64 session)
{
	int n = adopt_cgroup(g, dir, session);
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		_cleanup_close_ int below = -1;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		below = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (below >= 0)
			n += adopt_cgroups(g, below, session);
	}
	if (d)
		closedir(d);
	return n;
}

static pid_t first_of(int dir)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	if (io_read_file(dir, "cgroup.procs", 16UL << 20, &sb))
		return 0;
	return (pid_t)strtol(strbuf_str(&sb), NULL, 10);
}

#define CGROUP_PASSES 100

int guard_attach_cgroup(struct guard *g, const char *path, const struct session_options *o,
			uint64_t *ret_session, struct strbuf *err)
{
	_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t first = dir < 0 ? 0 : first_of(dir);
	struct session *s;
	int r = 0;
	u64 id;

	if (!first) {
		strbuf_addf(err,
			    "%s is no cgroup with processes: name a directory of the cgroup2 "
			    "hierarchy",
			    path);
		return -EINVAL;
	}
	s = session_new(g, first, o);
	if (!s)
		return too_many(err, -ENOMEM);
	id = s->id;
	r = session_add(g, s, 0, err);
	if (r)
		return r;
	if (!adopt_cgroups(g, dir, id)) {
		session_undo(g, id);
		strbuf_addf(err, "all processes of %s belong to sessions already", path);
		return -EEXIST;
	}
	r = adopt(g, id, err);
	for (int i = 0; i < CGROUP_PASSES && !r && adopt_cgroups(g, dir, id) > 0; i++) {
		int n = kernel_adopt_run(g->kernel);

		r = n < 0 ? too_many(err, n) : 0;
	}
	if (!r)
		*ret_session = id;
	return r;
}

/* ---- after a restart */

static void session_restore(struct guard *g, u64 id)
{
	struct session *s = calloc(1, sizeof(*s));
	struct bs_session counts;
	struct bs_record r = { 0 };

	if (!s || kernel_get_session(g->kernel, id, &counts)) {
		free(s);
		return;
	}
	kernel_get_record(g->kernel, id, &r);
	s->id = id;
	s->root = counts.root;
	s->uid = r.uid;
	s->tty_dev = r.tty;
	s->unattended = r.unattended;
	s->started_ms = (int64_t)r.started_ms;
	s->holds = r.holds;
	if (!session_fill(s, strdup(r.agent), r.workspace[0] ? strdup(r.workspace) : NULL) ||
	    map_set(&g->sessions, id, s))
		session_free(s);
}

void session_restore_all(struct guard *g)
{
	u64 id = 0;

	while (!kernel_next_session(g->kernel, &id))
		session_restore(g, id);
	watch_all(g);
	session_sweep(g);
}

int guard_is_labelled(struct guard *g, int pidfd, uint64_t *ret_session)
{
	struct bs_label label;
	int r = kernel_get_label(g->kernel, pidfd, &label);

	if (r == -ENOENT)
		return 0;
	if (r)
		return r;
	*ret_session = label.session;
	return 1;
}

/* A held task that was killed may be reaped only after the end of its session is known. */
static void session_leave_holds(struct guard *g, const struct session *s)
{
	struct hold *h;

	LIST_FOREACH (h, &g->holds, entry)
		if (h->exec && h->exec->session == s)
			h->exec->session = NULL;
}

void session_end(struct guard *g, u64 id)
{
	struct session *s = map_remove(&g->sessions, id);

	if (!s)
		return;
	session_leave_holds(g, s);
	kernel_remove_session(g->kernel, id);
	fetch_forget(g, id);
	send_forget(g, id);
	unseen_forget(g, id);
	resolved_forget(g->resolved, id);
	watch_later(g, WATCH_REST);
	report_guard(g, s, "session ended", "session %s ended", s->name);
	session_free(s);
	if (g->options.embedded && !g->sessions.count)
		loop_quit(g->loop, 0);
}

/* Ends those whose last event was lost. */
void session_sweep(struct guard *g)
{
	struct bs_session counts;
	struct session *s;
	bool found;

	do {
		found = false;
		map_for_each (&g->sessions, s) {
			if (!kernel_get_session(g->kernel, s->id, &counts) && counts.tasks)
				continue;
			found = true;
			break;
		}
		if (found)
			session_end(g, s->id);
	} while (found);
}

void session_free_all(struct guard *g)
{
	struct session *s;

	map_for_each (&g->sessions, s)
		session_free(s);
	map_free(&g->sessions);
}

/* Sessions: the trees that are tracked. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/proc.h"
#include "guard/internal.h"

static void session_free(struct session *s)
{
	if (!s)
		return;
	free(s->agent);
	free(s->workspace);
	free(s->home);
	free(s->tty);
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

/* Not /proc/PID's owner, which is root for a process that has just changed its user. */
static uid_t uid_of(pid_t pid)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	const char *line;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	line = io_read_file(AT_FDCWD, path, 65536, &sb) ? NULL : strstr(strbuf_str(&sb), "\nUid:");
	return line ? (uid_t)strtoul(line + 5, NULL, 10) : 0;
}

static bool is_single_threaded(pid_t pid)
{
	struct stat st;
	char path[32];

	/* a directory's link count is 2 and one for each directory in it */
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return !stat(path, &st) && st.st_nlink == 3;
}

static struct session *session_new(struct guard *g, pid_t pid, const struct session_options *o)
{
	_cleanup_(session_free_ptr) struct session *s = calloc(1, sizeof(*s));
	_cleanup_free_ char *cwd = proc_readlink(pid, "cwd");
	struct proc_stat st = { 0 };
	char tty[32];

	if (!s)
		return NULL;
	proc_read_stat(pid, &st);
	/* stat's tty_nr is encoded as stat(2)'s st_rdev is: minor's low byte, major, minor's rest
	 */
	tty_name(((st.tty_nr >> 8) & 0xfff) << 20 |
			 ((st.tty_nr & 0xff) | ((st.tty_nr >> 12) & 0xfff00)),
		 tty, sizeof(tty));
	s->id = new_id(g);
	snprintf(s->name, sizeof(s->name), "%llx", (unsigned long long)s->id);
	s->root = pid;
	s->uid = uid_of(pid);
	s->unattended = o->unattended;
	s->started_ms = now_ms();
	s->home = home_of(s->uid);
	s->agent = strdup(o->agent);
	s->tty = strdup(tty);
	if (cwd && policy_workspace(cwd, s->home))
		s->workspace = TAKE_PTR(cwd);
	return s->agent && s->tty ? TAKE_PTR(s) : NULL;
}

/* Session first, then label: what the label names is always there. */
static int session_label(struct guard *g, const struct session *s, int pidfd)
{
	struct bs_session counts = { .tasks = 1, .root = s->root };
	struct bs_label label = { .session = s->id };
	int r = kernel_set_session(g->kernel, s->id, &counts);

	if (r)
		return r;
	r = kernel_set_label(g->kernel, pidfd, &label);
	if (r)
		kernel_remove_session(g->kernel, s->id);
	return r;
}

int guard_start_session(struct guard *g, pid_t pid, int pidfd, const struct session_options *o,
			uint64_t *ret_session, struct strbuf *err)
{
	_cleanup_(session_free_ptr) struct session *s = NULL;
	int r;

	if (!is_single_threaded(pid)) {
		strbuf_addf(
			err,
			"process %d has several threads: a session starts from a process with one",
			pid);
		return -EINVAL;
	}
	s = session_new(g, pid, o);
	r = s ? session_label(g, s, pidfd) : -ENOMEM;
	if (r) {
		if (r == -E2BIG)
			strbuf_addf(err, "%d sessions run already, the most there can be",
				    BS_SESSIONS);
		else
			strbuf_addf(err, "the label could not be set: %s", strerror(-r));
		return r;
	}
	r = map_set(&g->sessions, s->id, s);
	if (r)
		return r;
	*ret_session = s->id;
	report_guard(g, s, "session started", "session %s of uid %u started", s->name, s->uid);
	s = NULL;
	return 0;
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

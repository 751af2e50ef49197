#include "guard/workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "base/escape.h"
#include "base/log.h"
#include "guard/child.h"
#include "guard/reaper.h"

#define PROJECT_FILE ".backstop.yaml"
#define CPU_LIMIT    2		       /* seconds */
#define TIME_LIMIT   (5 * 1000 * 1000) /* microseconds */
#define PATIENCE     100	       /* milliseconds for which the start of a session waits */
#define WORDS_MAX    1024	       /* bytes of its faults that are shown */
#define UNENDED_MAX  16 /* children that were killed, and hang: no more are started then */

/* A child that reads one. */
struct reading {
	LIST_ENTRY(reading) entry;
	struct guard *guard;
	u64 session;
	struct child child;
	int faults; /* memfd: its stderr */
	struct loop_source *end, *late;
};

static void reading_free(struct reading *r)
{
	LIST_REMOVE(r, entry);
	loop_remove(r->end);
	loop_remove(r->late);
	child_end(r->guard->loop, &r->child);
	close_fd(&r->faults);
	free(r);
}

/* A line of another's words. */
static void log_fault(const struct session *s, const char *words, size_t len)
{
	_cleanup_strbuf_ struct strbuf shown = STRBUF_INIT;

	escape_bytes(&shown, words, len);
	log_warning("session %s: %s", s->name, strbuf_str(&shown));
}

/* A deletion is frozen only to prevent it. */
static void tell_kernel(struct guard *g, const struct session *s)
{
	struct bs_hints hints;
	int r;

	project_hints(g->options.mode == MODE_ENFORCE ? s->project : NULL, &hints);
	r = kernel_set_hints(g->kernel, s->id, &hints);
	if (r)
		log_errno(r,
			  "session %s: what its " PROJECT_FILE
			  " calls precious may be deleted unseen",
			  s->name);
}

static void apply(struct guard *g, struct session *s)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct project *p = NULL;

	if (s->project_text &&
	    project_parse(g->policy, s->project_text, strlen(s->project_text), &p, &err)) {
		strbuf_adds(&err, "; " PROJECT_FILE " has no effect");
		log_fault(s, strbuf_str(&err), err.len);
	}
	project_free(s->project);
	s->project = p;
	tell_kernel(g, s);
}

/* What it has written so far, and that was little. */
static ssize_t read_end(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += n;
	buf[len] = '\0';
	return len;
}

static void log_faults(const struct reading *r, const struct session *s)
{
	char words[WORDS_MAX];

	lseek(r->faults, 0, SEEK_SET);
	if (read_end(r->faults, words, sizeof(words)) == 0 ||
	    strstr(words, strerror(ENOENT))) /* most workspaces have none */
		return;
	log_fault(s, words, strcspn(words, "\n"));
}

static void finish(struct reading *r)
{
	static char text[64 << 10]; /* no more fits into its pipe */
	struct guard *g = r->guard;
	struct session *s = session_get(g, r->session);
	ssize_t len = read_end(r->child.out, text, sizeof(text));
	int status = child_end(g->loop, &r->child);

	if (s && len > 0 && status >= 0) { /* what has no fault counts */
		free(s->project_text);
		s->project_text = strdup(text);
		apply(g, s);
	}
	if (s)
		log_faults(r, s);
	reading_free(r);
}

static void on_end(void *data, _unused_ uint32_t events)
{
	finish(data);
}

static void on_late(void *data)
{
	struct reading *r = data;
	const struct session *s = session_get(r->guard, r->session);

	r->late = NULL;
	if (s)
		log_warning("session %s: " PROJECT_FILE
			    " of its workspace could not be read in time, and has no effect",
			    s->name);
	reading_free(r);
}

static gid_t gid_of(uid_t uid)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw;
	gid_t gid = CHILD_UID;

	while (f && gid == CHILD_UID && (pw = fgetpwent(f)))
		if (pw->pw_uid == uid)
			gid = pw->pw_gid;
	if (f)
		fclose(f);
	return gid;
}

static int start(struct reading *r, const struct session *s)
{
	const char *policy = r->guard->image ?: "";
	_cleanup_close_ int image = open(policy, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *path = NULL;
	struct child_options o = { .dir = -1, .cpu_limit = CPU_LIMIT };

	if (asprintf(&path, "%s/" PROJECT_FILE, s->workspace) < 0)
		return -ENOMEM;
	r->faults = memfd_create("faults", MFD_CLOEXEC);
	if (r->faults < 0 || image < 0)
		return -errno;
	o.argv = (const char *const[]) { "backstop", "policy", "project", "--policy",
					 CHILD_FILE, path,     NULL };
	o.file = image;
	o.err = r->faults;
	o.uid = s->uid;
	o.gid = gid_of(s->uid);
	return child_start(r->guard->loop, &o, &r->child);
}

static struct reading *reading_new(struct guard *g, const struct session *s)
{
	struct reading *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return NULL;
	*r = (struct reading) { .guard = g, .session = s->id, .child = CHILD_INIT, .faults = -1 };
	LIST_INSERT_HEAD(&g->readings, r, entry);
	err = reaper_count() < UNENDED_MAX ? start(r, s) : -EAGAIN;
	if (!err)
		err = loop_add_fd(g->loop, r->child.pidfd, EPOLLIN, on_end, r, &r->end);
	if (!err)
		err = loop_add_timer(g->loop, TIME_LIMIT, on_late, r, &r->late);
	if (!err)
		return r;
	log_errno(err, "session %s: " PROJECT_FILE " of its workspace cannot be read", s->name);
	reading_free(r);
	return NULL;
}

void workspace_read(struct guard *g, u64 session)
{
	const struct session *s = session_get(g, session);
	struct reading *r = s && s->workspace ? reading_new(g, s) : NULL;

	if (r && !g->draining && guard_pause(g, r->child.pidfd, PATIENCE))
		finish(r);
}

void workspace_restore_all(struct guard *g)
{
	u64 end = boot_ns() + PATIENCE * 1000000ULL;
	struct reading *r, *next;
	struct session *s;

	map_for_each (&g->sessions, s)
		if (s->workspace)
			reading_new(g, s);
	for (r = LIST_FIRST(&g->readings); r; r = next) {
		u64 now = boot_ns();

		next = LIST_NEXT(r, entry);
		if (guard_wait(g, r->child.pidfd, now < end ? (int)((end - now) / 1000000) : 0))
			finish(r);
	}
}

void workspace_reload_all(struct guard *g)
{
	struct session *s;

	map_for_each (&g->sessions, s)
		apply(g, s);
}

void workspace_end_all(struct guard *g)
{
	while (!LIST_EMPTY(&g->readings))
		reading_free(LIST_FIRST(&g->readings));
}

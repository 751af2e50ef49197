/* What is protected below a directory that is about to be moved into scratch, where nothing of it
 * would be protected any more. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "guard/aside.h"
#include "guard/away.h"

#define LOOK_NS	  (200 * 1000000ULL) /* others wait to be decided */
#define WAIT_MS	  500		     /* with its start */
#define DEPTH_MAX 64

struct look {
	const struct guard *g;
	const struct deletion *question;
	struct strbuf path; /* in hand, as the task's root has it */
	u64 end;
	unsigned int depth;
};

/* 1: found, and in `path`; negative: not all could be looked at. */
static int look_in(struct look *l, int dir);

static bool is_protected(const struct look *l)
{
	struct deletion d = *l->question;
	struct finding f;

	d.path = strbuf_str(&l->path);
	policy_match_delete(l->g->policy, &d, &f);
	return f.verdict > VERDICT_ALERT;
}

static int look_at(struct look *l, int dir, const struct dirent *e)
{
	_cleanup_close_ int fd = -1;

	if (boot_ns() > l->end)
		return -ETIME;
	if (is_protected(l))
		return 1;
	if (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN)
		return 0;
	fd = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP || errno == ENOENT ? 0 : -errno;
	return look_in(l, fd);
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static int look_in(struct look *l, int dir)
{
	int own = fcntl(dir, F_DUPFD_CLOEXEC, 0), r = 0;
	DIR *d = own >= 0 ? fdopendir(own) : NULL;
	size_t len = l->path.len;
	struct dirent *e;

	if (!d || l->depth == DEPTH_MAX) {
		if (d)
			closedir(d);
		else
			close_fd(&own);
		return -EAGAIN;
	}
	l->depth++;
	while (!r && (e = readdir(d))) {
		if (is_dots(e->d_name))
			continue;
		strbuf_addf(&l->path, "/%s", e->d_name);
		r = strbuf_error(&l->path) ?: look_at(l, dir, e);
		if (r <= 0)
			strbuf_truncate(&l->path, len);
	}
	l->depth--;
	closedir(d);
	return r;
}

static int open_moved(u32 tid, const char *path)
{
	_cleanup_free_ char *at = NULL;
	int fd;

	if (asprintf(&at, "/proc/%u/root%s", tid, path) < 0)
		return -ENOMEM;
	fd = open(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

struct found {
	int r; /* of look_in() */
	char path[PATH_MAX];
};

/* In a child: directories may be of a FUSE, and of whatever else lets others wait. */
struct finder {
	const struct guard *g;
	const struct deletion *question;
	u32 tid;
	struct found *found;
};

static void find(void *data)
{
	const struct finder *f = data;
	_cleanup_close_ int dir = open_moved(f->tid, f->question->path);
	struct look l = { .g = f->g, .question = f->question, .end = boot_ns() + LOOK_NS };
	int r = dir;

	strbuf_adds(&l.path, f->question->path);
	if (dir >= 0)
		r = look_in(&l, dir);
	else if (dir == -ENOTDIR || dir == -ELOOP)
		r = 0;
	snprintf(f->found->path, sizeof(f->found->path), "%s", r > 0 ? strbuf_str(&l.path) : "");
	f->found->r = r;
}

static void on_found(_unused_ void *data)
{
}

/* 1: it is in `ret`; 0: there is nothing; or a negative errno. */
static int find_aside(struct finder *f)
{
	struct aside *a = NULL;
	int r = aside_has_room() ? 0 : -EAGAIN;

	f->found->r = -ETIME;
	r = r ?: aside_start(f->g->loop, -1, find, on_found, f, &a);
	if (!r)
		aside_wait(a, WAIT_MS);
	aside_end(a);
	return r ?: f->found->r;
}

char *away_find(const struct guard *g, u32 tid, const struct deletion *question)
{
	struct deletion q = *question;
	struct look own = { .g = g, .question = &q };
	struct finder f = { .g = g, .question = &q, .tid = tid };
	char *path = NULL;
	int r;

	/* whoever removes it then */
	q.op = BS_DELETE_UNLINK;
	q.program = NULL;
	q.argv = NULL;
	q.behind = NULL;
	q.inner = NULL;
	strbuf_adds(&own.path, question->path);
	r = is_protected(&own);
	strbuf_free(&own.path);
	if (r)
		return strdup(question->path);
	f.found = mmap(NULL, sizeof(*f.found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (f.found == MAP_FAILED)
		return strdup("");
	r = find_aside(&f);
	if (r)
		path = strdup(r > 0 ? f.found->path : "");
	munmap(f.found, sizeof(*f.found));
	return path;
}

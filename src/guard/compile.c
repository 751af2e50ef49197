#include "guard/compile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "guard/child.h"

#define CPU_LIMIT  20	       /* seconds */
#define TIME_LIMIT 60000       /* milliseconds */
#define WORDS_MAX  (64 << 10)  /* bytes of what it says */
#define IMAGE_MAX  (256 << 20) /* bytes */
#define IMAGE	   "policy.image"

static void remove_dir(int fd, const char *path)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d)))
		unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	else
		close(fd);
	rmdir(path);
}

/* A directory that only the child can write, and reach only as its working directory. Its fd. That
 * of a guard which was killed meanwhile makes room. */
static int make_dir(const struct guard *g, char *path, size_t size)
{
	int fd, r;

	if (snprintf(path, size, "%s/compile", g->options.state_dir) >= (int)size)
		return -ENAMETOOLONG;
	r = io_mkdir_p(g->options.state_dir, 0750);
	if (r)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		remove_dir(fd, path);
	if (mkdir(path, 0700))
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && fchown(fd, CHILD_UID, CHILD_UID) == 0)
		return fd;
	r = -errno;
	close_fd(&fd);
	rmdir(path);
	return r;
}

static void read_words(struct child *c, struct strbuf *words)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(c->out, buf, sizeof(buf))) > 0)
		if (words->len < WORDS_MAX)
			strbuf_add(words, buf, n);
}

/* Until the child has ended. */
static int wait_for(struct guard *g, struct child *c, struct strbuf *words)
{
	u64 end = boot_ns() + TIME_LIMIT * 1000000ULL;

	while (!guard_wait(g, c->pidfd, 10)) {
		if (boot_ns() > end || g->end != GUARD_RUNS)
			return -ETIMEDOUT;
		read_words(c, words);
	}
	read_words(c, words);
	return 0;
}

/* What is there may be anything: it is copied, and checked when it is opened as a policy. */
static int fetch(struct guard *g, int dir, struct strbuf *err)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT;
	_cleanup_(policy_free_ptr) struct policy *p = NULL;
	struct stat st;
	int r;

	if (fstatat(dir, IMAGE, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
		return -ENOENT;
	r = io_read_file(dir, IMAGE, IMAGE_MAX, &image);
	if (!r)
		r = policy_from_memory(strbuf_str(&image), image.len, &p, err);
	return r ?: io_replace_file(g->image, strbuf_str(&image), image.len, 0644);
}

static int run(struct guard *g, int dir, struct strbuf *err)
{
	const char *const argv[] = { "backstop",	  "policy",   "compile", "--settings",
				     g->options.settings, "--output", IMAGE,	 NULL };
	struct child_options o = { .argv = argv,
				   .uid = CHILD_UID,
				   .gid = CHILD_UID,
				   .dir = dir,
				   .err = -1,
				   .file = -1,
				   .cpu_limit = CPU_LIMIT };
	struct child c;
	int r = child_start(g->loop, &o, &c), status;

	if (r)
		return r;
	r = wait_for(g, &c, err);
	status = child_end(g->loop, &c);
	if (r || status)
		return r ?: -EINVAL;
	strbuf_reset(err);
	return fetch(g, dir, err);
}

int compile_policy(struct guard *g, struct strbuf *err)
{
	char path[PATH_MAX];
	int dir = make_dir(g, path, sizeof(path));
	int r = dir < 0 ? dir : run(g, dir, err);

	if (dir < 0)
		strbuf_addf(err, "cannot make a directory in %s: %s", g->options.state_dir,
			    strerror(-r));
	else if (r && !err->len)
		strbuf_addf(err, "the settings in %s could not be compiled: %s",
			    g->options.settings, strerror(-r));
	if (dir >= 0)
		remove_dir(dir, path);
	return r;
}

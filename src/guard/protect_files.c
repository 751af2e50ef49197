#include "guard/protect_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/proc.h"
#include "kernel/protect.h"
#include "policy/context.h"

#define SETTINGS_DIR "/etc/backstop"
#define DEPTH_MAX    4 /* of directories below one that is protected with all that is in it */

struct filler {
	struct guard *g;
	protect_watch_fn watch;
	void *data;
};

/* Nobody can put another tree in the place of one that they are in. */
static void add_above(struct filler *f, const char *path)
{
	char dir[PATH_MAX], *end;

	snprintf(dir, sizeof(dir), "%s", path);
	while ((end = strrchr(dir, '/')) && end != dir) {
		*end = '\0';
		kernel_protect(f->g->kernel, dir, BS_PROTECT_NAME);
	}
}

static int add(struct filler *f, const char *path, u32 flags)
{
	char real[PATH_MAX];
	int r;

	if (!path || !realpath(path, real))
		return -ENOENT;
	r = kernel_protect(f->g->kernel, real, flags);
	if (!r)
		add_above(f, real);
	return r;
}

static void watch_dir_of(struct filler *f, const char *path)
{
	char dir[PATH_MAX], *end;

	if (!realpath(path, dir)) /* it may come into being */
		snprintf(dir, sizeof(dir), "%s", path);
	end = strrchr(dir, '/');
	if (!end || end == dir)
		return;
	*end = '\0';
	f->watch(f->data, dir);
}

/* It may be replaced by another. */
static void add_file(struct filler *f, const char *path)
{
	if (!path)
		return;
	add(f, path, BS_PROTECT_FILE);
	watch_dir_of(f, path);
}

static void add_tree(struct filler *f, const char *path, int depth)
{
	struct dirent *e;
	DIR *d;

	if (add(f, path, BS_PROTECT_INSIDE) || !depth)
		return;
	d = opendir(path);
	while (d && (e = readdir(d))) {
		_cleanup_free_ char *below = NULL;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		if (asprintf(&below, "%s/%s", path, e->d_name) < 0)
			below = NULL;
		else
			add_tree(f, below, depth - 1);
	}
	if (d)
		closedir(d);
}

static bool is_dir(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* Of what the policy was made: settings, packs, profiles. */
static void add_sources(struct filler *f)
{
	const char *path;

	for (u32 i = 0; (path = policy_source(f->g->policy, i)); i++)
		if (is_dir(path)) {
			add_tree(f, path, 0);
			f->watch(f->data, path);
		} else {
			add_file(f, path);
		}
	add_file(f, f->g->options.settings);
	add_tree(f, SETTINGS_DIR, DEPTH_MAX);
}

/* The reader, too: it is root's until it is the task's. */
static void add_programs(struct filler *f)
{
	_cleanup_free_ char *exe = proc_readlink(getpid(), "exe"), *reader = NULL;
	char *gone = exe ? strstr(exe, " (deleted)") : NULL;

	if (gone)
		*gone = '\0';
	add_file(f, exe);
	(void)io_find_program(CONTEXT_READER, &reader);
	add_file(f, reader);
	add_file(f, f->g->image);
}

/* ---- units */

static void add_unit(struct filler *f, const char *dir, const char *name)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		path = NULL;
	else if (is_dir(path))
		add_tree(f, path, 0);
	else
		add(f, path, BS_PROTECT_FILE);
}

/* Where systemd looks for units, and in NAME.wants for what it starts: nothing named like ours is
 * made or removed there. */
static void add_unit_dir(struct filler *f, const char *dir, int depth)
{
	struct dirent *e;
	bool ours = false;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		_cleanup_free_ char *wants = NULL;

		if (!strncmp(e->d_name, BS_OUR_NAME, strlen(BS_OUR_NAME))) {
			add_unit(f, dir, e->d_name);
			ours = true;
		} else if (depth && strstr(e->d_name, ".wants") &&
			   asprintf(&wants, "%s/%s", dir, e->d_name) >= 0) {
			add_unit_dir(f, wants, 0);
		}
	}
	if (d)
		closedir(d);
	if (!depth && !ours)
		return;
	add(f, dir, BS_PROTECT_UNITS);
	f->watch(f->data, dir);
}

static void add_units(struct filler *f)
{
	static const char *const dirs[] = {
		"/etc/systemd/system",		 "/etc/systemd/system.control",
		"/run/systemd/system",		 "/run/systemd/system.control",
		"/run/systemd/transient",	 "/run/systemd/generator",
		"/usr/lib/systemd/system",	 "/lib/systemd/system",
		"/usr/local/lib/systemd/system",
	};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (is_dir(dirs[i]))
			add_unit_dir(f, dirs[i], 1);
}

/* ---- cgroups */

/* Not the root's own, where nothing can be frozen or killed. */
static void add_cgroups(struct filler *f)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	const char *root = paths_cgroup_root(f->g->paths), *own;
	char path[PATH_MAX], *end;
	size_t base;

	if (!root || io_read_file(AT_FDCWD, "/proc/self/cgroup", 65536, &text))
		return;
	own = strstr(strbuf_str(&text), "0::/");
	if (!own)
		return;
	base = strlen(root);
	snprintf(path, sizeof(path), "%s%.*s", root, (int)strcspn(own + 3, "\n"), own + 3);
	while ((end = strrchr(path, '/')) && (size_t)(end - path) >= base && end[1]) {
		kernel_protect(f->g->kernel, path, BS_PROTECT_CGROUP | BS_PROTECT_NAME);
		*end = '\0';
	}
}

/* ---- all */

static void add_socket(struct filler *f)
{
	const char *path = f->g->options.socket;

	if (!strcmp(path, GUARD_SOCKET))
		add_tree(f, "/run/backstop", 0);
	add_file(f, path);
}

u32 protect_files(struct guard *g, protect_watch_fn watch, void *data)
{
	struct filler f = { .g = g, .watch = watch, .data = data };

	kernel_protect_begin(g->kernel);
	add_tree(&f, g->pins, 1);
	add_tree(&f, g->options.state_dir, DEPTH_MAX);
	add_programs(&f);
	add_sources(&f);
	add_socket(&f);
	add_units(&f);
	add_cgroups(&f);
	return kernel_protect_end(g->kernel);
}

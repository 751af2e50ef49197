#include "kernel/pins.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/magic.h>

#include "backstop/event.h"
#include "base/strbuf.h"

static bool is_bpffs(const char *dir)
{
	struct statfs fs;

	return !statfs(dir, &fs) && fs.f_type == BPF_FS_MAGIC;
}

static int make_dir(const char *dir, struct strbuf *err)
{
	int r = mkdir(dir, 0700) && errno != EEXIST ? -errno : 0;
	_cleanup_free_ char *parent = NULL;

	if (!r && is_bpffs(dir))
		return 0;
	parent = strndup(dir, strrchr(dir, '/') - dir);
	if (parent && !is_bpffs(parent))
		strbuf_addf(err,
			    "%s, where the pins shall be, is in no bpffs: mount one (mount -t bpf "
			    "bpf /sys/fs/bpf), or name another directory in the settings (pins:)\n",
			    dir);
	else
		strbuf_addf(err, "cannot make %s for the pins: %s\n", dir, strerror(-r));
	return r ?: -EINVAL;
}

/* Another version's directory that is not empty. */
static int refuse_others(const char *dir, const char *mine, struct strbuf *err)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int r = 0;

	while (d && !r && (e = readdir(d)))
		if (e->d_name[0] == 'v' && strcmp(e->d_name, mine)) {
			strbuf_addf(
				err,
				"another version of backstop left its pins in %s/%s: stop it "
				"first, or remove them (rm -r %s/%s), which ends its sessions\n",
				dir, e->d_name, dir, e->d_name);
			r = -ESTALE;
		}
	if (d)
		closedir(d);
	return r;
}

int pins_open(struct pins *p, const char *dir, struct strbuf *err)
{
	_cleanup_free_ char *path = NULL;
	char mine[16];
	int r;

	snprintf(mine, sizeof(mine), "v%d", BS_ABI);
	if (asprintf(&path, "%s/%s", dir, mine) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = make_dir(dir, err);
	if (!r)
		r = refuse_others(dir, mine, err);
	if (!r)
		r = make_dir(path, err);
	if (!r)
		p->dir = TAKE_PTR(path);
	return r;
}

void pins_free(struct pins *p)
{
	free(p->dir);
	p->dir = NULL;
}

static void path_of(const struct pins *p, const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", p->dir, name);
}

int pins_get(const struct pins *p, const char *name)
{
	char path[PATH_MAX];
	int fd;

	path_of(p, name, path, sizeof(path));
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

int pins_put(const struct pins *p, const char *name, int fd)
{
	char path[PATH_MAX];

	path_of(p, name, path, sizeof(path));
	return bpf_obj_pin(fd, path) ? -errno : 0;
}

int pins_drop(const struct pins *p, const char *name)
{
	char path[PATH_MAX];

	path_of(p, name, path, sizeof(path));
	return unlink(path) ? -errno : 0;
}

/* Of a link's name; 0: it is none. */
static unsigned int generation_of(const char *name)
{
	unsigned int generation = 0;

	return sscanf(name, "g%u_", &generation) == 1 ? generation : 0;
}

static void for_each_pin(const struct pins *p,
			 void (*fn)(const struct pins *p, const char *name, void *data), void *data)
{
	DIR *d = opendir(p->dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			fn(p, e->d_name, data);
	if (d)
		closedir(d);
}

static void find_greatest(_unused_ const struct pins *p, const char *name, void *data)
{
	unsigned int *greatest = data;

	*greatest = MAX(*greatest, generation_of(name));
}

unsigned int pins_generation(const struct pins *p)
{
	unsigned int greatest = 0;

	for_each_pin(p, find_greatest, &greatest);
	return greatest;
}

/* ---- letting go */

#define OLD	    "old_" /* names of pins that are about to go begin so */
#define SWEEP_AFTER 200000 /* microseconds: what is needed again at once is taken back */
#define SWEEP_STACK (64 * 1024)

static void drop_old(const struct pins *p, const char *name, _unused_ void *data)
{
	if (!strncmp(name, OLD, strlen(OLD)))
		pins_drop(p, name);
}

static void *sweep(void *data)
{
	_cleanup_free_ char *dir = data;
	const struct pins p = { .dir = dir };

	usleep(SWEEP_AFTER);
	for_each_pin(&p, drop_old, NULL);
	return NULL;
}

static int start_sweep(char *dir)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, SWEEP_STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, &attr, sweep, dir);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return r;
}

void pins_sweep(const struct pins *p)
{
	char *dir = strdup(p->dir);

	if (dir && start_sweep(dir))
		sweep(dir);
}

int pins_let_go(const struct pins *p, const char *name)
{
	char from[PATH_MAX], to[PATH_MAX], old[96];

	snprintf(old, sizeof(old), OLD "%s", name);
	path_of(p, name, from, sizeof(from));
	path_of(p, old, to, sizeof(to));
	return rename(from, to) ? -errno : 0;
}

int pins_take_back(const struct pins *p, const char *name)
{
	char from[PATH_MAX], to[PATH_MAX], old[96];

	snprintf(old, sizeof(old), OLD "%s", name);
	path_of(p, old, from, sizeof(from));
	path_of(p, name, to, sizeof(to));
	return rename(from, to) ? -errno : 0;
}

static void let_other_go(const struct pins *p, const char *name, void *data)
{
	const unsigned int *keep = data;
	unsigned int generation = generation_of(name);

	if (generation && generation != *keep)
		pins_let_go(p, name);
}

void pins_drop_links(const struct pins *p, unsigned int keep)
{
	for_each_pin(p, let_other_go, &keep);
	pins_sweep(p);
}

static void drop_link(const struct pins *p, const char *name, _unused_ void *data)
{
	if (generation_of(name))
		pins_drop(p, name);
}

static void drop_any(const struct pins *p, const char *name, _unused_ void *data)
{
	pins_drop(p, name);
}

void pins_remove(const struct pins *p)
{
	char *end;

	for_each_pin(p, drop_link, NULL); /* first: what acts needs the maps */
	for_each_pin(p, drop_any, NULL);
	rmdir(p->dir);
	end = strrchr(p->dir, '/');
	*end = '\0';
	rmdir(p->dir);
	*end = '/';
}

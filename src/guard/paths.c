/* Names for the numbers that the kernel reports: users, cgroups, files, terminals. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "guard/internal.h"

/* ---- users: /etc/passwd alone, as a look-up must never wait for a network */

struct users {
	struct map names;	 /* 1 + uid -> name */
	struct timespec changed; /* the file's last change when it was read */
};

static void users_clear(struct users *u)
{
	char *name;

	map_for_each (&u->names, name)
		free(name);
	map_free(&u->names);
}

static void users_read(struct users *u)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw;

	if (!f)
		return;
	users_clear(u);
	while ((pw = fgetpwent(f))) {
		char *name = map_get(&u->names, 1ULL + pw->pw_uid) ? NULL : strdup(pw->pw_name);

		if (name && map_set(&u->names, 1ULL + pw->pw_uid, name))
			free(name);
	}
	fclose(f);
}

struct users *users_new(void)
{
	return calloc(1, sizeof(struct users)); /* read at the first question */
}

void users_free(struct users *u)
{
	if (!u)
		return;
	users_clear(u);
	free(u);
}

const char *users_name(struct users *u, uid_t uid)
{
	struct stat st;

	if (!stat("/etc/passwd", &st) &&
	    (st.st_mtim.tv_sec != u->changed.tv_sec || st.st_mtim.tv_nsec != u->changed.tv_nsec)) {
		u->changed = st.st_mtim;
		users_read(u);
	}
	return map_get(&u->names, 1ULL + uid);
}

/* ---- paths */

struct paths {
	struct map cgroups; /* id -> path */
	struct map files;   /* hash of dev and inode -> struct file_path */
	int cgroup_mount;   /* fd, -1: none found */
	char *cgroup_root;  /* where it is mounted */
};

struct file_path {
	u32 dev;
	u64 inode;
	char path[];
};

#define PATHS_MAX 4096 /* entries each; then it starts anew */

/* Finds the cgroup2 mount in /proc/self/mountinfo: field 5 is the mount point, the type follows " -
 * ". */
static char *find_cgroup2(void)
{
	_cleanup_free_ char *line = NULL, *found = NULL;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	size_t size = 0;

	while (f && !found && getline(&line, &size, f) > 0) {
		char *type = strstr(line, " - cgroup2 ");

		if (type && sscanf(line, "%*s %*s %*s %*s %ms", &found) != 1)
			found = NULL;
	}
	if (f)
		fclose(f);
	return TAKE_PTR(found);
}

struct paths *paths_new(void)
{
	struct paths *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->cgroup_root = find_cgroup2();
	p->cgroup_mount =
		p->cgroup_root ? open(p->cgroup_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	return p;
}

static void forget(struct map *m)
{
	void *value;

	map_for_each (m, value)
		free(value);
	map_free(m);
}

void paths_free(struct paths *p)
{
	if (!p)
		return;
	forget(&p->cgroups);
	forget(&p->files);
	close_fd(&p->cgroup_mount);
	free(p->cgroup_root);
	free(p);
}

/* A cgroup's id is its file handle: type 0xfe (FILEID_KERNFS), 8 bytes (linux/exportfs.h). */
static char *cgroup_path(const struct paths *p, u64 id)
{
	struct {
		struct file_handle head;
		u64 id;
	} h = { .head = { .handle_bytes = sizeof(u64), .handle_type = 0xfe } };
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *path = NULL;
	char link[64];
	size_t skip;

	memcpy(h.head.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(p->cgroup_mount, &h.head, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	path = io_readlink(AT_FDCWD, link);
	skip = strlen(p->cgroup_root);
	if (!path || strncmp(path, p->cgroup_root, skip))
		return NULL;
	return strdup(path[skip] ? path + skip : "/");
}

const char *paths_cgroup_root(const struct paths *p)
{
	return p->cgroup_root;
}

const char *paths_cgroup(struct paths *p, u64 id)
{
	char *path = map_get(&p->cgroups, id);

	if (path || p->cgroup_mount < 0)
		return path;
	path = cgroup_path(p, id);
	if (!path)
		return NULL;
	if (p->cgroups.count >= PATHS_MAX)
		forget(&p->cgroups);
	if (map_set(&p->cgroups, id, path)) {
		free(path);
		return NULL;
	}
	return path;
}

static u64 file_key(u32 dev, u64 inode)
{
	return (inode * 0x9e3779b97f4a7c15ULL) ^ dev;
}

const char *paths_file(struct paths *p, u32 dev, u64 inode)
{
	const struct file_path *f = map_get(&p->files, file_key(dev, inode));

	return f && f->dev == dev && f->inode == inode ? f->path : NULL;
}

void paths_learn(struct paths *p, u32 dev, u64 inode, const char *path)
{
	struct file_path *f, *old;

	old = map_get(&p->files, file_key(dev, inode));
	if (old && old->dev == dev && old->inode == inode && !strcmp(old->path, path))
		return;
	if (p->files.count >= PATHS_MAX)
		forget(&p->files);
	f = malloc(sizeof(*f) + strlen(path) + 1);
	if (!f)
		return;
	f->dev = dev;
	f->inode = inode;
	strcpy(f->path, path);
	free(map_remove(&p->files, file_key(dev, inode)));
	if (map_set(&p->files, file_key(dev, inode), f))
		free(f);
}

/* Numbers of Documentation/admin-guide/devices.txt: 4 is the console, 136-143 are pseudo terminals.
 */
/* stat's tty_nr is encoded as stat(2)'s st_rdev is: minor's low byte, major, minor's rest. */
u32 tty_from_stat(int nr)
{
	return ((nr >> 8) & 0xfff) << 20 | ((nr & 0xff) | ((nr >> 12) & 0xfff00));
}

void tty_name(u32 dev, char *buf, size_t size)
{
	u32 major = dev >> 20, minor = dev & 0xfffff;

	if (!dev)
		buf[0] = '\0';
	else if (major >= 136 && major <= 143)
		snprintf(buf, size, "pts/%u", (major - 136) * 256 + minor);
	else if (major == 4)
		snprintf(buf, size, minor < 64 ? "tty%u" : "ttyS%u",
			 minor < 64 ? minor : minor - 64);
	else
		snprintf(buf, size, "%u:%u", major, minor);
}

#include "policy/looks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Names, one behind the other: what it is, the name, and a link's target, each ended by NUL. What
 * finds no room is not known. */
struct found {
	u32 used;
	char bytes[(64 << 10) - sizeof(u32)];
};

int looks_share(struct looks *l)
{
	void *shared;

	if (l->found)
		return 0;
	shared = mmap(NULL, sizeof(*l->found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	l->found = shared;
	return 0;
}

void looks_free(struct looks *l)
{
	if (l->found)
		munmap(l->found, sizeof(*l->found));
	l->found = NULL;
}

static bool is_found(const struct found *f, const char *name, char target[PATHS_MAX],
		     enum looked *ret)
{
	const char *at, *end;

	if (!f)
		return false;
	at = f->bytes;
	end = at + __atomic_load_n(&f->used, __ATOMIC_ACQUIRE);
	while (at < end) {
		const char *its = at + 1, *to = its + strlen(its) + 1;

		if (strcmp(its, name) == 0) {
			*ret = (enum looked) * at;
			strcpy(target, to);
			return true;
		}
		at = to + strlen(to) + 1;
	}
	return false;
}

static void note(struct found *f, const char *name, enum looked look, const char *target)
{
	size_t needed = 1 + strlen(name) + 1 + strlen(target) + 1;
	char *at = f->bytes + f->used;

	if (needed > sizeof(f->bytes) - f->used)
		return;
	*at = (char)look;
	stpcpy(stpcpy(at + 1, name) + 1, target);
	__atomic_store_n(&f->used, f->used + (u32)needed, __ATOMIC_RELEASE);
}

enum looked looks_recall(int root, const char *name)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_CACHED | RESOLVE_NO_SYMLINKS };
	int fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? LOOK_NOTHING : LOOK_SILENT;
	close(fd);
	return LOOK_FILE;
}

/* As its mount and its inode have it. */
static bool is_our_root(int root)
{
	struct statx ours, its;
	unsigned int what = STATX_INO | STATX_MNT_ID;

	return !statx(AT_FDCWD, "/", AT_STATX_DONT_SYNC, what, &ours) &&
	       !statx(root, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, what, &its) &&
	       ours.stx_mnt_id == its.stx_mnt_id && ours.stx_ino == its.stx_ino;
}

/* Where links lead that the kernel has in its caches, whose paths it tells from our own root. It
 * asks nobody. */
static bool recall_link(int root, const char *name, char target[PATHS_MAX])
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_CACHED | RESOLVE_IN_ROOT };
	_cleanup_close_ int fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
	char path[32];
	ssize_t n;

	if (fd < 0 || !is_our_root(root))
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, PATHS_MAX);
	if (n <= 0 || n == PATHS_MAX || target[0] != '/')
		return false;
	target[n] = '\0';
	/* it may have been removed, or lie elsewhere */
	return looks_recall(root, n > 1 ? target + 1 : ".") == LOOK_FILE;
}

static enum looked ask(int root, const char *name, char target[PATHS_MAX])
{
	ssize_t n = readlinkat(root, name, target, PATHS_MAX - 1);

	target[MAX(n, 0)] = '\0';
	if (n >= 0)
		return LOOK_LINK;
	if (errno == EINVAL)
		return LOOK_FILE;
	return errno == ENOENT || errno == ENOTDIR ? LOOK_NOTHING : LOOK_BARRED;
}

/* Only what the kernel does not have in its caches by now is worth its room. */
static enum looked wait_for(struct looks *l, int root, const char *name, char target[PATHS_MAX])
{
	enum looked look = ask(root, name, target);

	if (l->found && looks_recall(root, name) != look)
		note(l->found, name, look, target);
	return look;
}

enum looked looks_find(struct looks *l, int root, const char *name, char target[PATHS_MAX])
{
	enum looked look;

	if (!l)
		return ask(root, name, target);
	if (is_found(l->found, name, target, &look))
		return look;
	look = looks_recall(root, name);
	if (look != LOOK_SILENT)
		return look;
	if (recall_link(root, name, target))
		return LOOK_LINK;
	if (l->waits)
		return wait_for(l, root, name, target);
	l->silent = true;
	l->pending |= !l->over;
	return LOOK_SILENT;
}

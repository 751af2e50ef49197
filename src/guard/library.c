#include "guard/library.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/io.h"
#include "base/log.h"

#define MAPS_MAX (16UL << 20)

struct mapping {
	unsigned long start, end, inode;
	unsigned int major, minor;
	char perms[8];
	const char *path; /* in the line */
};

static bool read_line(char *line, struct mapping *ret)
{
	int at = 0;

	if (sscanf(line, "%lx-%lx %7s %*x %x:%x %lu %n", &ret->start, &ret->end, ret->perms,
		   &ret->major, &ret->minor, &ret->inode, &at) != 6)
		return false;
	ret->path = line + at;
	return strchr(ret->perms, 'x') && ret->inode && ret->path[0] == '/';
}

static bool is_library(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return !strncmp(name, "libssl", 6) || !strncmp(name, "libgnutls", 9);
}

static char probed, passed_over; /* what is noted of a file */

#define TICK 2 /* seconds: FAT tells no shorter times */

/* Which file it is, and with which content. 0: it is not known, or may be changed once more and
 * tell the same time. Nobody is asked for more than is cached. */
static u64 key_of(u32 tgid, const struct mapping *m)
{
	u64 dev = (u64)m->major << 20 | m->minor, changed;
	struct statx st;
	char path[96];

	snprintf(path, sizeof(path), "/proc/%u/map_files/%lx-%lx", tgid, m->start, m->end);
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_CTIME, &st) ||
	    st.stx_ctime.tv_sec + TICK >= time(NULL))
		return 0;
	changed = (u64)st.stx_ctime.tv_sec * 1000000000 + st.stx_ctime.tv_nsec;
	return dev << 40 ^ m->inode ^ changed * 0x9e3779b97f4a7c15;
}

/* A program may have the library's functions in itself, as node has. What its file is, is found out
 * once, as long as nobody writes to it. True: it is probed. */
static bool look_at(struct guard *g, u32 tgid, const struct mapping *m)
{
	u64 key = key_of(tgid, m);
	const void *known = key ? map_get(&g->libraries, key) : NULL;
	int r;

	if (known)
		return known == &probed;
	r = kernel_watch_library(g->kernel, tgid, m->start, m->end);
	if (r == -EREMOTE)
		log_debug("what is given to %s is not seen before it is encrypted: it is of a FUSE",
			  m->path);
	else if (r < 0)
		log_errno(r, "what is given to %s is not seen before it is encrypted", m->path);
	else if (r > 0)
		log_debug("what is given to %s is seen before it is encrypted", m->path);
	if (key && r >= 0)
		map_set(&g->libraries, key, r > 0 ? &probed : &passed_over);
	return r > 0;
}

bool library_look(struct guard *g, u32 tgid, bool all)
{
	_cleanup_strbuf_ struct strbuf maps = STRBUF_INIT;
	char path[64], *at, *line;
	bool first = true, seen = false;

	snprintf(path, sizeof(path), "/proc/%u/maps", tgid);
	if (io_read_file(AT_FDCWD, path, MAPS_MAX, &maps))
		return false;
	at = (char *)strbuf_str(&maps);
	while ((line = strsep(&at, "\n"))) {
		struct mapping m;

		if (!read_line(line, &m))
			continue;
		if (all || first || is_library(m.path))
			seen |= look_at(g, tgid, &m);
		first = false;
	}
	return seen;
}

void library_look_all(struct guard *g)
{
	u32 tgid = 0;

	while (!kernel_next_process(g->kernel, &tgid))
		library_look(g, tgid, false);
}

void library_forget_all(struct guard *g)
{
	map_free(&g->libraries);
}

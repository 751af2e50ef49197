#include "fleet/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "journal/segment.h"

#define SEGMENT_MAX (64ULL << 20)
#define BLOCK	    65536

/* Behind the last newline before `size`; 0: there is none. Or a negative errno. */
static off_t end_of_lines(int fd, off_t size)
{
	char block[BLOCK];

	while (size > 0) {
		off_t start = size > BLOCK ? size - BLOCK : 0;
		ssize_t n = pread(fd, block, (size_t)(size - start), start);
		const char *newline;

		if (n != size - start)
			return n < 0 ? -errno : -EIO;
		newline = memrchr(block, '\n', (size_t)n);
		if (newline)
			return start + (newline - block) + 1;
		size = start;
	}
	return 0;
}

/* Bytes that are left, or a negative errno. */
static off_t cut(int fd)
{
	struct stat st;
	off_t end;

	if (fstat(fd, &st) < 0)
		return -errno;
	end = end_of_lines(fd, st.st_size);
	if (end >= 0 && end < st.st_size && ftruncate(fd, end) < 0)
		return -errno;
	return end;
}

/* What a killed writer left of a line was not acknowledged, and comes again. As a line, where no
 * more than its newline is missing, it would be there twice. */
static int cut_newest(int dir_fd, bool *ret_empty)
{
	_cleanup_close_ int fd = -1;
	uint64_t newest, before = 0;
	off_t left;
	int r = segment_find_newest(dir_fd, &newest);

	if (!r)
		r = segment_find_before(dir_fd, newest, &before);
	if (r)
		return r;
	fd = openat(dir_fd, segment_name(newest).text, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	left = fd < 0 ? -errno : cut(fd);
	*ret_empty = !left && !before;
	return (int)MIN(left, 0);
}

static int mend(const char *dir, bool *ret_empty)
{
	_cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir_fd < 0 ? -errno : cut_newest(dir_fd, ret_empty);
}

/* Opened twice: the first time sees to it that nobody else writes what is cut. */
int spool_open(const char *dir, struct journal **ret, bool *ret_empty)
{
	const struct journal_options options = { .dir = dir, .segment_max = SEGMENT_MAX };
	struct journal *j = NULL;
	bool empty = false;
	int r = journal_open(&options, &j);

	if (r)
		return r;
	r = mend(dir, &empty);
	journal_close(j);
	j = NULL;
	if (!r)
		r = journal_open(&options, &j);
	if (r)
		return r;
	*ret = j;
	*ret_empty = empty;
	return 0;
}

/* The journal from its end. */
#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "journal/segment.h"

typedef bool (*line_fn)(void *data, const char *line, size_t len);

/* 1: go on with the segment before, 0: enough. */
static int read_text(const char *text, size_t len, uint64_t *left, line_fn fn, void *data)
{
	if (len && text[len - 1] == '\n')
		len--;
	while (len) {
		const char *newline = memrchr(text, '\n', len),
			   *line = newline ? newline + 1 : text;
		size_t line_len = text + len - line;

		if (line_len >= *left || !fn(data, line, line_len))
			return 0;
		*left -= line_len + 1;
		len = newline ? newline - text : 0;
	}
	return 1;
}

static int read_segment(int dir_fd, uint64_t index, uint64_t *left, line_fn fn, void *data)
{
	_cleanup_close_ int fd =
		openat(dir_fd, segment_name(index).text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	char *text;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!st.st_size)
		return 1;
	text = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return -errno;
	r = read_text(text, st.st_size, left, fn, data);
	munmap(text, st.st_size);
	return r;
}

int journal_read_back(const char *dir, uint64_t max, line_fn fn, void *data)
{
	_cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t index;
	int r;

	if (dir_fd < 0)
		return -errno;
	r = segment_find_newest(dir_fd, &index);
	while (!r && index) {
		r = read_segment(dir_fd, index, &max, fn, data);
		if (r <= 0)
			return r;
		r = segment_find_before(dir_fd, index, &index);
	}
	return r;
}

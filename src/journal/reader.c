/* A line is taken only whole and out of one read that began at its start: a writer whose disk is
 * full takes back what it wrote of a line, so half a line is never kept from one call to the next.
 */
#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "journal/segment.h"

#define FIRST_CAP 65536

struct journal_reader {
	int dir_fd, fd; /* fd: -1 before the first segment */
	uint64_t index, line;
	struct segment_name name;
	off_t offset; /* in the segment, of data[start] */
	char *data;
	size_t start, len, cap; /* data[start..len) is still to be told */
};

void journal_reader_close(struct journal_reader *r)
{
	if (!r)
		return;
	close_fd(&r->fd);
	close_fd(&r->dir_fd);
	free(r->data);
	free(r);
}

static int set_up(struct journal_reader *r, const char *dir)
{
	r->fd = -1;
	r->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dir_fd < 0)
		return -errno;
	r->data = malloc(FIRST_CAP);
	if (!r->data)
		return -ENOMEM;
	r->cap = FIRST_CAP;
	return 0;
}

int journal_reader_open(const char *dir, struct journal_reader **ret)
{
	_cleanup_(journal_reader_close_ptr) struct journal_reader *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	err = set_up(r, dir);
	if (err)
		return err;
	*ret = TAKE_PTR(r);
	return 0;
}

/* 1 where a line was in the buffer. */
static int take_line(struct journal_reader *r, const char **ret_line, size_t *ret_len)
{
	char *line = r->data + r->start;
	const char *end = memchr(line, '\n', r->len - r->start);

	if (!end)
		return 0;
	*ret_line = line;
	*ret_len = end - line;
	r->start += *ret_len + 1;
	r->offset += *ret_len + 1;
	r->line++;
	return 1;
}

static int fill(struct journal_reader *r)
{
	ssize_t n;

	do
		n = pread(r->fd, r->data, r->cap, r->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->start = 0;
	r->len = n;
	return 0;
}

static int grow(struct journal_reader *r)
{
	char *data = realloc(r->data, r->cap * 2);

	if (!data)
		return -ENOMEM;
	r->data = data;
	r->cap *= 2;
	return 0;
}

/* The next line of the segment in hand: 1, 0 at its end, or a negative errno. */
static int next_in_segment(struct journal_reader *r, const char **ret_line, size_t *ret_len)
{
	int err;

	if (take_line(r, ret_line, ret_len))
		return 1;
	for (;;) {
		err = fill(r);
		if (err)
			return err;
		if (take_line(r, ret_line, ret_len))
			return 1;
		if (r->len < r->cap)
			return 0;
		err = grow(r);
		if (err)
			return err;
	}
}

static int open_next(struct journal_reader *r, uint64_t index)
{
	struct segment_name name = segment_name(index);
	int fd = openat(r->dir_fd, name.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	close_fd(&r->fd);
	r->fd = fd;
	r->index = index;
	r->name = name;
	r->line = r->offset = 0;
	r->start = r->len = 0;
	return 0;
}

/* What is left of a segment that will not grow any more. */
static int take_rest(struct journal_reader *r, const char **ret_line, size_t *ret_len)
{
	if (r->start == r->len)
		return 0;
	*ret_line = r->data + r->start;
	*ret_len = r->len - r->start;
	r->offset += *ret_len;
	r->start = r->len;
	r->line++;
	return 1;
}

/* Once there is a newer segment, the one in hand is complete; but lines may have come to it since
 * its end was met, so it is read to the end once more before it is left. */
int journal_reader_next(struct journal_reader *r, const char **ret_line, size_t *ret_len)
{
	uint64_t next;
	int got = r->fd < 0 ? 0 : next_in_segment(r, ret_line, ret_len);

	while (!got) {
		got = segment_find_next(r->dir_fd, r->index, &next);
		if (got || !next)
			return got;
		if (r->fd >= 0)
			got = next_in_segment(r, ret_line, ret_len);
		if (!got)
			got = take_rest(r, ret_line, ret_len);
		if (got)
			return got;
		got = open_next(r, next);
		if (!got)
			got = next_in_segment(r, ret_line, ret_len);
	}
	return got;
}

int journal_reader_seek(struct journal_reader *r, uint64_t segment, uint64_t offset)
{
	int err = open_next(r, segment);

	if (!err)
		r->offset = (off_t)offset;
	return err;
}

void journal_reader_position(const struct journal_reader *r, uint64_t *ret_segment,
			     uint64_t *ret_offset)
{
	*ret_segment = r->index;
	*ret_offset = (uint64_t)r->offset;
}

void journal_reader_place(const struct journal_reader *r, const char **ret_segment,
			  uint64_t *ret_line)
{
	*ret_segment = r->name.text;
	*ret_line = r->line;
}

#include "journal/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct segment_name segment_name(uint64_t index)
{
	struct segment_name name;

	snprintf(name.text, sizeof(name.text), "journal-%016" PRIu64 ".jsonl", index);
	return name;
}

/* 0 where `text` is no segment's name. */
static uint64_t parse_index(const char *text)
{
	uint64_t index = 0;

	if (sscanf(text, "journal-%" SCNu64, &index) != 1)
		return 0;
	return strcmp(segment_name(index).text, text) ? 0 : index;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int segment_list(int dir_fd, void (*fn)(void *data, uint64_t index), void *data)
{
	_cleanup_close_ int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return -errno;
	fd = -1; /* the DIR owns it now */
	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		uint64_t index = parse_index(entry->d_name);

		if (index)
			fn(data, index);
	}
	return -errno;
}

struct search {
	uint64_t above, below, found;
	bool least;
};

static void take(void *data, uint64_t index)
{
	struct search *s = data;

	if (index > s->above && index < s->below && (!s->found || (index < s->found) == s->least))
		s->found = index;
}

/* The least or the greatest index between the two. */
static int find(int dir_fd, uint64_t above, uint64_t below, bool least, uint64_t *ret_index)
{
	struct search s = { .above = above, .below = below, .least = least };
	int r = segment_list(dir_fd, take, &s);

	if (!r)
		*ret_index = s.found;
	return r;
}

int segment_find_newest(int dir_fd, uint64_t *ret_index)
{
	return find(dir_fd, 0, UINT64_MAX, false, ret_index);
}

/* A listing that runs while segments are made may show one and not those made just before it. But
 * once it was seen, all before it were there: a listing that begins now shows the oldest. */
int segment_find_next(int dir_fd, uint64_t index, uint64_t *ret_index)
{
	uint64_t next;
	int r = find(dir_fd, index, UINT64_MAX, true, &next);

	if (!r && next > index + 1)
		r = find(dir_fd, index, UINT64_MAX, true, &next);
	if (!r)
		*ret_index = next;
	return r;
}

int segment_find_before(int dir_fd, uint64_t index, uint64_t *ret_index)
{
	return find(dir_fd, 0, index, false, ret_index);
}

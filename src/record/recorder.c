#include "record/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "journal/journal.h"
#include "journal/segment.h"
#include "record/store.h"

#define BATCH_LINES 8192 /* in a transaction */

struct recorder {
	char *dir, *path;
	int dir_fd;
	struct store *store;
	struct journal_reader *reader;
};

void recorder_close(struct recorder *r)
{
	if (!r)
		return;
	store_close(r->store);
	journal_reader_close(r->reader);
	close_fd(&r->dir_fd);
	free(r->dir);
	free(r->path);
	free(r);
}

/* ---- a database that is of no use */

/* With what SQLite keeps beside it. `to` NULL: it is removed. */
static int put_away(const char *path, const char *to)
{
	static const char *const parts[] = { "", "-wal", "-shm" };
	char old[PATH_MAX], new[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		int r;

		snprintf(old, sizeof(old), "%s%s", path, parts[i]);
		snprintf(new, sizeof(new), "%s%s%s", path, to ? to : "", parts[i]);
		r = to && !i ? rename(old, new) : unlink(old);
		if (r < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int begin_anew(struct recorder *r, const char *why, const char *to)
{
	int err;

	store_close(r->store);
	r->store = NULL;
	log_warning("the database %s %s: it is built anew from the journal%s%s", r->path, why,
		    to ? ", and kept as " : "", to ? to : "");
	err = put_away(r->path, to);
	return err ? err : store_open(r->path, &r->store);
}

static int open_store(struct recorder *r)
{
	int err = store_open(r->path, &r->store);

	if (err == -EUCLEAN)
		return begin_anew(r, "is damaged", ".bad");
	if (err == -EPROTO)
		return begin_anew(r, "was made by a newer release", ".bad");
	return err;
}

/* ---- where to go on */

static int open_reader(struct recorder *r, uint64_t segment, uint64_t offset)
{
	struct journal_reader *reader = NULL;
	int err = journal_reader_open(r->dir, &reader);

	if (!err && segment)
		err = journal_reader_seek(reader, segment, offset);
	if (err) {
		journal_reader_close(reader);
		return err;
	}
	journal_reader_close(r->reader);
	r->reader = reader;
	return 0;
}

static bool says(int fd, const struct store_place *at, int64_t time_ms)
{
	_cleanup_free_ char *line = at->length < 64 << 20 ? malloc(at->length + 1) : NULL;
	struct event e;

	return line && pread(fd, line, at->length, (off_t)at->offset) == (ssize_t)at->length &&
	       event_read(line, at->length, &e) && e.time_ms == time_ms;
}

/* Whether the journal is the one that the database was made of: 1, 0, -ENOENT where the segment is
 * gone, or another negative errno. */
static int is_same(struct recorder *r)
{
	_cleanup_close_ int fd = -1;
	struct store_cursor c = store_cursor(r->store);
	struct store_place at;
	int64_t time_ms;
	struct stat st;
	int err = store_last(r->store, &at, &time_ms);

	if (err)
		return err == -ENOENT ? 1 : err;
	fd = openat(r->dir_fd, segment_name(c.segment).text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size < c.offset)
		return 0;
	return at.segment != c.segment || says(fd, &at, time_ms);
}

/* Retention took segments before they were read, or the whole journal is gone. */
static int go_on_later(struct recorder *r)
{
	uint64_t next, segment = store_cursor(r->store).segment;
	int err = segment_find_next(r->dir_fd, segment, &next);

	if (err)
		return err;
	if (!next) {
		err = begin_anew(r, "is of another journal", NULL);
		return err ? err : open_reader(r, 0, 0);
	}
	log_warning("the journal has no segment %s any more: what stood there behind what was "
		    "read is not in the database",
		    segment_name(segment).text);
	return open_reader(r, next, 0);
}

static int find_place(struct recorder *r)
{
	struct store_cursor c = store_cursor(r->store);
	int same = c.segment ? is_same(r) : 1;

	if (same == -ENOENT)
		return go_on_later(r);
	if (same < 0)
		return same;
	if (same)
		return open_reader(r, c.segment, c.offset);
	same = begin_anew(r, "is of another journal", NULL);
	return same ? same : open_reader(r, 0, 0);
}

static int set_up(struct recorder *r, const char *journal_dir, const char *path)
{
	int err;

	r->dir_fd = open(journal_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dir_fd < 0)
		return -errno;
	r->dir = strdup(journal_dir);
	r->path = strdup(path);
	err = r->dir && r->path ? open_store(r) : -ENOMEM;
	return err ? err : find_place(r);
}

int recorder_open(const char *journal_dir, const char *path, struct recorder **ret)
{
	_cleanup_(recorder_close_ptr) struct recorder *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	err = set_up(r, journal_dir, path);
	if (err)
		return err;
	*ret = TAKE_PTR(r);
	return 0;
}

/* ---- on and on */

static int take_line(struct recorder *r, const char *line, size_t len)
{
	struct store_place at = { .length = len };
	struct event e;

	if (!event_read(line, len, &e)) {
		store_skip(r->store);
		return 0;
	}
	journal_reader_position(r->reader, &at.segment, &at.offset);
	at.offset -= len + 1;
	return store_put(r->store, &e, &at);
}

static int take_batch(struct recorder *r)
{
	uint64_t segment, offset;
	const char *line;
	size_t len;
	int got = 0, n = 0;

	while (n < BATCH_LINES && (got = journal_reader_next(r->reader, &line, &len)) > 0) {
		n++;
		got = take_line(r, line, len);
		if (got)
			break;
	}
	if (!got && n) {
		journal_reader_position(r->reader, &segment, &offset);
		got = store_commit(r->store, segment, offset);
	}
	return got < 0 ? got : n;
}

int recorder_step(struct recorder *r)
{
	int n = take_batch(r);

	if (n != -EUCLEAN)
		return n;
	n = begin_anew(r, "is damaged", ".bad");
	if (!n)
		n = open_reader(r, 0, 0);
	return n ? n : take_batch(r);
}

struct recorder_counts recorder_counts(const struct recorder *r)
{
	struct store_cursor c = store_cursor(r->store);

	return (struct recorder_counts) { c.lines, c.skipped, c.segment, c.offset };
}

struct sqlite3 *recorder_database(struct recorder *r)
{
	return store_database(r->store);
}

struct hosts *recorder_hosts(struct recorder *r)
{
	return store_hosts(r->store);
}

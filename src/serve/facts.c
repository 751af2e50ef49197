#include "serve/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "journal/journal.h"
#include "journal/segment.h"
#include "record/schema.h"

struct reader {
	struct facts *facts;
	int dir_fd;
};

/* Bytes of a segment that lie behind a cursor; segment 0 is before all. */
static uint64_t behind(uint64_t segment, uint64_t offset, uint64_t index, uint64_t size)
{
	if (segment > index)
		return 0;
	return segment == index ? size - MIN(size, offset) : size;
}

static void add_segment(void *data, uint64_t index)
{
	struct reader *r = data;
	struct facts *f = r->facts;
	struct stat st;

	if (fstatat(r->dir_fd, segment_name(index).text, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return; /* retention took it */
	f->journal_bytes += st.st_size;
	f->journal_segments++;
	f->recorder_behind += behind(f->recorder.segment, f->recorder.offset, index, st.st_size);
	for (size_t i = 0; i < f->exporter_count; i++)
		f->exporters_behind[i] +=
			behind(f->exporters[i].segment, f->exporters[i].offset, index, st.st_size);
}

static int read_journal(struct facts *f, const char *dir)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct reader r = { .facts = f, .dir_fd = fd };

	return fd < 0 ? -errno : segment_list(fd, add_segment, &r);
}

/* When the event was that is next to come into the database; -ENOENT: there is none yet. */
static int next_time(const struct facts *f, const char *dir, int64_t *ret_ms)
{
	_cleanup_(journal_reader_close_ptr) struct journal_reader *reader = NULL;
	int r = journal_reader_open(dir, &reader);
	struct event e;
	const char *line;
	size_t len;

	if (!r && f->recorder.segment)
		r = journal_reader_seek(reader, f->recorder.segment, f->recorder.offset);
	while (!r && (r = journal_reader_next(reader, &line, &len)) > 0)
		r = event_read(line, len, &e) && e.time_ms > 0;
	if (r > 0)
		*ret_ms = e.time_ms;
	return r > 0 ? 0 : r ? r : -ENOENT;
}

static void read_age(struct facts *f, const char *dir)
{
	struct timespec now;
	int64_t then;

	if (!f->recorder_behind || next_time(f, dir, &then))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	f->recorder_behind_ms = MAX(now.tv_sec * 1000LL + now.tv_nsec / 1000000 - then, 0);
}

static int read_counts(struct facts *f, sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	int r = sqlite3_prepare_v2(db, "SELECT kind, events FROM counts", -1, &s, NULL);

	while (r == SQLITE_OK && (r = sqlite3_step(s)) == SQLITE_ROW) {
		int64_t kind = sqlite3_column_int64(s, 0);

		if (kind > EVENT_NONE && kind < EVENT_KINDS)
			f->events[kind] = sqlite3_column_int64(s, 1);
		r = SQLITE_OK;
	}
	sqlite3_finalize(s);
	return schema_errno(r);
}

static int read_database(struct facts *f, const char *path)
{
	_cleanup_(schema_close_ptr) sqlite3 *db = NULL;
	int r = schema_open_read(path, &db);

	return r ? r : read_counts(f, db);
}

void facts_read(struct facts *f, const char *journal_dir, const char *database)
{
	f->journal_known = !read_journal(f, journal_dir);
	read_age(f, journal_dir);
	f->database_known = !read_database(f, database);
}

#include "record/query.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "journal/segment.h"
#include "record/recorder.h"
#include "record/schema.h"

#define LINE_MAX_BYTES (64ULL << 20)
#define GONE_MAX       100000 /* from the newest on, as nothing older can be there */

struct query {
	int dir_fd, fd;	  /* fd: of `segment` */
	uint64_t segment; /* 0: none is open */
	sqlite3 *db;
	struct recorder *recorder; /* owns db; NULL: db is a file's, and ours */
	uint64_t at_segment, at_offset;
	uint64_t oldest; /* segment that is there */
	struct {
		uint64_t count;
		int64_t first, last; /* events, in the order of the rows */
		bool more;
	} gone;
	char *line;
	size_t cap;
};

void query_close(struct query *q)
{
	if (!q)
		return;
	if (q->recorder)
		recorder_close(q->recorder);
	else
		sqlite3_close(q->db);
	close_fd(&q->fd);
	close_fd(&q->dir_fd);
	free(q->line);
	free(q);
}

static int build_database(struct query *q, const char *dir)
{
	int n = recorder_open(dir, ":memory:", &q->recorder);

	if (n)
		return n;
	while ((n = recorder_step(q->recorder)) > 0)
		;
	q->db = recorder_database(q->recorder);
	return n;
}

static int read_position(struct query *q)
{
	_cleanup_statement_ sqlite3_stmt *row = NULL;
	int r = query_prepare(q, "SELECT segment, offset FROM cursor", NULL, 0, &row);

	if (!r)
		r = query_step(row);
	if (r <= 0)
		return r ? r : -EUCLEAN;
	q->at_segment = (uint64_t)sqlite3_column_int64(row, 0);
	q->at_offset = (uint64_t)sqlite3_column_int64(row, 1);
	return 0;
}

static int set_up(struct query *q, const char *journal_dir, const char *database, bool build)
{
	int r;

	q->fd = -1;
	q->dir_fd = open(journal_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (q->dir_fd < 0)
		return -errno;
	r = schema_open_read(database, &q->db);
	if (r && build)
		r = build_database(q, journal_dir);
	if (!r)
		r = segment_find_next(q->dir_fd, 0, &q->oldest);
	return r ? r : read_position(q);
}

int query_open(const char *journal_dir, const char *database, bool build, struct query **ret)
{
	_cleanup_(query_close_ptr) struct query *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	r = set_up(q, journal_dir, database, build);
	if (r)
		return r;
	*ret = TAKE_PTR(q);
	return 0;
}

sqlite3 *query_database(struct query *q)
{
	return q->db;
}

bool query_is_in_memory(const struct query *q)
{
	return q->recorder;
}

void query_position(const struct query *q, uint64_t *ret_segment, uint64_t *ret_offset)
{
	*ret_segment = q->at_segment;
	*ret_offset = q->at_offset;
}

int query_behind(const struct query *q, uint64_t *ret)
{
	uint64_t index = q->at_segment, sum = 0;
	struct stat st;
	int r = index ? 0 : segment_find_next(q->dir_fd, 0, &index);

	while (!r && index) {
		if (!fstatat(q->dir_fd, segment_name(index).text, &st, AT_SYMLINK_NOFOLLOW))
			sum += (uint64_t)st.st_size - (index == q->at_segment ? q->at_offset : 0);
		r = segment_find_next(q->dir_fd, index, &index);
	}
	if (!r)
		*ret = sum;
	return r;
}

int query_prepare(struct query *q, const char *sql, const char *const *texts, size_t count,
		  sqlite3_stmt **ret)
{
	sqlite3_stmt *s = NULL;
	int r = sqlite3_prepare_v2(q->db, sql, -1, &s, NULL);

	for (size_t i = 0; r == SQLITE_OK && i < count; i++)
		r = sqlite3_bind_text(s, (int)i + 1, texts[i], -1, SQLITE_TRANSIENT);
	if (r != SQLITE_OK) {
		sqlite3_finalize(s);
		return schema_errno(r);
	}
	*ret = s;
	return 0;
}

int query_step(sqlite3_stmt *s)
{
	int r = sqlite3_step(s);

	return r == SQLITE_ROW ? 1 : schema_errno(r);
}

/* ---- lines */

static int open_segment(struct query *q, uint64_t segment)
{
	int fd;

	if (segment == q->segment)
		return 0;
	fd = openat(q->dir_fd, segment_name(segment).text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	close_fd(&q->fd);
	q->fd = fd;
	q->segment = segment;
	return 0;
}

static int reserve(struct query *q, uint64_t length)
{
	char *line;

	if (length < q->cap)
		return 0;
	if (length > LINE_MAX_BYTES)
		return -EFBIG;
	line = realloc(q->line, length + 1);
	if (!line)
		return -ENOMEM;
	q->line = line;
	q->cap = length + 1;
	return 0;
}

int query_line(struct query *q, uint64_t segment, uint64_t offset, uint64_t length,
	       const char **ret_line)
{
	int r = open_segment(q, segment);
	ssize_t n;

	if (!r)
		r = reserve(q, length);
	if (r)
		return r;
	n = pread(q->fd, q->line, length, (off_t)offset);
	if (n < 0)
		return -errno;
	if ((uint64_t)n < length)
		return -ENOENT;
	q->line[length] = '\0';
	*ret_line = q->line;
	return 0;
}

/* True: all that follow are gone, too. */
static bool pass_over(struct query *q, int64_t event)
{
	bool back = q->gone.count && event < q->gone.last;

	if (!q->gone.count++)
		q->gone.first = event;
	q->gone.last = event;
	q->gone.more |= back && q->gone.count >= GONE_MAX;
	return q->gone.more;
}

int query_lines(struct query *q, sqlite3_stmt *rows, query_line_fn fn, void *data)
{
	int r;

	while ((r = query_step(rows)) > 0) {
		uint64_t segment = (uint64_t)sqlite3_column_int64(rows, 0),
			 length = (uint64_t)sqlite3_column_int64(rows, 2);
		const char *line;

		r = segment < q->oldest
			    ? -ENOENT
			    : query_line(q, segment, (uint64_t)sqlite3_column_int64(rows, 1),
					 length, &line);
		if (r == -ENOENT && pass_over(q, sqlite3_column_int64(rows, 3)))
			return 0;
		if (r == -ENOENT)
			continue;
		r = r ? r : fn(data, line, length);
		if (r)
			return r;
	}
	return r;
}

int query_gone(struct query *q, struct query_gone *ret)
{
	_cleanup_statement_ sqlite3_stmt *row = NULL;
	char sql[128];
	int r;

	snprintf(sql, sizeof(sql),
		 "SELECT min(time_ms), max(time_ms) FROM events WHERE id IN (%lld, %lld)",
		 (long long)q->gone.first, (long long)q->gone.last);
	r = query_prepare(q, sql, NULL, 0, &row);
	if (!r)
		r = query_step(row);
	if (r <= 0)
		return r ? r : -EUCLEAN;
	*ret = (struct query_gone) { q->gone.count, q->gone.more, sqlite3_column_int64(row, 0),
				     sqlite3_column_int64(row, 1) };
	return 0;
}

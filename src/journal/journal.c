#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <time.h>

#include "base/io.h"
#include "journal/linker.h"
#include "journal/segment.h"
#include "journal/syncer.h"

#define LOCK_NAME    "lock"
#define DIR_MODE     0750
#define SEGMENT_MODE 0640
#define WAITING_MAX  (256 * 1024) /* bytes; more are not kept waiting */
#define AGE_MAX	     (24 * 3600)  /* seconds */

struct journal {
	struct journal_options options; /* its dir is not kept */
	int dir_fd, lock_fd, fd;
	uint64_t index, size; /* of the segment in hand */
	bool torn;	      /* the segment does not end with a newline */
	uint64_t torn_bytes;  /* that a failed write left behind its last line */
	bool dirty, dir_dirty;
	uint64_t unreported; /* lines lost that no line states yet */
	struct journal_counts counts;
	struct strbuf text;    /* lines that wait to be written, each with its newline */
	uint64_t stating;      /* losses that the first of them states; 0: it does not */
	struct syncer *syncer; /* NULL until it is needed */
	struct linker *linker; /* NULL: no chain */
	bool begun;	       /* the segment has its first line, and can be gone on with */
	time_t begun_at;
};

static int write_checkpoint(struct journal *j, const char *message);

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (!journal_flush(j) && j->begun && linker_is_open(j->linker))
		(void)write_checkpoint(j, "the journal was closed");
	(void)journal_sync(j);
	syncer_free(j->syncer);
	linker_free(j->linker);
	close_fd(&j->fd);
	close_fd(&j->dir_fd);
	close_fd(&j->lock_fd);
	strbuf_free(&j->text);
	free(j);
}

static int open_dir(struct journal *j, const char *dir)
{
	int err = io_mkdir_p(dir, DIR_MODE);

	if (err)
		return err;
	j->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return j->dir_fd < 0 ? -errno : 0;
}

/* Who could read it could keep it, and us from our journal: an older version let readers. */
static int lock(struct journal *j)
{
	j->lock_fd = openat(j->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (j->lock_fd < 0 || fchmod(j->lock_fd, 0600) < 0)
		return -errno;
	if (flock(j->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

static int create_segment(struct journal *j, uint64_t index)
{
	_cleanup_close_ int fd = openat(
		j->dir_fd, segment_name(index).text,
		O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, SEGMENT_MODE);

	if (fd < 0 || fchmod(fd, SEGMENT_MODE) < 0)
		return -errno;
	close_fd(&j->fd);
	j->fd = TAKE_FD(fd);
	j->index = index;
	j->size = j->torn_bytes = 0;
	j->torn = false;
	j->dir_dirty = true;
	return 0;
}

static int ends_torn(int fd, uint64_t size)
{
	char last;
	ssize_t n;

	if (!size)
		return 0;
	n = pread(fd, &last, 1, size - 1);
	if (n < 0)
		return -errno;
	return n == 1 && last != '\n';
}

static int open_segment(struct journal *j, uint64_t index)
{
	struct stat st;
	int torn;

	j->fd = openat(j->dir_fd, segment_name(index).text,
		       O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (j->fd < 0 || fstat(j->fd, &st) < 0)
		return -errno;
	torn = ends_torn(j->fd, st.st_size);
	if (torn < 0)
		return torn;
	j->index = index;
	j->size = st.st_size;
	j->torn = torn;
	return 0;
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec;
}

static int open_newest(struct journal *j)
{
	uint64_t newest;
	int err = segment_find_newest(j->dir_fd, &newest);

	if (err)
		return err;
	return newest ? open_segment(j, newest) : create_segment(j, 1);
}

int journal_open(const struct journal_options *o, struct journal **ret)
{
	_cleanup_(journal_close_ptr) struct journal *j = calloc(1, sizeof(*j));
	int err;

	if (!j)
		return -ENOMEM;
	j->options = *o;
	j->options.dir = j->options.keys = NULL;
	j->lock_fd = j->fd = j->dir_fd = -1;
	err = open_dir(j, o->dir);
	if (!err)
		err = lock(j);
	if (!err)
		err = open_newest(j);
	if (!err && o->keys)
		err = linker_open(o->dir, j->dir_fd, o->keys, &j->linker, &j->begun);
	if (err)
		return err;
	j->begun_at = now();
	*ret = TAKE_PTR(j);
	return 0;
}

/* How many bytes of the lines that begin at `text` go into the segment in hand: 0 where it is full.
 * With a chain journal_append() sees to that. */
static size_t fitting(const struct journal *j, const char *text, size_t len)
{
	uint64_t room = j->options.segment_max > j->size ? j->options.segment_max - j->size : 0;
	const char *end;

	if (len <= room || j->linker)
		return len;
	end = memrchr(text, '\n', room);
	if (end)
		return end + 1 - text;
	end = memchr(text, '\n', len);
	return j->size ? 0 : (size_t)(end + 1 - text);
}

/* Takes back what a failed write left of a line, and returns how much it wrote of whole ones; where
 * even that fails, the rest is ended as a torn line. */
static size_t take_back(struct journal *j, const char *text, size_t len)
{
	size_t whole = 0, wrote;
	const char *end;
	struct stat st;

	if (fstat(j->fd, &st) < 0 || (uint64_t)st.st_size <= j->size)
		return 0;
	wrote = MIN(len, st.st_size - j->size);
	end = memrchr(text, '\n', wrote);
	if (end)
		whole = end + 1 - text;
	if (ftruncate(j->fd, j->size + whole) < 0) {
		j->torn = true;
		j->torn_bytes = wrote - whole;
		j->size = st.st_size - whole;
	}
	return whole;
}

static size_t count_lines(const char *text, size_t len)
{
	size_t count = 0;

	for (const char *end = text + len; (text = memchr(text, '\n', end - text)); text++)
		count++;
	return count;
}

/* Writes lines that the segment in hand has room for; `ret` is how many bytes of whole lines. */
static int write_lines(struct journal *j, const char *text, size_t len, size_t *ret)
{
	int err = j->torn ? io_write_all(j->fd, "\n", 1) : 0;

	if (err)
		return err;
	j->size += j->torn;
	j->torn = false;
	err = io_write_all(j->fd, text, len);
	*ret = err ? take_back(j, text, len) : len;
	j->size += *ret;
	j->counts.written += count_lines(text, *ret);
	j->dirty |= *ret > 0;
	return err;
}

static int sync_written(struct journal *j)
{
	if (j->dirty && fdatasync(j->fd) < 0)
		return -errno;
	j->dirty = false;
	if (j->dir_dirty && fsync(j->dir_fd) < 0)
		return -errno;
	j->dir_dirty = false;
	if (j->linker)
		linker_syncing(j->linker, true);
	return 0;
}

static int write_some(struct journal *j, const char *text, size_t len, size_t *ret)
{
	size_t fit = fitting(j, text, len);
	int err;

	if (!fit) {
		err = sync_written(j);
		if (!err)
			err = create_segment(j, j->index + 1);
		if (err)
			return err;
		fit = fitting(j, text, len);
	}
	return write_lines(j, text, fit, ret);
}

static void lose_line(struct journal *j, const char *line, size_t len)
{
	j->counts.lost++;
	j->unreported++;
	if (j->options.on_lost)
		j->options.on_lost(j->options.data, line, len);
}

/* What could not be written. The line that states earlier losses is none: it will be made anew. */
static void lose_lines(struct journal *j, const char *text, size_t len, bool stating)
{
	const char *end = text + len, *newline;

	for (; (newline = memchr(text, '\n', end - text)); text = newline + 1) {
		if (!stating)
			lose_line(j, text, newline - text);
		stating = false;
	}
}

/* Of `text` so many bytes of whole lines were written. */
static void note_written(struct journal *j, const char *text, size_t done, int err)
{
	if (j->linker && err)
		linker_back(j->linker, text, done, j->index, j->size - j->torn_bytes,
			    j->torn_bytes);
	else if (j->linker)
		linker_written(j->linker, j->index, j->size);
}

int journal_flush(struct journal *j)
{
	const char *text = strbuf_str(&j->text);
	size_t done = 0, some;
	int err = 0;

	while (!err && done < j->text.len) {
		some = 0;
		err = write_some(j, text + done, j->text.len - done, &some);
		done += some;
	}
	if (err) {
		if (!done)
			j->unreported += j->stating;
		lose_lines(j, text + done, j->text.len - done, !done && j->stating);
	}
	note_written(j, text, done, err);
	if (j->text.len)
		j->counts.last_error = err;
	j->stating = 0;
	strbuf_reset(&j->text);
	return err;
}

/* ---- lines of the chain's own, which are not counted where they cannot be written */

typedef int (*put_fn)(struct journal *j, const struct strbuf *line, struct strbuf *out);

static int write_own(struct journal *j, const char *message, put_fn put)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT, text = STRBUF_INIT;
	size_t done = 0;
	int err;

	j->options.describe_checkpoint(j->options.data, message, &line);
	err = strbuf_error(&line) ?: put(j, &line, &text);
	if (err)
		return err;
	err = write_lines(j, text.data, text.len, &done);
	note_written(j, text.data, done, err);
	return err;
}

static int put_checkpoint(struct journal *j, const struct strbuf *line, struct strbuf *out)
{
	return linker_put_checkpoint(j->linker, line->data, line->len, j->index, out);
}

static int put_opening(struct journal *j, const struct strbuf *line, struct strbuf *out)
{
	uint64_t oldest;
	int err = segment_find_next(j->dir_fd, 0, &oldest);

	return err ? err
		   : linker_put_opening(j->linker, line->data, line->len, j->index, oldest, out);
}

/* All that waited is written. */
static int write_checkpoint(struct journal *j, const char *message)
{
	return write_own(j, message, put_checkpoint);
}

static int end_segment(struct journal *j)
{
	int err = j->begun && !j->torn ? write_checkpoint(j, "the segment ends") : 0;

	return err ? err : sync_written(j);
}

/* The oldest segments make room for the one in hand. */
static int retain(struct journal *j)
{
	uint64_t index = j->index, sum = j->options.segment_max;
	struct stat st;
	int err = 0;

	while (j->options.keep_max && !err) {
		err = segment_find_before(j->dir_fd, index, &index);
		if (err || !index)
			break;
		if (fstatat(j->dir_fd, segment_name(index).text, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		sum += (uint64_t)st.st_size;
		if (sum > j->options.keep_max)
			err = unlinkat(j->dir_fd, segment_name(index).text, 0) < 0 ? -errno : 0;
	}
	return err;
}

static int begin_segment(struct journal *j)
{
	int err = journal_flush(j);

	if (!err && j->size)
		err = end_segment(j);
	if (!err && j->size) {
		err = create_segment(j, j->index + 1);
		j->begun = err != 0 && j->begun;
	}
	if (!err)
		err = retain(j);
	if (!err)
		err = write_own(j, "a segment begins", put_opening);
	if (err)
		return err;
	j->begun = true;
	j->begun_at = now();
	return 0;
}

static int sign(struct journal *j)
{
	int err = journal_flush(j);

	if (!err)
		err = write_checkpoint(j, "checkpoint");
	return err ? err : journal_sync_later(j);
}

void journal_set_limits(struct journal *j, uint64_t segment_max, uint64_t keep_max,
			unsigned int age_max)
{
	j->options.segment_max = segment_max;
	j->options.keep_max = keep_max;
	j->options.age_max = age_max;
}

/* For a line of so many bytes. */
static int make_room(struct journal *j, size_t len)
{
	uint64_t need = j->size + j->text.len + len + LINKER_LINE_MAX;

	if (!j->begun || j->torn || need > j->options.segment_max ||
	    now() - j->begun_at >= (time_t)(j->options.age_max ?: AGE_MAX))
		return begin_segment(j);
	return linker_is_due(j->linker) ? sign(j) : 0;
}

/* ---- lines of others */

static int add_line(struct journal *j, const char *line, size_t len)
{
	if (j->linker)
		return linker_put(j->linker, line, len, &j->text);
	strbuf_add(&j->text, line, len);
	strbuf_addc(&j->text, '\n');
	return strbuf_error(&j->text);
}

static void state_losses(struct journal *j)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;

	if (!j->unreported || j->text.len || !j->options.describe_loss)
		return;
	j->options.describe_loss(j->options.data, j->unreported, j->counts.last_error, &line);
	if (strbuf_error(&line) || add_line(j, strbuf_str(&line), line.len)) {
		strbuf_reset(&j->text);
		return;
	}
	j->stating = j->unreported;
	j->unreported = 0;
}

/* Memory that could not be had takes only this line. */
int journal_append(struct journal *j, const char *line, size_t len)
{
	int err = j->linker ? make_room(j, len) : 0;
	size_t before;

	if (err) {
		lose_line(j, line, len);
		return j->counts.last_error = err;
	}
	state_losses(j);
	before = j->text.len;
	err = add_line(j, line, len);
	if (err) {
		strbuf_truncate(&j->text, before);
		j->text.failed = false;
		lose_line(j, line, len);
		return j->counts.last_error = err;
	}
	return j->text.len < WAITING_MAX ? 0 : journal_flush(j);
}

int journal_sync(struct journal *j)
{
	int err = journal_flush(j);

	if (err)
		return err;
	err = sync_written(j);
	if (err)
		j->counts.last_error = err;
	return err;
}

/* What was asked for before, and whether it was done. */
static int end_asked(struct journal *j)
{
	int err = syncer_error(j->syncer);

	if (!err && j->linker && syncer_is_idle(j->syncer))
		linker_synced(j->linker);
	return err;
}

static int hand_over(struct journal *j)
{
	int err = j->syncer ? 0 : syncer_new(&j->syncer), before;

	if (err)
		return sync_written(j);
	before = end_asked(j);
	if (j->dirty)
		err = syncer_add(j->syncer, j->fd);
	if (!err && j->dir_dirty)
		err = syncer_add(j->syncer, j->dir_fd);
	if (err)
		return sync_written(j);
	j->dirty = j->dir_dirty = false;
	if (j->linker)
		linker_syncing(j->linker, false);
	return before;
}

int journal_sync_later(struct journal *j)
{
	int err = journal_flush(j);

	if (err)
		return err;
	err = hand_over(j);
	if (err)
		j->counts.last_error = err;
	return err;
}

int journal_sync_fd(const struct journal *j)
{
	return j->syncer ? syncer_wait_fd(j->syncer) : -1;
}

struct journal_counts journal_get_counts(const struct journal *j)
{
	return j->counts;
}

#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/io.h"
#include "journal/segment.h"

#define LOCK_NAME    "lock"
#define DIR_MODE     0750
#define SEGMENT_MODE 0640

struct journal {
	struct journal_options options; /* its dir is not kept */
	int dir_fd, lock_fd, fd;
	uint64_t index, size; /* of the segment in hand */
	bool torn;	      /* the segment does not end with a newline */
	bool dirty, dir_dirty;
	uint64_t unreported; /* lines lost that no line states yet */
	struct journal_counts counts;
	struct strbuf text; /* what is being written */
};

void journal_close(struct journal *j)
{
	if (!j)
		return;
	(void)journal_sync(j);
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

static int lock(struct journal *j)
{
	j->lock_fd = openat(j->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
			    SEGMENT_MODE);
	if (j->lock_fd < 0)
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
	j->size = 0;
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
	j->options.dir = NULL;
	j->lock_fd = j->fd = j->dir_fd = -1;
	err = open_dir(j, o->dir);
	if (!err)
		err = lock(j);
	if (!err)
		err = open_newest(j);
	if (err)
		return err;
	*ret = TAKE_PTR(j);
	return 0;
}

static int rotate_if_full(struct journal *j, size_t more)
{
	int err;

	if (!j->size || j->size + more <= j->options.segment_max)
		return 0;
	err = journal_sync(j);
	return err ? err : create_segment(j, j->index + 1);
}

/* Takes back what a failed write left; where even that fails, the rest is ended as a torn line. */
static void take_back(struct journal *j)
{
	struct stat st;

	if (ftruncate(j->fd, j->size) == 0)
		return;
	if (fstat(j->fd, &st) == 0 && (uint64_t)st.st_size > j->size) {
		j->size = st.st_size;
		j->torn = true;
	}
}

static int write_line(struct journal *j, const char *line, size_t len)
{
	int err = rotate_if_full(j, len + 1);

	if (err)
		return err;
	strbuf_reset(&j->text);
	if (j->torn)
		strbuf_addc(&j->text, '\n');
	strbuf_add(&j->text, line, len);
	strbuf_addc(&j->text, '\n');
	err = strbuf_error(&j->text);
	if (err)
		return err;
	err = io_write_all(j->fd, j->text.data, j->text.len);
	if (err) {
		take_back(j);
		return err;
	}
	j->size += j->text.len;
	j->torn = false;
	j->dirty = true;
	j->counts.written++;
	return 0;
}

static int state_losses(struct journal *j)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	int err;

	if (!j->unreported || !j->options.describe_loss)
		return 0;
	j->options.describe_loss(j->options.data, j->unreported, j->counts.last_error, &line);
	err = strbuf_error(&line);
	if (!err)
		err = write_line(j, strbuf_str(&line), line.len);
	if (!err)
		j->unreported = 0;
	return err;
}

int journal_append(struct journal *j, const char *line, size_t len)
{
	int err = state_losses(j);

	if (!err)
		err = write_line(j, line, len);
	if (err) {
		j->counts.lost++;
		j->unreported++;
	}
	j->counts.last_error = err;
	return err;
}

int journal_sync(struct journal *j)
{
	if (j->dirty && fdatasync(j->fd) < 0)
		return j->counts.last_error = -errno;
	j->dirty = false;
	if (j->dir_dirty && fsync(j->dir_fd) < 0)
		return j->counts.last_error = -errno;
	j->dir_dirty = false;
	return 0;
}

struct journal_counts journal_get_counts(const struct journal *j)
{
	return j->counts;
}

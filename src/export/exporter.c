#include "export/exporter.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "export/cursor.h"
#include "export/sink.h"
#include "journal/journal.h"
#include "journal/segment.h"

#define BATCH_BYTES (256 * 1024)
#define SCAN_BYTES  (4 * 1024 * 1024) /* looked at in one step */
#define DELAY_FIRST 1000	      /* milliseconds */
#define DELAY_MAX   60000

struct exporter {
	char *path; /* of the cursor */
	struct sink *sink;
	struct journal_reader *reader;
	char *dir;
	struct cursor kept; /* as the file has it */
	struct cursor mark; /* at marked_ms the sink was sent all before it */
	uint64_t marked_ms;
	struct cursor next;  /* behind the batch */
	struct strbuf batch; /* lines that the sink does not have yet */
	int lines;	     /* in the batch */
	uint64_t given;	     /* lines, since it was made */
};

void exporter_free(struct exporter *e)
{
	if (!e)
		return;
	sink_free(e->sink);
	journal_reader_close(e->reader);
	strbuf_free(&e->batch);
	free(e->path);
	free(e->dir);
	free(e);
}

/* Retention may have taken the segment: what is left comes. */
static int seek(struct exporter *e, const struct cursor *c)
{
	_cleanup_close_ int dir_fd = -1;
	uint64_t next = 0;
	int r = c->segment ? journal_reader_seek(e->reader, c->segment, c->offset) : 0;

	if (r != -ENOENT)
		return r;
	dir_fd = open(e->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	r = segment_find_next(dir_fd, c->segment, &next);
	if (r)
		return r;
	log_warning("the journal has no segment %s any more: what stood there behind what was "
		    "handed over is not exported",
		    segment_name(c->segment).text);
	return next ? journal_reader_seek(e->reader, next, 0) : 0;
}

static void close_reader(struct exporter *e)
{
	journal_reader_close(e->reader);
	e->reader = NULL;
}

static int go_to_kept(struct exporter *e)
{
	int r;

	strbuf_reset(&e->batch);
	e->lines = 0;
	e->next = e->mark = e->kept;
	close_reader(e);
	r = journal_reader_open(e->dir, &e->reader) ?: seek(e, &e->kept);
	if (r)
		close_reader(e);
	return r;
}

static int set_up(struct exporter *e, const char *spec)
{
	int r = sink_new(spec, &e->sink);

	if (!r)
		r = e->path && e->dir ? cursor_read(e->path, &e->kept) : -ENOMEM;
	return r ? r : go_to_kept(e);
}

int exporter_new(const char *journal_dir, const char *spec, const char *cursor,
		 struct exporter **ret)
{
	_cleanup_(exporter_free_ptr) struct exporter *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->path = strdup(cursor);
	e->dir = strdup(journal_dir);
	r = set_up(e, spec);
	if (r)
		return r;
	*ret = TAKE_PTR(e);
	return 0;
}

static void add(struct exporter *e, const char *line, size_t len)
{
	strbuf_add(&e->batch, line, len);
	strbuf_addc(&e->batch, '\n');
	e->lines++;
}

/* How many lines it went past, or a negative errno. */
static int fill(struct exporter *e)
{
	const char *line;
	size_t len, seen = 0;
	int got = 0, count = 0;

	while (e->batch.len < BATCH_BYTES && seen < SCAN_BYTES &&
	       (got = journal_reader_next(e->reader, &line, &len)) > 0) {
		if (sink_wants(e->sink, line, len))
			add(e, line, len);
		if (strbuf_error(&e->batch))
			return strbuf_error(&e->batch);
		seen += len;
		count++;
		journal_reader_position(e->reader, &e->next.segment, &e->next.offset);
	}
	return got < 0 ? got : count;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool is_same(const struct cursor *a, const struct cursor *b)
{
	return a->segment == b->segment && a->offset == b->offset;
}

static int keep(struct exporter *e, const struct cursor *c)
{
	int r = is_same(&e->kept, c) ? 0 : cursor_write(e->path, c);

	if (!r)
		e->kept = *c;
	return r;
}

/* Remembers what is the sink's own by now. */
static int settle(struct exporter *e)
{
	unsigned int time = sink_settle_ms(e->sink);
	uint64_t now = now_ms();
	int r;

	if (!time)
		return keep(e, &e->next);
	r = sink_check(e->sink);
	if (r || now - e->marked_ms < time)
		return r;
	r = keep(e, &e->mark);
	e->mark = e->next;
	e->marked_ms = now;
	return r;
}

/* What the sink took of a batch that it did not take as a whole need not come again. */
static void drop_taken(struct exporter *e)
{
	size_t taken = sink_taken(e->sink), left = e->batch.len - taken;

	for (const char *p = e->batch.data, *end = p + taken;
	     p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++) {
		e->lines--;
		e->given++;
	}
	memmove(e->batch.data, e->batch.data + taken, left);
	strbuf_truncate(&e->batch, left);
}

static int send_batch(struct exporter *e)
{
	int r = sink_send(e->sink, e->batch.data, e->batch.len);

	if (r) {
		drop_taken(e);
		return r;
	}
	e->given += (uint64_t)e->lines;
	strbuf_reset(&e->batch);
	e->lines = 0;
	return 0;
}

/* A batch that waits grows: what comes behind a line may be taken where that is refused. */
static int step(struct exporter *e)
{
	int seen = fill(e), r = MIN(seen, 0);
	bool waited = !seen && e->lines;

	if (!r && e->lines)
		r = send_batch(e);
	if (!r)
		r = settle(e);
	return r ? r : seen + waited;
}

int exporter_step(struct exporter *e)
{
	int r = e->reader ? 0 : go_to_kept(e);

	if (r)
		return r;
	r = step(e);
	if (r < 0 && sink_settle_ms(e->sink))
		close_reader(e); /* what was sent comes again */
	return r;
}

void exporter_cancel(struct exporter *e)
{
	sink_cancel(e->sink);
}

unsigned int exporter_retry_ms(const struct exporter *e)
{
	return sink_retry_ms(e->sink);
}

struct exporter_counts exporter_counts(const struct exporter *e)
{
	return (struct exporter_counts) { .given = e->given, .refused = sink_refused(e->sink) };
}

const char *exporter_name(const struct exporter *e)
{
	return sink_name(e->sink);
}

const char *exporter_why(const struct exporter *e)
{
	return sink_why(e->sink);
}

struct cursor exporter_cursor(const struct exporter *e)
{
	return e->kept;
}

unsigned int exporter_delay_ms(unsigned int failures)
{
	unsigned int most = failures < 6 ? DELAY_FIRST << failures : DELAY_MAX, random = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = most;
	return random % MIN(most, (unsigned int)DELAY_MAX) + 1;
}

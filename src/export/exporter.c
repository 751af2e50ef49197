#include "export/exporter.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "export/cursor.h"
#include "export/sink.h"
#include "journal/journal.h"
#include "journal/segment.h"

#define BATCH_BYTES (256 * 1024)
#define DELAY_FIRST 1000 /* milliseconds */
#define DELAY_MAX   60000

struct exporter {
	char *path; /* of the cursor */
	struct sink *sink;
	struct journal_reader *reader;
	struct cursor next;  /* behind the batch */
	struct strbuf batch; /* lines that the sink does not have yet */
	int lines;	     /* in the batch */
};

void exporter_free(struct exporter *e)
{
	if (!e)
		return;
	sink_free(e->sink);
	journal_reader_close(e->reader);
	strbuf_free(&e->batch);
	free(e->path);
	free(e);
}

/* Retention may have taken the segment: what is left comes. */
static int seek(struct exporter *e, const char *dir, const struct cursor *c)
{
	_cleanup_close_ int dir_fd = -1;
	uint64_t next = 0;
	int r = c->segment ? journal_reader_seek(e->reader, c->segment, c->offset) : 0;

	if (r != -ENOENT)
		return r;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

static int set_up(struct exporter *e, const char *dir, const char *spec)
{
	int r = sink_new(spec, &e->sink);

	if (!r)
		r = e->path ? cursor_read(e->path, &e->next) : -ENOMEM;
	if (!r)
		r = journal_reader_open(dir, &e->reader);
	return r ? r : seek(e, dir, &e->next);
}

int exporter_new(const char *journal_dir, const char *spec, const char *cursor,
		 struct exporter **ret)
{
	_cleanup_(exporter_free_ptr) struct exporter *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->path = strdup(cursor);
	r = set_up(e, journal_dir, spec);
	if (r)
		return r;
	*ret = TAKE_PTR(e);
	return 0;
}

static int fill(struct exporter *e)
{
	const char *line;
	size_t len;
	int got = 0;

	while (e->batch.len < BATCH_BYTES &&
	       (got = journal_reader_next(e->reader, &line, &len)) > 0) {
		strbuf_add(&e->batch, line, len);
		strbuf_addc(&e->batch, '\n');
		if (strbuf_error(&e->batch))
			return strbuf_error(&e->batch);
		e->lines++;
		journal_reader_position(e->reader, &e->next.segment, &e->next.offset);
	}
	return MIN(got, 0);
}

int exporter_step(struct exporter *e)
{
	int r = e->lines ? 0 : fill(e);

	if (r || !e->lines)
		return r;
	r = sink_send(e->sink, strbuf_str(&e->batch), e->batch.len);
	if (!r)
		r = cursor_write(e->path, &e->next);
	if (r)
		return r;
	r = e->lines;
	strbuf_reset(&e->batch);
	e->lines = 0;
	return r;
}

const char *exporter_name(const struct exporter *e)
{
	return sink_name(e->sink);
}

const char *exporter_why(const struct exporter *e)
{
	return sink_why(e->sink);
}

unsigned int exporter_delay_ms(unsigned int failures)
{
	unsigned int most = failures < 6 ? DELAY_FIRST << failures : DELAY_MAX, random = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = most;
	return random % MIN(most, (unsigned int)DELAY_MAX) + 1;
}

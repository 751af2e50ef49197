/* A journal with a chain in a directory of its own, and what its verification says. */
#ifndef TESTS_CHAINED_H
#define TESTS_CHAINED_H

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/strbuf.h"
#include "journal/journal.h"
#include "journal/segment.h"
#include "journal/verify.h"

static char root[64], dir[80], keys[80];

static int set_up(void **state _unused_)
{
	strcpy(root, "/tmp/backstop-chain-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(dir, sizeof(dir), "%s/journal", root);
	snprintf(keys, sizeof(keys), "%s/keys", root);
	return 0;
}

static int tear_down(void **state _unused_)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", root);
	return system(command);
}

static void describe(void *data _unused_, const char *message, struct strbuf *line)
{
	strbuf_addf(line, "{\"message\":\"%s\",\"unmapped\":{\"backstop\":{}}}", message);
}

static void describe_loss(void *data, uint64_t lost, int err, struct strbuf *line)
{
	char message[64];

	snprintf(message, sizeof(message), "lost %" PRIu64 " %d", lost, err);
	describe(data, message, line);
}

static struct journal_options options_of(uint64_t segment_max)
{
	return (struct journal_options) { .dir = dir,
					  .keys = keys,
					  .segment_max = segment_max,
					  .describe_loss = describe_loss,
					  .describe_checkpoint = describe };
}

static _unused_ struct journal *open_journal(uint64_t segment_max)
{
	const struct journal_options o = options_of(segment_max);
	struct journal *j = NULL;

	assert_int_equal(journal_open(&o, &j), 0);
	return j;
}

static int add(struct journal *j, int n)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;

	strbuf_addf(&line, "{\"n\":%d,\"unmapped\":{\"backstop\":{\"x\":1}}}", n);
	return journal_append(j, line.data, line.len);
}

/* `count` lines, each written at once. */
static _unused_ void fill(struct journal *j, int count)
{
	for (int i = 0; i < count; i++) {
		assert_int_equal(add(j, i), 0);
		assert_int_equal(journal_flush(j), 0);
	}
}

static _unused_ const char *path_of(uint64_t index)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, segment_name(index).text);
	return path;
}

static _unused_ void read_segment(uint64_t index, struct strbuf *ret)
{
	assert_int_equal(io_read_file(AT_FDCWD, path_of(index), 64 << 20, ret), 0);
}

static _unused_ void write_segment(uint64_t index, const void *data, size_t len)
{
	assert_int_equal(io_replace_file(path_of(index), data, len, 0640), 0);
}

/* Where line `n`, from 1, of the text begins; its end for one more than there are. */
static _unused_ size_t line_at(const struct strbuf *text, int n)
{
	const char *at = text->data;

	while (--n)
		at = strchr(at, '\n') + 1;
	return at - text->data;
}

static void keep_said(void *data, enum verify_kind kind, const char *segment, uint64_t line,
		      const char *text)
{
	strbuf_addf(data, "%s %s:%" PRIu64 ": %s\n",
		    kind == VERIFY_BAD	    ? "bad"
		    : kind == VERIFY_STATED ? "stated"
					    : "note",
		    segment ? segment + strlen("journal-000000000000000") : "-", line, text);
}

/* What was said, in a buffer that the next call overwrites. */
static _unused_ const char *verified(struct verify_report *ret)
{
	static struct strbuf said;

	strbuf_free(&said);
	said = STRBUF_INIT;
	assert_int_equal(journal_verify(dir, keys, keep_said, &said, ret), 0);
	return strbuf_str(&said);
}

#endif

#include "journal/linker.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "journal/recover.h"

/* How much of the journal's end a forger with chain.key, who cannot sign, could write anew. */
#define SIGN_LINES   16384
#define SIGN_SECONDS 60

struct linker {
	struct chain_keys *keys;
	int head_fd;
	struct head head;
	struct head_place syncing;
	struct chain_place at; /* the last line that was put */
	uint64_t signed_line;
	time_t signed_time;
	struct follow_opening opening; /* what the next one has to state */
};

void linker_free(struct linker *l)
{
	if (!l)
		return;
	close_fd(&l->head_fd);
	chain_keys_free(l->keys);
	free(l);
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec;
}

static void take_over(struct linker *l, const struct recovery *r)
{
	struct follow_opening *o = &l->opening;

	l->at = r->good.at;
	l->head.written = l->head.synced = l->syncing = r->good;
	o->after = r->good.at;
	o->line = r->last + 1;
	o->torn = r->torn;
	strcpy(o->cause, r->cause ? r->cause : "");
	memcpy(o->key, chain_public(l->keys), CHAIN_PUBLIC);
	l->signed_line = r->good.at.line;
	l->signed_time = now();
}

static void tell(const char *dir, const struct recovery *r)
{
	if (r->cause)
		log_warning("the journal in %s ended with line %" PRIu64 " and not with %" PRIu64
			    ", and %" PRIu64 " bytes behind it count for nothing (%s): it goes on "
			    "in a new segment, which says so",
			    dir, r->good.at.line, r->last, r->torn, r->cause);
}

static int set_up(struct linker *l, const char *dir, int dir_fd, const char *keys_dir,
		  struct recovery *ret)
{
	int r = chain_keys_open(keys_dir, true, &l->keys);

	if (r == -EBADMSG || r == -EACCES || r == -EPERM)
		return -EKEYREJECTED;
	if (!r)
		r = recover(dir, dir_fd, keys_dir, l->keys, ret);
	if (!r)
		r = head_read_boot(l->head.boot, sizeof(l->head.boot));
	if (r)
		return r;
	l->head_fd = head_open(keys_dir);
	return MIN(l->head_fd, 0);
}

int linker_open(const char *dir, int dir_fd, const char *keys_dir, struct linker **ret,
		bool *ret_begun)
{
	_cleanup_(linker_free_ptr) struct linker *l = calloc(1, sizeof(*l));
	struct recovery r = { 0 };
	int err;

	if (!l)
		return -ENOMEM;
	l->head_fd = -1;
	err = set_up(l, dir, dir_fd, keys_dir, &r);
	if (err)
		return err;
	take_over(l, &r);
	tell(dir, &r);
	*ret_begun = r.newest && !r.cause && r.good.segment == r.newest;
	*ret = TAKE_PTR(l);
	return 0;
}

/* ---- lines */

int linker_put(struct linker *l, const char *line, size_t len, struct strbuf *out)
{
	return chain_add(l->keys, &l->at, line, len, NULL, false, out);
}

static void note_signed(struct linker *l)
{
	l->signed_line = l->at.line;
	l->signed_time = now();
}

int linker_put_opening(struct linker *l, const char *line, size_t len, uint64_t segment,
		       uint64_t oldest, struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf members = STRBUF_INIT;
	struct follow_opening o = l->opening;
	struct chain_place at;
	int r;

	if (!o.cause[0]) {
		o.after = l->at;
		o.line = l->at.line + 1;
	}
	o.segment = segment;
	o.oldest = oldest;
	follow_put_opening(&members, &o);
	at = o.after;
	at.line = o.line - 1;
	r = strbuf_error(&members) ?: chain_add(l->keys, &at, line, len, members.data, true, out);
	if (r)
		return r;
	l->at = at;
	note_signed(l);
	return 0;
}

int linker_put_checkpoint(struct linker *l, const char *line, size_t len, uint64_t segment,
			  struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf members = STRBUF_INIT;
	int r;

	strbuf_addf(&members, "\"checkpoint\":{\"segment\":%" PRIu64 "}", segment);
	r = strbuf_error(&members)
		    ?: chain_add(l->keys, &l->at, line, len, members.data, true, out);
	if (!r)
		note_signed(l);
	return r;
}

bool linker_is_due(const struct linker *l)
{
	uint64_t lines = l->at.line - l->signed_line;

	return lines >= SIGN_LINES || (lines && now() - l->signed_time >= SIGN_SECONDS);
}

bool linker_is_open(const struct linker *l)
{
	return l->at.line > l->signed_line;
}

/* ---- how far they have come */

/* A head that cannot be written only makes the next start look further back. */
static void write_head(struct linker *l)
{
	if (head_write(l->head_fd, l->keys, &l->head))
		log_debug("the head of the journal cannot be written");
}

static void note_written(struct linker *l, uint64_t segment, uint64_t offset)
{
	l->head.written = (struct head_place) { segment, offset, l->at };
	l->opening.cause[0] = '\0'; /* it is stated */
	write_head(l);
}

void linker_written(struct linker *l, uint64_t segment, uint64_t offset)
{
	if (l->at.line != l->head.written.at.line)
		note_written(l, segment, offset);
}

void linker_back(struct linker *l, const char *text, size_t len, uint64_t segment, uint64_t offset,
		 uint64_t torn)
{
	const char *newline = len > 1 ? memrchr(text, '\n', len - 1) : NULL,
		   *line = newline ? newline + 1 : text;
	struct chain_link link;

	l->at = l->head.written.at;
	if (len && chain_parse(line, text + len - 1 - line, &link)) {
		l->at = link.place;
		note_written(l, segment, offset);
	}
	l->signed_line = MIN(l->signed_line, l->at.line);
	if (!torn)
		return;
	l->opening.after = l->at;
	l->opening.line = l->at.line + 1;
	l->opening.torn = torn;
	strcpy(l->opening.cause, FOLLOW_FAILED);
}

void linker_syncing(struct linker *l, bool done)
{
	l->syncing = l->head.written;
	if (done)
		linker_synced(l);
}

void linker_synced(struct linker *l)
{
	if (l->head.synced.at.line == l->syncing.at.line)
		return;
	l->head.synced = l->syncing;
	write_head(l);
}

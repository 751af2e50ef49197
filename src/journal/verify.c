/* In each segment the first bad line is told, and none behind it. It waits until the next segment's
 * first line, which may state, signed, that the journal ended before it. */
#include "journal/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/strbuf.h"
#include "journal/follow.h"
#include "journal/head.h"
#include "journal/journal.h"
#include "journal/segment.h"

struct verifier {
	struct verify_report *report;
	verify_say_fn say;
	void *data;
	struct chain_keys *keys;
	struct journal_reader *reader;
	bool has_head;
	struct head head; /* as it was before the first line was read */
	uint64_t segment; /* in hand */
	bool chained;	  /* a segment with a chain has begun */
	struct chain_place at;
	uint64_t oldest; /* segment, as the newest opening says */
	uint64_t first_segment;
	/* the first bad line of the segment in hand */
	bool waits;
	char name[64];
	uint64_t line;
	struct strbuf text;
};

static void say(struct verifier *v, enum verify_kind kind, const char *segment, uint64_t line,
		const char *text)
{
	v->report->bad += kind == VERIFY_BAD;
	v->report->stated += kind == VERIFY_STATED;
	v->say(v->data, kind, segment, line, text);
}

static void say_waiting(struct verifier *v)
{
	if (v->waits)
		say(v, VERIFY_BAD, v->name, v->line, strbuf_str(&v->text));
	v->waits = false;
}

static void wait_with(struct verifier *v)
{
	const char *name;

	journal_reader_place(v->reader, &name, &v->line);
	snprintf(v->name, sizeof(v->name), "%s", name);
	strbuf_reset(&v->text);
	v->waits = true;
}

/* ---- one line */

static void describe(struct verifier *v, enum follow_result found, const struct chain_link *l)
{
	uint64_t next = v->at.line + 1;

	switch (found) {
	case FOLLOW_GOOD:
	case FOLLOW_FOREIGN:
		strbuf_addf(&v->text, "is no line of this journal (line %" PRIu64 " should follow)",
			    next);
		break;
	case FOLLOW_CHANGED:
		strbuf_addf(&v->text, "line %" PRIu64 " was changed", next);
		break;
	case FOLLOW_MISSING:
		strbuf_addf(&v->text, "lines %" PRIu64 " to %" PRIu64 " are missing before it",
			    next, l->place.line - 1);
		break;
	case FOLLOW_OLDER:
		strbuf_addf(&v->text,
			    "line %" PRIu64 " stands where line %" PRIu64
			    " should: lines were put in another order, or twice",
			    l->place.line, next);
		break;
	case FOLLOW_SIGNATURE:
		strbuf_addf(&v->text, "line %" PRIu64 " is not signed with this journal's key",
			    next);
		break;
	}
}

static void take_line(struct verifier *v, const char *line, size_t len)
{
	struct chain_link l = { 0 };
	enum follow_result found;

	v->report->unkeyed += !chain_parse(line, len, &l);
	if (!v->chained || v->waits)
		return;
	found = follow_line(v->keys, &v->at, line, len);
	if (found != FOLLOW_GOOD) {
		wait_with(v);
		describe(v, found, &l);
		return;
	}
	v->report->lines++;
	v->report->signed_lines += l.is_signed;
	v->report->first = v->report->first ? v->report->first : l.place.line;
	v->report->last = l.place.line;
}

/* ---- a segment's first line */

static bool goes_on_from(const struct verifier *v, const struct follow_opening *o)
{
	return o->after.line == v->at.line &&
	       !memcmp(o->after.hash, v->at.hash, sizeof(v->at.hash));
}

static void describe_cut(struct strbuf *out, const struct follow_opening *o)
{
	if (o->line > o->after.line + 1)
		strbuf_addf(out, "lines %" PRIu64 " to %" PRIu64 " are gone before it",
			    o->after.line + 1, o->line - 1);
	else
		strbuf_addf(out, "%" PRIu64 " bytes behind line %" PRIu64 " are no line", o->torn,
			    o->after.line);
	strbuf_addf(out, ", as this line says: %s", o->cause);
}

static void say_cut(struct verifier *v, const struct follow_opening *o)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	bool explained = strcmp(o->cause, FOLLOW_UNEXPLAINED) != 0;
	const char *name;
	uint64_t line;

	if (!explained)
		say_waiting(v);
	v->waits = false;
	journal_reader_place(v->reader, &name, &line);
	describe_cut(&text, o);
	say(v, explained ? VERIFY_STATED : VERIFY_BAD, name, line, strbuf_str(&text));
}

static void say_gap(struct verifier *v, const struct follow_opening *o)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	const char *name;
	uint64_t line;

	journal_reader_place(v->reader, &name, &line);
	strbuf_addf(&text,
		    "goes on from line %" PRIu64
		    ", and the segment before it ends with line %" PRIu64
		    ": lines were removed, or a segment was replaced",
		    o->after.line, v->at.line);
	say(v, VERIFY_BAD, name, line, strbuf_str(&text));
}

/* What the segment before it left open is told now. */
static void join(struct verifier *v, const struct follow_opening *o)
{
	bool fits = goes_on_from(v, o);

	if (o->cause[0] && (fits || !v->chained)) {
		say_cut(v, o);
		return;
	}
	if (v->waits)
		say_waiting(v);
	else if (v->chained ? !fits : v->report->unchained && o->after.line)
		say_gap(v, o);
}

static bool is_opening(struct verifier *v, const char *line, size_t len, struct follow_opening *ret)
{
	struct chain_link l;

	return follow_parse_opening(line, len, ret) && chain_parse(line, len, &l) &&
	       chain_is_signed(v->keys, &l) && ret->segment == v->segment;
}

static void begin_segment(struct verifier *v, const char *line, size_t len)
{
	struct follow_opening o;
	struct chain_link l;

	if (is_opening(v, line, len, &o)) {
		join(v, &o);
		v->chained = true;
		v->oldest = o.oldest;
		v->at = o.after;
		v->at.line = o.line - 1;
	} else if (!v->chained && !chain_parse(line, len, &l)) {
		v->report->unchained++;
	} else {
		say_waiting(v);
		wait_with(v);
		strbuf_adds(&v->text, "a segment of this journal begins with a signed line of its "
				      "own, and this is none");
		v->chained = true;
	}
}

/* ---- all */

static int read_all(struct verifier *v)
{
	const char *line;
	uint64_t segment, offset;
	size_t len;
	int got;

	while ((got = journal_reader_next(v->reader, &line, &len)) > 0) {
		journal_reader_position(v->reader, &segment, &offset);
		if (segment != v->segment) {
			v->segment = segment;
			v->first_segment = v->first_segment ? v->first_segment : segment;
			v->report->segments++;
			begin_segment(v, line, len);
		}
		take_line(v, line, len);
	}
	return got;
}

static void check_begin(struct verifier *v)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (!v->oldest || v->first_segment <= v->oldest)
		return;
	strbuf_addf(&text,
		    "the oldest segment should be that of number %" PRIu64
		    ", and is that of %" PRIu64 ": segments were removed",
		    v->oldest, v->first_segment);
	say(v, VERIFY_BAD, NULL, 0, strbuf_str(&text));
}

static void check_end(struct verifier *v)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (!v->has_head) {
		say(v, VERIFY_NOTE, NULL, 0,
		    "its head is not beside the keys: lines that were cut off at the end are not "
		    "seen");
		return;
	}
	if (v->head.written.at.line <= v->at.line)
		return;
	strbuf_addf(&text,
		    "the journal ends with line %" PRIu64 ", and line %" PRIu64
		    " had been written: its end is cut off",
		    v->at.line, v->head.written.at.line);
	say(v, VERIFY_BAD, NULL, 0, strbuf_str(&text));
}

/* A writer that is at it right now may have written a part of a line. */
static void check_rest(struct verifier *v, const char *dir)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	char path[PATH_MAX];
	uint64_t segment, offset;
	struct stat st;

	journal_reader_position(v->reader, &segment, &offset);
	snprintf(path, sizeof(path), "%s/%s", dir, segment_name(segment).text);
	if (!segment || lstat(path, &st) < 0 || (uint64_t)st.st_size <= offset)
		return;
	strbuf_addf(&text, "%" PRIu64 " bytes behind its last line are none (yet)",
		    (uint64_t)st.st_size - offset);
	say(v, VERIFY_NOTE, segment_name(segment).text, 0, strbuf_str(&text));
}

static int verify(struct verifier *v, const char *dir, const char *keys_dir)
{
	int r = chain_keys_open(keys_dir, false, &v->keys);

	if (r)
		return r == -EBADMSG || r == -ENOENT || r == -EACCES ? -EKEYREJECTED : r;
	r = head_read(keys_dir, v->keys, &v->head);
	v->has_head = !r;
	if (r == -EBADMSG)
		say(v, VERIFY_BAD, NULL, 0, "its head was changed, or is another journal's");
	r = journal_reader_open(dir, &v->reader);
	if (!r)
		r = read_all(v);
	if (r)
		return r;
	if (v->waits)
		say_waiting(v);
	else
		check_end(v);
	check_begin(v);
	check_rest(v, dir);
	return 0;
}

int journal_verify(const char *dir, const char *keys_dir, verify_say_fn say_fn, void *data,
		   struct verify_report *ret)
{
	struct verify_report report = { 0 };
	struct verifier v = { .report = &report, .say = say_fn, .data = data, .text = STRBUF_INIT };
	int r = verify(&v, dir, keys_dir);

	chain_keys_free(v.keys);
	journal_reader_close(v.reader);
	strbuf_free(&v.text);
	if (!r)
		*ret = report;
	return r;
}

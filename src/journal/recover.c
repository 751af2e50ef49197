/* What the head names is believed as far as the disk has it: in the same boot all that was written,
 * after another what was synced. Behind that the lines speak for themselves. */
#include "journal/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "journal/journal.h"
#include "journal/segment.h"

struct walk {
	const struct chain_keys *keys;
	struct journal_reader *reader;
	struct recovery *found;
	bool bad;		  /* the first bad line was met */
	struct chain_place stray; /* of lines behind it */
};

static int size_of(int dir_fd, uint64_t segment, uint64_t *ret)
{
	struct stat st;

	if (fstatat(dir_fd, segment_name(segment).text, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*ret = (uint64_t)st.st_size;
	return 0;
}

/* A segment that was begun after a loss states where it goes on from. */
static void take_opening(struct walk *w, const char *line, size_t len)
{
	struct chain_place *at = &w->found->good.at;
	struct follow_opening o;
	struct chain_link l;

	if (!follow_parse_opening(line, len, &o) || !chain_parse(line, len, &l) ||
	    !chain_is_signed(w->keys, &l))
		return;
	if (w->found->good.segment &&
	    (o.after.line != at->line || memcmp(o.after.hash, at->hash, sizeof(at->hash))))
		return;
	*at = o.after;
	at->line = o.line - 1;
}

/* Behind a bad line only the number counts, of lines that fit one another. */
static void take_stray(struct walk *w, const char *line, size_t len)
{
	struct chain_link l;

	if (!chain_parse(line, len, &l))
		return;
	if (chain_fits(w->keys, w->stray.hash, line, &l))
		w->found->last = MAX(w->found->last, l.place.line);
	w->stray = l.place;
}

static void take_line(struct walk *w, const char *line, size_t len, bool first)
{
	struct recovery *f = w->found;

	if (first && !w->bad)
		take_opening(w, line, len);
	if (!w->bad && follow_line(w->keys, &f->good.at, line, len) == FOLLOW_GOOD) {
		journal_reader_position(w->reader, &f->good.segment, &f->good.offset);
		return;
	}
	w->bad = true;
	take_stray(w, line, len);
}

static int walk(struct walk *w)
{
	uint64_t segment, before, offset;
	const char *line;
	size_t len;
	int got;

	journal_reader_position(w->reader, &before, &offset);
	before = offset ? before : 0;
	while ((got = journal_reader_next(w->reader, &line, &len)) > 0) {
		journal_reader_position(w->reader, &segment, &offset);
		take_line(w, line, len, segment != before);
		before = segment;
	}
	return got;
}

/* How many bytes stand behind the last good line, in its segment and in those after it. */
static int measure(int dir_fd, struct recovery *r)
{
	uint64_t size = 0, at = r->good.segment, torn = 0;
	int err = 0;

	if (!at)
		err = segment_find_next(dir_fd, 0, &at);
	while (!err && at) {
		err = size_of(dir_fd, at, &size);
		if (!err)
			torn += size - (at == r->good.segment ? MIN(r->good.offset, size) : 0);
		if (!err)
			err = segment_find_next(dir_fd, at, &at);
	}
	if (!err)
		r->torn = torn;
	return err;
}

static bool reaches(int dir_fd, const struct head_place *p)
{
	uint64_t size = 0;

	return p->segment && !size_of(dir_fd, p->segment, &size) && size >= p->offset;
}

/* Where the head is of no use the newest segment is read from its start. */
static int set_out(struct walk *w, int dir_fd, const struct head_place *from)
{
	uint64_t first = w->found->newest, size = 0;
	int err;

	if (!first)
		return 0;
	if (from && reaches(dir_fd, from)) {
		w->found->good = *from;
		return journal_reader_seek(w->reader, from->segment, from->offset);
	}
	err = size_of(dir_fd, first, &size);
	if (!err && !size)
		err = segment_find_before(dir_fd, first, &first);
	return err || !first ? err : journal_reader_seek(w->reader, first, 0);
}

/* A writer that is killed leaves the beginning of one line, and no whole one that is not good. */
static const char *cause_of(const struct recovery *r, const struct head *h, bool same_boot,
			    bool whole_lines)
{
	if (!r->torn && r->last <= r->good.at.line)
		return NULL;
	if (!h || r->good.at.line < h->synced.at.line)
		return FOLLOW_UNEXPLAINED;
	if (!same_boot)
		return FOLLOW_POWER_CUT;
	return whole_lines || r->last > r->good.at.line ? FOLLOW_UNEXPLAINED : FOLLOW_KILLED;
}

static int look(const char *dir, int dir_fd, const struct chain_keys *k, const struct head *h,
		struct recovery *ret)
{
	_cleanup_(journal_reader_close_ptr) struct journal_reader *reader = NULL;
	struct walk w = { .keys = k, .found = ret };
	bool same_boot = false;
	char boot[HEAD_BOOT];
	int err = journal_reader_open(dir, &reader);

	if (!err)
		err = head_read_boot(boot, sizeof(boot));
	if (err)
		return err;
	w.reader = reader;
	same_boot = h && !strcmp(boot, h->boot);
	ret->last = h ? h->written.at.line : 0;
	err = set_out(&w, dir_fd, !h ? NULL : same_boot ? &h->written : &h->synced);
	if (!err)
		err = walk(&w);
	if (!err)
		err = measure(dir_fd, ret);
	if (err)
		return err;
	if (!h && !ret->good.segment && !ret->last)
		ret->torn = 0; /* all of it is older than the chain */
	ret->last = MAX(ret->last, ret->good.at.line);
	ret->cause = cause_of(ret, h, same_boot, w.bad);
	return 0;
}

int recover(const char *dir, int dir_fd, const char *keys_dir, const struct chain_keys *k,
	    struct recovery *ret)
{
	struct recovery r = { 0 };
	struct head h;
	int known = head_read(keys_dir, k, &h), err;

	if (known && known != -ENOENT && known != -EBADMSG)
		return known;
	err = segment_find_newest(dir_fd, &r.newest);
	if (!err && (r.newest || !known))
		err = look(dir, dir_fd, k, known ? NULL : &h, &r);
	if (!err)
		*ret = r;
	return err;
}

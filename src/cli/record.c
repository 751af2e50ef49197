#include "cli/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/log.h"
#include "cli/feed.h"
#include "cli/table.h"
#include "guard/guard.h"
#include "journal/ocsf.h"

const char *record_dir(const struct record_place *p)
{
	return p->dir ? p->dir : p->fleet ? FLEET_DIR : JOURNAL_DIR;
}

const char *record_database(const struct record_place *p)
{
	if (p->database || p->dir)
		return p->database;
	return p->fleet ? FLEET_DATABASE : DATABASE;
}

int record_open(const char *command, const struct record_place *p, struct query **ret)
{
	const char *journal = record_dir(p), *database = record_database(p);
	uint64_t behind;
	int r = query_open(journal, database ? database : "", true, ret);

	if (r) {
		feed_log_failure(command, r, journal, p->fleet);
		return r;
	}
	if (!query_behind(*ret, &behind) && behind > 0 && !query_is_in_memory(*ret))
		log_warning("%s: the database does not have the last %" PRIu64
			    " bytes of the journal: is the recorder (backstop serve) running?",
			    command, behind);
	return 0;
}

void record_tell_gone(const char *command, struct query *q)
{
	_cleanup_strbuf_ struct strbuf from = STRBUF_INIT, to = STRBUF_INIT;
	struct query_gone gone;

	if (query_gone(q, &gone) || !gone.count)
		return;
	add_time(&from, (uint64_t)gone.from_ms);
	add_time(&to, (uint64_t)gone.to_ms);
	log_warning("%s: %s%" PRIu64 " event%s of this kind, from %s to %s, are missing here: the "
		    "journal's retention took their lines",
		    command, gone.more ? "more than " : "", gone.count, gone.count > 1 ? "s" : "",
		    strbuf_str(&from), strbuf_str(&to));
}

int record_find_session(const char *command, struct query *q, const char *name,
			struct tree_session *ret)
{
	_cleanup_strbuf_ struct strbuf word = STRBUF_INIT;
	int r = tree_find_session(q, name, ret);

	if (name)
		escape_word(&word, name);
	if (r == -ENOENT && !name)
		log_error("%s: the record has no session", command);
	else if (r == -ENOENT)
		log_error("%s: the record has no session %s: 'backstop stats' lists them", command,
			  strbuf_str(&word));
	else if (r == -ENOTUNIQ)
		log_error(
			"%s: more than one session is, or begins with, %s: write SESSION@HOST for "
			"that of one host",
			command, strbuf_str(&word));
	else if (r)
		log_errno(r, "%s: cannot read the database", command);
	return r;
}

static void add_escaped(struct strbuf *out, const char *before, const char *s)
{
	if (!s)
		return;
	strbuf_adds(out, before);
	escape_bytes(out, s, strlen(s));
}

void record_add_outcome(struct strbuf *out, const struct tree_node *n)
{
	if (!n->signature && (n->outcome == OCSF_ALLOWED || n->outcome == OCSF_UNKNOWN))
		return;
	strbuf_adds(out, ocsf_word(n->outcome, n->verdict));
	if (!n->signature)
		return;
	add_escaped(out, " (", n->signature);
	add_escaped(out, ", ", n->severity);
	add_escaped(out, ", by ", n->by);
	strbuf_addc(out, ')');
}

/* A journal that was changed may hold what it was never written with, and other hosts say what they
 * like. */
void record_add_command(struct strbuf *out, const char *command, size_t max)
{
	size_t len = command ? strlen(command) : 0, shown = MIN(len, max);

	while (shown < len && shown && (command[shown] & 0xc0) == 0x80)
		shown--;
	if (!command)
		strbuf_addc(out, '-');
	else if (escape_is_plain(command, shown))
		strbuf_add(out, command, shown);
	else
		escape_bytes(out, command, shown);
	if (shown < len)
		strbuf_adds(out, "…");
}

void record_add_ms(struct strbuf *out, int64_t ms)
{
	if (ms < 10000)
		strbuf_addf(out, "%" PRId64 ".%03" PRId64 " s", ms / 1000, ms % 1000);
	else
		add_duration(out, (uint64_t)ms);
}

void record_add_end(struct strbuf *out, const struct tree_node *n)
{
	const char *name = n->signal ? sigabbrev_np((int)n->signal) : NULL;

	if (!n->ended_ms) {
		strbuf_adds(out, "no end recorded");
		return;
	}
	if (name)
		strbuf_addf(out, "SIG%s", name);
	else
		strbuf_addf(out, "status %" PRId64, n->status);
	if (n->began_ms && n->ended_ms >= n->began_ms) {
		strbuf_adds(out, ", ");
		record_add_ms(out, n->ended_ms - n->began_ms);
	}
}

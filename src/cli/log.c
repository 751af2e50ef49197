#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/queue.h>

#include "base/escape.h"
#include "base/log.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/ecs.h"
#include "cli/feed.h"
#include "cli/record.h"
#include "cli/table.h"
#include "cli/trail.h"
#include "guard/guard.h"
#include "journal/journal.h"
#include "policy/policy.h"

struct options {
	bool json, follow;
	struct record_place place;
	const char *format, *session, *verdict, *kind, *agent, *signature, *program, *path, *host,
		*since, *until;
	unsigned int count;
};

struct kept_line {
	STAILQ_ENTRY(kept_line) link;
	char text[];
};

STAILQ_HEAD(kept_lines, kept_line);

/* Prints at once, or keeps the last `keep` lines. */
struct output {
	const struct options *options;
	struct filter filter;
	bool terminal;
	unsigned int keep, kept;
	struct kept_lines lines;
};

static int keep_line(struct output *out, const struct strbuf *text)
{
	struct kept_line *line = malloc(sizeof(*line) + text->len + 1);

	if (!line)
		return -ENOMEM;
	memcpy(line->text, strbuf_str(text), text->len + 1);
	STAILQ_INSERT_TAIL(&out->lines, line, link);
	if (++out->kept <= out->keep)
		return 0;
	line = STAILQ_FIRST(&out->lines);
	STAILQ_REMOVE_HEAD(&out->lines, link);
	out->kept--;
	free(line);
	return 0;
}

static void print_kept(struct output *out)
{
	struct kept_line *line;

	while ((line = STAILQ_FIRST(&out->lines))) {
		STAILQ_REMOVE_HEAD(&out->lines, link);
		fputs(line->text, stdout);
		free(line);
	}
	out->keep = out->kept = 0;
}

static void add_host(struct strbuf *text, const json_t *event)
{
	add_member(text, json_object_get(event, "device"), "hostname");
	strbuf_adds(text, ": ");
}

static int put_line(struct output *out, const char *line, size_t len, const json_t *event)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (out->options->format) {
		ecs_put(&text, event);
		strbuf_addc(&text, '\n');
	} else if (out->options->json) {
		feed_put_json(&text, line, len, event, out->terminal);
	} else {
		if (out->options->place.fleet)
			add_host(&text, event);
		feed_format_event(&text, event, out->terminal);
	}
	if (strbuf_error(&text))
		return strbuf_error(&text);
	if (out->keep)
		return keep_line(out, &text);
	return fwrite(text.data, 1, text.len, stdout) == text.len ? 0 : -errno;
}

/* A torn or foreign line is told and passed over: the rest of the journal still counts. */
static int take_line(struct output *out, struct journal_reader *r, const char *line, size_t len)
{
	_cleanup_json_ json_t *event = feed_parse(line, len);
	const char *segment;
	uint64_t number;

	if (event)
		return filter_wants(&out->filter, event) ? put_line(out, line, len, event) : 0;
	journal_reader_place(r, &segment, &number);
	log_warning("%s:%" PRIu64 ": not an event, passed over", segment, number);
	return 0;
}

static int take_all(struct output *out, struct journal_reader *r)
{
	const char *line;
	size_t len;
	int got;

	while ((got = journal_reader_next(r, &line, &len)) > 0) {
		int err = take_line(out, r, line, len);

		if (err)
			return err;
	}
	print_kept(out);
	if (fflush(stdout) == EOF)
		return -errno;
	return got;
}

static int wait_for_change(int inotify_fd)
{
	char events[4096];

	return read(inotify_fd, events, sizeof(events)) < 0 && errno != EINTR ? -errno : 0;
}

/* ---- the recorder's database, where it is quicker */

/* Lines in the order of the rows, which is the journal's turned round. */
struct found {
	struct output *out;
	struct kept_lines lines; /* the oldest first */
	unsigned int count;
};

static int take_found(void *data, const char *line, size_t len)
{
	struct found *f = data;
	_cleanup_json_ json_t *event = feed_parse(line, len);
	struct kept_line *kept;

	if (!event || !filter_wants(&f->out->filter, event))
		return 0;
	if (!f->out->keep)
		return put_line(f->out, line, len, event);
	kept = malloc(sizeof(*kept) + len + 1);
	if (!kept)
		return -ENOMEM;
	memcpy(kept->text, line, len);
	kept->text[len] = '\0';
	STAILQ_INSERT_HEAD(&f->lines, kept, link);
	return ++f->count == f->out->keep;
}

static int put_found(struct found *f)
{
	struct kept_line *line;
	int err = 0;

	while ((line = STAILQ_FIRST(&f->lines))) {
		_cleanup_json_ json_t *event = feed_parse(line->text, strlen(line->text));

		STAILQ_REMOVE_HEAD(&f->lines, link);
		if (!err)
			err = put_line(f->out, line->text, strlen(line->text), event);
		free(line);
	}
	return err;
}

/* What the database has; the reader goes on behind it. */
static int ask_database(struct output *out, struct query *q, struct journal_reader *r)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	struct found f = { .out = out };
	uint64_t segment, offset;
	int err = filter_prepare(&out->filter, q, out->keep, &rows), put;

	STAILQ_INIT(&f.lines);
	if (!err)
		err = query_lines(q, rows, take_found, &f);
	put = put_found(&f);
	if (err < 0 || put)
		return err < 0 ? err : put;
	record_tell_gone("log", q);
	query_position(q, &segment, &offset);
	err = segment ? journal_reader_seek(r, segment, offset) : 0;
	return err == -ENOENT ? 0 : err; /* all that is left came later */
}

static int read_before(struct output *out, const char *dir, struct journal_reader *r)
{
	_cleanup_(query_close_ptr) struct query *q = NULL;
	const char *database = record_database(&out->options->place);

	if (!database || query_open(dir, database, false, &q))
		return 0; /* the whole journal is read */
	return ask_database(out, q, r);
}

/* ---- */

/* The watch is set before the reading starts, so that nothing is missed in between. */
static int print_journal(const struct options *o, const struct filter *filter, const char *dir)
{
	struct output out = {
		.options = o, .filter = *filter, .terminal = isatty(STDOUT_FILENO), .keep = o->count
	};
	_cleanup_(journal_reader_close_ptr) struct journal_reader *r = NULL;
	_cleanup_close_ int inotify_fd = o->follow ? inotify_init1(IN_CLOEXEC) : -1;
	int err;

	STAILQ_INIT(&out.lines);
	if (o->follow &&
	    (inotify_fd < 0 || inotify_add_watch(inotify_fd, dir, IN_MODIFY | IN_CREATE) < 0))
		return -errno;
	err = journal_reader_open(dir, &r);
	if (!err)
		err = read_before(&out, dir, r);
	if (err)
		return err;
	do
		err = take_all(&out, r);
	while (!err && o->follow && !(err = wait_for_change(inotify_fd)));
	print_kept(&out);
	return err;
}

static bool is_kind(const char *word)
{
	static const char *const kinds[] = { "exec", "connect", "send", "delete", "exit", "guard" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(word, kinds[i]))
			return true;
	return false;
}

static bool check(const struct options *o)
{
	_cleanup_strbuf_ struct strbuf word = STRBUF_INIT;

	if (o->format && strcmp(o->format, "ecs")) {
		escape_word(&word, o->format);
		log_error("log: --format %s is not ecs", strbuf_str(&word));
		return false;
	}
	if (o->verdict && verdict_parse(o->verdict) < 0) {
		escape_word(&word, o->verdict);
		log_error("log: --verdict %s is none of allow, alert, hold, deny, kill",
			  strbuf_str(&word));
		return false;
	}
	if (o->kind && !is_kind(o->kind)) {
		escape_word(&word, o->kind);
		log_error("log: --kind %s is none of exec, connect, send, delete, exit, guard",
			  strbuf_str(&word));
		return false;
	}
	return true;
}

static bool read_time(const char *option, const char *text, int64_t *ret_ms)
{
	_cleanup_strbuf_ struct strbuf word = STRBUF_INIT;

	if (!text || !filter_parse_time(text, (int64_t)epoch_ms(), ret_ms))
		return true;
	escape_word(&word, text);
	log_error("log: --%s %s is no time: write 2026-01-31, '2026-01-31 12:00', or 90s, 15m, 3h, "
		  "2d for so long ago",
		  option, strbuf_str(&word));
	return false;
}

static bool read_filter(const struct options *o, const char *path, struct filter *ret)
{
	*ret = (struct filter) { .session = o->session,
				 .verdict = o->verdict,
				 .kind = o->kind,
				 .agent = o->agent,
				 .signature = o->signature,
				 .program = o->program,
				 .path = path,
				 .host = o->host };
	return check(o) && read_time("since", o->since, &ret->since_ms) &&
	       read_time("until", o->until, &ret->until_ms);
}

static int run(const void *options, int argc _unused_, char **argv _unused_)
{
	const struct options *o = options;
	const char *dir = record_dir(&o->place);
	_cleanup_free_ char *path = o->path ? trail_resolve(o->path) : NULL;
	struct filter filter;
	int err;

	if (o->path && !path)
		return log_errno(-errno, "log: cannot look up %s", o->path), EXIT_FAILURE;
	if (!read_filter(o, path, &filter))
		return EXIT_USAGE;
	err = print_journal(o, &filter, dir);
	if (err && err != -EPIPE && !ferror(stdout)) /* what cannot be written is told anyway */
		feed_log_failure("log", err, dir, o->place.fleet);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const struct option_def option_defs[] = {
	{ "json", 0, OPTION_FLAG, NULL, "print the events as they stand in the journal",
	  offsetof(struct options, json) },
	{ "format", 0, OPTION_STRING, "ecs",
	  "print each event as an object of the Elastic Common Schema 8",
	  offsetof(struct options, format) },
	{ "follow", 'f', OPTION_FLAG, NULL, "go on with what is written from now on",
	  offsetof(struct options, follow) },
	{ "session", 's', OPTION_STRING, "ID", "only of this session",
	  offsetof(struct options, session) },
	{ "verdict", 'v', OPTION_STRING, "VERDICT", "only allow, alert, hold, deny or kill",
	  offsetof(struct options, verdict) },
	{ "kind", 'k', OPTION_STRING, "KIND", "only exec, connect, send, delete, exit or guard",
	  offsetof(struct options, kind) },
	{ "agent", 'a', OPTION_STRING, "NAME", "only of this agent",
	  offsetof(struct options, agent) },
	{ "signature", 0, OPTION_STRING, "GLOB",
	  "only what these signatures found, as 'terraform.*'",
	  offsetof(struct options, signature) },
	{ "program", 0, OPTION_STRING, "PROGRAM", "only of this program: its name or its path",
	  offsetof(struct options, program) },
	{ "path", 0, OPTION_STRING, "PATH", "only deletions of it, and of what is below",
	  offsetof(struct options, path) },
	{ "host", 0, OPTION_STRING, "HOST",
	  "only connections to this address, or what happened on this host: its name, or machine "
	  "id",
	  offsetof(struct options, host) },
	{ "since", 0, OPTION_STRING, "TIME", "from then on: 2026-01-31, '2026-01-31 12:00', 3h",
	  offsetof(struct options, since) },
	{ "until", 0, OPTION_STRING, "TIME", "up to then", offsetof(struct options, until) },
	{ "count", 'n', OPTION_UINT, "COUNT", "only the last COUNT",
	  offsetof(struct options, count) },
	RECORD_OPTIONS(struct options, place),
	{ 0 },
};

const struct command command_log = {
	.name = "log",
	.help = "print the journal: what agents ran and deleted, where they connected, and what "
		"was decided",
	.example = "backstop log --verdict hold -n 20",
	.options = option_defs,
	.options_size = sizeof(struct options),
	.run = run,
};

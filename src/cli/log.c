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
#include "cli/feed.h"
#include "guard/guard.h"
#include "journal/journal.h"
#include "policy/policy.h"

#define JOURNAL_DIR GUARD_STATE_DIR "/journal"

struct options {
	bool json, follow;
	const char *dir, *session, *verdict, *kind;
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
	bool colour;
	unsigned int keep, kept;
	struct kept_lines lines;
};

static bool is_wanted(const struct options *o, const json_t *event)
{
	const json_t *details = feed_details(event);
	const char *session = json_string_value(json_object_get(details, "session"));
	const char *verdict = json_string_value(json_object_get(details, "verdict"));

	if (o->session && (!session || strcmp(session, o->session)))
		return false;
	if (o->kind && strcmp(feed_kind(event), o->kind))
		return false;
	return !o->verdict || (verdict && !strcmp(verdict, o->verdict));
}

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

static int put_line(struct output *out, const char *line, size_t len, const json_t *event)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (out->options->json) {
		strbuf_add(&text, line, len);
		strbuf_addc(&text, '\n');
	} else {
		feed_format_event(&text, event, out->colour);
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
		return is_wanted(out->options, event) ? put_line(out, line, len, event) : 0;
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

/* The watch is set before the reading starts, so that nothing is missed in between. */
static int print_journal(const struct options *o, const char *dir)
{
	struct output out = { .options = o, .colour = isatty(STDOUT_FILENO), .keep = o->count };
	_cleanup_(journal_reader_close_ptr) struct journal_reader *r = NULL;
	_cleanup_close_ int inotify_fd = o->follow ? inotify_init1(IN_CLOEXEC) : -1;
	int err;

	STAILQ_INIT(&out.lines);
	if (o->follow &&
	    (inotify_fd < 0 || inotify_add_watch(inotify_fd, dir, IN_MODIFY | IN_CREATE) < 0))
		return -errno;
	err = journal_reader_open(dir, &r);
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
	static const char *const kinds[] = { "exec", "connect", "delete", "exit", "guard" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(word, kinds[i]))
			return true;
	return false;
}

static bool check(const struct options *o)
{
	_cleanup_strbuf_ struct strbuf word = STRBUF_INIT;

	if (o->verdict && verdict_parse(o->verdict) < 0) {
		escape_word(&word, o->verdict);
		log_error("log: --verdict %s is none of allow, alert, hold, deny, kill",
			  strbuf_str(&word));
		return false;
	}
	if (o->kind && !is_kind(o->kind)) {
		escape_word(&word, o->kind);
		log_error("log: --kind %s is none of exec, connect, delete, exit, guard",
			  strbuf_str(&word));
		return false;
	}
	return true;
}

static int run(const void *options, int argc _unused_, char **argv _unused_)
{
	const struct options *o = options;
	const char *dir = o->dir ? o->dir : JOURNAL_DIR;
	int err;

	if (!check(o))
		return EXIT_USAGE;
	err = print_journal(o, dir);
	if (err && err != -EPIPE && !ferror(stdout)) /* what cannot be written is told anyway */
		feed_log_failure("log", err, dir);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const struct option_def option_defs[] = {
	{ "json", 0, OPTION_FLAG, NULL, "print the events as they stand in the journal",
	  offsetof(struct options, json) },
	{ "follow", 'f', OPTION_FLAG, NULL, "go on with what is written from now on",
	  offsetof(struct options, follow) },
	{ "session", 's', OPTION_STRING, "ID", "only of this session",
	  offsetof(struct options, session) },
	{ "verdict", 'v', OPTION_STRING, "VERDICT", "only allow, alert, hold, deny or kill",
	  offsetof(struct options, verdict) },
	{ "kind", 'k', OPTION_STRING, "KIND", "only exec, connect, delete, exit or guard",
	  offsetof(struct options, kind) },
	{ "count", 'n', OPTION_UINT, "COUNT", "only the last COUNT",
	  offsetof(struct options, count) },
	{ "dir", 0, OPTION_STRING, "DIR", "the journal's directory (" JOURNAL_DIR ")",
	  offsetof(struct options, dir) },
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

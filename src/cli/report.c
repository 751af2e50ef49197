/* report: a session's story in one file. */
#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/feed.h"
#include "cli/record.h"
#include "guard/guard.h"

#define FILE_MODE 0640

struct options {
	bool html;
	struct record_place place;
	const char *output;
};

struct findings {
	json_t **events;
	size_t count, cap;
};

static int keep_finding(void *data, const char *line, size_t len)
{
	struct findings *f = data;
	json_t **events = f->events, *event = feed_parse(line, len);

	if (!event)
		return 0;
	if (f->count == f->cap) {
		events = reallocarray(events, f->cap ? f->cap * 2 : 64, sizeof(json_t *));
		if (!events) {
			json_decref(event);
			return -ENOMEM;
		}
		f->events = events;
		f->cap = f->cap ? f->cap * 2 : 64;
	}
	f->events[f->count++] = event;
	return 0;
}

static int read_findings(struct query *q, int64_t session, struct findings *ret)
{
	char id[24];
	const char *text = id;
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	int r;

	snprintf(id, sizeof(id), "%lld", (long long)session);
	r = query_prepare(q,
			  "SELECT e.segment, e.offset, e.length, e.id FROM findings f JOIN events e"
			  " ON e.id = f.event WHERE f.session = CAST(? AS INTEGER) ORDER BY e.id",
			  &text, 1, &rows);
	if (!r)
		r = query_lines(q, rows, keep_finding, ret);
	record_tell_gone("report", q);
	return r;
}

static int write_out(const struct options *o, const struct strbuf *text)
{
	int r = strbuf_error(text);

	if (!r && o->output)
		r = io_write_output(o->output, text->data, text->len, FILE_MODE);
	else if (!r)
		r = fwrite(text->data, 1, text->len, stdout) == text->len ? 0 : -EIO;
	return r ? log_errno(r, "report: cannot write %s", o->output ? o->output : "it") : 0;
}

static int tell(const struct options *o, struct query *q, const struct tree_session *s)
{
	_cleanup_tree_ struct tree t = { 0 };
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct findings f = { 0 };
	int r = tree_read(q, s->id, &t) ?: read_findings(q, s->id, &f);

	if (!r && o->html)
		report_put_html(&text, &(struct report) { s, &t, f.events, f.count });
	else if (!r)
		report_put_markdown(&text, &(struct report) { s, &t, f.events, f.count });
	for (size_t i = 0; i < f.count; i++)
		json_decref(f.events[i]);
	free(f.events);
	return r ? log_errno(r, "report: cannot read the record") : write_out(o, &text);
}

static int run(const void *options, int argc _unused_, char **argv)
{
	_cleanup_(query_close_ptr) struct query *q = NULL;
	_cleanup_tree_session_ struct tree_session s = { 0 };
	const struct options *o = options;
	int r = record_open("report", &o->place, &q);

	if (!r)
		r = record_find_session("report", q, argv[0], &s);
	if (!r)
		r = tell(o, q, &s);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const struct option_def option_defs[] = {
	{ "html", 0, OPTION_FLAG, NULL, "one HTML file instead of Markdown",
	  offsetof(struct options, html) },
	{ "output", 'o', OPTION_STRING, "FILE", "write there", offsetof(struct options, output) },
	RECORD_OPTIONS(struct options, place),
	{ 0 },
};

const struct command command_report = {
	.name = "report",
	.arguments = "[SESSION]",
	.help = "tell a session's story (the newest's): what was prevented and why, who decided, "
		"what ran",
	.example = "backstop report 19ab3f2c1d0 --html -o report.html",
	.options = option_defs,
	.options_size = sizeof(struct options),
	.run = run,
	.max_operands = 1,
};

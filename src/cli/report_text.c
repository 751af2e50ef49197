/* The story is told once, in parts that HTML and Markdown dress each in their way. */
#include "cli/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/feed.h"
#include "cli/record.h"
#include "cli/table.h"
#include "journal/ocsf.h"

#define COMMAND_MAX 400

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* ---- the two forms */

struct form {
	bool html;
	struct strbuf *out;
};

/* In one line, with all that is in it to be seen. */
static void add_visible(struct strbuf *out, const char *s)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;

	for (; *s; s++)
		strbuf_addc(&line, strchr("\n\r\t", *s) ? ' ' : *s);
	record_add_command(out, strbuf_str(&line), SIZE_MAX);
}

/* What is of others stays text: in HTML no element, in Markdown no markup. */
static void put_text(const struct form *f, const char *text)
{
	_cleanup_strbuf_ struct strbuf visible = STRBUF_INIT;

	add_visible(&visible, text ? text : "");
	for (const char *s = strbuf_str(&visible); *s; s++) {
		if (f->html && strchr("<>&\"'", *s))
			strbuf_addf(f->out, "&#%d;", *s);
		else if (!f->html && strchr("\\`*_[]<>|#&~", *s))
			strbuf_addf(f->out, "\\%c", *s);
		else
			strbuf_addc(f->out, *s);
	}
}

/* The longest run of ` in it is shorter than its fence. */
static void put_code(const struct form *f, const char *text)
{
	_cleanup_strbuf_ struct strbuf visible = STRBUF_INIT;
	size_t run = 0, longest = 0;

	if (f->html) {
		strbuf_adds(f->out, "<code>");
		put_text(f, text);
		strbuf_adds(f->out, "</code>");
		return;
	}
	add_visible(&visible, text);
	for (const char *at = strbuf_str(&visible); *at; at++) {
		run = *at == '`' ? run + 1 : 0;
		longest = MAX(longest, run);
	}
	for (size_t i = 0; i <= longest; i++)
		strbuf_addc(f->out, '`');
	strbuf_addf(f->out, " %s ", strbuf_str(&visible));
	for (size_t i = 0; i <= longest; i++)
		strbuf_addc(f->out, '`');
}

static void put_heading(const struct form *f, int level, const char *title)
{
	if (f->html) {
		strbuf_addf(f->out, "<h%d>", level);
		put_text(f, title);
		strbuf_addf(f->out, "</h%d>\n", level);
		return;
	}
	strbuf_adds(f->out, level == 1 ? "# " : "\n## ");
	put_text(f, title);
	strbuf_adds(f->out, "\n\n");
}

static void put_fact(const struct form *f, const char *name, const char *value)
{
	if (!value)
		return;
	strbuf_addf(f->out, f->html ? "<tr><th>%s</th><td>" : "- %s: ", name);
	put_text(f, value);
	strbuf_adds(f->out, f->html ? "</td></tr>\n" : "\n");
}

static void put_time_fact(const struct form *f, const char *name, int64_t ms)
{
	_cleanup_strbuf_ struct strbuf value = STRBUF_INIT;

	add_time(&value, (uint64_t)ms);
	put_fact(f, name, strbuf_str(&value));
}

static void put_number_fact(const struct form *f, const char *name, int64_t n)
{
	char value[24];

	snprintf(value, sizeof(value), "%" PRId64, n);
	put_fact(f, name, value);
}

/* ---- findings */

static const char *outcome_of(const json_t *event)
{
	return ocsf_word((int)member_uint(event, "disposition_id"),
			 text(feed_details(event), "verdict"));
}

static bool is_prevented(const json_t *event)
{
	uint64_t disposition = member_uint(event, "disposition_id");

	return disposition == OCSF_BLOCKED || disposition == OCSF_REJECTED;
}

/* The message says the outcome first, which stands beside it. */
static const char *what_of(const json_t *event)
{
	const char *message = text(event, "message"),
		   *colon = message ? strstr(message, ": ") : NULL;

	return colon ? colon + 2 : message ? message : "-";
}

static void put_reason(const struct form *f, const char *name, const char *value)
{
	if (!value)
		return;
	strbuf_adds(f->out, f->html ? "<br><small>" : "  \n  ");
	strbuf_addf(f->out, "%s: ", name);
	put_text(f, value);
	strbuf_adds(f->out, f->html ? "</small>" : "");
}

static void put_finding(const struct form *f, const json_t *event)
{
	_cleanup_strbuf_ struct strbuf when = STRBUF_INIT;
	const json_t *details = feed_details(event);
	const char *by = text(details, "by");

	add_time(&when, member_uint(event, "time"));
	strbuf_addf(f->out, f->html ? "<li><time>%s</time> <b class=\"%s\">" : "- %s ",
		    strbuf_str(&when), outcome_of(event));
	strbuf_addf(f->out, f->html ? "%s</b> " : "**%s** ", outcome_of(event));
	put_code(f, what_of(event));
	put_reason(f, "signature", text(details, "signature"));
	put_reason(f, "severity", text(details, "severity"));
	put_reason(f, "why", text(details, "why"));
	put_reason(f, "instead", text(details, "instead"));
	put_reason(f, "decided by", by ? by : "the policy");
	put_reason(f, "reason", text(details, "reason"));
	strbuf_adds(f->out, f->html ? "</li>\n" : "\n");
}

static void put_findings(const struct form *f, const struct report *r, bool prevented,
			 const char *title, const char *none)
{
	size_t shown = 0;

	put_heading(f, 2, title);
	strbuf_adds(f->out, f->html ? "<ul>\n" : "");
	for (size_t i = 0; i < r->count; i++) {
		if (prevented && !is_prevented(r->findings[i]))
			continue;
		put_finding(f, r->findings[i]);
		shown++;
	}
	strbuf_adds(f->out, f->html ? "</ul>\n" : "");
	if (!shown)
		strbuf_addf(f->out, f->html ? "<p>%s</p>\n" : "%s\n", none);
}

/* ---- the tree */

static void put_node(void *data, const struct tree_node *n, int depth)
{
	_cleanup_strbuf_ struct strbuf command = STRBUF_INIT, end = STRBUF_INIT,
				       outcome = STRBUF_INIT;
	const struct form *f = data;

	record_add_command(&command, n->command, COMMAND_MAX);
	record_add_end(&end, n);
	record_add_outcome(&outcome, n);
	if (f->html)
		strbuf_addf(f->out, "<div style=\"margin-left:%dem\">", MIN(depth, 40));
	else
		strbuf_addf(f->out, "%*s- ", 2 * MIN(depth, 40), "");
	put_code(f, strbuf_str(&command));
	strbuf_addf(f->out, " [%" PRId64 "] ", n->pid);
	put_text(f, strbuf_str(&end));
	if (n->connects)
		strbuf_addf(f->out, ", %" PRId64 " connects", n->connects);
	if (n->deletes)
		strbuf_addf(f->out, ", %" PRId64 " deletions", n->deletes);
	if (outcome.len) {
		strbuf_adds(f->out, f->html ? " <b>" : " **");
		put_text(f, strbuf_str(&outcome));
		strbuf_adds(f->out, f->html ? "</b>" : "**");
	}
	strbuf_adds(f->out, f->html ? "</div>\n" : "\n");
}

/* ---- all of it */

static void put_facts(const struct form *f, const struct tree_session *s)
{
	strbuf_adds(f->out, f->html ? "<table>\n" : "");
	put_fact(f, "Agent", s->agent);
	put_fact(f, "User", s->user);
	put_fact(f, "Host", s->host);
	put_time_fact(f, "Began", s->began_ms);
	put_time_fact(f, "Last event", s->last_ms);
	put_number_fact(f, "Events", s->events);
	put_number_fact(f, "Findings", s->findings);
	put_number_fact(f, "Held", s->held);
	put_number_fact(f, "Refused", s->refused);
	strbuf_adds(f->out, f->html ? "</table>\n" : "");
}

static void put_story(const struct form *f, const struct report *r)
{
	_cleanup_strbuf_ struct strbuf title = STRBUF_INIT;

	strbuf_addf(&title, "Session %s", r->session->name);
	put_heading(f, 1, strbuf_str(&title));
	put_facts(f, r->session);
	put_findings(f, r, true, "What was prevented", "Nothing.");
	put_findings(f, r, false, "Timeline", "No signature matched.");
	put_heading(f, 2, "Processes");
	tree_walk(r->tree, put_node, (void *)f);
}

void report_put_markdown(struct strbuf *out, const struct report *r)
{
	put_story(&(struct form) { .out = out }, r);
}

void report_put_html(struct strbuf *out, const struct report *r)
{
	const struct form f = { .html = true, .out = out };
	static const char style[] =
		"body{font:16px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 "
		"1em}"
		"code{font:14px ui-monospace,monospace;background:#8882;padding:0 .2em;"
		"overflow-wrap:anywhere}th{text-align:left;padding-right:2em}time{color:#888}"
		".denied,.killed,.rejected{color:#c22}.approved,.allowed{color:#282}"
		".held,.alert{color:#b60}";

	strbuf_addf(out,
		    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
		    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"
		    " style-src 'unsafe-inline'\"><style>%s</style><title>Session ",
		    style);
	put_text(&f, r->session->name);
	strbuf_adds(out, "</title></head><body>\n");
	put_story(&f, r);
	strbuf_adds(out, "</body></html>\n");
}

/* who: what became of a path, by which session's program, and who decided it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/log.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/feed.h"
#include "cli/filter.h"
#include "cli/record.h"
#include "cli/table.h"
#include "cli/trail.h"
#include "cli/who_record.h"
#include "guard/guard.h"
#include "journal/ocsf.h"

#define LIMIT_DEFAULT 20
#define INDENT	      "                        "

struct options {
	bool json;
	struct record_place place;
	unsigned int limit;
};

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool is_deletion(const struct trail_entry *e)
{
	return json_object_get(e->event, "file");
}

static const json_t *evidence_of(const json_t *finding)
{
	return json_array_get(json_object_get(finding, "evidences"), 0);
}

/* What says most of the program: its exec, the finding, or the deletion's own few words. */
static const json_t *process_of(const struct trail_entry *e)
{
	const json_t *process = json_object_get(e->exec, "process");

	if (!process)
		process = json_object_get(evidence_of(e->decision ? e->decision : e->event),
					  "process");
	return process ? process : json_object_get(json_object_get(e->event, "actor"), "process");
}

static const json_t *argv_of(const struct trail_entry *e)
{
	const json_t *from = e->exec ? e->exec : is_deletion(e) ? e->decision : e->event;

	return json_object_get(feed_details(from), "argv");
}

/* The process that did it; a fork runs the program of the one that exec'ed. */
static uint64_t pid_of(const struct trail_entry *e)
{
	const json_t *actor = json_object_get(json_object_get(e->event, "actor"), "process");

	return member_uint(is_deletion(e) ? actor : process_of(e), "pid");
}

static const char *outcome_of(const struct trail_entry *e)
{
	const json_t *last = e->decision ? e->decision : e->event;

	return ocsf_word(member_uint(last, "disposition_id"), text(feed_details(last), "verdict"));
}

static const char *word_of(const struct trail_entry *e)
{
	const char *word = text(feed_details(e->event), "deletion");

	return is_deletion(e) && word ? word : "command";
}

/* ---- for people */

static void add_escaped(struct strbuf *out, const char *s)
{
	if (s)
		escape_bytes(out, s, strlen(s));
}

static void add_what(struct strbuf *out, const struct trail_entry *e)
{
	add_time(out, member_uint(e->event, "time"));
	strbuf_addc(out, ' ');
	add_escaped(out, word_of(e));
	strbuf_addc(out, ' ');
	if (is_deletion(e))
		add_escaped(out, text(json_object_get(e->event, "file"), "path"));
	else
		add_words(out, argv_of(e));
	if (e->count > 1) {
		strbuf_addf(out, "\n" INDENT "and %" PRIu64 " more below it since ", e->count - 1);
		add_time(out, e->since_ms);
	}
	strbuf_addc(out, '\n');
}

static void add_part(struct strbuf *out, const char *before, const json_t *details, const char *key)
{
	if (!json_object_get(details, key))
		return;
	strbuf_adds(out, before);
	add_member(out, details, key);
}

/* "approved (files.state, critical, hold 7, by uid 1000 (dev))" */
static void add_verdict(struct strbuf *out, const struct trail_entry *e)
{
	const json_t *last = e->decision ? e->decision : e->event, *details = feed_details(last);

	strbuf_addf(out, INDENT "%s", outcome_of(e));
	if (json_object_get(details, "signature")) {
		strbuf_adds(out, " (");
		add_member(out, details, "signature");
		add_part(out, ", ", details, "severity");
		add_part(out, ", hold ", details, "hold");
		strbuf_adds(out, ", by ");
		if (json_object_get(details, "by"))
			add_member(out, details, "by");
		else
			strbuf_adds(out, "the policy");
		add_part(out, ": ", details, "reason");
		strbuf_addc(out, ')');
	} else {
		add_part(out, ": ", details, "reason");
	}
	if (json_is_true(json_object_get(feed_details(e->event), "done")))
		strbuf_adds(out, ", when it had happened");
	strbuf_addc(out, '\n');
}

static const char *user_of(const json_t *event)
{
	const json_t *actor = json_object_get(event, "actor");
	const json_t *user;

	if (!actor)
		actor = json_object_get(evidence_of(event), "actor");
	user = json_object_get(actor, "user");
	return text(user, "name") ? text(user, "name") : text(user, "uid");
}

static void add_session(struct strbuf *out, const struct trail_entry *e)
{
	const json_t *details = feed_details(e->event);

	strbuf_adds(out, INDENT "session ");
	add_member(out, details, "session");
	add_part(out, " of ", details, "agent");
	strbuf_adds(out, ", user ");
	add_escaped(out, user_of(e->event));
	strbuf_addc(out, '\n');
}

static void add_command(struct strbuf *out, const json_t *process)
{
	add_escaped(out,
		    text(process, "cmd_line") ? text(process, "cmd_line") : text(process, "name"));
}

static void add_program(struct strbuf *out, const struct trail_entry *e)
{
	const json_t *process = process_of(e), *argv = argv_of(e);

	strbuf_addf(out, INDENT "by [%" PRIu64 "] ", pid_of(e));
	if (json_array_size(argv))
		add_words(out, argv);
	else
		add_command(out, process);
	add_part(out, ", in ", process, "working_directory");
	strbuf_addc(out, '\n');
}

static void add_ancestors(struct strbuf *out, const struct trail_entry *e)
{
	const json_t *ancestry = json_object_get(process_of(e), "ancestry"), *ancestor;
	size_t i;

	json_array_foreach((json_t *)ancestry, i, ancestor)
	{
		strbuf_addf(out, INDENT "%s [%" PRIu64 "] ", i ? "      of" : "child of",
			    member_uint(ancestor, "pid"));
		add_command(out, ancestor);
		strbuf_addc(out, '\n');
	}
}

static void add_entry(struct strbuf *out, const struct trail_entry *e)
{
	add_what(out, e);
	add_verdict(out, e);
	add_session(out, e);
	if (is_deletion(e))
		add_program(out, e);
	add_ancestors(out, e);
}

/* ---- for programs */

static json_t *optional(json_t *value)
{
	return value ? json_incref(value) : json_null();
}

static json_t *ancestors_of(const struct trail_entry *e)
{
	const json_t *ancestry = json_object_get(process_of(e), "ancestry"), *ancestor;
	json_t *all = json_array();
	size_t i;

	json_array_foreach((json_t *)ancestry, i, ancestor)
	{
		json_array_append_new(
			all, json_pack("{sosO?}", "pid", optional(json_object_get(ancestor, "pid")),
				       "cmd_line", json_object_get(ancestor, "cmd_line")));
	}
	return all;
}

static void set_from(json_t *to, const json_t *from, const char *key)
{
	json_object_set_new(to, key, optional(json_object_get(from, key)));
}

static json_t *entry_to_json(const struct trail_entry *e)
{
	const json_t *details = feed_details(e->decision ? e->decision : e->event);
	json_t *o = json_pack("{sIsssssI}", "time_ms", (json_int_t)member_uint(e->event, "time"),
			      "what", word_of(e), "outcome", outcome_of(e), "pid",
			      (json_int_t)pid_of(e));

	set_from(o, json_object_get(e->event, "file"), "path");
	json_object_set_new(o, "count", json_integer(e->count));
	json_object_set_new(o, "since_ms", json_integer(e->since_ms));
	json_object_set_new(o, "user", json_string(user_of(e->event)));
	set_from(o, feed_details(e->event), "session");
	set_from(o, feed_details(e->event), "agent");
	set_from(o, details, "signature");
	set_from(o, details, "hold");
	set_from(o, details, "by");
	set_from(o, details, "reason");
	json_object_set_new(o, "argv", optional((json_t *)argv_of(e)));
	set_from(o, process_of(e), "cmd_line");
	set_from(o, process_of(e), "working_directory");
	json_object_set_new(o, "ancestors", ancestors_of(e));
	return o;
}

/* ---- */

static int print_entry(const struct trail_entry *e, bool json)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	if (json) {
		json_t *o = entry_to_json(e);

		json_dumpf(o, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
		json_decref(o);
		return 0;
	}
	add_entry(&out, e);
	fputs(strbuf_str(&out), stdout);
	return strbuf_error(&out);
}

static void say_nothing(const struct trail *t, const char *path)
{
	_cleanup_strbuf_ struct strbuf word = STRBUF_INIT, since = STRBUF_INIT;

	escape_word(&word, path);
	add_time(&since, t->oldest_ms);
	if (t->oldest_ms)
		log_error("who: the journal, which begins at %s, knows of nothing that became of "
			  "%s",
			  strbuf_str(&since), strbuf_str(&word));
	else
		log_error("who: the journal is empty");
}

/* From the database where that has all, else from the end of the journal. */
static int read_trail(const struct options *o, const char *dir, const char *path, struct trail *ret)
{
	_cleanup_(query_close_ptr) struct query *q = NULL;
	unsigned int limit = o->limit ? o->limit : LIMIT_DEFAULT;
	uint64_t behind;

	if (record_database(&o->place) && !query_open(dir, record_database(&o->place), false, &q) &&
	    !query_behind(q, &behind) && !behind) {
		int r = trail_ask(q, path, limit, ret);

		record_tell_gone("who", q);
		return r;
	}
	return trail_read(dir, path, limit, ret);
}

static int print_trail(const struct options *o, const char *dir, const char *path)
{
	_cleanup_trail_ struct trail t = { .entries = STAILQ_HEAD_INITIALIZER(t.entries) };
	const struct trail_entry *e;
	int r = read_trail(o, dir, path, &t);

	if (r)
		return feed_log_failure("who", r, dir, o->place.fleet), -EIO;
	if (!t.count) {
		say_nothing(&t, path);
		return -ENOENT;
	}
	STAILQ_FOREACH (e, &t.entries, link)
		if (!r)
			r = print_entry(e, o->json);
	return r;
}

static int ask_path(const struct options *o, const char *word)
{
	_cleanup_free_ char *path = trail_resolve(word);

	if (!path)
		return log_errno(-errno, "who: cannot tell what path that is");
	return print_trail(o, record_dir(&o->place), path);
}

/* `address` NULL: a process is asked for. */
static int ask_record(const struct options *o, const char *word, const char *address)
{
	_cleanup_(query_close_ptr) struct query *q = NULL;
	unsigned int limit = o->limit ? o->limit : LIMIT_DEFAULT;
	int r = record_open("who", &o->place, &q);

	if (r)
		return r;
	r = address ? who_address(q, address, limit, o->json)
		    : who_process(q, word, limit, o->json);
	if (r < 0)
		return log_errno(r, "who: cannot read the record");
	if (!r)
		log_error(address ? "who: the record knows of no connection to %s"
				  : "who: the record knows of no process %s",
			  address ? address : word);
	return r ? 0 : -ENOENT;
}

/* A file of such a name is asked for as ./123. */
static int run(const void *options, int argc _unused_, char **argv)
{
	const struct options *o = options;
	const char *word = argv[0];
	_cleanup_free_ char *address = who_parse_address(word);
	bool number = word[0] && strspn(word, "0123456789") == strlen(word);
	int r = address || number ? ask_record(o, word, address) : ask_path(o, word);

	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const struct option_def option_defs[] = {
	{ "json", 0, OPTION_FLAG, NULL, "print an object for each, one a line",
	  offsetof(struct options, json) },
	{ "limit", 'n', OPTION_UINT, "COUNT", "only the newest COUNT (20)",
	  offsetof(struct options, limit) },
	RECORD_OPTIONS(struct options, place),
	{ 0 },
};

const struct command command_who = {
	.name = "who",
	.arguments = "PATH|ADDRESS[:PORT]|PID",
	.help = "tell who deleted, emptied, replaced or moved a file and who decided it, who "
		"connected somewhere, or what a process was",
	.example = "backstop who src/main.c",
	.options = option_defs,
	.options_size = sizeof(struct options),
	.run = run,
	.min_operands = 1,
	.max_operands = 1,
};

#include "cli/feed.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/escape.h"
#include "base/log.h"
#include "cli/client.h"
#include "cli/record.h"
#include "cli/table.h"
#include "guard/guard.h"
#include "journal/ocsf.h"

#define COMMAND_MAX 2000 /* bytes of a command line; --json has the rest */
#define WHY_INDENT  24

enum event_class {
	CLASS_FILE = 1001,
	CLASS_PROCESS = 1007,
	CLASS_FINDING = 2004,
	CLASS_NETWORK = 4001,
	CLASS_GUARD = 6002,
};

json_t *feed_parse(const char *line, size_t len)
{
	json_t *event = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(event) && json_is_integer(json_object_get(event, "class_uid")) &&
	    json_is_integer(json_object_get(event, "time")))
		return event;
	json_decref(event);
	return NULL;
}

void feed_put_json(struct strbuf *out, const char *line, size_t len, const json_t *event,
		   bool terminal)
{
	_cleanup_free_ char *ascii =
		terminal ? json_dumps(event, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

	if (terminal)
		strbuf_adds(out, ascii ? ascii : "");
	else
		strbuf_add(out, line, len);
	strbuf_addc(out, '\n');
}

const json_t *feed_details(const json_t *event)
{
	return json_object_get(json_object_get(event, "unmapped"), "backstop");
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void add_escaped(struct strbuf *out, const char *s)
{
	escape_bytes(out, s, strlen(s));
}

static void pad(struct strbuf *out, size_t start, size_t width)
{
	while (out->len < start + width && !strbuf_error(out))
		strbuf_addc(out, ' ');
}

/* Of a finding: what it was found in. */
static const json_t *evidence_of(const json_t *event)
{
	return json_array_get(json_object_get(event, "evidences"), 0);
}

static const json_t *process_of(const json_t *event)
{
	const json_t *process = json_object_get(event, "process");
	uint64_t class = member_uint(event, "class_uid");

	if (class == CLASS_NETWORK || class == CLASS_FILE)
		process = json_object_get(json_object_get(event, "actor"), "process");
	return process ? process : json_object_get(evidence_of(event), "process");
}

/* Where a connect goes; NULL: it is none. */
static const json_t *dest_of(const json_t *event)
{
	const json_t *dest = json_object_get(event, "dst_endpoint");

	return dest ? dest : json_object_get(evidence_of(event), "dst_endpoint");
}

/* What a deletion takes away; NULL: it is none. */
static const json_t *file_of(const json_t *event)
{
	const json_t *file = json_object_get(event, "file");

	return file ? file : json_object_get(evidence_of(event), "file");
}

/* What a connect does: its message says it, behind the verdict of a finding. */
static const char *verb_of(const json_t *event)
{
	const char *message = text(event, "message");
	const char *colon = message && evidence_of(event) ? strstr(message, ": ") : NULL;

	if (colon)
		message = colon + 2;
	return message && !strncmp(message, "send ", 5) ? "send" : "connect";
}

/* What is about to be sent; NULL: it is none. */
static const json_t *sending_of(const json_t *event)
{
	return json_object_get(feed_details(event), "send");
}

const char *feed_kind(const json_t *event)
{
	if (file_of(event))
		return "delete";
	if (sending_of(event))
		return verb_of(event);
	if (dest_of(event))
		return "connect";
	if (member_uint(event, "class_uid") == CLASS_GUARD)
		return "guard";
	if (member_uint(event, "class_uid") == CLASS_PROCESS &&
	    member_uint(event, "activity_id") == 2)
		return "exit";
	return "exec";
}

/* "19ab3f2c1d0 claude[4213]" */
static void add_who(struct strbuf *out, const json_t *event)
{
	const json_t *process = process_of(event), *details = feed_details(event);
	size_t start = out->len;

	add_member(out, details, "session");
	pad(out, start, 11);
	strbuf_addc(out, ' ');
	start = out->len;
	add_member(out, details, "agent");
	if (process)
		strbuf_addf(out, "[%ju]", (uintmax_t)member_uint(process, "pid"));
	pad(out, start, 18);
}

static const char *colour_of(const char *word)
{
	static const struct {
		const char *word, *colour;
	} colours[] = {
		{ "held", "33" },     { "alert", "35" },    { "denied", "31" },	 { "killed", "31" },
		{ "rejected", "31" }, { "approved", "32" }, { "allowed", "32" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
		if (!strcmp(word, colours[i].word))
			return colours[i].colour;
	return "2";
}

static const char *word_of(const json_t *event)
{
	uint64_t class = member_uint(event, "class_uid");

	if (class != CLASS_FINDING && class != CLASS_NETWORK && class != CLASS_FILE)
		return feed_kind(event);
	return ocsf_word(member_uint(event, "disposition_id"),
			 text(feed_details(event), "verdict"));
}

static void add_word(struct strbuf *out, const char *word, bool colour)
{
	if (colour)
		strbuf_addf(out, " \033[%sm%-8s\033[0m ", colour_of(word), word);
	else
		strbuf_addf(out, " %-8s ", word);
}

static void add_argv(struct strbuf *out, const json_t *words)
{
	size_t count = json_array_size(words), i;
	_cleanup_free_ char **argv = calloc(count + 1, sizeof(*argv));
	const json_t *word;

	if (!argv) {
		out->failed = true;
		return;
	}
	json_array_foreach((json_t *)words, i, word)
	{
		const char *s = json_string_value(word);

		argv[i] = (char *)(s ? s : "");
	}
	escape_argv(out, argv, COMMAND_MAX);
}

/* "10.0.0.5:5432" */
static void add_address(struct strbuf *out, const json_t *dest)
{
	const char *ip = text(dest, "ip");
	bool v6 = ip && strchr(ip, ':');

	strbuf_adds(out, v6 ? "[" : "");
	add_member(out, dest, "ip");
	strbuf_addf(out, "%s:%ju", v6 ? "]" : "", (uintmax_t)member_uint(dest, "port"));
}

/* "DROP TABLE users to " */
static void add_sending(struct strbuf *out, const json_t *send)
{
	const char *shown = text(send, "text");

	record_add_command(out, shown ? shown : "bytes", SIZE_MAX);
	strbuf_adds(out, " to ");
}

/* "connect 10.0.0.5:5432 by psql -h db", "send DROP TABLE users to /run/db.sock by psql" */
static void add_dest(struct strbuf *out, const json_t *event, const json_t *dest)
{
	const json_t *send = sending_of(event);
	const char *verb = verb_of(event);

	strbuf_addf(out, "%s ", verb);
	if (send && !strcmp(verb, "send"))
		add_sending(out, send);
	if (!send || text(dest, "ip"))
		add_address(out, dest);
	else
		add_member(out, dest, text(dest, "name") ? "name" : "hostname");
	strbuf_adds(out, " by ");
}

static void add_command(struct strbuf *out, const json_t *event, const char *otherwise)
{
	const json_t *words = json_object_get(feed_details(event), "argv");
	const char *command = text(process_of(event), "cmd_line");

	if (json_array_size(words))
		add_argv(out, words);
	else if (command || otherwise)
		add_escaped(out, command ? command : otherwise);
	else
		strbuf_addc(out, '-');
}

/* "unlink /srv/app/x by python3 clean.py" */
static void add_file(struct strbuf *out, const json_t *event, const json_t *file)
{
	add_member(out, feed_details(event), "deletion");
	strbuf_addc(out, ' ');
	add_member(out, file, "path");
	strbuf_adds(out, " by ");
}

static void add_what(struct strbuf *out, const json_t *event)
{
	const json_t *dest = dest_of(event), *file = file_of(event);

	if (file) {
		add_file(out, event, file);
		add_command(out, event, text(process_of(event), "name"));
	} else if (dest) {
		add_dest(out, event, dest);
		add_command(out, event, text(process_of(event), "name"));
	} else if (member_uint(event, "class_uid") == CLASS_PROCESS && process_of(event)) {
		add_command(out, event, text(process_of(event), "name"));
	} else {
		add_command(out, event, text(event, "message"));
	}
}

static void add_exit(struct strbuf *out, const json_t *event)
{
	const char *signame = sigabbrev_np(member_uint(feed_details(event), "signal"));

	if (signame)
		strbuf_addf(out, "  (SIG%s)", signame);
	else
		strbuf_addf(out, "  (status %ju)", (uintmax_t)member_uint(event, "exit_code"));
}

static void add_part(struct strbuf *out, const char *before, const json_t *details, const char *key)
{
	if (!json_object_get(details, key))
		return;
	strbuf_adds(out, before);
	add_member(out, details, key);
}

/* "(terraform.destroy, critical, hold 7, by uid 1000 (dev): checked)" */
static void add_decision(struct strbuf *out, const json_t *details)
{
	strbuf_adds(out, "  (");
	if (json_object_get(details, "signature"))
		add_member(out, details, "signature");
	else
		strbuf_adds(out, "no signature");
	add_part(out, ", ", details, "severity");
	add_part(out, ", hold ", details, "hold");
	add_part(out, ", through ", details, "carrier");
	if (json_object_get(details, "by"))
		add_part(out, ", by ", details, "by");
	else
		strbuf_adds(out, ", by the policy");
	add_part(out, ": ", details, "reason");
	strbuf_addc(out, ')');
}

/* Where an action was let go there is nothing to explain. */
static void add_why(struct strbuf *out, const json_t *event)
{
	uint64_t disposition = member_uint(event, "disposition_id");
	const char *why = text(feed_details(event), "why");

	if (!why || (disposition != OCSF_DELAYED && disposition != OCSF_BLOCKED &&
		     disposition != OCSF_ALERT))
		return;
	strbuf_addf(out, "%*swhy: ", WHY_INDENT, "");
	add_escaped(out, why);
	strbuf_addc(out, '\n');
}

void feed_format_event(struct strbuf *out, const json_t *event, bool colour)
{
	uint64_t class = member_uint(event, "class_uid");

	add_time(out, member_uint(event, "time"));
	strbuf_addc(out, ' ');
	add_who(out, event);
	add_word(out, word_of(event), colour);
	add_what(out, event);
	if (class == CLASS_PROCESS && member_uint(event, "activity_id") == 2)
		add_exit(out, event);
	if (class == CLASS_FINDING)
		add_decision(out, feed_details(event));
	strbuf_addc(out, '\n');
	if (class == CLASS_FINDING)
		add_why(out, event);
}

int feed_format(struct strbuf *out, const char *line, size_t len, bool colour)
{
	_cleanup_json_ json_t *event = feed_parse(line, len);

	if (!event)
		return -EINVAL;
	feed_format_event(out, event, colour);
	return strbuf_error(out);
}

void feed_log_failure(const char *command, int err, const char *dir, bool fleet)
{
	_cleanup_strbuf_ struct strbuf word = STRBUF_INIT;
	const char *remedy = "";

	escape_word(&word, dir);
	if (err == -ENOENT)
		remedy = fleet ? "; 'backstop serve --fleet' keeps it, on one host: name another "
				 "with "
				 "--dir"
			       : "; no guard has written there: name another with --dir";
	if (err == -EACCES || err == -EPERM)
		remedy = "; be root or a member of the group " GUARD_GROUP;
	log_error("%s: cannot read the journal in %s: %s%s", command, strbuf_str(&word),
		  strerror(-err), remedy);
}

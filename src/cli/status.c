#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/table.h"

struct options {
	bool json;
	const char *socket;
};

/* "name value, name value"; members that are 0 are left out where `all` is not set. */
static void add_numbers(struct strbuf *out, const json_t *numbers, bool all)
{
	size_t start = out->len;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)numbers, name, value)
	{
		if (!all && json_integer_value(value) == 0)
			continue;
		strbuf_addf(out, "%s%s ", out->len > start ? ", " : "", name);
		add_member(out, numbers, name);
	}
	if (out->len == start)
		strbuf_adds(out, "none");
}

static void add_part(struct strbuf *out, const char *before, const json_t *s, const char *name)
{
	strbuf_adds(out, before);
	add_member(out, s, name);
}

/* What the tier does not give. */
static void add_tiers(struct strbuf *out, const json_t *tiers)
{
	const json_t *t;
	size_t i;

	json_array_foreach(tiers, i, t)
	{
		if (!json_is_string(json_object_get(t, "cost")))
			continue;
		add_part(out, "\nwithout    ", t, "use");
		add_part(out, ": ", t, "cost");
		if (json_is_string(json_object_get(t, "why")))
			add_part(out, " (", t, "why"), strbuf_addc(out, ')');
	}
}

/* Programs that encrypt with what is not probed. */
static void add_unseen(struct strbuf *out, const json_t *programs)
{
	const json_t *p;
	size_t i;

	json_array_foreach(programs, i, p)
	{
		add_part(out, "\nunseen     what ", p, "file");
		add_part(out, " of session ", p, "session");
		add_part(out, " sends by ", p, "protocol");
		strbuf_adds(out, json_is_string(json_object_get(p, "library")) ? " (" : "");
		if (json_is_string(json_object_get(p, "library")))
			add_part(out, "", p, "library"), strbuf_addc(out, ')');
		add_part(out, ", to ", p, "destinations");
		strbuf_adds(out, " places: no rule of 'send:' is asked");
	}
}

static void add_guard(struct strbuf *out, const json_t *s)
{
	add_part(out, "guard      pid ", s, "pid");
	add_part(out, ", keeper ", s, "keeper");
	add_part(out, ", version ", s, "version");
	strbuf_adds(out, ", up ");
	add_duration(out, member_uint(s, "uptime_ms"));
	add_part(out, ", scheduling ", s, "scheduling");
	if (member_uint(s, "restarts") > 0)
		add_part(out, ", restarts ", s, "restarts");
	add_part(out, "\nmode       ", s, "mode");
	add_part(out, ", tier ", s, "tier");
	add_tiers(out, json_object_get(s, "tiers"));
	if (json_is_string(json_object_get(s, "blind")))
		add_part(out, "\nblind      connects are neither seen nor held: ", s, "blind");
}

static void add_policy(struct strbuf *out, const json_t *s)
{
	const char *from = json_is_string(json_object_get(s, "settings")) ? "settings" : "policy";

	add_part(out, "\npolicy     ", s, from);
	add_part(out, " (version ", s, "policy_version");
	add_part(out, "), ", s, "signatures");
	strbuf_adds(out, " signatures\nagents     ");
	strbuf_adds(out, json_is_true(json_object_get(s, "follows_agents"))
				 ? "are followed wherever they start"
				 : "are not looked for: 'backstop run' and 'backstop attach' begin "
				   "sessions");
}

static void add_journal(struct strbuf *out, const json_t *journal)
{
	int error = json_integer_value(json_object_get(journal, "error"));

	strbuf_adds(out, "\njournal    ");
	add_member(out, journal, "written");
	strbuf_adds(out, " lines written, ");
	add_member(out, journal, "lost");
	strbuf_addf(out, " lost, last error %s", error < 0 ? strerror(-error) : "none");
}

static void print_head(const json_t *s)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	add_guard(&out, s);
	add_policy(&out, s);
	strbuf_adds(&out, "\nholds      ");
	add_member(&out, s, "holds");
	strbuf_adds(&out,
		    member_uint(s, "holds") ? " open: 'backstop pending' lists them" : " open");
	add_journal(&out, json_object_get(s, "journal"));
	strbuf_adds(&out, "\nevents     ");
	add_numbers(&out, json_object_get(s, "events"), true);
	strbuf_adds(&out, "\ncounters   ");
	add_numbers(&out, json_object_get(s, "counters"), true);
	strbuf_adds(&out, "\nlosses     ");
	add_numbers(&out, json_object_get(s, "losses"), false);
	add_unseen(&out, json_object_get(s, "unseen"));
	puts(strbuf_str(&out));
}

enum { ID, AGENT, USER, TTY, AGE, TASKS, EXECS, CONNECTS, DELETES, HOLDS, COLUMNS };

static const struct table_column columns[COLUMNS] = {
	[ID] = { "SESSION", 0 },
	[AGENT] = { "AGENT", 0 },
	[USER] = { "USER", 0 },
	[TTY] = { "TTY", 0 },
	[AGE] = { "AGE", 0 },
	[TASKS] = { "TASKS", SCOLS_FL_RIGHT },
	[EXECS] = { "EXECS", SCOLS_FL_RIGHT },
	[CONNECTS] = { "CONNECTS", SCOLS_FL_RIGHT },
	[DELETES] = { "DELETES", SCOLS_FL_RIGHT },
	[HOLDS] = { "HOLDS", SCOLS_FL_RIGHT },
};

/* "claude", with other agents seen in its session: "claude (codex, aider)" */
static void add_agent(struct strbuf *out, const json_t *s)
{
	add_member(out, s, "agent");
	if (json_string_length(json_object_get(s, "subagents")) == 0)
		return;
	add_part(out, " (", s, "subagents");
	strbuf_addc(out, ')');
}

/* Those that wait, and all there ever were: "1/3" */
static void add_holds(struct strbuf *out, const json_t *s)
{
	add_member(out, s, "open_holds");
	add_part(out, "/", s, "holds");
}

static int add_session(struct libscols_table *t, const json_t *s)
{
	static const char *const members[COLUMNS] = {
		[ID] = "id",	       [USER] = "user",	  [TTY] = "tty",
		[TASKS] = "tasks",     [EXECS] = "execs", [CONNECTS] = "connects",
		[DELETES] = "deletes",
	};
	uint64_t now = epoch_ms(), started = member_uint(s, "started_ms");
	struct strbuf cells[COLUMNS] = { 0 };
	int err;

	for (int i = 0; i < COLUMNS; i++)
		if (members[i])
			add_member(&cells[i], s, members[i]);
	add_agent(&cells[AGENT], s);
	add_duration(&cells[AGE], now > started ? now - started : 0);
	add_holds(&cells[HOLDS], s);
	err = table_add(t, cells);
	for (int i = 0; i < COLUMNS; i++)
		strbuf_free(&cells[i]);
	return err;
}

static int print_sessions(const json_t *sessions)
{
	_cleanup_(scols_unref_table_ptr) struct libscols_table *t = table_new(columns, COLUMNS);
	const json_t *s;
	size_t i;
	int err = t ? 0 : -ENOMEM;

	if (json_array_size(sessions) == 0)
		return puts("sessions   none: start one with 'backstop run -- COMMAND'"), 0;
	putchar('\n');
	json_array_foreach(sessions, i, s) if (!err) err = add_session(t, s);
	return err ? err : table_print(t);
}

static int run(const void *options, int argc _unused_, char **argv _unused_)
{
	const struct options *o = options;
	_cleanup_json_ json_t *reply = NULL;
	int err = client_request(o->socket, json_pack("{ss}", "op", "status"), &reply);

	if (err)
		return EXIT_FAILURE;
	if (o->json) {
		client_print_json(reply);
		return EXIT_SUCCESS;
	}
	print_head(reply);
	err = print_sessions(json_object_get(reply, "sessions"));
	return err ? log_errno(err, "cannot print the sessions"), EXIT_FAILURE : EXIT_SUCCESS;
}

static const struct option_def option_defs[] = {
	{ "json", 0, OPTION_FLAG, NULL, "print what the guard says as one line of JSON",
	  offsetof(struct options, json) },
	{ "socket", 0, OPTION_STRING, "PATH", "the guard's socket",
	  offsetof(struct options, socket) },
	{ 0 },
};

const struct command command_status = {
	.name = "status",
	.help = "show the guard, its tier, its sessions, holds and losses",
	.example = "backstop status",
	.options = option_defs,
	.options_size = sizeof(struct options),
	.run = run,
};

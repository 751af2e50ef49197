/* pending, approve, deny: the holds, and what a human says to them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/log.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/pending_fleet.h"
#include "cli/sign.h"
#include "cli/table.h"

struct options {
	bool json;
	const char *socket;
	const char *reason;
	const char *key;
	const char *fleet;
	struct record_place place;
};

enum { ID, LEFT, AGENT, USER, SIGNATURE, ACTION, CONTEXT, DIRECTORY, COLUMNS };

/* A human decides on the whole command: it is wrapped, never cut. */
static const struct table_column columns[COLUMNS] = {
	[ID] = { "HOLD", SCOLS_FL_RIGHT },
	[LEFT] = { "LEFT", 0 },
	[AGENT] = { "AGENT", 0 },
	[USER] = { "USER", 0 },
	[SIGNATURE] = { "SIGNATURE", 0 },
	[ACTION] = { "ACTION", SCOLS_FL_WRAP },
	[CONTEXT] = { "CONTEXT", SCOLS_FL_WRAP },
	[DIRECTORY] = { "DIRECTORY", SCOLS_FL_WRAP },
};

static int add_hold(struct libscols_table *t, const json_t *hold)
{
	static const char *const members[COLUMNS] = { "id",	   NULL, "agent",   "user",
						      "signature", NULL, "context", "cwd" };
	uint64_t now = epoch_ms(), expires = member_uint(hold, "expires_ms");
	struct strbuf cells[COLUMNS] = { 0 };
	int err;

	for (int i = 0; i < COLUMNS; i++)
		if (members[i])
			add_member(&cells[i], hold, members[i]);
	add_duration(&cells[LEFT], expires > now ? expires - now : 0);
	add_action(&cells[ACTION], hold);
	err = table_add(t, cells);
	for (int i = 0; i < COLUMNS; i++)
		strbuf_free(&cells[i]);
	return err;
}

/* Of most actions nothing is known: they take no column for it. */
static void hide_context(struct libscols_table *t, const json_t *holds)
{
	const json_t *hold;
	size_t i;

	json_array_foreach(holds, i, hold) if (json_object_get(hold, "context")) return;
	scols_column_set_flags(scols_table_get_column(t, CONTEXT), SCOLS_FL_HIDDEN);
}

static int print_holds(const json_t *holds)
{
	_cleanup_(scols_unref_table_ptr) struct libscols_table *t = table_new(columns, COLUMNS);
	const json_t *hold;
	size_t i;
	int err = t ? 0 : -ENOMEM;

	if (json_array_size(holds) == 0)
		return puts("no action is held"), 0;
	if (t)
		hide_context(t, holds);
	json_array_foreach(holds, i, hold) if (!err) err = add_hold(t, hold);
	return err ? err : table_print(t);
}

static int run_pending(const void *options, int argc _unused_, char **argv _unused_)
{
	const struct options *o = options;
	_cleanup_json_ json_t *reply = NULL;
	int err;

	if (o->place.fleet)
		return pending_fleet(&o->place, o->json);
	err = client_request(o->socket, json_pack("{ss}", "op", "pending"), &reply);
	if (err)
		return EXIT_FAILURE;
	if (o->json) {
		client_print_json(reply);
		return EXIT_SUCCESS;
	}
	err = print_holds(json_object_get(reply, "holds"));
	return err ? log_errno(err, "cannot print the holds"), EXIT_FAILURE : EXIT_SUCCESS;
}

static json_t *make_request(const struct options *o, const char *op, uint64_t id)
{
	const struct wish wish = { .hold = id,
				   .approve = !strcmp(op, "approve"),
				   .reason = o->reason };

	if (!o->key)
		return json_pack("{sssIss*}", "op", op, "id", (json_int_t)id, "reason", o->reason);
	return sign_local(o->socket, o->key, &wish);
}

static int decide(const struct options *o, const char *op, const char *done, const char *number)
{
	_cleanup_strbuf_ struct strbuf word = STRBUF_INIT;
	_cleanup_json_ json_t *reply = NULL;
	json_t *request;
	uint64_t id;

	if (o->fleet)
		return decide_in_fleet(
			&(struct fleet_decision) { o->json, o->fleet, o->key, o->reason, o->place },
			op, number);
	escape_word(&word, number);
	if (parse_number(number, INT64_MAX, &id) || id == 0) {
		log_error("%s: %s is no number of a hold: 'backstop pending' lists them", op,
			  strbuf_str(&word));
		return EXIT_USAGE;
	}
	request = make_request(o, op, id);
	if (!request || client_request(o->socket, request, &reply))
		return EXIT_FAILURE;
	if (o->json)
		printf("{\"id\":%" PRIu64 ",\"decision\":\"%s\"}\n", id, done);
	else
		printf("hold %" PRIu64 ": %s\n", id, done);
	return EXIT_SUCCESS;
}

static int run_approve(const void *options, int argc _unused_, char **argv)
{
	return decide(options, "approve", "approved", argv[0]);
}

static int run_deny(const void *options, int argc _unused_, char **argv)
{
	return decide(options, "deny", "denied", argv[0]);
}

#define OPTION_JSON                                                                                \
	{                                                                                          \
		"json", 0, OPTION_FLAG, NULL, "print JSON", offsetof(struct options, json)         \
	}
#define OPTION_SOCKET                                                                              \
	{                                                                                          \
		"socket", 0, OPTION_STRING, "PATH", "the guard's socket",                          \
			offsetof(struct options, socket)                                           \
	}

#define OPTION_KEY                                                                                 \
	{                                                                                          \
		"key", 'k', OPTION_STRING, "FILE",                                                 \
			"sign with this approver's key, which the settings list",                  \
			offsetof(struct options, key)                                              \
	}

#define OPTION_FLEET                                                                               \
	{ "fleet",                                                                                 \
	  0,                                                                                       \
	  OPTION_STRING,                                                                           \
	  "NATS",                                                                                  \
	  "send the signed decision there: nats://HOST:PORT; ID is HOST/ID",                       \
	  offsetof(struct options, fleet) },                                                       \
		{ "database",                                                                      \
		  0,                                                                               \
		  OPTION_STRING,                                                                   \
		  "FILE",                                                                          \
		  "with --fleet: the record that the hold is looked up in",                        \
		  offsetof(struct options, place.database) },                                      \
	{                                                                                          \
		"dir", 0, OPTION_STRING, "DIR", "with --fleet: the journal that it is of",         \
			offsetof(struct options, place.dir)                                        \
	}

static const struct option_def pending_options[] = {
	OPTION_JSON, OPTION_SOCKET, RECORD_OPTIONS(struct options, place), { 0 }
};
static const struct option_def approve_options[] = {
	OPTION_JSON, OPTION_SOCKET, OPTION_KEY, OPTION_FLEET, { 0 }
};

static const struct option_def deny_options[] = {
	OPTION_JSON,
	OPTION_SOCKET,
	OPTION_KEY,
	OPTION_FLEET,
	{ "reason", 'r', OPTION_STRING, "TEXT", "what the agent is told",
	  offsetof(struct options, reason) },
	{ 0 },
};

const struct command command_pending = {
	.name = "pending",
	.help = "list the actions that are held now",
	.example = "backstop pending",
	.options = pending_options,
	.options_size = sizeof(struct options),
	.run = run_pending,
};

const struct command command_approve = {
	.name = "approve",
	.arguments = "ID",
	.help = "let a held action go; one that was refused: allow its next attempt, once",
	.example = "backstop approve 7",
	.options = approve_options,
	.options_size = sizeof(struct options),
	.run = run_approve,
	.min_operands = 1,
	.max_operands = 1,
};

const struct command command_deny = {
	.name = "deny",
	.arguments = "ID",
	.help = "refuse a held action",
	.example = "backstop deny 7 --reason 'not on production'",
	.options = deny_options,
	.options_size = sizeof(struct options),
	.run = run_deny,
	.min_operands = 1,
	.max_operands = 1,
};

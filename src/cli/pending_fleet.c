#include "cli/pending_fleet.h"

#include <errno.h>
#include <stdio.h>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/feed.h"
#include "cli/held.h"
#include "cli/table.h"

enum { HOLD, SINCE, AGENT, USER, SIGNATURE, ACTION, CONTEXT, DIRECTORY, COLUMNS };

/* A human decides on the whole command: it is wrapped, never cut. */
static const struct table_column columns[COLUMNS] = {
	[HOLD] = { "HOLD", 0 },
	[SINCE] = { "SINCE", 0 },
	[AGENT] = { "AGENT", 0 },
	[USER] = { "USER", 0 },
	[SIGNATURE] = { "SIGNATURE", 0 },
	[ACTION] = { "ACTION", SCOLS_FL_WRAP },
	[CONTEXT] = { "CONTEXT", SCOLS_FL_WRAP },
	[DIRECTORY] = { "DIRECTORY", SCOLS_FL_WRAP },
};

/* ---- for people */

static void add_text(struct strbuf *out, const char *text)
{
	_cleanup_json_ json_t *object = json_pack("{ss*}", "text", text);

	add_member(out, object, "text");
}

static int add_row(void *data, const struct held *h)
{
	const json_t *details = feed_details(h->event);
	struct strbuf cells[COLUMNS] = { 0 };
	uint64_t now = epoch_ms(), since = (uint64_t)h->since_ms;
	int r;

	held_add_name(&cells[HOLD], h);
	add_duration(&cells[SINCE], now > since ? now - since : 0);
	add_member(&cells[AGENT], details, "agent");
	add_text(&cells[USER], held_user(h));
	add_member(&cells[SIGNATURE], details, "signature");
	held_add_action(&cells[ACTION], h);
	add_member(&cells[CONTEXT], details, "context");
	add_text(&cells[DIRECTORY], held_cwd(h));
	r = table_add(data, cells);
	for (int i = 0; i < COLUMNS; i++)
		strbuf_free(&cells[i]);
	return r;
}

static int print_table(struct query *q)
{
	_cleanup_(scols_unref_table_ptr) struct libscols_table *t = table_new(columns, COLUMNS);
	int r = t ? held_list(q, NULL, 0, add_row, t) : -ENOMEM;

	if (r)
		return r;
	if (scols_table_get_nlines(t) == 0)
		return puts("no action is held"), 0;
	return table_print(t);
}

/* ---- for programs */

static void put_copy(struct json *j, const char *key, const json_t *value)
{
	size_t i;
	const json_t *word;

	if (json_is_string(value))
		json_put_string(j, key, json_string_value(value));
	if (!json_is_array(value))
		return;
	json_open_array(j, key);
	json_array_foreach(value, i, word)
	{
		json_put_string(j, NULL, json_string_value(word));
	}
	json_close_array(j);
}

static int put_held(void *data, const struct held *h)
{
	static const char *const members[] = { "session", "agent",   "signature", "severity",
					       "why",	  "instead", "context",	  "argv" };
	const json_t *details = feed_details(h->event);
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT, action = STRBUF_INIT;
	char digest[HEX(APPROVAL_DIGEST)];
	struct json *j = data;

	held_add_name(&name, h);
	held_add_action(&action, h);
	json_open_object(j, NULL);
	json_put_string(j, "hold", strbuf_str(&name));
	json_put_string(j, "host", h->host);
	json_put_string(j, "hostname", h->hostname);
	json_put_uint(j, "id", h->hold);
	json_put_int(j, "since_ms", h->since_ms);
	json_put_string(j, "user", held_user(h));
	json_put_string(j, "cwd", held_cwd(h));
	json_put_string(j, "action", strbuf_str(&action));
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		put_copy(j, members[i], json_object_get(details, members[i]));
	if (!held_digest(h, digest))
		json_put_string(j, "action_hash", digest);
	json_close_object(j);
	return 0;
}

static int print_json(struct query *q)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out);
	int r;

	json_open_object(&j, NULL);
	json_open_array(&j, "holds");
	r = held_list(q, NULL, 0, put_held, &j);
	json_close_array(&j);
	json_close_object(&j);
	if (!r)
		puts(strbuf_str(&out));
	return r;
}

int pending_fleet(const struct record_place *p, bool json)
{
	_cleanup_(query_close_ptr) struct query *q = NULL;
	int r;

	if (record_open("pending", p, &q))
		return EXIT_FAILURE;
	r = json ? print_json(q) : print_table(q);
	return r ? log_errno(r, "cannot print the holds"), EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- */

#define PROGRAM	 "backstop-serve"
#define ARGS_MAX 20

static void add_option(const char **argv, size_t *count, const char *option, const char *value)
{
	if (!value)
		return;
	argv[(*count)++] = option;
	argv[(*count)++] = value;
}

int decide_in_fleet(const struct fleet_decision *d, const char *op, const char *hold)
{
	const char *argv[ARGS_MAX] = { "backstop", op };
	_cleanup_free_ char *path = NULL;
	size_t count = 2;
	int r = io_find_program(PROGRAM, &path);

	add_option(argv, &count, "--fleet", d->fleet);
	add_option(argv, &count, "--key", d->key);
	add_option(argv, &count, "--reason", d->reason);
	add_option(argv, &count, "--database", d->place.database);
	add_option(argv, &count, "--dir", d->place.dir);
	if (d->json)
		argv[count++] = "--json";
	add_option(argv, &count, "--", hold);
	if (!r) {
		execv(path, (char *const *)argv);
		r = -errno;
	}
	log_errno(r, "%s: cannot run " PROGRAM ", which is installed with backstop", op);
	return EXIT_FAILURE;
}

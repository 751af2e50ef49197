/* tree: the processes of a session. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/record.h"
#include "cli/table.h"
#include "guard/guard.h"
#include "journal/ocsf.h"

#define COMMAND_MAX 160 /* bytes shown of a command; --json has more */
#define DEPTH_SHOWN 60

struct options {
	bool json;
	struct record_place place;
};

/* Whether a line goes on at that depth. */
static void add_branch(struct strbuf *out, const struct tree_node *n, int depth)
{
	const struct tree_node *path[DEPTH_SHOWN];
	int shown = MIN(depth, DEPTH_SHOWN);

	for (int i = shown - 1; i >= 0; i--, n = n->up)
		path[i] = n;
	for (int i = 0; i < shown; i++) {
		bool last = !path[i]->next;

		if (i == shown - 1)
			strbuf_adds(out, last ? "└─ " : "├─ ");
		else
			strbuf_adds(out, last ? "   " : "│  ");
	}
}

static void add_counts(struct strbuf *out, const struct tree_node *n)
{
	if (n->connects)
		strbuf_addf(out, ", %" PRId64 " connects", n->connects);
	if (n->deletes)
		strbuf_addf(out, ", %" PRId64 " deletions", n->deletes);
}

static void print_node(void *data, const struct tree_node *n, int depth)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT, outcome = STRBUF_INIT;
	bool colour = *(bool *)data;

	add_branch(&out, n, depth);
	strbuf_addf(&out, "[%" PRId64 "] ", n->pid);
	record_add_command(&out, n->command, COMMAND_MAX);
	strbuf_adds(&out, "  (");
	record_add_end(&out, n);
	add_counts(&out, n);
	strbuf_addc(&out, ')');
	record_add_outcome(&outcome, n);
	if (outcome.len)
		strbuf_addf(&out, colour ? "  \033[33m%s\033[0m" : "  %s", strbuf_str(&outcome));
	puts(strbuf_str(&out));
}

static void print_head(const struct tree_session *s)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	strbuf_adds(&out, "session ");
	record_add_command(&out, s->name, SIZE_MAX);
	strbuf_adds(&out, " of ");
	escape_bytes(&out, s->agent ? s->agent : "-", strlen(s->agent ? s->agent : "-"));
	if (s->host) {
		strbuf_adds(&out, " on ");
		escape_bytes(&out, s->host, strlen(s->host));
	}
	strbuf_adds(&out, ", ");
	add_time(&out, (uint64_t)s->began_ms);
	strbuf_adds(&out, ", ");
	record_add_ms(&out, s->last_ms - s->began_ms);
	strbuf_addf(&out, ", %" PRId64 " events, %" PRId64 " findings", s->events, s->findings);
	puts(strbuf_str(&out));
}

/* ---- for programs: an object a process */

static void put_known(struct json *j, const char *key, int64_t n)
{
	if (n)
		json_put_int(j, key, n);
}

static void print_json(void *data, const struct tree_node *n, int depth)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	const struct tree_session *s = data;
	struct json j = JSON_INIT(&out);

	json_open_object(&j, NULL);
	json_put_string(&j, "session", s->name);
	json_put_int(&j, "id", n->id);
	put_known(&j, "parent", n->parent);
	json_put_int(&j, "depth", depth);
	json_put_int(&j, "pid", n->pid);
	json_put_string(&j, "command", n->command);
	put_known(&j, "began_ms", n->began_ms);
	put_known(&j, "ended_ms", n->ended_ms);
	if (n->ended_ms)
		json_put_int(&j, "status", n->status);
	put_known(&j, "signal", n->signal);
	json_put_string(&j, "outcome", ocsf_word(n->outcome, n->verdict));
	json_put_string(&j, "signature", n->signature);
	json_put_string(&j, "by", n->by);
	json_put_int(&j, "connects", n->connects);
	json_put_int(&j, "deletes", n->deletes);
	json_close_object(&j);
	puts(strbuf_str(&out));
}

static int print_tree(const struct options *o, struct query *q, const char *name)
{
	_cleanup_tree_session_ struct tree_session s = { 0 };
	_cleanup_tree_ struct tree t = { 0 };
	bool colour = isatty(STDOUT_FILENO);
	int r = record_find_session("tree", q, name, &s);

	if (r)
		return r;
	r = tree_read(q, s.id, &t);
	if (r)
		return log_errno(r, "tree: cannot read the database");
	if (o->json) {
		tree_walk(&t, print_json, &s);
		return 0;
	}
	print_head(&s);
	tree_walk(&t, print_node, &colour);
	return 0;
}

static int run(const void *options, int argc _unused_, char **argv)
{
	_cleanup_(query_close_ptr) struct query *q = NULL;
	const struct options *o = options;

	if (record_open("tree", &o->place, &q))
		return EXIT_FAILURE;
	return print_tree(o, q, argv[0]) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const struct option_def option_defs[] = {
	{ "json", 0, OPTION_FLAG, NULL, "print an object a process",
	  offsetof(struct options, json) },
	RECORD_OPTIONS(struct options, place),
	{ 0 },
};

const struct command command_tree = {
	.name = "tree",
	.arguments = "[SESSION]",
	.help = "show the processes of a session (of the newest), how they ended, and what was "
		"decided",
	.example = "backstop tree 19ab3f2c1d0",
	.options = option_defs,
	.options_size = sizeof(struct options),
	.run = run,
	.max_operands = 1,
};

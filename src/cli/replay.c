/* replay: what another policy would have decided of all that a journal tells.
 *
 * An action's line comes first, and the findings on it, if there are any, behind it, under the same
 * number of the same run. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/feed.h"
#include "cli/filter.h"
#include "cli/replay_judge.h"
#include "cli/table.h"
#include "guard/guard.h"
#include "journal/journal.h"
#include "policy/compile.h"
#include "record/store.h"

struct options {
	bool json;
	const char *policy;
};

/* An action whose finding may still come. */
struct waiting {
	json_t *event;	 /* NULL: its finding came */
	uint64_t number; /* its place among the actions */
	enum verdict verdict;
	char *signature; /* NULL: none */
};

struct replay {
	const struct options *options;
	struct judge *judge;
	struct map waiting;
	uint64_t actions, alike, alarms, gone, other, skipped;
};

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* 0: it has none. */
static uint64_t key_of(const json_t *event)
{
	const json_t *details = feed_details(event);
	const char *run = text(details, "run");
	uint64_t number = member_uint(details, "event");
	char key[64];
	int n = snprintf(key, sizeof(key), "%s:%" PRIu64, run ? run : "", number);

	return run && number ? (uint64_t)store_process_id(key, (size_t)n) : 0;
}

/* ---- what is told */

static void print_json(const json_t *event, const char *what, const char *before,
		       const struct waiting *now)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out);

	json_open_object(&j, NULL);
	json_put_string(&j, "kind", what);
	json_put_uint(&j, "time", member_uint(event, "time"));
	json_put_string(&j, "session", text(feed_details(event), "session"));
	json_put_string(&j, "message", text(event, "message"));
	json_put_string(&j, "before", before);
	json_put_string(&j, "now", verdict_name(now->verdict));
	json_put_string(&j, "signature", now->signature);
	json_close_object(&j);
	puts(strbuf_str(&out));
}

static void tell(const struct replay *r, const json_t *event, const char *what, const char *before,
		 const struct waiting *now)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	if (r->options->json) {
		print_json(event, what, before, now);
		return;
	}
	strbuf_addf(&out, "%-5s ", what);
	escape_bytes(&out, before, strlen(before));
	strbuf_addf(&out, " -> %s", verdict_name(now->verdict));
	if (now->signature)
		strbuf_addf(&out, " (%s)", now->signature);
	strbuf_adds(&out, ": ");
	feed_format_event(&out, event, false);
	fputs(strbuf_str(&out), stdout);
}

/* `before` NULL: it was let go of without a finding. */
static void compare(struct replay *r, const json_t *event, const char *before,
		    const struct waiting *now)
{
	bool was = before && strcmp(before, "allow") != 0, is = now->verdict != VERDICT_ALLOW;

	if (!strcmp(before ? before : "allow", verdict_name(now->verdict))) {
		r->alike++;
		return;
	}
	r->alarms += is && !was;
	r->gone += was && !is;
	r->other += was && is;
	tell(r, event, was && is ? "other" : is ? "new" : "gone", before ? before : "allow", now);
}

/* ---- lines */

static void waiting_free(struct waiting *w)
{
	if (!w)
		return;
	json_decref(w->event);
	free(w->signature);
	free(w);
}

static int take_action(struct replay *r, json_t *event, const struct finding *f)
{
	struct waiting *w = calloc(1, sizeof(*w)), *before;
	uint64_t key = key_of(event);
	int err = w ? 0 : -ENOMEM;

	r->actions++;
	if (!err && f->id && asprintf(&w->signature, "%s.%s", f->pack, f->id) < 0)
		err = -ENOMEM;
	if (err) {
		free(w);
		return err;
	}
	w->verdict = f->verdict;
	w->number = r->actions;
	if (!key) {
		compare(r, event, NULL, w);
		waiting_free(w);
		return 0;
	}
	w->event = json_incref(event);
	before = map_get(&r->waiting, key);
	if (before && before->event)
		compare(r, before->event, NULL, before);
	err = map_set(&r->waiting, key, w);
	waiting_free(err ? w : before);
	return err;
}

/* A hold has a finding when it begins and one when it ends: the first says the policy's verdict. */
static void take_finding(struct replay *r, const json_t *event)
{
	struct waiting *w = map_get(&r->waiting, key_of(event));
	const char *verdict = text(feed_details(event), "verdict");

	if (!w || !verdict) {
		r->skipped++;
		return;
	}
	if (!w->event)
		return;
	compare(r, event, verdict, w);
	json_decref(w->event);
	w->event = NULL;
}

static int take_line(struct replay *r, const char *line, size_t len)
{
	_cleanup_json_ json_t *event = feed_parse(line, len);
	struct finding f;

	if (!event)
		return 0;
	if (member_uint(event, "class_uid") == 2004)
		take_finding(r, event);
	else if (judge_event(r->judge, event, &f))
		return take_action(r, event, &f);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct waiting *x = *(struct waiting *const *)a, *y = *(struct waiting *const *)b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* In the order of the journal. */
static int compare_rest(struct replay *r)
{
	_cleanup_free_ struct waiting **rest = calloc(r->actions + 1, sizeof(struct waiting *));
	size_t count = 0;
	void *v;

	if (!rest)
		return -ENOMEM;
	map_for_each (&r->waiting, v) {
		rest[count] = v;
		count += rest[count]->event != NULL;
	}
	qsort(rest, count, sizeof(struct waiting *), by_number);
	for (size_t i = 0; i < count; i++)
		compare(r, rest[i]->event, NULL, rest[i]);
	return 0;
}

static int read_journal(struct replay *r, const char *dir)
{
	_cleanup_(journal_reader_close_ptr) struct journal_reader *reader = NULL;
	const char *line;
	size_t len;
	int err = journal_reader_open(dir, &reader);

	while (!err && (err = journal_reader_next(reader, &line, &len)) > 0)
		err = take_line(r, line, len);
	return err ? err : compare_rest(r);
}

static void print_sum(const struct replay *r)
{
	if (r->options->json)
		printf("{\"kind\":\"sum\",\"actions\":%" PRIu64 ",\"alike\":%" PRIu64
		       ",\"new\":%" PRIu64 ",\"gone\":%" PRIu64 ",\"other\":%" PRIu64
		       ",\"not_compared\":%" PRIu64 "}\n",
		       r->actions, r->alike, r->alarms, r->gone, r->other, r->skipped);
	else
		printf("%" PRIu64 " actions: %" PRIu64 " as before, %" PRIu64
		       " new alarms, %" PRIu64 " gone, %" PRIu64 " with another verdict; %" PRIu64
		       " findings are on no action of the journal\n",
		       r->actions, r->alike, r->alarms, r->gone, r->other, r->skipped);
}

/* ---- the policy */

/* A directory of packs, or an image. 0 or a negative errno, logged. */
static int open_policy(const char *path, struct policy **ret)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, faults = STRBUF_INIT;
	struct compile_stats stats;
	struct stat st;
	int r;

	if (!path || stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return command_open_policy(path, ret);
	r = policy_compile((char *const[]) { (char *)path }, 1, NULL, &image, &stats, &faults);
	if (!r)
		r = policy_from_memory(image.data, image.len, ret, &faults);
	fputs(strbuf_str(&faults), stderr);
	return r && r != -EINVAL ? log_errno(r, "replay: cannot compile %s", path) : r;
}

static int run(const void *options, int argc _unused_, char **argv)
{
	_cleanup_(policy_free_ptr) struct policy *p = NULL;
	_cleanup_(judge_free_ptr) struct judge *judge = NULL;
	struct replay r = { .options = options };
	const char *dir = argv[0] ? argv[0] : JOURNAL_DIR;
	void *v;
	int err = open_policy(r.options->policy, &p) ?: judge_new(p, &judge);

	if (err)
		return EXIT_FAILURE;
	r.judge = judge;
	err = read_journal(&r, dir);
	if (err)
		feed_log_failure("replay", err, dir, false);
	else
		print_sum(&r);
	map_for_each (&r.waiting, v)
		waiting_free(v);
	map_free(&r.waiting);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const struct option_def option_defs[] = {
	{ "json", 0, OPTION_FLAG, NULL, "print an object for each difference",
	  offsetof(struct options, json) },
	{ "policy", 0, OPTION_STRING, "PATH", "the policy: an image, or a directory of packs",
	  offsetof(struct options, policy) },
	{ 0 },
};

const struct command command_replay = {
	.name = "replay",
	.arguments = "[JOURNAL]",
	.help = "tell what another policy would have decided of all that a journal tells: new "
		"alarms, alarms gone",
	.example = "backstop replay --policy packs/ /var/lib/backstop/journal",
	.options = option_defs,
	.options_size = sizeof(struct options),
	.run = run,
	.max_operands = 1,
};

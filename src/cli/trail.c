#include "cli/trail_search.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "cli/client.h"
#include "cli/feed.h"
#include "cli/table.h"
#include "journal/journal.h"
#include "journal/ocsf.h"

/* ---- paths */

/* The directories that are still there may be links. */
static char *resolve_links(char *path)
{
	for (char *slash = strrchr(path, '/'); slash && slash > path;) {
		char *real, *joined;

		*slash = '\0';
		real = realpath(path, NULL);
		*slash = '/';
		if (real) {
			int n = asprintf(&joined, "%s%s", strcmp(real, "/") ? real : "", slash);

			free(real);
			return n < 0 ? NULL : joined;
		}
		slash = memrchr(path, '/', slash - path);
	}
	return strdup(path);
}

char *trail_resolve(const char *path)
{
	char cwd[PATH_MAX] = "/";
	_cleanup_free_ char *whole = NULL;

	if (path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return NULL;
	whole = path_join(cwd, path);
	return whole ? resolve_links(whole) : NULL;
}

/* ---- how two paths lie to each other */

enum relation { APART, SAME, BELOW, ABOVE /* the wanted one lies in it */ };

static bool lies_in(const char *path, size_t len, const char *dir, size_t dir_len)
{
	if (dir_len == 1) /* the root */
		return true;
	return len > dir_len && path[dir_len] == '/' && !memcmp(path, dir, dir_len);
}

static enum relation relate(const char *path, size_t len, const char *wanted, size_t wanted_len)
{
	if (len == wanted_len && !memcmp(path, wanted, len))
		return SAME;
	if (lies_in(path, len, wanted, wanted_len))
		return BELOW;
	return lies_in(wanted, wanted_len, path, len) ? ABOVE : APART;
}

/* ---- reading */

/* A finding on a deletion comes behind it, and so is read before it. */
struct decision {
	STAILQ_ENTRY(decision) link;
	json_t *finding;
};

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static const json_t *acting_process(const json_t *deletion)
{
	return json_object_get(json_object_get(deletion, "actor"), "process");
}

/* Uid of the process whose exec the program is of. */
static const char *program_of(const json_t *deletion)
{
	const char *program = text(feed_details(deletion), "program");

	return program ? program : text(acting_process(deletion), "uid");
}

static bool begins(const char *line, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len > n && !memcmp(line, with, n);
}

/* The raw value of a string member that stands once in the line. */
static const char *find_value(const char *line, size_t len, const char *key, size_t *ret_len)
{
	const char *at = memmem(line, len, key, strlen(key)), *end;

	if (!at)
		return NULL;
	at += strlen(key);
	for (end = at; end < line + len && *end != '"'; end++)
		end += *end == '\\';
	*ret_len = MIN(end, line + len) - at;
	return at;
}

/* Escapes keep the order of characters, so that paths compare as they are written. */
static enum relation relate_member(const struct trail_search *s, const char *line, size_t len,
				   const char *key)
{
	size_t value_len;
	const char *value = find_value(line, len, key, &value_len);

	return value ? relate(value, value_len, s->written, s->written_len) : APART;
}

static enum relation relate_text(const struct trail_search *s, const char *path)
{
	return path ? relate(path, strlen(path), s->path, strlen(s->path)) : APART;
}

/* What lies in a directory is gone from there with it; a file that is emptied has nothing in it. */
static bool takes_all(const json_t *event)
{
	const char *word = text(feed_details(event), "deletion");

	switch (ocsf_deletion_op(word)) {
	case BS_DELETE_RMDIR:
	case BS_DELETE_RENAME:
	case BS_DELETE_EXCHANGE:
	case BS_DELETE_MOVE:
		return true;
	default:
		return false;
	}
}

static void decision_free(struct trail_search *s, struct decision *d)
{
	STAILQ_REMOVE(&s->decisions, d, decision, link);
	json_decref(d->finding);
	free(d);
}

static bool same_event(const json_t *a, const json_t *b)
{
	const char *run_a = text(feed_details(a), "run"), *run_b = text(feed_details(b), "run");

	return run_a && run_b && !strcmp(run_a, run_b) &&
	       json_integer_value(json_object_get(feed_details(a), "event")) ==
		       json_integer_value(json_object_get(feed_details(b), "event"));
}

/* The newest of those on the event comes first. */
static json_t *take_decision(struct trail_search *s, const json_t *event)
{
	struct decision *d, *next;
	json_t *found = NULL;

	for (d = STAILQ_FIRST(&s->decisions); d; d = next) {
		next = STAILQ_NEXT(d, link);
		if (!same_event(d->finding, event))
			continue;
		if (!found)
			found = json_incref(d->finding);
		decision_free(s, d);
	}
	return found;
}

/* Below the path, by the same program, with the same outcome. */
static struct trail_entry *find_alike(struct trail_search *s, const json_t *event)
{
	json_int_t disposition = json_integer_value(json_object_get(event, "disposition_id"));
	const char *program = program_of(event);
	struct trail_entry *e;

	STAILQ_FOREACH (e, &s->trail->entries, link)
		if (e->below && !e->decision && program && e->program &&
		    !strcmp(program, e->program) &&
		    json_integer_value(json_object_get(e->event, "disposition_id")) == disposition)
			return e;
	return NULL;
}

static uint64_t since_of(const struct trail_search *s, const json_t *event)
{
	return s->row.count > 1 ? s->row.since_ms : member_uint(event, "time");
}

static struct trail_entry *add_entry(struct trail_search *s, json_t *event)
{
	struct trail_entry *e;

	if (s->trail->count >= s->limit) {
		s->full = true;
		return NULL;
	}
	e = calloc(1, sizeof(*e));
	if (!e) {
		s->err = -ENOMEM;
		return NULL;
	}
	e->event = json_incref(event);
	e->row = s->row.id;
	e->count = MAX(s->row.count, 1U);
	e->since_ms = since_of(s, event);
	STAILQ_INSERT_TAIL(&s->trail->entries, e, link);
	s->trail->count++;
	return e;
}

static void add_deletion(struct trail_search *s, json_t *event, enum relation relation)
{
	json_t *decision = take_decision(s, event);
	struct trail_entry *e = relation == BELOW && !decision ? find_alike(s, event) : NULL;

	if (e) {
		e->count += MAX(s->row.count, 1U);
		e->since_ms = MIN(e->since_ms, since_of(s, event));
		return;
	}
	e = add_entry(s, event);
	if (!e) {
		json_decref(decision);
		return;
	}
	e->below = relation == BELOW;
	e->decision = decision;
	e->program = program_of(event) ? strdup(program_of(event)) : NULL;
	s->open += e->program != NULL;
}

static void take_deletion(struct trail_search *s, const char *line, size_t len)
{
	enum relation relation = relate_member(s, line, len, "\"path\":\"");
	json_t *event;

	if (relation == APART)
		relation = relate_member(s, line, len, "\"inner\":\"");
	if (relation == APART)
		return;
	event = feed_parse(line, len);
	if (event && (relation != ABOVE || takes_all(event)))
		add_deletion(s, event, relation);
	json_decref(event);
}

static void keep_decision(struct trail_search *s, json_t *finding)
{
	struct decision *d = calloc(1, sizeof(*d));

	if (!d) {
		s->err = -ENOMEM;
		return;
	}
	d->finding = json_incref(finding);
	STAILQ_INSERT_TAIL(&s->decisions, d, link);
}

/* Of the findings on one command the newest counts. */
static void add_command(struct trail_search *s, json_t *finding)
{
	struct trail_entry *e;

	for (e = STAILQ_FIRST(&s->trail->entries); e; e = STAILQ_NEXT(e, link))
		if (same_event(e->event, finding))
			return;
	add_entry(s, finding);
}

static bool names_path(const struct trail_search *s, const json_t *finding, const json_t *process)
{
	const json_t *argv = json_object_get(feed_details(finding), "argv");
	const char *cwd = text(process, "working_directory");

	for (size_t i = 1; i < json_array_size(argv); i++) {
		const char *word = json_string_value(json_array_get(argv, i));
		_cleanup_free_ char *path = NULL;

		if (!word || word[0] == '-' || (word[0] != '/' && !cwd))
			continue;
		path = path_join(cwd, word);
		if (path && relate_text(s, path) != APART)
			return true;
	}
	return false;
}

static void take_finding(struct trail_search *s, const char *line, size_t len)
{
	json_t *event = feed_parse(line, len);
	const json_t *evidence = json_array_get(json_object_get(event, "evidences"), 0);
	const char *path = text(json_object_get(evidence, "file"), "path"),
		   *inner = text(feed_details(event), "inner");

	if (path && (relate_text(s, path) != APART || relate_text(s, inner) != APART))
		keep_decision(s, event);
	else if (!path && !json_object_get(evidence, "dst_endpoint") &&
		 names_path(s, event, json_object_get(evidence, "process")))
		add_command(s, event);
	json_decref(event);
}

static void take_exec(struct trail_search *s, const char *line, size_t len)
{
	_cleanup_json_ json_t *event = NULL;
	struct trail_entry *e;

	for (e = STAILQ_FIRST(&s->trail->entries); e; e = STAILQ_NEXT(e, link)) {
		const char *uid;

		if (!e->program || e->exec || !memmem(line, len, e->program, strlen(e->program)))
			continue;
		event = event ? event : feed_parse(line, len);
		uid = text(json_object_get(event, "process"), "uid");
		if (!uid || strcmp(uid, e->program))
			continue;
		e->exec = json_incref(event);
		s->open--;
	}
}

/* Nothing ends the last line of a segment whose writer was killed. */
static void note_time(struct trail_search *s, const char *line, size_t len)
{
	static const char key[] = "\"time\":";
	const char *at = memmem(line, MIN(len, 200UL), key, strlen(key)), *end = line + len;
	uint64_t ms = 0;

	if (!at)
		return;
	for (at += strlen(key); at < end && *at >= '0' && *at <= '9'; at++)
		ms = ms * 10 + (uint64_t)(*at - '0');
	s->trail->oldest_ms = ms;
}

/* The kinds of lines are told by how they begin, as this is most of the work in a large journal. */
bool trail_take_line(void *data, const char *line, size_t len)
{
	struct trail_search *s = data;

	if (begins(line, len, "{\"class_uid\":1001,"))
		take_deletion(s, line, len);
	else if (begins(line, len, "{\"class_uid\":2004,"))
		take_finding(s, line, len);
	else if (s->open && begins(line, len, "{\"class_uid\":1007,"))
		take_exec(s, line, len);
	note_time(s, line, len);
	return !s->err && !(s->full && !s->open);
}

/* As the journal writes it, without its quotes. */
static int write_path(struct trail_search *s)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out);

	json_put_string(&j, NULL, s->path);
	if (strbuf_error(&out))
		return -ENOMEM;
	s->written_len = out.len - 2;
	s->written = strndup(out.data + 1, s->written_len);
	return s->written ? 0 : -ENOMEM;
}

int trail_search(trail_source_fn source, void *data, const char *path, unsigned int limit,
		 struct trail *ret)
{
	_cleanup_trail_ struct trail t = { .entries = STAILQ_HEAD_INITIALIZER(t.entries) };
	struct trail_search s = { .trail = &t, .path = path, .limit = limit };
	int r;

	STAILQ_INIT(&s.decisions);
	r = write_path(&s);
	if (!r)
		r = source(data, &s);
	while (!STAILQ_EMPTY(&s.decisions))
		decision_free(&s, STAILQ_FIRST(&s.decisions));
	free(s.written);
	if (r || s.err)
		return r ? r : s.err;
	STAILQ_INIT(&ret->entries);
	STAILQ_CONCAT(&ret->entries, &t.entries);
	ret->count = t.count;
	ret->oldest_ms = t.oldest_ms;
	return 0;
}

static int read_journal(void *data, struct trail_search *s)
{
	return journal_read_back(data, UINT64_MAX, trail_take_line, s);
}

int trail_read(const char *dir, const char *path, unsigned int limit, struct trail *ret)
{
	return trail_search(read_journal, (void *)dir, path, limit, ret);
}

void trail_free(struct trail *t)
{
	struct trail_entry *e;

	while ((e = STAILQ_FIRST(&t->entries))) {
		STAILQ_REMOVE_HEAD(&t->entries, link);
		json_decref(e->event);
		json_decref(e->decision);
		json_decref(e->exec);
		free(e->program);
		free(e);
	}
}

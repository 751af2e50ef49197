/* send: of a signature, and its way into an image. */
#include <ctype.h>
#include <string.h>

#include "policy/needle_text.h"
#include "policy/send_rule.h"
#include "policy/writer.h"

#define WORDS_MAX 4 /* of a command: a rule has that many needles */

static const char *const kind_names[SEND_KIND_COUNT] = {
	[SEND_SQL] = "sql",   [SEND_REDIS] = "redis",	  [SEND_MONGO] = "mongo",
	[SEND_HTTP] = "http", [SEND_GRAPHQL] = "graphql", [SEND_TEXT] = "text",
};

/* --- reading */

struct reading {
	enum send_kind kind;
	struct send_rule *found; /* of this mapping */
	size_t found_count;
	const char **to;
	size_t to_count;
};

/* The words of a text, up to `max`; more are counted. */
static size_t split(struct arena *a, const char *text, const char **ret, size_t max)
{
	size_t count = 0;

	while (*(text += strspn(text, " "))) {
		size_t len = strcspn(text, " ");

		if (count < max)
			ret[count] = arena_strndup(a, text, len);
		count++;
		text += len;
	}
	return count;
}

static bool is_identifier(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n && !s[n] && !isdigit((unsigned char)s[0]);
}

/* What is wrong with it; NULL: nothing is, and the rule has what it says. */
static const char *take_words(struct arena *a, struct send_rule *rule, const char *text)
{
	const char *words[WORDS_MAX];
	size_t count = split(a, text, words, WORDS_MAX);

	rule->what = text;
	switch (rule->kind) {
	case SEND_SQL:
		rule->what = NULL;
		return strcmp(text, "destructive") ? "of SQL, destructive is all that is known here"
						   : NULL;
	case SEND_REDIS:
		return count > WORDS_MAX ? "a command is given by up to four words" : NULL;
	case SEND_MONGO:
		rule->what = words[0];
		rule->everything = count == 2 && strcmp(words[1], "everything") == 0;
		return count == 1 || (rule->everything && strcmp(words[0], "delete") == 0)
			       ? NULL
			       : "write one command, or delete everything";
	case SEND_HTTP:
		rule->what = words[0];
		rule->path = count == 2 ? words[1] : NULL;
		return rule->path && (*rule->path == '/' || *rule->path == '*')
			       ? NULL
			       : "write a method and a path: DELETE /v1/volumes/*";
	case SEND_GRAPHQL:
		return is_identifier(text) ? NULL : "write the name of one field";
	case SEND_TEXT:
	case SEND_KIND_COUNT:
		break;
	}
	return NULL;
}

static void read_what(struct yaml_reader *r, struct yaml v, void *data)
{
	struct reading *reading = data;
	struct send_rule rule = { .kind = reading->kind };
	struct text t = yaml_text(r, v);
	const char *fault;

	if (!t.s)
		return;
	fault = take_words(r->arena, &rule, t.s);
	if (fault) {
		source_fault(r->src, t.spot, "%s", fault);
		return;
	}
	rule.text = (struct text) { arena_printf(r->arena, "%s: %s", kind_names[rule.kind], t.s),
				    t.spot };
	ARENA_PUSH(r->arena, reading->found, rule);
}

#define READ_KIND(name, number)                                                                    \
	static void read_##name(struct yaml_reader *r, struct yaml v, void *data)                  \
	{                                                                                          \
		((struct reading *)data)->kind = number;                                           \
		yaml_list(r, v, true, read_what, data);                                            \
	}

READ_KIND(sql, SEND_SQL)
READ_KIND(redis, SEND_REDIS)
READ_KIND(mongo, SEND_MONGO)
READ_KIND(http, SEND_HTTP)
READ_KIND(graphql, SEND_GRAPHQL)
READ_KIND(text, SEND_TEXT)

static void read_one_name(struct yaml_reader *r, struct yaml v, void *data)
{
	struct reading *reading = data;
	struct text t = yaml_text(r, v);

	if (t.s && strpbrk(t.s, "/: "))
		source_fault(r->src, t.spot, "to: is a name alone, such as *.example.com");
	else if (t.s)
		ARENA_PUSH(r->arena, reading->to, t.s);
}

static void read_to(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_one_name, data);
}

static const struct yaml_key keys[] = {
	{ "sql", read_sql, false },	    { "redis", read_redis, false },
	{ "mongo", read_mongo, false },	    { "http", read_http, false },
	{ "graphql", read_graphql, false }, { "text", read_text, false },
	{ "to", read_to, false },	    { NULL, NULL, false },
};

/* Each of what is sent to each of the names. */
static void add_rules(struct arena *a, const struct reading *reading, struct send_rules *rules)
{
	for (size_t i = 0; i < reading->found_count; i++) {
		struct send_rule rule = reading->found[i];
		const char *text = rule.text.s;

		if (!reading->to_count)
			ARENA_PUSH(a, rules->all, rule);
		for (size_t k = 0; k < reading->to_count; k++) {
			rule.to = reading->to[k];
			rule.text.s = arena_printf(a, "%s to %s", text, rule.to);
			ARENA_PUSH(a, rules->all, rule);
		}
	}
}

static void read_rule(struct yaml_reader *r, struct yaml v, void *data)
{
	unsigned int before = r->src->faults->count;
	struct reading reading = { 0 };

	if (!yaml_is_mapping(v)) {
		source_fault(r->src, v.spot,
			     "what is sent is a mapping, such as {sql: destructive}");
		return;
	}
	yaml_mapping(r, v, keys, &reading);
	if (!reading.found_count && r->src->faults->count == before)
		source_fault(r->src, v.spot,
			     "sql:, redis:, mongo:, http:, graphql: or text: is missing here");
	add_rules(r->arena, &reading, data);
}

void send_rules_read(struct yaml_reader *r, struct yaml v, struct send_rules *ret)
{
	yaml_list(r, v, true, read_rule, ret);
}

/* --- what freezes */

/* Letters that are written as %XX, \xXX or \u00XX; `before` is what stands there without the mark.
 */
static struct choice escapes(struct needles *n, const char *before)
{
	static const char high[] = "234567", low[] = "0123456789abcdef";
	struct needle needle = { 0 };
	struct choice c = { 0 };

	for (size_t i = 0; high[i]; i++)
		for (size_t k = 0; low[k]; k++)
			needle_add_pattern(
				n, &needle,
				arena_printf(n->arena, "%s%c%c", before, high[i], low[k]), true,
				false);
	for (size_t i = 0; i < needle.patterns_count; i++)
		needle.patterns[i].percent = !*before;
	needle_choose(&c, needle_add(n, &needle));
	return c;
}

static struct choice word_choice(struct needles *n, const char *word, bool bounded)
{
	struct choice c = { 0 };

	if (bounded)
		return needle_of_glob(n, word, true);
	needle_choose_run(n, &c, &(struct pattern) { .text = word });
	return c;
}

/* All of these words, `bounded`: by themselves; and, where `before` is not NULL, the first `kept`
 * and an escape: what stands behind may be written in another way. */
static bool add_words(struct needles *n, const char **words, size_t count, bool bounded,
		      size_t kept, const char *before)
{
	struct choice all[WORDS_MAX + 1];

	for (size_t i = 0; i < count; i++)
		all[i] = word_choice(n, words[i], bounded);
	if (!needles_add_choices(n, all, count))
		return false;
	if (before) {
		all[kept] = escapes(n, before);
		needles_add_choices(n, all, kept + 1);
	}
	return true;
}

static bool add_sql(struct needles *n)
{
	/* the last two: a text that was sent before, or that is put together of pieces */
	static const char *const words[] = { "drop",   "truncate", "delete",  "alter",
					     "update", "replace",  "prepare", "immediate" };
	bool added = true;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		added &= add_words(n, (const char *[]) { words[i] }, 1, false, 0, NULL);
	return added;
}

/* Bodies that nobody can search. */
static bool add_unreadable(struct needles *n)
{
	static const char *const marks[] = { "content-encoding", "utf-16", "utf-32" };
	bool added = true;

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		struct choice both[] = { word_choice(n, "graphql", false),
					 word_choice(n, marks[i], true) };

		added &= needles_add_choices(n, both, ARRAY_SIZE(both));
	}
	return added;
}

static bool freeze(struct needles *n, const struct send_rule *rule)
{
	const char *words[WORDS_MAX] = { rule->what, rule->path };
	size_t count = 1;

	switch (rule->kind) {
	case SEND_SQL:
		return add_sql(n);
	case SEND_REDIS:
		count = split(n->arena, rule->what, words, WORDS_MAX);
		if (count > 2) { /* SET, as of CONFIG SET, would be found in most that is sent */
			words[1] = words[count - 1];
			count = 2;
		}
		return add_words(n, words, count, true, 0, "x");
	case SEND_HTTP:
		return add_words(n, words, 2, true, 1, "") &&
		       add_words(n, (const char *[]) { "_method", rule->path }, 2, true, 1, "");
	case SEND_GRAPHQL:
		return add_words(n, words, 1, false, 0, "u00") && add_unreadable(n);
	case SEND_TEXT:
		return needles_add_path(n, rule->what);
	case SEND_MONGO:
	case SEND_KIND_COUNT:
		break;
	}
	return add_words(n, words, 1, true, 0, NULL);
}

static void write_entry(struct writer *w, const struct send_entry *e)
{
	const struct send_rule *rule = e->rule;
	struct image_send image = {
		.text = writer_string(w, rule->text.s),
		.signature = e->signature,
		.pack = e->pack,
		.what = writer_string(w, rule->what ? rule->what : ""),
		.path = writer_string(w, rule->path ? rule->path : ""),
		.to = writer_string_or_none(w, rule->to),
		.kind = (u8)rule->kind,
		.everything = rule->everything,
	};

	writer_add(w, SECTION_SENDS, &image);
}

void sends_write(struct writer *w, struct needles *n, const struct send_entry *entries,
		 size_t count)
{
	/* allow rules first: where one matches nothing else counts */
	for (int allow = 1; allow >= 0; allow--)
		for (size_t i = 0; i < count; i++)
			if ((entries[i].signature == IMAGE_NONE) == allow)
				write_entry(w, &entries[i]);
	for (size_t i = 0; i < count; i++)
		if (entries[i].verdict >= VERDICT_HOLD && !freeze(n, entries[i].rule) && !n->full)
			source_fault(entries[i].src, entries[i].rule->text.spot,
				     "'%s' has nothing that the kernel can search for: letters or "
				     "digits are needed",
				     entries[i].rule->text.s);
}

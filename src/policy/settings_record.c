#include "policy/settings_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "policy/exports.h"

#define FILE_MAX (1U << 20)

unsigned int settings_duration(const char *text)
{
	static const struct {
		char unit;
		unsigned int seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 } };
	size_t digits = strspn(text, "0123456789");
	unsigned long n = digits && digits < 7 ? strtoul(text, NULL, 10) : 0;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (text[digits] == units[i].unit && !text[digits + 1] &&
		    n * units[i].seconds <= MAX_SECONDS)
			return (unsigned int)n * units[i].seconds;
	return 0;
}

/* --- journal: */

#define SEGMENT_LOW  (1ULL << 20)
#define SEGMENT_HIGH (1ULL << 30)
#define KEEP_HIGH    (1ULL << 50)
#define AGE_LOW	     60

/* "64M": 0 where it is none. */
static u64 parse_size(const char *text)
{
	static const char units[] = "KMGT";
	size_t digits = strspn(text, "0123456789");
	const char *unit = text[digits] ? strchr(units, text[digits]) : NULL;
	u64 n = digits && digits < 10 ? strtoull(text, NULL, 10) : 0;

	if (!unit || text[digits + 1])
		return 0;
	n <<= 10 * (unit - units + 1);
	return n <= KEEP_HIGH ? n : 0;
}

struct journal_reading {
	struct journal_settings *settings;
	size_t keep_spot;
};

static void read_segment_size(struct yaml_reader *r, struct yaml v, void *data)
{
	struct journal_settings *s = ((struct journal_reading *)data)->settings;
	struct text t = yaml_text(r, v);
	u64 size = t.s ? parse_size(t.s) : 0;

	if (t.s && (size < SEGMENT_LOW || size > SEGMENT_HIGH))
		source_fault(r->src, t.spot,
			     "segment_size: cannot be '%s': write a size from 1M to 1G", t.s);
	s->segment_size = size;
}

static void read_segment_age(struct yaml_reader *r, struct yaml v, void *data)
{
	struct journal_settings *s = ((struct journal_reading *)data)->settings;
	struct text t = yaml_text(r, v);

	s->segment_age = t.s ? settings_duration(t.s) : 0;
	if (t.s && s->segment_age < AGE_LOW)
		source_fault(r->src, t.spot,
			     "segment_age: cannot be '%s': write a time from 1m to 24h", t.s);
}

/* Room for the segment in hand and one that is whole. */
static void read_keep(struct yaml_reader *r, struct yaml v, void *data)
{
	struct journal_settings *s = ((struct journal_reading *)data)->settings;
	struct text t = yaml_text(r, v);

	((struct journal_reading *)data)->keep_spot = t.spot;
	s->keep = t.s && strcmp(t.s, "all") != 0 ? parse_size(t.s) : 0;
	if (t.s && strcmp(t.s, "all") != 0 && !s->keep)
		source_fault(r->src, t.spot,
			     "keep: cannot be '%s': write a size, such as 500M or 16G, or all",
			     t.s);
}

static void read_fsync(struct yaml_reader *r, struct yaml v, void *data)
{
	static const char *const names[FSYNC_COUNT] = {
		[FSYNC_DECISIONS] = "decisions",
		[FSYNC_ALWAYS] = "always",
		[FSYNC_NEVER] = "never",
	};
	int n = yaml_choice(r, v, names, FSYNC_COUNT);

	((struct journal_reading *)data)->settings->fsync = (enum fsync_policy)MAX(n, 0);
}

static const struct yaml_key journal_keys[] = {
	{ "segment_size", read_segment_size, false },
	{ "segment_age", read_segment_age, false },
	{ "keep", read_keep, false },
	{ "fsync", read_fsync, false },
	{ NULL, NULL, false },
};

void settings_read_journal(struct yaml_reader *r, struct yaml v, struct settings_file *s)
{
	struct journal_settings *j = &s->values.journal;
	struct journal_reading reading = { .settings = j, .keep_spot = v.spot };

	yaml_mapping(r, v, journal_keys, &reading);
	if (j->keep && j->keep < 2 * j->segment_size && j->segment_size >= SEGMENT_LOW)
		source_fault(r->src, reading.keep_spot,
			     "keep: has to be twice segment_size at least: the oldest segments go "
			     "as a whole");
}

/* --- exports: */

struct export_reading {
	struct settings_file *settings;
	struct text to;
	const char *options;
};

/* A '#' begins options, and an '&' ends one. */
static bool is_plain(struct yaml_reader *r, const char *key, struct text t, const char * not )
{
	const char *bad = t.s ? strpbrk(t.s, not ) : NULL;

	if (bad)
		source_fault(r->src, t.spot,
			     "%s: cannot have a '%c': options are keys beside to:", key, *bad);
	return t.s && !bad;
}

static void add_option(struct yaml_reader *r, struct export_reading *e, const char *key,
		       struct text t)
{
	if (is_plain(r, key, t, "#&"))
		e->options = arena_printf(r->arena, "%s%c%s=%s", e->options,
					  *e->options ? '&' : '#', key, t.s);
}

/* What needs no place has no colon: at the end of a value YAML takes one for a key's. */
static void read_to(struct yaml_reader *r, struct yaml v, void *data)
{
	struct export_reading *e = data;
	struct text t = yaml_text(r, v);

	if (!is_plain(r, "to", t, "#"))
		return;
	e->to = t;
	if (!strchr(t.s, ':'))
		e->to.s = arena_printf(r->arena, "%s:", t.s);
}

static void read_option(struct yaml_reader *r, struct yaml v, void *data)
{
	add_option(r, data, v.key, yaml_text(r, v));
}

static void add_class(struct yaml_reader *r, struct yaml v, void *data)
{
	static const char *const names[] = { "process", "file", "network", "finding",
					     "application" };
	struct text *all = data;
	int n = yaml_choice(r, v, names, ARRAY_SIZE(names));

	if (n >= 0)
		all->s = all->s ? arena_printf(r->arena, "%s,%s", all->s, names[n]) : names[n];
}

static void read_class(struct yaml_reader *r, struct yaml v, void *data)
{
	struct text all = { .spot = v.spot };

	yaml_list(r, v, true, add_class, &all);
	if (all.s)
		add_option(r, data, "class", all);
}

static void read_choice(struct yaml_reader *r, struct yaml v, void *data, const char *const *names,
			size_t count)
{
	int n = yaml_choice(r, v, names, count);

	if (n >= 0)
		add_option(r, data, v.key, (struct text) { names[n], v.spot });
}

static void read_severity(struct yaml_reader *r, struct yaml v, void *data)
{
	static const char *const names[] = { "low", "medium", "high", "critical" };

	read_choice(r, v, data, names, ARRAY_SIZE(names));
}

static void read_template(struct yaml_reader *r, struct yaml v, void *data)
{
	static const char *const names[] = { "lines", "slack", "ntfy" };

	read_choice(r, v, data, names, ARRAY_SIZE(names));
}

static const struct yaml_key export_keys[] = {
	{ "to", read_to, true },
	{ "key", read_option, false },
	{ "ca", read_option, false },
	{ "creds", read_option, false },
	{ "template", read_template, false },
	{ "class", read_class, false },
	{ "severity", read_severity, false },
	{ NULL, NULL, false },
};

static void read_export(struct yaml_reader *r, struct yaml v, void *data)
{
	struct settings_file *s = data;
	struct export_reading e = { .settings = s, .options = "" };
	struct text spec;

	if (yaml_is_mapping(v))
		yaml_mapping(r, v, export_keys, &e);
	else
		read_to(r, v, &e);
	if (!e.to.s)
		return;
	spec = (struct text) { arena_printf(r->arena, "%s%s", e.to.s, e.options), e.to.spot };
	ARENA_PUSH(r->arena, s->exports, spec);
}

void settings_read_exports(struct yaml_reader *r, struct yaml v, struct settings_file *s)
{
	yaml_list(r, v, true, read_export, s);
}

static int check_each(const struct settings_file *s, const struct source *src,
		      const char *(*each)(void *data, const char *spec), void *data)
{
	for (size_t i = 0; i < s->exports_count; i++) {
		const char *wrong = each(data, s->exports[i].s);

		if (wrong)
			source_fault(src, s->exports[i].spot, "to: has to be %s", wrong);
	}
	return src->faults->count ? -EINVAL : 0;
}

int settings_each_export(const char *path, const char *(*each)(void *data, const char *spec),
			 void *data, struct strbuf *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct faults faults = { .out = err };
	struct settings_file s;
	struct source src = { .name = path, .faults = &faults };
	_cleanup_arena_ struct arena a = ARENA_INIT;
	int r = io_read_file(AT_FDCWD, path, FILE_MAX, &text);

	if (r) {
		strbuf_addf(err, "the settings %s: %s", path, strerror(-r));
		return r;
	}
	src.text = strbuf_str(&text);
	src.len = text.len;
	settings_read(&a, src, &s);
	return faults.count ? -EINVAL : check_each(&s, &src, each, data);
}

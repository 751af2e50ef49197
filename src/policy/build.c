#include "policy/code_words.h"
#include "policy/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/agents.h"
#include "policy/delete_rule.h"
#include "policy/glob.h"
#include "policy/image.h"
#include "policy/nets.h"
#include "policy/regex.h"
#include "policy/send_rule.h"
#include "policy/shell.h"
#include "policy/settings.h"
#include "policy/writer.h"

enum line_kind {
	LINE_ALLOW, /* first: where one matches nothing else counts */
	LINE_SIGNATURE,
	LINE_READ_ONLY,
	LINE_READS,
	LINE_KIND_COUNT
};

/* A usage line that goes into the image, with its program found. */
struct line {
	const struct pack *pack;
	const struct program *program;
	const struct usage *usage;
	u32 signature; /* IMAGE_NONE: an allow rule, or what only reads */
	enum line_kind kind;
};

struct builder {
	struct arena *arena;
	struct pack **packs;
	size_t packs_count;
	struct program **programs;
	size_t programs_count;
	struct line *lines;
	size_t lines_count;
	struct net_rule *nets;
	size_t nets_count;
	struct delete_entry *deletes;
	size_t deletes_count;
	struct send_entry *sends;
	size_t sends_count;
	struct writer w;
	struct needles needles, delete_needles, send_needles, socket_needles;
};

/* --- checks over all packs */

static void check_packs(struct builder *b)
{
	for (size_t i = 0; i < b->packs_count; i++) {
		const struct pack *p = b->packs[i];

		for (size_t k = 0; k < i; k++)
			if (p->name.s && b->packs[k]->name.s &&
			    strcmp(p->name.s, b->packs[k]->name.s) == 0)
				source_fault(&p->src, p->name.spot,
					     "pack '%s' is taken: %s has that name", p->name.s,
					     b->packs[k]->src.name);
	}
}

static const struct program *find_in_pack(const struct pack *p, const char *name)
{
	for (size_t i = 0; i < p->programs_count; i++)
		if (strcmp(p->programs[i].key.s, name) == 0)
			return &p->programs[i];
	return NULL;
}

/* The program of a usage line: of its own file, else the only one of that name. */
static const struct program *find_program(struct builder *b, const struct pack *pack,
					  const struct usage *u)
{
	const struct program *found = find_in_pack(pack, u->program), *other;
	const char **names = NULL;
	size_t names_count = 0;

	for (size_t i = 0; i < b->packs_count && !found; i++)
		found = find_in_pack(b->packs[i], u->program);
	for (size_t i = 0; found && found->pack != pack && i < b->packs_count; i++) {
		other = find_in_pack(b->packs[i], u->program);
		if (!other || other == found)
			continue;
		source_fault(&pack->src, u->line.spot,
			     "program '%s' is in %s and in %s: list it under programs: here too",
			     u->program, found->pack->src.name, other->pack->src.name);
		return NULL;
	}
	if (found)
		return found;
	for (size_t i = 0; i < b->programs_count; i++)
		ARENA_PUSH(b->arena, names, b->programs[i]->key.s);
	const char *nearest = source_nearest(u->program, names, names_count);
	source_fault(&pack->src, source_spot(&pack->src, u->line, 0),
		     "unknown program '%s': %s%s%s", u->program,
		     nearest ? "did you mean '" : "list it under programs:", nearest ? nearest : "",
		     nearest ? "'?" : "");
	return NULL;
}

/* --- programs */

static void collect_programs(struct builder *b)
{
	for (size_t i = 0; i < b->packs_count; i++)
		for (size_t k = 0; k < b->packs[i]->programs_count; k++) {
			b->packs[i]->programs[k].number = (unsigned int)b->programs_count;
			ARENA_PUSH(b->arena, b->programs, &b->packs[i]->programs[k]);
		}
}

static const char *option_key(const struct program *p, const char *name)
{
	return p->style == STYLE_GO ? name + strspn(name, "-") : name;
}

static void add_option(struct builder *b, struct image_option **options, size_t *count,
		       const struct program *p, const struct option_name *o, enum option_kind kind)
{
	struct image_option *list = *options;
	size_t list_count = *count;
	struct image_option option = {
		.name = writer_string(&b->w, option_key(p, o->name)),
		.sub = writer_string_or_none(&b->w, o->sub),
		.kind = kind,
	};

	for (size_t i = 0; i < list_count; i++)
		if (list[i].name == option.name && list[i].sub == option.sub) {
			/* what the pack says of it counts more than what a line makes of it */
			return;
		}
	ARENA_PUSH(b->arena, list, option);
	*options = list;
	*count = list_count;
}

static const struct item *first_word(const struct usage *u)
{
	for (size_t i = 0; i < u->items_count; i++)
		if (u->items[i].kind == ITEM_WORD && !u->items[i].negated)
			return &u->items[i];
	return NULL;
}

/* An option with a value in a usage line takes one, at least behind the line's first word. */
static void add_line_option(struct builder *b, struct image_option **options, size_t *count,
			    const struct line *l, const struct alt *alt)
{
	const struct item *first = first_word(l->usage);
	struct option_name o = { .name = alt->text };
	enum option_kind kind = alt->cond.kind == COND_NONE ? OPTION_NAMED : OPTION_VALUE;

	if (!first || kind == OPTION_NAMED) {
		add_option(b, options, count, l->program, &o, kind);
		return;
	}
	for (size_t i = 0; i < first->alts_count; i++) {
		if (glob_has_wildcard(first->alts[i].text)) {
			o.sub = NULL;
			add_option(b, options, count, l->program, &o, kind);
			continue;
		}
		o.sub = first->alts[i].text;
		add_option(b, options, count, l->program, &o, kind);
	}
}

static int compare_options(const void *a, const void *b, void *strings)
{
	const struct image_option *x = a, *y = b;

	return strcmp((const char *)strings + x->name, (const char *)strings + y->name);
}

/* Writes the options of one program: those of values: and flags:, then those that lines name. */
static void write_options(struct builder *b, const struct program *p, struct image_program *ret)
{
	struct image_option *options = NULL;
	size_t options_count = 0;

	for (size_t i = 0; i < p->flags_count; i++)
		add_option(b, &options, &options_count, p, &p->flags[i], OPTION_PLAIN);
	for (size_t i = 0; i < p->values_count; i++)
		add_option(b, &options, &options_count, p, &p->values[i],
			   p->values[i].attached ? OPTION_ATTACHED : OPTION_VALUE);
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < b->lines_count; i++) {
			const struct usage *u = b->lines[i].usage;

			if (b->lines[i].program != p)
				continue;
			for (size_t k = 0; k < u->items_count; k++)
				for (size_t m = 0; m < u->items[k].alts_count; m++) {
					const struct alt *alt = &u->items[k].alts[m];

					/* those with a value first */
					if (u->items[k].kind == ITEM_OPTION &&
					    (alt->cond.kind == COND_NONE) == pass)
						add_line_option(b, &options, &options_count,
								&b->lines[i], alt);
				}
		}
	if (options)
		qsort_r(options, options_count, sizeof(*options), compare_options,
			b->w.sections[SECTION_STRINGS].data);
	ret->options = writer_count(&b->w, SECTION_OPTIONS);
	ret->options_count = (u32)options_count;
	for (size_t i = 0; i < options_count; i++)
		writer_add(&b->w, SECTION_OPTIONS, &options[i]);
}

/* --- usage lines */

static void check_line(const struct line *l)
{
	const struct source *src = &l->pack->src;

	for (size_t i = 0; i < l->usage->items_count; i++) {
		const struct item *item = &l->usage->items[i];

		for (size_t k = 0; k < item->alts_count; k++) {
			const struct alt *alt = &item->alts[k];

			if (item->kind == ITEM_OPTION && l->program->style != STYLE_GO &&
			    alt->text[1] != '-' && alt->text[2])
				source_fault(src, alt->spot,
					     "'%s': one letter follows a single dash here; write "
					     "-%c -%c …, or set options: go for the program",
					     alt->text, alt->text[1], alt->text[2]);
		}
	}
}

static void check_predicates(const struct line *l)
{
	for (size_t i = 0; i < l->usage->items_count; i++)
		for (size_t k = 0; k < l->usage->items[i].alts_count; k++) {
			const struct alt *alt = &l->usage->items[i].alts[k];
			_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
			size_t offset;

			if (alt->cond.kind == COND_CALL && code_language_of(l->program->key.s) < 0)
				source_fault(&l->pack->src, alt->spot,
					     "no code of '%s' is read: {call:…} is for python, "
					     "node, deno, perl, ruby, php, lua, Rscript and awk",
					     l->program->key.s);
			if (alt->cond.kind == COND_RE && regex_check(alt->cond.arg, &offset, &err))
				source_fault(&l->pack->src, alt->spot,
					     "no regular expression: %s, at byte %zu of '%s'",
					     strbuf_str(&err), offset + 1, alt->cond.arg);
		}
}

static bool waits(enum line_kind kind)
{
	return kind == LINE_SIGNATURE || kind == LINE_READ_ONLY;
}

static void collect_line(struct builder *b, struct pack *pack, const struct usage *u, u32 signature,
			 enum line_kind kind, bool *faulty)
{
	struct line l = { pack, find_program(b, pack, u), u, signature, kind };
	unsigned int before = pack->src.faults->count;

	if (l.program) {
		check_line(&l);
		check_predicates(&l);
	}
	if (l.program && pack->src.faults->count == before && waits(kind) &&
	    !needles_add_line(&b->needles, l.program, u))
		source_fault(
			&pack->src, l.program->key.spot,
			shell_is_redirection(l.program->key.s)
				? "a line of '%s' needs what can be searched for: {path:data}, "
				  "or a glob with letters behind its last /"
				: "program '%s' has a name that cannot be searched for: letters "
				  "or digits are needed in it and in each of also:",
			l.program->key.s);
	if (l.program && pack->src.faults->count == before)
		ARENA_PUSH(b->arena, b->lines, l);
	else
		*faulty = true;
}

static void collect_net(struct builder *b, const struct destination *d, u32 signature, u32 pack,
			enum verdict verdict)
{
	struct net_rule rule = { d, signature, pack, verdict, &b->packs[pack]->src };

	ARENA_PUSH(b->arena, b->nets, rule);
}

static void collect_deletes(struct builder *b, const struct pack *pack,
			    const struct delete_rules *rules, u32 signature, u32 number,
			    enum verdict verdict)
{
	for (size_t i = 0; i < rules->all_count; i++) {
		struct delete_entry e = { &rules->all[i], &pack->src, signature, number, verdict };

		ARENA_PUSH(b->arena, b->deletes, e);
	}
}

static void collect_sends(struct builder *b, const struct pack *pack,
			  const struct send_rules *rules, u32 signature, u32 number,
			  enum verdict verdict)
{
	for (size_t i = 0; i < rules->all_count; i++) {
		struct send_entry e = { &rules->all[i], &pack->src, signature, number, verdict };

		ARENA_PUSH(b->arena, b->sends, e);
	}
}

/* A line without an item for each program of which it is known what reads. */
static void collect_read_only(struct builder *b, struct pack *pack, struct signature *s)
{
	for (size_t i = 0; i < pack->programs_count; i++) {
		const struct program *p = &pack->programs[i];
		struct usage *u;

		if (!p->reads_count)
			continue;
		u = arena_alloc(b->arena, sizeof(*u));
		*u = (struct usage) { .line = p->key, .program = p->key.s };
		collect_line(b, pack, u, s->number, LINE_READ_ONLY, &s->faulty);
	}
}

static void collect_reads(struct builder *b, struct pack *pack, bool *faulty)
{
	for (size_t i = 0; i < pack->programs_count; i++)
		for (size_t k = 0; k < pack->programs[i].reads_count; k++)
			collect_line(b, pack, &pack->programs[i].reads[k], IMAGE_NONE, LINE_READS,
				     faulty);
}

static void collect_signature(struct builder *b, struct pack *pack, struct signature *s,
			      u32 pack_number)
{
	struct image_signature image = {
		.pack = pack_number,
		.id = writer_string(&b->w, s->id.s),
		.why = writer_string(&b->w, s->why.s),
		.instead = writer_string_or_none(&b->w, s->instead.s),
		.attack = writer_string(&b->w, s->attack),
		.verdict = s->verdict,
		.severity = s->severity,
	};

	s->number = writer_count(&b->w, SECTION_SIGNATURES);
	for (size_t i = 0; i < s->commands_count; i++)
		collect_line(b, pack, &s->commands[i], s->number, LINE_SIGNATURE, &s->faulty);
	if (s->read_only)
		collect_read_only(b, pack, s);
	for (size_t i = 0; i < s->connects_count; i++)
		collect_net(b, &s->connects[i], s->number, pack_number, s->verdict);
	collect_deletes(b, pack, &s->deletes, s->number, pack_number, s->verdict);
	collect_sends(b, pack, &s->sends, s->number, pack_number, s->verdict);
	writer_add(&b->w, SECTION_SIGNATURES, &image);
}

static void collect_lines(struct builder *b)
{
	for (size_t i = 0; i < b->packs_count; i++) {
		struct pack *p = b->packs[i];
		struct image_pack image = { .name = writer_string(&b->w,
								  p->name.s ? p->name.s : ""),
					    .title = writer_string(&b->w, p->title),
					    .local = p->local };
		bool faulty = false;

		for (size_t k = 0; k < p->signatures_count; k++)
			if (!p->signatures[k].faulty && !p->signatures[k].off)
				collect_signature(b, p, &p->signatures[k], (u32)i);
		for (size_t k = 0; k < p->allow_count; k++)
			collect_line(b, p, &p->allow[k], IMAGE_NONE, LINE_ALLOW, &faulty);
		collect_reads(b, p, &faulty);
		for (size_t k = 0; k < p->allow_connects_count; k++)
			collect_net(b, &p->allow_connects[k], IMAGE_NONE, (u32)i, VERDICT_ALLOW);
		collect_deletes(b, p, &p->allow_deletes, IMAGE_NONE, (u32)i, VERDICT_ALLOW);
		collect_sends(b, p, &p->allow_sends, IMAGE_NONE, (u32)i, VERDICT_ALLOW);
		writer_add(&b->w, SECTION_PACKS, &image);
	}
}

static void write_item(struct builder *b, const struct item *item)
{
	struct image_item image = {
		.kind = item->kind,
		.negated = item->negated,
		.alts = writer_count(&b->w, SECTION_ALTS),
		.alts_count = (u16)item->alts_count,
	};

	for (size_t i = 0; i < item->alts_count; i++) {
		const struct alt *alt = &item->alts[i];
		struct image_alt a = {
			.text = writer_string(&b->w, alt->text),
			.arg = writer_string(&b->w, alt->cond.arg ? alt->cond.arg : ""),
			.cond = alt->cond.kind,
			.path_class = alt->cond.path_class,
		};

		writer_add(&b->w, SECTION_ALTS, &a);
	}
	writer_add(&b->w, SECTION_ITEMS, &image);
}

static void write_line(struct builder *b, const struct line *l)
{
	struct image_line image = {
		.text = writer_string(&b->w, l->usage->line.s),
		.signature = l->signature,
		.items = writer_count(&b->w, SECTION_ITEMS),
		.items_count = (u32)l->usage->items_count,
		.open = l->usage->open,
		.read_only = l->kind == LINE_READ_ONLY,
	};

	while (b->packs[image.pack] != l->pack)
		image.pack++;
	for (size_t i = 0; i < l->usage->items_count; i++) {
		const struct item *item = &l->usage->items[i];

		image.words += item->kind == ITEM_WORD && !item->negated;
		write_item(b, item);
	}
	writer_add(&b->w, SECTION_LINES, &image);
}

/* --- programs, once all lines are known */

static void add_name(struct builder *b, const char *name, u32 program)
{
	struct image_name n = { .text = writer_string(&b->w, name), .program = program };

	writer_add(&b->w, glob_has_wildcard(name) ? SECTION_GLOBS : SECTION_NAMES, &n);
}

static void write_program(struct builder *b, const struct program *p)
{
	struct image_program image = {
		.name = writer_string(&b->w, p->key.s),
		.style = p->style,
		.nocase = p->nocase,
		.lines = writer_count(&b->w, SECTION_LINES),
	};

	while (b->packs[image.pack] != p->pack)
		image.pack++;
	for (u32 kind = 0; kind < LINE_KIND_COUNT; kind++) {
		if (kind == LINE_READS)
			image.reads = writer_count(&b->w, SECTION_LINES);
		for (size_t i = 0; i < b->lines_count; i++)
			if (b->lines[i].program == p && (u32)b->lines[i].kind == kind)
				write_line(b, &b->lines[i]);
	}
	image.lines_count = image.reads - image.lines;
	image.reads_count = writer_count(&b->w, SECTION_LINES) - image.reads;
	write_options(b, p, &image);
	add_name(b, p->key.s, p->number);
	for (size_t i = 0; i < p->also_count; i++)
		add_name(b, p->also[i].s, p->number);
	writer_add(&b->w, SECTION_PROGRAMS, &image);
}

static int compare_names(const void *a, const void *b, void *strings)
{
	const struct image_name *x = a, *y = b;

	return strcmp((const char *)strings + x->text, (const char *)strings + y->text);
}

static void write_programs(struct builder *b)
{
	struct strbuf *names = &b->w.sections[SECTION_NAMES];

	for (size_t i = 0; i < b->programs_count; i++)
		write_program(b, b->programs[i]);
	if (names->len)
		qsort_r(names->data, writer_count(&b->w, SECTION_NAMES), sizeof(struct image_name),
			compare_names, b->w.sections[SECTION_STRINGS].data);
}

/* --- the image */

static void write_scan(struct strbuf *sections, const struct tables *m)
{
	strbuf_add(&sections[SCAN_FILTER], m->filter, m->filter_count * sizeof(u64));
	strbuf_add(&sections[SCAN_BUCKETS], m->buckets,
		   m->buckets_count * sizeof(struct bs_bucket));
	strbuf_add(&sections[SCAN_LISTS], m->lists, m->lists_count * sizeof(u32));
	strbuf_add(&sections[SCAN_ANCHORS], m->anchors,
		   m->anchors_count * sizeof(struct bs_anchor));
	strbuf_add(&sections[SCAN_RULES], m->rules, m->rules_count * sizeof(struct bs_rule));
}

static void write_ends(struct strbuf *section, struct needles *n)
{
	const struct ends e = ends_of(n);

	strbuf_add(section, e.all, e.all_count * sizeof(*e.all));
}

static void builder_free(struct builder *b)
{
	writer_free(&b->w);
	needles_free(&b->needles);
	needles_free(&b->delete_needles);
	needles_free(&b->send_needles);
	needles_free(&b->socket_needles);
}

int build_image(struct arena *a, const struct library *library, struct strbuf *ret_image,
		struct build_stats *ret_stats)
{
	_cleanup_(builder_free) struct builder b = { .arena = a,
						     .packs = library->packs,
						     .packs_count = library->packs_count };
	struct tables m, deletes, sends, sockets;
	int r;

	writer_init(&b.w);
	needles_init(&b.needles, a);
	needles_init(&b.delete_needles, a);
	needles_init(&b.send_needles, a);
	needles_init(&b.socket_needles, a);
	needles_add_carriers(&b.needles);
	collect_programs(&b);
	check_packs(&b);
	collect_lines(&b);
	write_programs(&b);
	nets_write(&b.w, &b.socket_needles, b.nets, b.nets_count);
	deletes_write(&b.w, &b.delete_needles, b.deletes, b.deletes_count, library->precious,
		      library->precious_count);
	sends_write(&b.w, &b.send_needles, b.sends, b.sends_count);
	agents_write(&b.w, &b.needles, library->profiles, library->profiles_count);
	settings_write(&b.w, library);
	r = tables_build(&b.needles, &m);
	if (!r)
		r = tables_build(&b.delete_needles, &deletes);
	if (!r)
		r = tables_build(&b.send_needles, &sends);
	if (!r)
		r = tables_build(&b.socket_needles, &sockets);
	if (r)
		return r;
	write_scan(&b.w.sections[SECTION_SCAN], &m);
	write_scan(&b.w.sections[SECTION_DELETE_SCAN], &deletes);
	write_scan(&b.w.sections[SECTION_SEND_SCAN], &sends);
	write_scan(&b.w.sections[SECTION_SOCKET_SCAN], &sockets);
	write_ends(&b.w.sections[SECTION_SEND_ENDS], &b.send_needles);
	*ret_stats = (struct build_stats) {
		.signatures = writer_count(&b.w, SECTION_SIGNATURES),
		.programs = (u32)b.programs_count,
		.agents = (u32)library->profiles_count,
		.needles = m.needles,
		.keys = m.keys,
		.rules = m.rules_count,
	};
	return writer_finish(&b.w, ret_image);
}

#include "policy/pack.h"

#include <string.h>

#include "policy/yaml.h"

#define MIN_EXAMPLES 2

/* What the readers of keys work on. */
struct reading {
	struct pack *pack;
	struct program *program;
	struct signature *signature;
};

/* --- programs: */

static void check_option(struct yaml_reader *r, struct yaml v, const struct program *p,
			 const char *name)
{
	if (name[0] != '-' || !name[1] || strcmp(name, "--") == 0)
		source_fault(r->src, v.spot, "'%s' is no option: it begins with - or --", name);
	else if (p->style != STYLE_GO && name[1] != '-' && name[2])
		source_fault(r->src, v.spot,
			     "'%s': one letter follows a single dash here; where longer names do, "
			     "the program needs options: go",
			     name);
}

static struct option_name split_option(struct yaml_reader *r, struct text t)
{
	const char *blank = strrchr(t.s, ' ');

	if (!blank)
		return (struct option_name) { .name = t.s };
	return (struct option_name) {
		.name = blank + 1,
		.sub = arena_strndup(r->arena, t.s, (size_t)(blank - t.s)),
	};
}

static void read_value_option(struct yaml_reader *r, struct yaml v, void *data)
{
	struct program *p = ((struct reading *)data)->program;
	struct text t = yaml_text(r, v);

	if (!t.s)
		return;
	struct option_name o = split_option(r, t);
	size_t len = strlen(o.name);

	if (len > 2 && o.name[len - 1] == '?') {
		o.name = arena_strndup(r->arena, o.name, len - 1);
		o.attached = true;
	}
	check_option(r, v, p, o.name);
	ARENA_PUSH(r->arena, p->values, o);
}

static void read_flag(struct yaml_reader *r, struct yaml v, void *data)
{
	struct program *p = ((struct reading *)data)->program;
	struct text t = yaml_text(r, v);

	if (!t.s)
		return;
	struct option_name o = split_option(r, t);
	check_option(r, v, p, o.name);
	ARENA_PUSH(r->arena, p->flags, o);
}

static void read_values(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_value_option, data);
}

static void read_flags(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_flag, data);
}

static void read_alias(struct yaml_reader *r, struct yaml v, void *data)
{
	struct program *p = ((struct reading *)data)->program;
	struct text t = yaml_text(r, v);

	if (t.s && strchr(t.s, '/'))
		source_fault(r->src, t.spot, "'%s': a program's name has no / in it", t.s);
	else if (t.s)
		ARENA_PUSH(r->arena, p->also, t);
}

static void read_also(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_alias, data);
}

static void read_style(struct yaml_reader *r _unused_, struct yaml v _unused_, void *data _unused_)
{
	/* read before the others, which depend on it: see read_program() */
}

static void read_nocase(struct yaml_reader *r, struct yaml v, void *data)
{
	((struct reading *)data)->program->nocase = yaml_bool(r, v);
}

static void read_reading(struct yaml_reader *r, struct yaml v, void *data)
{
	struct program *p = ((struct reading *)data)->program;
	struct text t = yaml_text(r, v);
	struct usage usage;

	if (!t.s || !usage_parse_items(r->arena, r->src, p->key.s, t, &usage))
		return;
	usage.open = true;
	ARENA_PUSH(r->arena, p->reads, usage);
}

static void read_reads(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_reading, data);
}

static void find_style(struct yaml_reader *r, struct yaml v, void *data)
{
	static const char *const names[] = {
		[STYLE_GETOPT] = "getopt", [STYLE_GNU] = "gnu", [STYLE_GO] = "go"
	};
	int style;

	if (strcmp(v.key, "options") != 0)
		return;
	style = yaml_choice(r, v, names, ARRAY_SIZE(names));
	if (style >= 0)
		((struct reading *)data)->program->style = (enum option_style)style;
}

static const struct yaml_key program_keys[] = {
	{ "also", read_also, false },
	{ "options", read_style, false },
	{ "values", read_values, false },
	{ "flags", read_flags, false },
	{ "nocase", read_nocase, false },
	{ "reads", read_reads, false },
	{ NULL, NULL, false },
};

static void read_program(struct yaml_reader *r, struct yaml v, void *data)
{
	struct reading *reading = data;
	struct pack *pack = reading->pack;
	struct program p = { .key = { .s = v.key, .spot = v.spot }, .pack = pack };

	reading->program = &p;
	if (v.node && yaml_is_mapping(v)) {
		yaml_entries(r, v, find_style, data);
		yaml_mapping(r, v, program_keys, data);
	} else if (v.node) {
		source_fault(r->src, v.spot,
			     "program %s needs a mapping such as {options: gnu}, or nothing",
			     v.key);
	}
	ARENA_PUSH(r->arena, pack->programs, p);
}

static void read_programs(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_entries(r, v, read_program, data);
}

/* --- signatures: */

static void read_id(struct yaml_reader *r, struct yaml v, void *data)
{
	((struct reading *)data)->signature->id = yaml_name(r, v);
}

static void read_command(struct yaml_reader *r, struct yaml v, void *data)
{
	struct signature *s = ((struct reading *)data)->signature;
	struct text t = yaml_text(r, v);
	struct usage usage;

	if (!t.s || !usage_parse(r->arena, r->src, t, &usage)) {
		s->faulty = true;
		return;
	}
	if (usage.open) {
		source_fault(r->src, source_spot(r->src, t, strlen(t.s) - 1),
			     "... is not needed here: more operands are always matched");
		s->faulty = true;
	}
	ARENA_PUSH(r->arena, s->commands, usage);
}

static void read_commands(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_command, data);
}

static void read_connect(struct yaml_reader *r, struct yaml v, void *data)
{
	struct signature *s = ((struct reading *)data)->signature;
	struct text t = yaml_text(r, v);
	struct destination d;

	if (t.s && destination_parse(r->arena, r->src, t, &d))
		ARENA_PUSH(r->arena, s->connects, d);
}

static void read_connects(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_connect, data);
}

static void read_delete(struct yaml_reader *r, struct yaml v, void *data)
{
	delete_rules_read(r, v, false, &((struct reading *)data)->signature->deletes);
}

static void read_send(struct yaml_reader *r, struct yaml v, void *data)
{
	send_rules_read(r, v, &((struct reading *)data)->signature->sends);
}

static void read_severity(struct yaml_reader *r, struct yaml v, void *data)
{
	const char *names[SEVERITY_COUNT];
	int n;

	for (int i = 0; i < SEVERITY_COUNT; i++)
		names[i] = severity_name((enum severity)i);
	n = yaml_choice(r, v, names, SEVERITY_COUNT);
	((struct reading *)data)->signature->severity = (enum severity)MAX(n, 0);
}

static void read_verdict(struct yaml_reader *r, struct yaml v, void *data)
{
	const char *names[VERDICT_COUNT - 1]; /* without allow, which allow: is for */
	int n;

	for (int i = 0; i < VERDICT_COUNT - 1; i++)
		names[i] = verdict_name((enum verdict)(i + 1));
	n = yaml_choice(r, v, names, VERDICT_COUNT - 1);
	((struct reading *)data)->signature->verdict = (enum verdict)(MAX(n, 0) + 1);
}

static void read_why(struct yaml_reader *r, struct yaml v, void *data)
{
	struct text t = yaml_text(r, v);

	if (!t.s)
		return;
	if (strchr("abcdefghijklmnopqrstuvwxyz", *t.s) || t.s[strlen(t.s) - 1] != '.')
		source_fault(r->src, t.spot,
			     "why: is one sentence, with a capital first and a full stop last");
	((struct reading *)data)->signature->why = t;
}

static void read_instead(struct yaml_reader *r, struct yaml v, void *data)
{
	((struct reading *)data)->signature->instead = yaml_text(r, v);
}

static void read_attack(struct yaml_reader *r, struct yaml v, void *data)
{
	struct text t = yaml_text(r, v);

	if (t.s && (t.s[0] != 'T' || t.s[1 + strspn(t.s + 1, "0123456789.")] || strlen(t.s) < 5))
		source_fault(r->src, t.spot, "attack: is the id of a technique, such as T1485");
	else if (t.s)
		((struct reading *)data)->signature->attack = t.s;
}

static void read_hit(struct yaml_reader *r, struct yaml v, void *data)
{
	struct signature *s = ((struct reading *)data)->signature;
	struct example e = pack_read_example(r, v);

	if (e.run.s)
		ARENA_PUSH(r->arena, s->hits, e);
}

static void read_miss(struct yaml_reader *r, struct yaml v, void *data)
{
	struct signature *s = ((struct reading *)data)->signature;
	struct example e = pack_read_example(r, v);

	if (e.run.s)
		ARENA_PUSH(r->arena, s->misses, e);
}

static void check_enough(struct yaml_reader *r, struct yaml v, size_t count)
{
	if (count < MIN_EXAMPLES)
		source_fault(r->src, v.spot, "%s: needs at least %d examples", v.key, MIN_EXAMPLES);
}

static void read_hits(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, false, read_hit, data);
	check_enough(r, v, ((struct reading *)data)->signature->hits_count);
}

static void read_misses(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, false, read_miss, data);
	check_enough(r, v, ((struct reading *)data)->signature->misses_count);
}

static const struct yaml_key signature_keys[] = {
	{ "id", read_id, true },
	{ "command", read_commands, false },
	{ "connect", read_connects, false },
	{ "delete", read_delete, false },
	{ "send", read_send, false },
	{ "severity", read_severity, true },
	{ "verdict", read_verdict, true },
	{ "why", read_why, true },
	{ "instead", read_instead, false },
	{ "attack", read_attack, false },
	{ "hits", read_hits, true },
	{ "misses", read_misses, true },
	{ NULL, NULL, false },
};

static void check_kind(struct yaml_reader *r, size_t spot, const struct signature *s)
{
	unsigned int kinds = (s->commands_count > 0) + (s->connects_count > 0) +
			     (s->deletes.all_count > 0) + (s->sends.all_count > 0);

	if (kinds > 1)
		source_fault(r->src, spot,
			     "a signature has command:, connect:, delete: or send:, and one of "
			     "them only");
	else if (!kinds)
		source_fault(r->src, spot,
			     "'command:' is missing here, or 'connect:', 'delete:' or "
			     "'send:'");
}

static void check_id_is_new(struct yaml_reader *r, const struct pack *pack,
			    const struct signature *s)
{
	for (size_t i = 0; i < pack->signatures_count; i++) {
		const struct text *other = &pack->signatures[i].id;

		if (!s->id.s || !other->s || strcmp(other->s, s->id.s) != 0)
			continue;
		source_fault(r->src, s->id.spot,
			     "id '%s' is taken: a signature above has it, each needs its own",
			     s->id.s);
		return;
	}
}

static void read_signature(struct yaml_reader *r, struct yaml v, void *data)
{
	struct reading *reading = data;
	struct pack *pack = reading->pack;
	struct signature s = { .attack = "T1485", .why.s = "", .verdict = VERDICT_HOLD };
	unsigned int before = r->src->faults->count;

	reading->signature = &s;
	v.key = NULL;
	if (yaml_is_mapping(v))
		yaml_mapping(r, v, signature_keys, reading);
	else
		source_fault(r->src, v.spot, "a signature is a mapping that begins with id: NAME");
	if (r->src->faults->count == before)
		check_kind(r, v.spot, &s);
	check_id_is_new(r, pack, &s);
	s.faulty |= r->src->faults->count != before;
	ARENA_PUSH(r->arena, pack->signatures, s);
}

static void read_signatures(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, false, read_signature, data);
}

/* --- the pack */

static void read_pack_name(struct yaml_reader *r, struct yaml v, void *data)
{
	((struct reading *)data)->pack->name = yaml_name(r, v);
}

static void read_title(struct yaml_reader *r, struct yaml v, void *data)
{
	struct text t = yaml_text(r, v);

	((struct reading *)data)->pack->title = t.s ? t.s : "";
}

static void read_local(struct yaml_reader *r, struct yaml v, void *data)
{
	((struct reading *)data)->pack->local = yaml_bool(r, v);
}

static void read_allow_connect(struct yaml_reader *r, struct yaml v, void *data)
{
	struct pack *pack = ((struct reading *)data)->pack;
	struct text t = yaml_text(r, v);
	struct destination d;

	if (t.s && destination_parse(r->arena, r->src, t, &d))
		ARENA_PUSH(r->arena, pack->allow_connects, d);
}

static void read_allow_connects(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_allow_connect, data);
}

static void read_allow_deletes(struct yaml_reader *r, struct yaml v, void *data)
{
	delete_rules_read(r, v, true, &((struct reading *)data)->pack->allow_deletes);
}

static void read_allow_sends(struct yaml_reader *r, struct yaml v, void *data)
{
	send_rules_read(r, v, &((struct reading *)data)->pack->allow_sends);
}

static const struct yaml_key allow_keys[] = {
	{ "connect", read_allow_connects, false },
	{ "delete", read_allow_deletes, false },
	{ "send", read_allow_sends, false },
	{ NULL, NULL, false },
};

static void read_allow_line(struct yaml_reader *r, struct yaml v, void *data)
{
	struct pack *pack = ((struct reading *)data)->pack;
	struct usage usage;
	struct text t;

	if (yaml_is_mapping(v)) {
		yaml_mapping(r, v, allow_keys, data);
		return;
	}
	t = yaml_text(r, v);
	if (t.s && usage_parse(r->arena, r->src, t, &usage))
		ARENA_PUSH(r->arena, pack->allow, usage);
}

static void read_allow(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_allow_line, data);
}

void pack_read_allow(struct yaml_reader *r, struct yaml v, struct pack *pack)
{
	struct reading reading = { .pack = pack };

	yaml_list(r, v, true, read_allow_line, &reading);
}

static const struct yaml_key pack_keys[] = {
	{ "pack", read_pack_name, true },
	{ "title", read_title, true },
	{ "programs", read_programs, false },
	{ "signatures", read_signatures, false },
	{ "allow", read_allow, false },
	{ "local", read_local, false },
	{ NULL, NULL, false },
};

void pack_read(struct arena *a, struct source src, struct pack *ret)
{
	struct yaml_reader r = { .arena = a, .src = &ret->src };
	struct reading reading = { .pack = ret };
	struct yaml root;

	*ret = (struct pack) { .src = src, .title = "" };
	if (yaml_open(&r, &root))
		yaml_mapping(&r, root, pack_keys, &reading);
	yaml_close(&r);
}

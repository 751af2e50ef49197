#include "policy/settings.h"

#include <stdlib.h>
#include <string.h>

#include "policy/settings_record.h"
#include "policy/yaml.h"

const struct settings settings_defaults = {
	.mode = MODE_ENFORCE,
	.when_down = WHEN_DOWN_HOLD,
	.hold_timeout = 600,
	.follow_agents = true,
	.notify = true,
	.approvers = "backstop",
	.pins = "/sys/fs/bpf/backstop",
	.journal = { .segment_size = 64ULL << 20, .keep = 16ULL << 30, .segment_age = MAX_SECONDS },
};

struct reading {
	struct settings_file *settings;
	struct name_list *list;
};

static struct settings *values(void *data)
{
	return &((struct reading *)data)->settings->values;
}

static void read_mode(struct yaml_reader *r, struct yaml v, void *data)
{
	const char *names[MODE_COUNT];
	int n;

	for (int i = 0; i < MODE_COUNT; i++)
		names[i] = mode_name((enum mode)i);
	n = yaml_choice(r, v, names, MODE_COUNT);
	values(data)->mode = (enum mode)MAX(n, 0);
}

static void read_preset(struct yaml_reader *r, struct yaml v, void *data)
{
	static const char *const names[PRESET_COUNT] = {
		[PRESET_STANDARD] = "standard",
		[PRESET_STRICT] = "strict",
		[PRESET_READ_ONLY] = "read-only",
	};
	int n = yaml_choice(r, v, names, PRESET_COUNT);

	((struct reading *)data)->settings->preset = (enum preset)MAX(n, 0);
}

static void read_when_down(struct yaml_reader *r, struct yaml v, void *data)
{
	static const char *const names[] = {
		[WHEN_DOWN_HOLD] = "hold", [WHEN_DOWN_ALLOW] = "allow", [WHEN_DOWN_KILL] = "kill"
	};
	int n = yaml_choice(r, v, names, ARRAY_SIZE(names));

	values(data)->when_down = (enum when_down)MAX(n, 0);
}

static void read_notify(struct yaml_reader *r, struct yaml v, void *data)
{
	values(data)->notify = yaml_bool(r, v);
}

static void read_hold_timeout(struct yaml_reader *r, struct yaml v, void *data)
{
	struct text t = yaml_text(r, v);
	unsigned int seconds = t.s ? settings_duration(t.s) : 0;

	if (t.s && !seconds)
		source_fault(
			r->src, t.spot,
			"hold_timeout: cannot be '%s': write a time from 1s to 24h, such as 30s, "
			"10m or 2h",
			t.s);
	values(data)->hold_timeout = seconds;
}

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

static void read_approvers(struct yaml_reader *r, struct yaml v, void *data)
{
	struct text t = yaml_text(r, v);

	if (t.s && t.s[strspn(t.s, NAME_CHARS)])
		source_fault(r->src, t.spot, "approvers: '%s' is no name of a group", t.s);
	values(data)->approvers = t.s;
}

static bool parse_key(const char *s, u8 *ret)
{
	if (strlen(s) != 2 * APPROVER_KEY || s[strspn(s, "0123456789abcdef")])
		return false;
	for (size_t i = 0; i < APPROVER_KEY; i++) {
		const char digits[] = { s[2 * i], s[2 * i + 1], '\0' };

		ret[i] = (u8)strtoul(digits, NULL, 16);
	}
	return true;
}

static const struct approver *find_key(const struct settings_file *s, const u8 *key)
{
	for (size_t i = 0; i < s->approvers_count; i++)
		if (!memcmp(s->approvers[i].key, key, APPROVER_KEY))
			return &s->approvers[i];
	return NULL;
}

static void read_approver(struct yaml_reader *r, struct yaml v, void *data)
{
	struct settings_file *s = ((struct reading *)data)->settings;
	struct text t = yaml_text(r, v);
	u8 *key = arena_alloc(r->arena, APPROVER_KEY);
	const struct approver *other;

	if (!t.s)
		return;
	if (v.key[strspn(v.key, NAME_CHARS)] || strlen(v.key) > APPROVER_NAME) {
		source_fault(r->src, v.key_spot, "approver_keys: '%s' is no name of an approver",
			     v.key);
		return;
	}
	if (!parse_key(t.s, key)) {
		source_fault(r->src, t.spot,
			     "approver_keys: '%s' is no public key: it has 64 hex digits, as "
			     "'backstop key' prints it",
			     t.s);
		return;
	}
	other = find_key(s, key);
	if (other)
		source_fault(r->src, t.spot, "approver_keys: this is the key of '%s'", other->name);
	else
		ARENA_PUSH(r->arena, s->approvers, ((struct approver) { v.key, key }));
}

static void read_approver_keys(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_entries(r, v, read_approver, data);
}

static void read_pins(struct yaml_reader *r, struct yaml v, void *data)
{
	struct text t = yaml_text(r, v);

	if (t.s && *t.s != '/')
		source_fault(r->src, t.spot,
			     "pins: is an absolute path, of a directory in a bpffs");
	values(data)->pins = t.s;
}

static void read_journal(struct yaml_reader *r, struct yaml v, void *data)
{
	settings_read_journal(r, v, ((struct reading *)data)->settings);
}

static void read_exports(struct yaml_reader *r, struct yaml v, void *data)
{
	settings_read_exports(r, v, ((struct reading *)data)->settings);
}

/* --- lists */

static void read_entry(struct yaml_reader *r, struct yaml v, void *data)
{
	struct name_list *list = ((struct reading *)data)->list;
	struct text t = yaml_text(r, v);

	if (t.s)
		ARENA_PUSH(r->arena, list->names, t);
}

static void read_list(struct yaml_reader *r, struct yaml v, void *data, struct name_list *list)
{
	((struct reading *)data)->list = list;
	yaml_list(r, v, true, read_entry, data);
}

static void read_precious(struct yaml_reader *r, struct yaml v, void *data)
{
	read_list(r, v, data, &((struct reading *)data)->settings->precious);
}

static void read_production(struct yaml_reader *r, struct yaml v, void *data)
{
	read_list(r, v, data, &((struct reading *)data)->settings->production);
}

static void read_packs_off(struct yaml_reader *r, struct yaml v, void *data)
{
	read_list(r, v, data, &((struct reading *)data)->settings->packs_off);
}

static void read_packs_from(struct yaml_reader *r, struct yaml v, void *data)
{
	struct settings_file *s = ((struct reading *)data)->settings;

	s->packs_given = true;
	read_list(r, v, data, &s->packs_from);
}

static const struct yaml_key packs_keys[] = {
	{ "off", read_packs_off, false },
	{ "from", read_packs_from, false },
	{ NULL, NULL, false },
};

static void read_packs(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_mapping(r, v, packs_keys, data);
}

static void read_agents_off(struct yaml_reader *r, struct yaml v, void *data)
{
	read_list(r, v, data, &((struct reading *)data)->settings->agents_off);
}

static void read_agents_from(struct yaml_reader *r, struct yaml v, void *data)
{
	struct settings_file *s = ((struct reading *)data)->settings;

	s->agents_given = true;
	read_list(r, v, data, &s->agents_from);
}

static void read_follow(struct yaml_reader *r, struct yaml v, void *data)
{
	values(data)->follow_agents = yaml_bool(r, v);
}

static const struct yaml_key agents_keys[] = {
	{ "off", read_agents_off, false },
	{ "from", read_agents_from, false },
	{ "follow", read_follow, false },
	{ NULL, NULL, false },
};

static void read_agents(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_mapping(r, v, agents_keys, data);
}

/* --- verdicts: and allow: */

static void read_verdict(struct yaml_reader *r, struct yaml v, void *data)
{
	static const char *const names[] = { "off", "alert", "hold", "deny", "kill" };
	struct settings_file *s = ((struct reading *)data)->settings;
	struct verdict_change c = { .name = { v.key, v.key_spot } };

	c.verdict = yaml_choice(r, v, names, ARRAY_SIZE(names));
	if (c.verdict >= 0)
		ARENA_PUSH(r->arena, s->verdicts, c);
}
_Static_assert(VERDICT_OFF == 0 && VERDICT_ALERT == 1 && VERDICT_KILL == 4, "names of verdicts");

static void read_verdicts(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_entries(r, v, read_verdict, data);
}

static void read_allow(struct yaml_reader *r, struct yaml v, void *data)
{
	pack_read_allow(r, v, &((struct reading *)data)->settings->allow);
}

static const struct yaml_key keys[] = {
	{ "mode", read_mode, false },
	{ "preset", read_preset, false },
	{ "packs", read_packs, false },
	{ "verdicts", read_verdicts, false },
	{ "allow", read_allow, false },
	{ "precious", read_precious, false },
	{ "production", read_production, false },
	{ "agents", read_agents, false },
	{ "hold_timeout", read_hold_timeout, false },
	{ "when_down", read_when_down, false },
	{ "approvers", read_approvers, false },
	{ "approver_keys", read_approver_keys, false },
	{ "notify", read_notify, false },
	{ "pins", read_pins, false },
	{ "journal", read_journal, false },
	{ "exports", read_exports, false },
	{ NULL, NULL, false },
};

void settings_read(struct arena *a, struct source src, struct settings_file *ret)
{
	struct yaml_reader r = { .arena = a, .src = &ret->allow.src };
	struct reading reading = { .settings = ret };
	struct yaml root;

	*ret = (struct settings_file) {
		.values = settings_defaults,
		.allow = { .src = src, .name.s = SETTINGS_PACK, .title = "The owner's settings" },
	};
	if (yaml_is_empty(&src))
		return;
	if (yaml_open(&r, &root))
		yaml_mapping(&r, root, keys, &reading);
	yaml_close(&r);
}

/* --- what they do */

static void tell_unknown(const struct settings_file *s, const struct text *t, const char *what,
			 const char *const *names, size_t count)
{
	const char *nearest = source_nearest(t->s, names, count);

	source_fault(&s->allow.src, t->spot, "there is no %s '%s'%s%s%s", what, t->s,
		     nearest ? ": did you mean '" : "", nearest ? nearest : "",
		     nearest ? "'?" : "");
}

static void drop_packs(struct arena *a, const struct settings_file *s, struct library *l)
{
	const char **names = NULL;
	size_t names_count = 0;

	for (size_t i = 0; i < l->packs_count; i++)
		ARENA_PUSH(a, names, l->packs[i]->name.s ? l->packs[i]->name.s : "");
	for (size_t i = 0; i < s->packs_off.names_count; i++) {
		bool found = false;

		for (size_t k = 0; k < l->packs_count; k++) {
			if (strcmp(names[k], s->packs_off.names[i].s) != 0)
				continue;
			/* its programs stay, for lines of others */
			l->packs[k]->signatures_count = l->packs[k]->allow_count = 0;
			l->packs[k]->allow_connects_count = 0;
			l->packs[k]->allow_deletes.all_count = 0;
			l->packs[k]->allow_sends.all_count = 0;
			found = true;
		}
		if (!found)
			tell_unknown(s, &s->packs_off.names[i], "pack", names, names_count);
	}
}

static void drop_agents(struct arena *a, const struct settings_file *s, struct library *l)
{
	const char **names = NULL;
	size_t names_count = 0;

	for (size_t i = 0; i < l->profiles_count; i++)
		ARENA_PUSH(a, names, l->profiles[i]->id.s);
	for (size_t i = 0; i < s->agents_off.names_count; i++) {
		const struct text *t = &s->agents_off.names[i];
		bool found = false;

		for (size_t k = 0; k < l->profiles_count; k++)
			if (strcmp(l->profiles[k]->id.s, t->s) == 0) {
				memmove(l->profiles + k, l->profiles + k + 1,
					(--l->profiles_count - k) * sizeof(*l->profiles));
				found = true;
				break;
			}
		if (!found)
			tell_unknown(s, t, "agent", names, names_count);
	}
}

static const char *full_name(struct arena *a, const struct pack *p, const struct signature *s)
{
	return arena_printf(a, "%s.%s", p->name.s, s ? s->id.s : "*");
}

/* How many signatures `name` is about, which get the verdict. */
static unsigned int change_verdicts(struct arena *a, struct library *l, const char *name,
				    int verdict)
{
	unsigned int count = 0;

	for (size_t i = 0; i < l->packs_count; i++)
		for (size_t k = 0; k < l->packs[i]->signatures_count; k++) {
			struct signature *s = &l->packs[i]->signatures[k];

			if (strcmp(name, full_name(a, l->packs[i], NULL)) != 0 &&
			    strcmp(name, full_name(a, l->packs[i], s)) != 0)
				continue;
			s->off = verdict == VERDICT_OFF;
			s->verdict = (enum verdict)verdict;
			count++;
		}
	return count;
}

static bool is_whole_pack(const char *name)
{
	size_t len = strlen(name);

	return len > 2 && strcmp(name + len - 2, ".*") == 0;
}

static void tell_unknown_signature(struct arena *a, const struct settings_file *s,
				   const struct library *l, const struct text *t)
{
	const char **names = NULL;
	size_t names_count = 0;

	for (size_t i = 0; i < l->packs_count; i++) {
		const struct pack *p = l->packs[i];

		ARENA_PUSH(a, names, full_name(a, p, NULL));
		for (size_t k = 0; k < p->signatures_count && !is_whole_pack(t->s); k++)
			ARENA_PUSH(a, names, full_name(a, p, &p->signatures[k]));
	}
	tell_unknown(s, t, "signature", names, names_count);
}

static void hold_alerts(struct library *l)
{
	for (size_t i = 0; i < l->packs_count; i++)
		for (size_t k = 0; k < l->packs[i]->signatures_count; k++)
			if (l->packs[i]->signatures[k].verdict == VERDICT_ALERT)
				l->packs[i]->signatures[k].verdict = VERDICT_HOLD;
}

/* A signature more for each pack that says what its programs read by. */
static void hold_writes(struct arena *a, struct library *l)
{
	for (size_t i = 0; i < l->packs_count; i++) {
		struct pack *p = l->packs[i];
		struct signature s = {
			.id.s = "read-only",
			.why.s = "Only commands that read are allowed here, by the preset "
				 "read-only.",
			.attack = "T1485",
			.severity = SEVERITY_MEDIUM,
			.verdict = VERDICT_HOLD,
			.read_only = true,
		};
		bool any = false;

		for (size_t k = 0; k < p->programs_count; k++)
			any |= p->programs[k].reads_count > 0;
		if (any)
			ARENA_PUSH(a, p->signatures, s);
	}
}

void settings_apply(struct arena *a, struct settings_file *s, struct library *library)
{
	if (s->preset == PRESET_STRICT)
		hold_alerts(library);
	if (s->preset == PRESET_READ_ONLY)
		hold_writes(a, library);
	/* what names one signature counts more than what names its pack */
	for (int whole = 1; whole >= 0; whole--)
		for (size_t i = 0; i < s->verdicts_count; i++) {
			const struct verdict_change *c = &s->verdicts[i];

			if (is_whole_pack(c->name.s) == whole &&
			    !change_verdicts(a, library, c->name.s, c->verdict))
				tell_unknown_signature(a, s, library, &c->name);
		}
	drop_packs(a, s, library);
	drop_agents(a, s, library);
	ARENA_PUSH(a, library->packs, &s->allow);
	library->settings = &s->values;
	library->precious = s->precious.names;
	library->precious_count = s->precious.names_count;
	library->production = s->production.names;
	library->production_count = s->production.names_count;
	library->approvers = s->approvers;
	library->approvers_count = s->approvers_count;
}

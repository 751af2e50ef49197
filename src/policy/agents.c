#include "policy/agents.h"

#include <string.h>

#include "policy/carrier.h"
#include "policy/glob.h"

struct builder {
	struct writer *w;
	struct needles *needles;
	struct profile **profiles;
	size_t profiles_count;
	struct agent_key *keys;
	size_t keys_count;
};

static void check_ids(const struct builder *b)
{
	for (size_t i = 0; i < b->profiles_count; i++) {
		const struct profile *p = b->profiles[i];

		for (size_t k = 0; k < i; k++)
			if (p->id.s && b->profiles[k]->id.s &&
			    strcmp(p->id.s, b->profiles[k]->id.s) == 0)
				source_fault(&p->src, p->id.spot,
					     "agent '%s' is taken: %s has that name", p->id.s,
					     b->profiles[k]->src.name);
	}
}

/* --- keys */

static void add_key(struct builder *b, const char *name, enum bs_agent_how how)
{
	struct agent_key key = { .how = how };

	memcpy(&key.name, name, strnlen(name, sizeof(key.name)));
	for (size_t i = 0; i < b->keys_count; i++)
		if (b->keys[i].name == key.name) {
			b->keys[i].how = MIN(b->keys[i].how, key.how);
			return;
		}
	ARENA_PUSH(b->needles->arena, b->keys, key);
}

/* A glob can be looked for only where no wildcard is in what the kernel knows of a name. */
static void add_name_key(struct builder *b, const char *name)
{
	char fixed[PROFILE_KEY_BYTES + 1] = { 0 };
	bool all;
	size_t len = glob_prefix(name, fixed, PROFILE_KEY_BYTES, &all);

	if (all || len == PROFILE_KEY_BYTES)
		add_key(b, fixed, BS_AGENT_ASK);
}

static void add_interpreter_keys(struct builder *b)
{
	static const char *const names[] = { "node",	 "nodejs", "bun",     "deno",
					     "tsx",	 "python", "python2", "python3",
					     "python3.", "pypy",   "pypy3" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		add_key(b, names[i], BS_AGENT_SCAN);
}

static int compare_keys(const void *a, const void *b)
{
	const struct agent_key *x = a, *y = b;

	return x->name < y->name ? -1 : x->name > y->name;
}

static void write_keys(struct builder *b)
{
	if (b->keys_count > BS_AGENT_KEYS) {
		const struct profile *last = b->profiles[b->profiles_count - 1];

		source_fault(&last->src, last->id.spot,
			     "all profiles together have %zu names, the kernel has room for %d",
			     b->keys_count, BS_AGENT_KEYS);
		return;
	}
	if (b->keys)
		qsort(b->keys, b->keys_count, sizeof(*b->keys), compare_keys);
	for (size_t i = 0; i < b->keys_count; i++)
		writer_add(b->w, SECTION_AGENT_KEYS, &b->keys[i]);
}

/* --- marks */

static void add_mark(struct builder *b, u32 agent, enum agent_mark_kind kind, const char *text,
		     const char *path)
{
	struct image_agent_mark m = { .kind = kind,
				      .text = writer_string(b->w, text),
				      .path = writer_string_or_none(b->w, path),
				      .agent = agent };

	writer_add(b->w, SECTION_AGENT_MARKS, &m);
}

static void tell_vague(const struct profile *p, const struct text *t)
{
	source_fault(&p->src, t->spot,
		     "'%s' cannot be searched for: letters or digits are needed in it", t->s);
}

static void add_name(struct builder *b, u32 agent, const struct profile_name *n)
{
	if (!needles_add_agent_name(b->needles, n->name.s))
		tell_vague(b->profiles[agent], &n->name);
	add_name_key(b, n->name.s);
	for (size_t i = 0; i < n->paths_count; i++)
		add_mark(b, agent, MARK_NAME, n->name.s, n->paths[i].s);
	if (!n->paths_count)
		add_mark(b, agent, MARK_NAME, n->name.s, NULL);
}

static void add_names(struct builder *b, u32 agent, bool with_paths)
{
	const struct profile *p = b->profiles[agent];

	for (size_t i = 0; i < p->names_count; i++)
		if ((p->names[i].paths_count != 0) == with_paths)
			add_name(b, agent, &p->names[i]);
}

static void add_scripts(struct builder *b, u32 agent)
{
	const struct profile *p = b->profiles[agent];

	for (size_t i = 0; i < p->scripts_count; i++) {
		const struct text *t = &p->scripts[i];
		bool module = t->s[0] == '-';
		const char *name = module ? t->s + 3 + strspn(t->s + 3, " ") : t->s;

		if (!(module ? needles_add_agent_module(b->needles, name)
			     : needles_add_path(b->needles, name)))
			tell_vague(p, t);
		/* where a script has a first line #!, its own name is given to execve */
		if (!module)
			add_name_key(b, carrier_base_name(name));
		add_mark(b, agent, module ? MARK_MODULE : MARK_SCRIPT, name, NULL);
	}
}

/* What says more comes first. */
static void add_marks(struct builder *b)
{
	for (u32 i = 0; i < b->profiles_count; i++) {
		const struct profile *p = b->profiles[i];

		add_names(b, i, true);
		add_scripts(b, i);
		for (size_t k = 0; k < p->files_count; k++)
			add_mark(b, i, MARK_FILE, p->files[k].s, NULL);
	}
	for (u32 i = 0; i < b->profiles_count; i++)
		add_names(b, i, false);
}

void agents_write(struct writer *w, struct needles *n, struct profile **profiles, size_t count)
{
	struct builder b = { .w = w, .needles = n, .profiles = profiles, .profiles_count = count };

	if (!count)
		return;
	check_ids(&b);
	for (size_t i = 0; i < count; i++) {
		struct image_agent agent = {
			.id = writer_string(w, profiles[i]->id.s ? profiles[i]->id.s : ""),
			.title = writer_string(w, profiles[i]->title),
		};

		writer_add(w, SECTION_AGENTS, &agent);
	}
	add_marks(&b);
	add_interpreter_keys(&b);
	write_keys(&b);
}

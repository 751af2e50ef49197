/* Examples of signatures, as packs state them. */
#include <stdlib.h>
#include <string.h>

#include "policy/pack.h"
#include "policy/yaml.h"

static void read_run(struct yaml_reader *r, struct yaml v, void *data)
{
	((struct example *)data)->run = yaml_text(r, v);
}

static void read_cwd(struct yaml_reader *r, struct yaml v, void *data)
{
	struct text t = yaml_text(r, v);

	if (t.s && *t.s != '/')
		source_fault(r->src, t.spot, "cwd: is an absolute path");
	((struct example *)data)->cwd = t.s;
}

static void read_file(struct yaml_reader *r, struct yaml v, void *data)
{
	struct example *e = data;
	struct text t = yaml_text(r, v);

	if (t.s)
		ARENA_PUSH(r->arena, e->files, t.s);
}

static void read_files(struct yaml_reader *r, struct yaml v, void *data)
{
	struct example *e = data;

	yaml_list(r, v, true, read_file, data);
	ARENA_PUSH(r->arena, e->files, NULL);
}

static void read_own(struct yaml_reader *r, struct yaml v, void *data)
{
	((struct example *)data)->own = yaml_bool(r, v);
}

static void read_count(struct yaml_reader *r, struct yaml v, struct example *e,
		       const char *predicate)
{
	int f = fact_parse_predicate(predicate, v.key);
	struct text t = yaml_text(r, v);
	struct stated s = { .fact = (enum fact)f };

	if (!t.s)
		return;
	s.count = (unsigned int)strtoul(t.s, NULL, 10);
	if (f < 0)
		source_fault(r->src, v.key_spot, "there is no predicate {%s:%s}", predicate, v.key);
	else if (!*t.s || t.s[strspn(t.s, "0123456789")])
		source_fault(r->src, t.spot, "'%s' is no number: how many would be lost?", t.s);
	else
		ARENA_PUSH(r->arena, e->facts, s);
}

static void read_git_count(struct yaml_reader *r, struct yaml v, void *data)
{
	read_count(r, v, data, "git");
}

static void read_git(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_entries(r, v, read_git_count, data);
}

static void read_plan_count(struct yaml_reader *r, struct yaml v, void *data)
{
	read_count(r, v, data, "plan");
}

static void read_plan(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_entries(r, v, read_plan_count, data);
}

static void read_var(struct yaml_reader *r, struct yaml v, void *data)
{
	struct example *e = data;
	struct text t = yaml_text(r, v);

	if (t.s)
		ARENA_PUSH(r->arena, e->vars, arena_printf(r->arena, "%s=%s", v.key, t.s));
}

static void read_env(struct yaml_reader *r, struct yaml v, void *data)
{
	struct example *e = data;

	yaml_entries(r, v, read_var, data);
	ARENA_PUSH(r->arena, e->vars, NULL);
}

static void read_example_by(struct yaml_reader *r, struct yaml v, void *data)
{
	((struct example *)data)->by = yaml_text(r, v).s;
}

static void read_ancestor(struct yaml_reader *r, struct yaml v, void *data)
{
	struct example *e = data;
	struct text t = yaml_text(r, v);

	if (t.s)
		ARENA_PUSH(r->arena, e->behind, t.s);
}

static void read_example_under(struct yaml_reader *r, struct yaml v, void *data)
{
	struct example *e = data;

	yaml_list(r, v, true, read_ancestor, data);
	ARENA_PUSH(r->arena, e->behind, NULL);
}

static void read_precious(struct yaml_reader *r, struct yaml v, void *data)
{
	struct example *e = data;
	struct text t = yaml_text(r, v);

	if (t.s)
		ARENA_PUSH(r->arena, e->precious, t.s);
}

static void read_all_precious(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_precious, data);
}

static void read_links(struct yaml_reader *r, struct yaml v, void *data)
{
	struct text t = yaml_text(r, v);
	u32 links = t.s ? (u32)strtoul(t.s, NULL, 10) : 0;

	if (t.s && !links)
		source_fault(r->src, t.spot, "links: is how many names the file has");
	((struct example *)data)->links = links;
}

static const struct yaml_key example_keys[] = {
	{ "run", read_run, false },
	{ "cwd", read_cwd, false },
	{ "to", read_run, false },
	{ "own", read_own, false },
	{ "files", read_files, false },
	{ "git", read_git, false },
	{ "plan", read_plan, false },
	{ "env", read_env, false },
	{ "by", read_example_by, false },
	{ "under", read_example_under, false },
	{ "precious", read_all_precious, false },
	{ "links", read_links, false },
	{ NULL, NULL, false },
};

struct example pack_read_example(struct yaml_reader *r, struct yaml v)
{
	unsigned int before = r->src->faults->count;
	struct example e = { 0 };

	if (yaml_is_mapping(v))
		yaml_mapping(r, v, example_keys, &e);
	else
		e.run = yaml_text(r, v);
	if (!e.run.s && r->src->faults->count == before)
		source_fault(r->src, v.spot, "run: is missing, or to: where it is a destination");
	return e;
}

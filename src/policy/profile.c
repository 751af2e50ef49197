#include "policy/profile.h"

#include <string.h>

#include "policy/glob.h"
#include "policy/yaml.h"

struct reading {
	struct profile *profile;
	struct profile_name *name;
	struct example *example;
};

static void read_agent(struct yaml_reader *r, struct yaml v, void *data)
{
	((struct reading *)data)->profile->id = yaml_name(r, v);
}

static void read_title(struct yaml_reader *r, struct yaml v, void *data)
{
	struct text t = yaml_text(r, v);

	((struct reading *)data)->profile->title = t.s ? t.s : "";
}

/* --- names: */

static bool check_name(struct yaml_reader *r, struct text t)
{
	char fixed[PROFILE_KEY_BYTES];
	bool all;
	size_t len = glob_prefix(t.s, fixed, sizeof(fixed), &all);

	if (strchr(t.s, '/'))
		source_fault(
			r->src, t.spot,
			"'%s': a program's name has no / in it; write {name: NAME, paths: [GLOB]} "
			"to ask for a path as well",
			t.s);
	else if (!all && len < sizeof(fixed))
		source_fault(r->src, t.spot,
			     "'%s': a glob needs %d bytes without a wildcard before it, for the "
			     "kernel knows no more of a name; list the names",
			     t.s, PROFILE_KEY_BYTES);
	else
		return true;
	return false;
}

static void read_name_text(struct yaml_reader *r, struct yaml v, void *data)
{
	((struct reading *)data)->name->name = yaml_text(r, v);
}

static void read_name_path(struct yaml_reader *r, struct yaml v, void *data)
{
	struct profile_name *n = ((struct reading *)data)->name;
	struct text t = yaml_text(r, v);

	if (t.s)
		ARENA_PUSH(r->arena, n->paths, t);
}

static void read_name_paths(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_name_path, data);
}

static const struct yaml_key name_keys[] = {
	{ "name", read_name_text, true },
	{ "paths", read_name_paths, true },
	{ NULL, NULL, false },
};

static void read_name(struct yaml_reader *r, struct yaml v, void *data)
{
	struct reading *reading = data;
	struct profile *p = reading->profile;
	struct profile_name n = { 0 };

	reading->name = &n;
	if (yaml_is_mapping(v))
		yaml_mapping(r, v, name_keys, data);
	else
		n.name = yaml_text(r, v);
	reading->name = NULL;
	if (n.name.s && check_name(r, n.name))
		ARENA_PUSH(r->arena, p->names, n);
}

static void read_names(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_name, data);
}

/* --- scripts: */

static void read_script(struct yaml_reader *r, struct yaml v, void *data)
{
	struct profile *p = ((struct reading *)data)->profile;
	struct text t = yaml_text(r, v);

	if (t.s && t.s[0] == '-' && (strncmp(t.s, "-m ", 3) != 0 || !t.s[3]))
		source_fault(r->src, t.spot, "'%s': write -m MODULE, or a glob on a path", t.s);
	else if (t.s)
		ARENA_PUSH(r->arena, p->scripts, t);
}

static void read_scripts(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_script, data);
}

static void read_file(struct yaml_reader *r, struct yaml v, void *data)
{
	struct profile *p = ((struct reading *)data)->profile;
	struct text t = yaml_text(r, v);

	if (t.s)
		ARENA_PUSH(r->arena, p->files, t);
}

static void read_files(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_file, data);
}

/* --- examples */

static void read_run(struct yaml_reader *r, struct yaml v, void *data)
{
	((struct reading *)data)->example->run = yaml_text(r, v);
}

static void read_loaded(struct yaml_reader *r, struct yaml v, void *data)
{
	struct text t = yaml_text(r, v);

	if (t.s && *t.s != '/')
		source_fault(r->src, t.spot, "file: is an absolute path");
	((struct reading *)data)->example->file = t.s;
}

static void read_given(struct yaml_reader *r, struct yaml v, void *data)
{
	((struct reading *)data)->example->name = yaml_text(r, v).s;
}

static const struct yaml_key example_keys[] = {
	{ "run", read_run, true },
	{ "file", read_loaded, false },
	{ "name", read_given, false },
	{ NULL, NULL, false },
};

static struct example read_example(struct yaml_reader *r, struct yaml v, struct reading *reading)
{
	struct example e = { 0 };

	reading->example = &e;
	if (yaml_is_mapping(v))
		yaml_mapping(r, v, example_keys, reading);
	else
		e.run = yaml_text(r, v);
	reading->example = NULL;
	return e;
}

static void read_hit(struct yaml_reader *r, struct yaml v, void *data)
{
	struct profile *p = ((struct reading *)data)->profile;
	struct example e = read_example(r, v, data);

	if (e.run.s)
		ARENA_PUSH(r->arena, p->hits, e);
}

static void read_miss(struct yaml_reader *r, struct yaml v, void *data)
{
	struct profile *p = ((struct reading *)data)->profile;
	struct example e = read_example(r, v, data);

	if (e.run.s)
		ARENA_PUSH(r->arena, p->misses, e);
}

static void read_hits(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, false, read_hit, data);
	if (!((struct reading *)data)->profile->hits_count)
		source_fault(r->src, v.spot, "hits: needs an example");
}

static void read_misses(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, false, read_miss, data);
	if (!((struct reading *)data)->profile->misses_count)
		source_fault(r->src, v.spot, "misses: needs an example");
}

static const struct yaml_key profile_keys[] = {
	{ "agent", read_agent, true },	 { "title", read_title, true },
	{ "names", read_names, false },	 { "scripts", read_scripts, false },
	{ "files", read_files, false },	 { "hits", read_hits, true },
	{ "misses", read_misses, true }, { NULL, NULL, false },
};

bool profile_is(const char *text)
{
	return strncmp(text, "agent:", 6) == 0 || strstr(text, "\nagent:");
}

void profile_read(struct arena *a, struct source src, struct profile *ret)
{
	struct yaml_reader r = { .arena = a, .src = &ret->src };
	struct reading reading = { .profile = ret };
	struct yaml root;

	*ret = (struct profile) { .src = src, .title = "" };
	if (yaml_open(&r, &root)) {
		yaml_mapping(&r, root, profile_keys, &reading);
		if (ret->src.faults->count == 0 && !ret->names_count && !ret->scripts_count &&
		    !ret->files_count)
			source_fault(
				&ret->src, root.spot,
				"names:, scripts: or files: is missing: nothing tells this agent");
	}
	yaml_close(&r);
}

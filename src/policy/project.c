#include "policy/project.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "policy/search.h"
#include "policy/yaml.h"

/* --- the file, without privileges */

struct reading {
	const struct policy *policy;
	u8 *verdicts; /* of each signature; VERDICT_ALLOW: as it is */
	struct text *precious;
	size_t precious_count;
};

static void check_precious(struct yaml_reader *r, struct reading *reading, struct text t)
{
	if (reading->precious_count >= PROJECT_GLOBS)
		source_fault(r->src, t.spot, "a project has at most %d precious globs",
			     PROJECT_GLOBS);
	else if (strlen(t.s) >= PROJECT_GLOB_SIZE)
		source_fault(r->src, t.spot, "a glob has less than %d bytes", PROJECT_GLOB_SIZE);
	else
		ARENA_PUSH(r->arena, reading->precious, t);
}

static void read_glob(struct yaml_reader *r, struct yaml v, void *data)
{
	struct text t = yaml_text(r, v);

	if (t.s)
		check_precious(r, data, t);
}

static void read_precious(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_list(r, v, true, read_glob, data);
}

/* Is the signature's name, or that of all of its pack, `name`? */
static bool is_called(const struct finding *f, const char *name, bool *ret_whole)
{
	size_t len = strlen(f->pack);

	if (strncmp(f->pack, name, len) != 0 || name[len] != '.')
		return false;
	*ret_whole = strcmp(name + len + 1, "*") == 0;
	return *ret_whole || strcmp(name + len + 1, f->id) == 0;
}

static void tell_unknown(struct yaml_reader *r, const struct policy *p, const struct yaml *v)
{
	const char **names = NULL, *nearest;
	size_t names_count = 0;
	struct finding f;

	for (u32 i = 0; i < policy_signature_count(p); i++) {
		policy_signature(p, i, &f);
		ARENA_PUSH(r->arena, names, arena_printf(r->arena, "%s.%s", f.pack, f.id));
	}
	nearest = source_nearest(v->key, names, names_count);
	source_fault(r->src, v->key_spot, "there is no signature '%s'%s%s%s", v->key,
		     nearest ? ": did you mean '" : "", nearest ? nearest : "",
		     nearest ? "'?" : "");
}

static void raise_verdict(struct yaml_reader *r, struct reading *reading, const struct yaml *v,
			  const struct finding *f, enum verdict verdict, bool whole)
{
	bool connect = policy_destination(reading->policy, f->signature, 0);
	bool unseen = f->verdict < VERDICT_HOLD && verdict >= VERDICT_HOLD &&
		      policy_deletion(reading->policy, f->signature, 0);

	if (connect && !whole)
		source_fault(r->src, v->key_spot,
			     "%s is about destinations, of which a project says nothing", v->key);
	else if (unseen && !whole)
		source_fault(r->src, v->key_spot,
			     "%s only tells of deletions: the owner's settings can have them held, "
			     "a project cannot",
			     v->key);
	else if (connect || unseen)
		return;
	else if (verdict >= f->verdict)
		reading->verdicts[f->signature] = (u8)verdict;
	else if (!whole)
		source_fault(r->src, v->spot,
			     "%s: '%s' is weaker than '%s', which the policy says: a project may "
			     "only tighten",
			     v->key, verdict_name(verdict), verdict_name(f->verdict));
}

static void read_verdict(struct yaml_reader *r, struct yaml v, void *data)
{
	static const char *const names[] = { "alert", "hold", "deny", "kill" };
	struct reading *reading = data;
	int n = yaml_choice(r, v, names, ARRAY_SIZE(names));
	bool found = false, whole = false;
	struct finding f;

	for (u32 i = 0; n >= 0 && i < policy_signature_count(reading->policy); i++) {
		policy_signature(reading->policy, i, &f);
		if (!is_called(&f, v.key, &whole))
			continue;
		raise_verdict(r, reading, &v, &f, (enum verdict)(n + VERDICT_ALERT), whole);
		found = true;
	}
	if (n >= 0 && !found)
		tell_unknown(r, reading->policy, &v);
}

static void read_verdicts(struct yaml_reader *r, struct yaml v, void *data)
{
	yaml_entries(r, v, read_verdict, data);
}

static const struct yaml_key keys[] = {
	{ "verdicts", read_verdicts, false },
	{ "precious", read_precious, false },
	{ NULL, NULL, false },
};

static void write_json(struct arena *a, const struct reading *reading, struct strbuf *out)
{
	struct json j = JSON_INIT(out);
	struct finding f;

	json_open_object(&j, NULL);
	json_open_object(&j, "verdicts");
	for (u32 i = 0; i < policy_signature_count(reading->policy); i++) {
		policy_signature(reading->policy, i, &f);
		if (reading->verdicts[i] > f.verdict)
			json_put_string(&j, arena_printf(a, "%s.%s", f.pack, f.id),
					verdict_name((enum verdict)reading->verdicts[i]));
	}
	json_close_object(&j);
	json_open_array(&j, "precious");
	for (size_t i = 0; i < reading->precious_count; i++)
		json_put_string(&j, NULL, reading->precious[i].s);
	json_close_array(&j);
	json_close_object(&j);
}

unsigned int project_read(const struct policy *p, const char *name, const char *text, size_t len,
			  struct strbuf *ret_json, struct strbuf *err)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct faults faults = { .out = err };
	struct source src = { name, arena_strndup(&a, text, len), len, &faults };
	struct yaml_reader r = { .arena = &a, .src = &src };
	struct reading reading = { .policy = p,
				   .verdicts = arena_alloc(&a, policy_signature_count(p) + 1) };
	struct yaml root;

	if (!yaml_is_empty(&src)) {
		if (yaml_open(&r, &root))
			yaml_mapping(&r, root, keys, &reading);
		yaml_close(&r);
	}
	write_json(&a, &reading, ret_json);
	return faults.count;
}

/* --- what came of it, in the guard */

static void drop_json(json_t **j)
{
	json_decref(*j);
}

static bool is_about(const struct policy *p, const char *name, u32 *ret)
{
	struct finding f;
	bool whole;

	for (u32 i = 0; i < policy_signature_count(p); i++) {
		policy_signature(p, i, &f);
		if (is_called(&f, name, &whole) && !whole) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static int take_verdicts(const struct policy *p, json_t *object, struct project *project)
{
	const char *name;
	json_t *value;
	u32 signature;

	if (!json_is_object(object))
		return -EINVAL;
	project->verdicts_count = policy_signature_count(p);
	project->verdicts = calloc(project->verdicts_count + 1, 1);
	if (!project->verdicts)
		return -ENOMEM;
	json_object_foreach(object, name, value)
	{
		int verdict =
			json_is_string(value) ? verdict_parse(json_string_value(value)) : -EINVAL;

		if (verdict < 0)
			return -EINVAL;
		if (is_about(p, name, &signature))
			project->verdicts[signature] =
				MAX(project->verdicts[signature], (u8)verdict);
	}
	return 0;
}

static int take_precious(json_t *array, struct project *project)
{
	size_t n = json_array_size(array);

	if (!json_is_array(array) || n > PROJECT_GLOBS)
		return -EINVAL;
	project->precious = calloc(n + 1, sizeof(*project->precious));
	if (!project->precious)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *glob = json_string_value(json_array_get(array, i));

		if (!glob || strlen(glob) >= PROJECT_GLOB_SIZE)
			return -EINVAL;
		project->precious[i] = strdup(glob);
		if (!project->precious[i])
			return -ENOMEM;
		project->precious_count++;
	}
	return 0;
}

static int take_project(const struct policy *p, const json_t *root, struct project **ret)
{
	struct project *project = calloc(1, sizeof(*project));
	int r = project ? take_verdicts(p, json_object_get(root, "verdicts"), project) : -ENOMEM;

	if (!r)
		r = take_precious(json_object_get(root, "precious"), project);
	if (r)
		project_free(project);
	else
		*ret = project;
	return r;
}

int project_parse(const struct policy *p, const char *json, size_t len, struct project **ret,
		  struct strbuf *err)
{
	json_error_t error = { .text = "it is too long" };
	_cleanup_(drop_json) json_t *root = NULL;
	int r;

	if (len <= PROJECT_MAX)
		root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		strbuf_addf(err, "what was read of the project is no JSON: %s", error.text);
		return -EINVAL;
	}
	r = take_project(p, root, ret);
	if (r)
		strbuf_adds(err, "what was read of the project has no verdicts and globs");
	return r;
}

void project_free(struct project *project)
{
	if (!project)
		return;
	for (u32 i = 0; i < project->precious_count; i++)
		free(project->precious[i]);
	free(project->precious);
	free(project->verdicts);
	free(project);
}

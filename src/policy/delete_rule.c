#include "policy/delete_rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PRECIOUS "{precious}"

static const char *const op_names[BS_DELETE_OPS] = {
	[BS_DELETE_UNLINK] = "unlink",	   [BS_DELETE_RMDIR] = "rmdir",
	[BS_DELETE_TRUNCATE] = "truncate", [BS_DELETE_RENAME] = "rename",
	[BS_DELETE_PUNCH] = "punch",	   [BS_DELETE_EXCHANGE] = "exchange",
	[BS_DELETE_MOVE] = "move",
};
_Static_assert(BS_DELETE_OPS == 8, "names of operations");

#define HOW_ALL	  ((1U << BS_DELETE_OPS) - 2)
#define HOW_BURST (1U << BS_DELETE_UNLINK | 1U << BS_DELETE_RMDIR | 1U << BS_DELETE_RENAME)

const char *delete_op_name(enum bs_delete_op op)
{
	return op_names[op];
}

int delete_op_parse(const char *name)
{
	if (strcmp(name, "rename-over") == 0)
		return BS_DELETE_RENAME;
	for (int i = BS_DELETE_UNLINK; i < BS_DELETE_OPS; i++)
		if (strcmp(op_names[i], name) == 0)
			return i;
	return -EINVAL;
}

int delete_example_parse(const char *text, const char **ret_path)
{
	size_t len = strcspn(text, " ");
	char name[16];
	int op;

	if (len >= sizeof(name) || !text[len])
		return -EINVAL;
	memcpy(name, text, len);
	name[len] = '\0';
	text += len + strspn(text + len, " ");
	op = delete_op_parse(name);
	if (op < 0 || *text != '/')
		return -EINVAL;
	*ret_path = text;
	return op;
}

bool delete_burst_parse(const char *text, struct burst *ret)
{
	size_t digits = strspn(text, "0123456789"), more;
	const char *window = text + digits + 1;

	if (!digits || digits > 6 || text[digits] != '/')
		return false;
	more = strspn(window, "0123456789");
	if (!more || more > 4 || strcmp(window + more, "s") != 0)
		return false;
	*ret = (struct burst) { (u32)strtoul(text, NULL, 10), (u32)strtoul(window, NULL, 10) };
	return ret->count && ret->seconds;
}

/* --- reading */

struct reading {
	struct delete_rule *rule;
	struct text **list;
	size_t *count;
	bool allow;
};

/* What is wrong with a glob; NULL: nothing is. */
static const char *find_glob_fault(const char *glob, bool allow)
{
	if (strcmp(glob, PRECIOUS) == 0)
		return allow ? "what is precious is not allowed as such: name the paths" : NULL;
	if (strpbrk(glob, "{}"))
		return "of what stands in braces " PRECIOUS " alone is known here";
	if (glob[0] == '~' && glob[1] != '/')
		return "behind ~ stands a /: the home is that of the acting user";
	for (const char *at = glob; *at;) {
		size_t len = strcspn(at, "/");
		const char *stars = memmem(at, len, "**", 2);

		if (stars && len != 2)
			return "** stands for whole directories: put a / on either side";
		if ((len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.'))
			return "a path is written as it resolves, without . and ..";
		at += len + (at[len] == '/');
	}
	glob += glob[0] == '~';
	return glob[strspn(glob, "*/")] ? NULL : "a name is needed in it";
}

static void read_glob(struct yaml_reader *r, struct yaml v, void *data)
{
	struct reading *reading = data;
	struct text t = yaml_text(r, v), *list = *reading->list;
	size_t list_count = *reading->count;
	const char *fault;

	if (!t.s)
		return;
	fault = find_glob_fault(t.s, reading->allow);
	if (fault) {
		source_fault(r->src, t.spot, "'%s': %s", t.s, fault);
		return;
	}
	ARENA_PUSH(r->arena, list, t);
	*reading->list = list;
	*reading->count = list_count;
}

static void read_paths(struct yaml_reader *r, struct yaml v, void *data)
{
	struct reading *reading = data;

	reading->list = &reading->rule->paths;
	reading->count = &reading->rule->paths_count;
	yaml_list(r, v, true, read_glob, data);
}

static void read_excepts(struct yaml_reader *r, struct yaml v, void *data)
{
	struct reading *reading = data;

	reading->list = &reading->rule->excepts;
	reading->count = &reading->rule->excepts_count;
	yaml_list(r, v, true, read_glob, data);
}

static void read_op(struct yaml_reader *r, struct yaml v, void *data)
{
	struct delete_rule *rule = ((struct reading *)data)->rule;
	struct text t = yaml_text(r, v);
	int op = t.s ? delete_op_parse(t.s) : 0;

	if (op < 0)
		source_fault(r->src, t.spot, "how: cannot be '%s': write %s", t.s,
			     yaml_join(r->arena, op_names + 1, BS_DELETE_OPS - 1));
	else
		rule->how |= 1U << op;
}

static void read_how(struct yaml_reader *r, struct yaml v, void *data)
{
	((struct reading *)data)->rule->how = 0;
	yaml_list(r, v, true, read_op, data);
}

/* !(a|b): or without !, or one name without parentheses. */
static void read_programs(struct yaml_reader *r, struct yaml v, struct program_set *ret)
{
	struct text t = yaml_text(r, v);
	char *names, *name;
	size_t len;

	if (!t.s)
		return;
	ret->negated = t.s[0] == '!';
	names = arena_strdup(r->arena, t.s + ret->negated);
	len = strlen(names);
	if (names[0] == '(' && names[len - 1] == ')') {
		names[len - 1] = '\0';
		names++;
	}
	while ((name = strsep(&names, "|"))) {
		if (!*name || strpbrk(name, "()/!"))
			source_fault(r->src, t.spot,
				     "'%s': write base names of programs, such as git, (vim|nvim) "
				     "or !(git|git-*)",
				     t.s);
		ARENA_PUSH(r->arena, ret->globs, name);
	}
}

static void read_by(struct yaml_reader *r, struct yaml v, void *data)
{
	read_programs(r, v, &((struct reading *)data)->rule->by);
}

static void read_under(struct yaml_reader *r, struct yaml v, void *data)
{
	read_programs(r, v, &((struct reading *)data)->rule->under);
}

static void read_burst(struct yaml_reader *r, struct yaml v, void *data)
{
	struct delete_rule *rule = ((struct reading *)data)->rule;
	struct text t = yaml_text(r, v);

	if (t.s && !delete_burst_parse(t.s, &rule->burst))
		source_fault(r->src, t.spot,
			     "burst: cannot be '%s': write how many in how many seconds, such as "
			     "200/10s",
			     t.s);
	rule->kind = DELETE_BURST;
}

static void read_other_name(struct yaml_reader *r, struct yaml v, void *data)
{
	if (yaml_bool(r, v))
		((struct reading *)data)->rule->kind = DELETE_OTHER_NAME;
}

static const struct yaml_key rule_keys[] = {
	{ "path", read_paths, false },
	{ "except", read_excepts, false },
	{ "how", read_how, false },
	{ "by", read_by, false },
	{ "under", read_under, false },
	{ "burst", read_burst, false },
	{ "other_name", read_other_name, false },
	{ NULL, NULL, false },
};

static const struct yaml_key allow_keys[] = {
	{ "path", read_paths, true }, { "except", read_excepts, false }, { "how", read_how, false },
	{ "by", read_by, false },     { "under", read_under, false },	 { NULL, NULL, false },
};

/* --- one line of it */

static void add_list(struct strbuf *out, const char *name, const struct text *list, size_t count)
{
	if (count)
		strbuf_addf(out, "%s%s ", out->len ? "; " : "", name);
	for (size_t i = 0; i < count; i++)
		strbuf_addf(out, "%s%s", i ? ", " : "", list[i].s);
}

static void add_set(struct strbuf *out, const char *name, const struct program_set *set)
{
	if (!set->globs_count)
		return;
	strbuf_addf(out, "; %s %s(", name, set->negated ? "!" : "");
	for (size_t i = 0; i < set->globs_count; i++)
		strbuf_addf(out, "%s%s", i ? "|" : "", set->globs[i]);
	strbuf_addc(out, ')');
}

static const char *describe(struct arena *a, const struct delete_rule *rule)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	u32 usual = rule->kind == DELETE_BURST ? HOW_BURST : HOW_ALL;

	if (rule->kind == DELETE_BURST)
		strbuf_addf(&out, "burst %u/%us", rule->burst.count, rule->burst.seconds);
	if (rule->kind == DELETE_OTHER_NAME)
		strbuf_adds(&out, "other_name");
	add_list(&out, "path", rule->paths, rule->paths_count);
	add_list(&out, "except", rule->excepts, rule->excepts_count);
	for (u32 op = 1, n = 0; op < BS_DELETE_OPS && rule->how != usual; op++)
		if (rule->how & 1U << op)
			strbuf_addf(&out, "%s%s", n++ ? ", " : "; how ", op_names[op]);
	add_set(&out, "by", &rule->by);
	add_set(&out, "under", &rule->under);
	return arena_strdup(a, strbuf_str(&out));
}

/* --- rules */

static void read_mapping(struct yaml_reader *r, struct yaml v, bool allow, struct delete_rule *rule)
{
	struct reading reading = { .rule = rule, .allow = allow };
	unsigned int before = r->src->faults->count;

	yaml_mapping(r, v, allow ? allow_keys : rule_keys, &reading);
	if (r->src->faults->count == before && (rule->kind == DELETE_PATH) != !!rule->paths_count)
		source_fault(r->src, v.spot,
			     "a rule about deletions has path:, or burst:, or other_name: true");
	if (!rule->how)
		rule->how = rule->kind == DELETE_BURST ? HOW_BURST : HOW_ALL;
	rule->text = (struct text) { describe(r->arena, rule), v.spot };
}

struct collecting {
	struct delete_rules *rules;
	bool allow;
};

static void read_rule(struct yaml_reader *r, struct yaml v, void *data)
{
	struct collecting *c = data;
	struct delete_rule rule = { 0 };
	struct reading reading = { &rule, &rule.paths, &rule.paths_count, c->allow };

	if (yaml_is_mapping(v)) {
		read_mapping(r, v, c->allow, &rule);
	} else {
		read_glob(r, v, &reading);
		if (!rule.paths_count)
			return;
		rule.how = HOW_ALL;
		rule.text = rule.paths[0];
	}
	ARENA_PUSH(r->arena, c->rules->all, rule);
}

void delete_rules_read(struct yaml_reader *r, struct yaml v, bool allow, struct delete_rules *ret)
{
	struct collecting c = { ret, allow };

	yaml_list(r, v, true, read_rule, &c);
}

#include "policy/question.h"

#include <string.h>
#include <strings.h>

static void add(struct strbuf *sb, char tag, const char *value)
{
	strbuf_addc(sb, tag);
	strbuf_addc(sb, '=');
	strbuf_add(sb, value, strlen(value) + 1);
}

static void begin(struct strbuf *sb, enum fact f)
{
	strbuf_add(sb, fact_name(f), strlen(fact_name(f)) + 1);
}

const char *question_option(const struct args *args, const char *name)
{
	struct args_cursor c = args_begin(args);
	const char *value = NULL;
	struct arg arg;

	while (args_next(&c, &arg))
		if (arg.option && arg.value && args_is_option(args, &arg, name, true))
			value = arg.value;
	return value;
}

/* ---- git */

static bool is_elsewhere(struct context *c, const char *var)
{
	const char *file = context_var(c, var);

	return file && strcmp(file, "/dev/null") != 0;
}

/* With these it reads another index, other objects or other settings than the files say. */
static bool is_bent(struct context *c)
{
	static const char *const names[] = {
		"GIT_INDEX_FILE",	 "GIT_COMMON_DIR",	    "GIT_OBJECT_DIRECTORY",
		"GIT_NAMESPACE",	 "GIT_CEILING_DIRECTORIES", "GIT_CONFIG_COUNT",
		"GIT_CONFIG_PARAMETERS", "GIT_ICASE_PATHSPECS",	    "GIT_CONFIG_NOSYSTEM",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (context_var(c, names[i]))
			return true;
	return is_elsewhere(c, "GIT_CONFIG_GLOBAL") || is_elsewhere(c, "GIT_CONFIG_SYSTEM");
}

static void add_place(struct context *c, const char *var, char tag, struct strbuf *ret)
{
	const char *value = context_var(c, var);

	if (value)
		add(ret, tag, value);
}

/* Where git works, by one of its options. False where it cannot be followed. */
static bool add_option(const struct args *args, const struct arg *arg, struct strbuf *ret)
{
	static const struct {
		const char *name;
		char tag;
	} places[] = { { "-C", 'C' }, { "--git-dir", 'g' }, { "--work-tree", 'w' } };

	if (args_is_option(args, arg, "--icase-pathspecs", true) ||
	    args_is_option(args, arg, "--namespace", true) ||
	    args_is_option(args, arg, "--config-env", true))
		return false;
	if (arg->value && args_is_option(args, arg, "-c", false))
		return strncasecmp(arg->value, "core.", 5) != 0 &&
		       strncasecmp(arg->value, "include", 7) != 0; /* of a file, which may say it */
	for (size_t i = 0; arg->value && i < ARRAY_SIZE(places); i++)
		if (args_is_option(args, arg, places[i].name, true))
			add(ret, places[i].tag, arg->value);
	return true;
}

/* restore --source=COMMIT */
static bool is_source(const struct args *args, const struct arg *arg)
{
	return arg->value && (args_is_option(args, arg, "-s", true) ||
			      args_is_option(args, arg, "--source", true));
}

static bool add_words(const struct args *args, const u32 *taken, u32 taken_count,
		      struct strbuf *ret)
{
	struct args_cursor c = args_begin(args);
	bool command = false;
	struct arg arg;

	c.taken = taken;
	c.taken_count = taken_count;
	while (args_next(&c, &arg)) {
		if (arg.option && arg.dashes)
			add(ret, '-', "");
		else if (!arg.option)
			add(ret, arg.taken ? 't' : c.ended ? 'P' : 'p', arg.value);
		else if (command && is_source(args, &arg))
			add(ret, 's', arg.value);
		/* -C of a sub-command is another one */
		else if (arg.option && !command && !add_option(args, &arg, ret))
			return false;
		command |= !arg.option;
	}
	return true;
}

bool question_git(struct context *c, enum fact f, const struct args *args, const u32 *taken,
		  u32 taken_count, const char *home, struct strbuf *ret)
{
	const char *own_home = context_var(c, "HOME");

	if (is_bent(c))
		return false;
	begin(ret, f);
	if ((own_home ?: home) && !context_var(c, "GIT_CONFIG_GLOBAL")) {
		add(ret, 'h', own_home ?: home);
		add_place(c, "XDG_CONFIG_HOME", 'x', ret);
	}
	if (context_var(c, "GIT_CONFIG_SYSTEM"))
		add(ret, 'n', "");
	add_place(c, "GIT_DIR", 'g', ret);
	add_place(c, "GIT_WORK_TREE", 'w', ret);
	return add_words(args, taken, taken_count, ret);
}

/* ---- others */

static void add_chdir(const struct args *args, struct strbuf *ret)
{
	const char *dir = question_option(args, "-chdir");

	if (dir)
		add(ret, 'C', dir);
}

void question_plan(const struct args *args, const char *file, struct strbuf *ret)
{
	begin(ret, FACT_PLAN_DELETES);
	add_chdir(args, ret);
	add(ret, 'f', file);
}

bool question_kube(struct context *c, const struct args *args, const char *home, struct strbuf *ret)
{
	const char *files = question_option(args, "--kubeconfig") ?: context_var(c, "KUBECONFIG");
	const char *own_home = context_var(c, "HOME") ?: home;

	begin(ret, FACT_KUBE_CONTEXT);
	if (files && *files)
		add(ret, 'f', files);
	else if (own_home)
		add(ret, 'h', own_home);
	return (files && *files) || own_home;
}

void question_workspace(struct context *c, const struct args *args, struct strbuf *ret)
{
	begin(ret, FACT_TERRAFORM_WORKSPACE);
	add_chdir(args, ret);
	add(ret, 'd', context_var(c, "TF_DATA_DIR") ?: ".terraform");
}

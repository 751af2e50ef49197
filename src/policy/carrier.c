#include "policy/carrier.h"

#include <ctype.h>
#include <string.h>

#include "policy/glob.h"
#include "policy/grammar.h"

const char *carrier_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* --- scripts, modules and applets */

struct interpreter {
	const char *name;      /* also with a version behind it */
	struct grammar values; /* options before the script */
	const char *stops;     /* letters of options that take code in place of a script */
	const char *stop_names;
	const char *sub; /* words before the script that say to run one */
};

static const struct interpreter interpreters[] = {
	{ "python", { "WX", "--check-hash-based-pycs", false }, "c", NULL, NULL },
	{ "pypy", { "WX", NULL, false }, "c", NULL, NULL },
	{ "node",
	  { "rC", "--require --import --loader --experimental-loader --conditions --env-file",
	    false },
	  "ep",
	  "--eval --print --test --run",
	  NULL },
	{ "nodejs",
	  { "rC", "--require --import --loader --experimental-loader --conditions --env-file",
	    false },
	  "ep",
	  "--eval --print --test --run",
	  NULL },
	{ "bun",
	  { "rdc", "--preload --require --import --define --loader --config --cwd --env-file",
	    false },
	  "ep",
	  "--eval --print",
	  "run" },
	{ "deno",
	  { "cL", "--config --import-map --log-level --lock --seed --location --cert", false },
	  "",
	  NULL,
	  "run" },
	{ "tsx",
	  { "C", "--tsconfig --require --import --env-file", false },
	  "ep",
	  "--eval --print",
	  "watch" },
	{ "ruby", { "IrCE", NULL, false }, "e", NULL, NULL },
	{ "perl", { "I", NULL, false }, "eE", NULL, NULL },
	{ "php",
	  { "dcz", "--define --php-ini --zend-extension", false },
	  "rRBS",
	  "--run --server",
	  NULL },
	{ "sh", { "oO", "--rcfile --init-file", false }, "cs", NULL, NULL },
	{ "bash", { "oO", "--rcfile --init-file", false }, "cs", NULL, NULL },
	{ "dash", { "o", NULL, false }, "cs", NULL, NULL },
	{ "ash", { "o", NULL, false }, "cs", NULL, NULL },
	{ "zsh", { "o", NULL, false }, "cs", NULL, NULL },
	{ "ksh", { "o", NULL, false }, "cs", NULL, NULL },
	{ "mksh", { "o", NULL, false }, "cs", NULL, NULL },
};

const char *carrier_interpreter(u32 i)
{
	return i < ARRAY_SIZE(interpreters) ? interpreters[i].name : NULL;
}

static const struct interpreter *find_interpreter(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(interpreters); i++) {
		size_t len = strlen(interpreters[i].name);

		if (strncmp(name, interpreters[i].name, len) == 0 &&
		    !name[len + strspn(name + len, "0123456789.-")])
			return &interpreters[i];
	}
	return NULL;
}

static void add_name(struct command_view *v, const char *name)
{
	if (*name && v->names_count < CARRIER_NAMES)
		v->names[v->names_count++] = name;
}

/* NAME of …/node_modules/NAME/… or …/node_modules/@SCOPE/NAME/…, copied to v->name. */
static void add_package(struct command_view *v, const char *path)
{
	const char *at = NULL, *end;

	for (const char *p = path; (p = strstr(p, "node_modules/")); p++)
		at = p + strlen("node_modules/");
	if (at && *at == '@')
		at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL;
	end = at ? strchr(at, '/') : NULL;
	if (!end || (size_t)(end - at) >= sizeof(v->name))
		return;
	memcpy(v->name, at, (size_t)(end - at));
	v->name[end - at] = '\0';
	add_name(v, v->name);
}

static void view_script(struct command_view *v, char *const *words, u32 count, u32 at)
{
	*v = (struct command_view) { .words = words + at + 1,
				     .count = count - at - 1,
				     .script = words[at] };
	/* without its ending the name is found by the caller, see policy.c */
	add_name(v, carrier_base_name(words[at]));
	add_package(v, words[at]);
}

static bool stops(const struct interpreter *in, const char *word)
{
	if (word[1] == '-')
		return grammar_lists(in->stop_names, word, strcspn(word, "="));
	for (const char *p = word + 1; *p; p++) {
		if (strchr(in->stops, *p))
			return true;
		if (strchr(in->values.letters, *p))
			return false;
	}
	return false;
}

static bool is_python(const struct interpreter *in)
{
	return strncmp(in->name, "py", 2) == 0;
}

/* python -m MOD, -mMOD */
static bool view_module(struct command_view *v, char *const *words, u32 count, u32 at)
{
	const char *word = words[at], *name = NULL;
	size_t len = strlen(word);

	if (word[1] == 'm' && word[2])
		name = word + 2;
	else if (word[1] != '-' && word[len - 1] == 'm' && at + 1 < count)
		name = words[++at];
	if (!name)
		return false;
	*v = (struct command_view) { .words = words + at + 1, .count = count - at - 1 };
	add_name(v, name);
	return true;
}

/* Is this word read before the script's? */
static bool precedes_script(const struct interpreter *in, const char *word)
{
	return ((word[0] == '-' || word[0] == '+') && word[1]) ||
	       (in->sub && strcmp(word, in->sub) == 0);
}

static bool view_interpreted(const struct interpreter *in, char *const *words, u32 count,
			     struct command_view *ret)
{
	u32 at = 0;

	while (at < count && precedes_script(in, words[at])) {
		if (in->sub && strcmp(words[at], in->sub) == 0) {
			at++;
			continue;
		}
		if (strcmp(words[at], "--") == 0) {
			at++;
			break;
		}
		if (stops(in, words[at]))
			return false;
		if (is_python(in) && view_module(ret, words, count, at))
			return true;
		if (strcmp(in->name, "php") == 0 && strcmp(words[at], "-f") == 0) {
			at++;
			break;
		}
		at += 1 + grammar_takes_next(&in->values, words[at]);
	}
	if (at >= count || strcmp(words[at], "-") == 0)
		return false;
	view_script(ret, words, count, at);
	return true;
}

const char carrier_shells[] = "sh bash dash ash zsh ksh mksh oksh yash rbash fish csh tcsh";

const char *carrier_shell_code(char *const *words, u32 count, bool *ret_input)
{
	static const struct grammar g = { "oO", "--rcfile --init-file", false };
	bool code = false, input = false;
	u32 at = 0;

	while (at < count && (words[at][0] == '-' || words[at][0] == '+') && words[at][1]) {
		const char *word = words[at++];

		if (strcmp(word, "--") == 0)
			break;
		if (word[1] != '-' && word[0] == '-') {
			code |= strchr(word, 'c') != NULL;
			input |= strchr(word, 's') != NULL;
		}
		at += grammar_takes_next(&g, word);
	}
	*ret_input = !code && (input || at >= count || strcmp(words[at], "-") == 0 ||
			       strcmp(words[at], "/dev/stdin") == 0);
	return code && at < count ? words[at] : NULL;
}

const char *carrier_input_code(const char *name, char *const *words, u32 count)
{
	const struct interpreter *in = find_interpreter(name);
	struct command_view v;

	if (!in || !in->stops || !*in->stops || grammar_lists(carrier_shells, name, strlen(name)))
		return NULL;
	for (u32 i = 0; i < count; i++)
		if (stops(in, words[i]))
			return NULL;
	if (view_interpreted(in, words, count, &v))
		return NULL;
	return strncmp(in->name, "py", 2) == 0 ? "-c" : strcmp(in->name, "php") == 0 ? "-r" : "-e";
}

bool carrier_is_builtin(const char *name)
{
	static const char builtins[] =
		": . source kill exec eval trap ulimit history unset export set fc alias enable "
		"shopt setopt typeset declare readonly";

	return grammar_lists(builtins, name, strlen(name));
}

static bool view_jar(char *const *words, u32 count, struct command_view *ret)
{
	static const struct grammar g = { "", "-cp -classpath --class-path -p --module-path",
					  false };

	for (u32 at = 0; at + 1 < count && words[at][0] == '-';) {
		if (strcmp(words[at], "-jar") == 0) {
			view_script(ret, words, count, at + 1);
			return true;
		}
		at += 1 + grammar_takes_next(&g, words[at]);
	}
	return false;
}

static bool view_loaded(char *const *words, u32 count, struct command_view *ret)
{
	static const struct grammar g = {
		"",
		"--library-path --preload --argv0 --audit --inhibit-rpath --glibc-hwcaps-mask "
		"--glibc-hwcaps-prepend",
		false
	};
	u32 at = grammar_skip_options(&g, words, count, 0);

	for (u32 i = 0; i < at && i < count; i++)
		if (grammar_lists(
			    "--list --verify --help --version --list-tunables --list-diagnostics",
			    words[i], strlen(words[i])))
			return false;
	if (at >= count)
		return false;
	view_script(ret, words, count, at);
	return true;
}

static bool view_applet(const char *name, char *const *words, u32 count, struct command_view *ret)
{
	static const char *const prefixes[] = { "--coreutils-prog=", "--coreutils-prog-shebang=" };

	if (count == 0)
		return false;
	if (strcmp(name, "coreutils") != 0) {
		view_script(ret, words, count, 0);
		return words[0][0] != '-';
	}
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(words[0], prefixes[i], strlen(prefixes[i])) == 0) {
			*ret = (struct command_view) { .words = words + 1, .count = count - 1 };
			add_name(ret, words[0] + strlen(prefixes[i]));
			return true;
		}
	return false;
}

bool carrier_is_multicall(const char *name)
{
	return strcmp(name, "busybox") == 0 || strcmp(name, "toybox") == 0;
}

const char *carrier_local(const char *name, char *const *words, u32 count, struct command_view *ret)
{
	const struct interpreter *in = find_interpreter(name);

	if (in)
		return view_interpreted(in, words, count, ret) ? in->name : NULL;
	if (strcmp(name, "java") == 0)
		return view_jar(words, count, ret) ? "java" : NULL;
	if (glob_match("ld-*.so*", name, false) || strcmp(name, "ld.so") == 0)
		return view_loaded(words, count, ret) ? "ld.so" : NULL;
	if (carrier_is_multicall(name))
		return view_applet(name, words, count, ret) ? "busybox" : NULL;
	if (strcmp(name, "coreutils") == 0)
		return view_applet(name, words, count, ret) ? "coreutils" : NULL;
	return NULL;
}

/* explain: what would happen to a command, a connection or a file, and why. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/context.h"
#include "policy/carrier.h"
#include "policy/destination.h"
#include "policy/policy.h"
#include "policy/shellwords.h"

struct options {
	bool json, from_stdin;
	const char *cwd, *home, *policy, *connect, *delete, *how, *by;
};

static const int statuses[VERDICT_COUNT] = {
	[VERDICT_ALLOW] = 0, [VERDICT_ALERT] = 10, [VERDICT_HOLD] = 11,
	[VERDICT_DENY] = 12, [VERDICT_KILL] = 12,
};

/* --- what is printed */

/* `started`: the command that an exec of its own starts, NULL: none. */
static void add_json(struct strbuf *out, const struct finding *f, const char *started,
		     bool candidate, const char *agent)
{
	_cleanup_strbuf_ struct strbuf signature = STRBUF_INIT;
	struct json j = JSON_INIT(out);

	if (f->id)
		strbuf_addf(&signature, "%s.%s", f->pack, f->id);
	json_open_object(&j, NULL);
	json_put_string(&j, "verdict", verdict_name(f->verdict));
	json_put_string(&j, "signature", f->id ? strbuf_str(&signature) : NULL);
	json_put_string(&j, "severity", f->id ? severity_name(f->severity) : NULL);
	json_put_string(&j, "why", f->why);
	json_put_string(&j, "instead", f->instead);
	json_put_string(&j, "context", f->context);
	json_put_string(&j, "carrier", f->carrier);
	json_put_string(&j, "started", started);
	json_put_bool(&j, "candidate", candidate);
	json_put_string(&j, "agent", agent);
	json_close_object(&j);
	strbuf_addc(out, '\n');
}

static void add_text(struct strbuf *out, const struct finding *f, const char *started,
		     bool candidate, const char *agent)
{
	strbuf_addf(out, "verdict:   %s\n", verdict_name(f->verdict));
	if (started)
		strbuf_addf(out, "starts:    %s (an exec of its own%s)\n", started,
			    f->started ? ": this is its verdict" : "");
	if (f->id)
		strbuf_addf(out, "signature: %s.%s (%s)\nwhy:       %s\n", f->pack, f->id,
			    severity_name(f->severity), f->why);
	else if (f->pack)
		strbuf_addf(out, "rule:      allow: of pack %s\n", f->pack);
	if (f->context)
		strbuf_addf(out, "context:   %s\n", f->context);
	if (f->instead)
		strbuf_addf(out, "instead:   %s\n", f->instead);
	if (f->carrier)
		strbuf_addf(out, "carrier:   %s\n", f->carrier);
	if (agent)
		strbuf_addf(out, "agent:     %s\n", agent);
	strbuf_addf(out, "candidate: %s\n",
		    candidate ? "yes, the kernel asks the guard" : "no, it runs at full speed");
}

/* `look`: at what is around it, in the real file system. */
static void explain(const struct policy *p, const struct action *action, bool json, bool look,
		    struct strbuf *out, enum verdict *ret_verdict)
{
	const char *agent = policy_match_agent(p, action);
	bool candidate = policy_is_candidate(p, action);
	_cleanup_strbuf_ struct strbuf buffer = STRBUF_INIT;
	struct action a = *action;
	const char *started;
	struct finding f;

	a.started = &buffer;
	policy_match(p, &a, &f);
	for (int i = 0; look && i < CONTEXT_ROUNDS && a.context && context_is_pending(a.context);
	     i++) {
		context_read(a.context, a.cwd);
		policy_match(p, &a, &f);
	}
	started = buffer.len ? buffer.data : NULL;
	if (json)
		add_json(out, &f, started, candidate, agent);
	else
		add_text(out, &f, started, candidate, agent);
	*ret_verdict = f.verdict;
}

/* --- one command, in the real file system */

/* The directory as the kernel would name it, owned by the caller; one that is not there stays as it
 * is written. */
static char *find_cwd(const char *option)
{
	char *real = realpath(option ? option : ".", NULL);

	if (real || !option)
		return real;
	return option[0] == '/' ? strdup(option) : NULL;
}

/* --- one destination */

static void explain_connection(const struct policy *p, const struct connection *c, bool json,
			       struct strbuf *out, enum verdict *ret_verdict)
{
	bool candidate = policy_is_connect_candidate(p, c);
	struct finding f;

	policy_match_connect(p, c, &f);
	if (json)
		add_json(out, &f, NULL, candidate, NULL);
	else
		add_text(out, &f, NULL, candidate, NULL);
	*ret_verdict = f.verdict;
}

static int explain_destination(const struct options *o, const struct policy *p)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	enum verdict verdict;
	struct connection c;

	if (!connection_parse("--connect", o->connect, &c, &out)) {
		fputs(strbuf_str(&out), stderr);
		return EXIT_USAGE;
	}
	explain_connection(p, &c, o->json, &out, &verdict);
	fputs(strbuf_str(&out), stdout);
	return statuses[verdict];
}

/* --- one deletion */

/* The path as the kernel would name it, owned by the caller: its directory's links are followed
 * where it is there. */
static char *find_path(const char *cwd, const char *path)
{
	_cleanup_free_ char *full = NULL, *dir = NULL;
	char *slash, *out;

	if (asprintf(&full, "%s%s%s", path[0] == '/' ? "" : cwd, path[0] == '/' ? "" : "/", path) <
	    0)
		return NULL;
	for (slash = strrchr(full, '/'); slash > full && !slash[1]; slash = strrchr(full, '/'))
		*slash = '\0';
	dir = strndup(full, slash > full ? (size_t)(slash - full) : 1);
	if (!dir)
		return NULL;
	out = realpath(dir, NULL);
	if (!out)
		return TAKE_PTR(full);
	free(dir);
	dir = out;
	return asprintf(&out, "%s%s", strcmp(dir, "/") == 0 ? "" : dir, slash) < 0 ? NULL : out;
}

/* `by`: the command that does it, NULL: not known. */
static void explain_deletion(const struct policy *p, struct deletion *d, char **by, bool json,
			     struct strbuf *out, enum verdict *ret_verdict)
{
	bool candidate = policy_is_delete_candidate(p, d);
	struct finding f;

	d->argv = by;
	d->program = by ? carrier_base_name(by[0]) : NULL;
	policy_match_delete(p, d, &f);
	if (json)
		add_json(out, &f, NULL, candidate, NULL);
	else
		add_text(out, &f, NULL, candidate, NULL);
	*ret_verdict = f.verdict;
}

/* The words of --by or "by"; false where they are none. */
static bool split_by(const char *text, char ***ret)
{
	*ret = NULL;
	if (!text || (shellwords_split(text, ret, NULL) == 0 && (*ret)[0]))
		return true;
	if (*ret)
		shellwords_free(*ret);
	return false;
}

static int explain_path(const struct options *o, const struct policy *p)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	_cleanup_free_ char *cwd = find_cwd(o->cwd), *path = NULL;
	const struct passwd *user = o->home ? NULL : getpwuid(getuid());
	int op = o->how ? delete_op_parse(o->how) : BS_DELETE_UNLINK;
	struct deletion d = { .home = user ? user->pw_dir : o->home };
	enum verdict verdict;
	char **by;

	path = cwd && *o->delete ? find_path(cwd, o->delete) : NULL;
	if (op < 0) {
		log_error("explain: --how %s is none of unlink, rmdir, truncate, rename, punch, "
			  "exchange, move",
			  o->how);
		return EXIT_USAGE;
	}
	if (!path || !split_by(o->by, &by)) {
		log_error("explain: --%s is empty, or no such thing: write --delete PATH [--by "
			  "COMMAND]",
			  path ? "by" : "delete");
		return EXIT_USAGE;
	}
	d.op = (enum bs_delete_op)op;
	d.path = path;
	d.workspace = policy_workspace(cwd, d.home);
	explain_deletion(p, &d, by, o->json, &out, &verdict);
	fputs(strbuf_str(&out), stdout);
	if (by)
		shellwords_free(by);
	return statuses[verdict];
}

static int explain_command(const struct options *o, const struct policy *p, char **argv)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *cwd = find_cwd(o->cwd);
	_cleanup_(context_free_ptr) struct context *context = context_new(0);
	const struct passwd *user = o->home ? NULL : getpwuid(getuid());
	enum verdict verdict;

	if (!cwd) {
		log_error("explain: --cwd %s: %s; give an absolute path", o->cwd ? o->cwd : ".",
			  strerror(errno));
		return EXIT_USAGE;
	}
	struct action a = {
		.argv = argv,
		.cwd = cwd,
		.home = user ? user->pw_dir : o->home,
		.context = context,
		.root_fd = root,
	};
	if (context) {
		context_set_vars(context, environ);
		context->looks.waits = true;
	}
	explain(p, &a, o->json, true, &out, &verdict);
	fputs(strbuf_str(&out), stdout);
	return statuses[verdict];
}

/* --- JSON lines, as text */

static void add_error(struct strbuf *out, size_t line, const char *fmt, const char *detail)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(out);

	strbuf_addf(&text, "line %zu: %s%s", line, fmt, detail);
	json_open_object(&j, NULL);
	json_put_string(&j, "error", strbuf_str(&text));
	json_close_object(&j);
	strbuf_addc(out, '\n');
}

/* The words of a JSON array, NULL-terminated; they stay the array's. NULL where it is no array of
 * strings with at least one. */
static char **get_argv(const json_t *array)
{
	size_t n = json_array_size(array);
	_cleanup_free_ char **argv = calloc(n + 1, sizeof(*argv));

	for (size_t i = 0; argv && i < n; i++) {
		argv[i] = (char *)json_string_value(json_array_get(array, i));
		if (!argv[i])
			return NULL;
	}
	return n ? TAKE_PTR(argv) : NULL;
}

/* A string of the object, `otherwise` where it is absent. False where it is something else. */
static bool get_string(const json_t *object, const char *key, const char *otherwise,
		       const char **ret)
{
	const json_t *value = json_object_get(object, key);

	*ret = value ? json_string_value(value) : otherwise;
	return !value || json_is_null(value) || json_is_string(value);
}

/* {"connect":"10.0.0.5:22"}, and "own":true where that is an address of the host itself. */
static bool explain_connect_line(const struct policy *p, size_t number, const json_t *input,
				 struct strbuf *out)
{
	const char *text = json_string_value(json_object_get(input, "connect"));
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	enum verdict verdict;
	struct connection c;

	if (!connection_parse("connect", text ? text : "", &c, &err)) {
		add_error(out, number, "connect is one address with one port, such as 10.0.0.5:22",
			  "");
		return false;
	}
	c.own |= json_is_true(json_object_get(input, "own"));
	explain_connection(p, &c, true, out, &verdict);
	return true;
}

/* {"env":{"AWS_PROFILE":"acme-prod"}} */
static bool state_vars(const json_t *env, struct context *c)
{
	size_t n = 0;
	_cleanup_free_ char **vars = calloc(json_object_size(env) + 1, sizeof(*vars));
	const char *name;
	json_t *value;
	bool fine = vars;

	json_object_foreach((json_t *)env, name, value) if (fine && json_is_string(value) &&
							    asprintf(&vars[n], "%s=%s", name,
								     json_string_value(value)) >= 0)
		n++;
	else fine = false;
	fine = fine && !context_set_vars(c, vars);
	while (n)
		free(vars[--n]);
	return fine;
}

/* {"git":{"modified":3}} */
static bool state_facts(const json_t *input, const char *predicate, struct context *c)
{
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(input, predicate), name, value)
	{
		int fact = fact_parse_predicate(predicate, name);

		if (fact < 0 || !json_is_integer(value) ||
		    context_state(c, (enum fact)fact, (u64)json_integer_value(value), NULL))
			return false;
	}
	return true;
}

/* What the line says of the world around its command. */
static bool state_all(const json_t *input, struct context *c)
{
	const json_t *env = json_object_get(input, "env");

	return c && (!env || state_vars(env, c)) && state_facts(input, "git", c) &&
	       state_facts(input, "plan", c);
}

/* {"delete":"/srv/app.db"}, and how, by (a command), behind (its ancestors' programs), inner, home,
 * cwd (the workspace) where known. */
static bool explain_delete_line(const struct options *o, const struct policy *p, size_t number,
				const json_t *input, struct strbuf *out)
{
	_cleanup_free_ char **behind = get_argv(json_object_get(input, "behind"));
	struct deletion d = { .behind = (const char *const *)behind };
	const char *how, *text, *cwd;
	enum verdict verdict;
	char **by;
	int op;

	if (!get_string(input, "delete", NULL, &d.path) || !d.path || d.path[0] != '/' ||
	    !get_string(input, "how", "unlink", &how) || !how || (op = delete_op_parse(how)) < 0 ||
	    !get_string(input, "by", NULL, &text) || !get_string(input, "inner", NULL, &d.inner) ||
	    !get_string(input, "home", o->home, &d.home) ||
	    !get_string(input, "cwd", o->cwd, &cwd) || !split_by(text, &by)) {
		add_error(out, number,
			  "delete is an absolute path; how, by, inner, home and cwd are strings",
			  "");
		return false;
	}
	d.op = (enum bs_delete_op)op;
	d.workspace = policy_workspace(cwd, d.home);
	explain_deletion(p, &d, by, true, out, &verdict);
	if (by)
		shellwords_free(by);
	return true;
}

static bool explain_line(const struct options *o, const struct policy *p, size_t number,
			 const char *line, size_t len, struct strbuf *out)
{
	json_error_t error;
	_cleanup_json_ json_t *input = json_loadb(line, len, 0, &error);
	_cleanup_free_ char **argv = get_argv(json_object_get(input, "argv"));
	_cleanup_free_ char **files = get_argv(json_object_get(input, "files"));
	static const char *const none[] = { NULL };
	_cleanup_(context_free_ptr) struct context *context = context_new(0);
	struct action a = { .argv = argv,
			    .context = context,
			    .root_fd = -1,
			    .files = files ? (const char *const *)files : none };
	enum verdict verdict;

	if (json_object_get(input, "connect"))
		return explain_connect_line(p, number, input, out);
	if (json_object_get(input, "delete"))
		return explain_delete_line(o, p, number, input, out);
	if (!input)
		add_error(out, number, "no JSON: ", error.text);
	else if (!argv)
		add_error(out, number, "argv is missing: an array of strings, at least one", "");
	if (!input || !argv)
		return false;
	if (!get_string(input, "cwd", o->cwd, &a.cwd) ||
	    !get_string(input, "home", o->home, &a.home) ||
	    !get_string(input, "name", NULL, &a.name) ||
	    !get_string(input, "file", NULL, &a.path)) {
		add_error(out, number, "cwd, home, name and file are strings: absolute paths", "");
		return false;
	}
	if (!state_all(input, context)) {
		add_error(out, number,
			  "env has strings, git and plan have numbers: {\"git\":{\"modified\":3}}",
			  "");
		return false;
	}
	explain(p, &a, true, false, out, &verdict);
	return true;
}

static int explain_stdin(const struct options *o, const struct policy *p)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	_cleanup_free_ char *line = NULL;
	size_t size = 0, number = 0;
	int status = EXIT_SUCCESS;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) > 0) {
		number++;
		if (strspn(line, " \t\r\n") == (size_t)len)
			continue;
		strbuf_reset(&out);
		if (!explain_line(o, p, number, line, (size_t)len, &out))
			status = EXIT_USAGE;
		fputs(strbuf_str(&out), stdout);
		fflush(stdout);
	}
	return status;
}

static int run_explain(const void *options, int argc, char **argv)
{
	_cleanup_(policy_free_ptr) struct policy *p = NULL;
	const struct options *o = options;

	if (o->from_stdin + (argc > 0) + (o->connect != NULL) + (o->delete != NULL) != 1) {
		log_error("explain: give one of: a command behind --, --connect, --delete, "
			  "--stdin");
		return EXIT_USAGE;
	}
	if ((o->how || o->by) && !o->delete) {
		log_error("explain: --how and --by go with --delete");
		return EXIT_USAGE;
	}
	if (command_open_policy(o->policy, &p))
		return EXIT_FAILURE;
	if (o->connect)
		return explain_destination(o, p);
	if (o->delete)
		return explain_path(o, p);
	return o->from_stdin ? explain_stdin(o, p) : explain_command(o, p, argv);
}

static const struct option_def explain_options[] = {
	{ "by", 0, OPTION_STRING, "COMMAND", "what deletes it, such as 'git clean -fdx' (anything)",
	  offsetof(struct options, by) },
	{ "connect", 0, OPTION_STRING, "DEST",
	  "explain a connection instead: 10.0.0.5:5432, [fd00::1]:22, udp:8.8.8.8:53",
	  offsetof(struct options, connect) },
	{ "cwd", 'C', OPTION_STRING, "DIR", "where the command would run (here)",
	  offsetof(struct options, cwd) },
	{ "delete", 0, OPTION_STRING, "PATH", "explain the loss of a file instead",
	  offsetof(struct options, delete) },
	{ "home", 0, OPTION_STRING, "DIR", "the home of who would run it (yours)",
	  offsetof(struct options, home) },
	{ "how", 0, OPTION_STRING, "HOW",
	  "unlink, rmdir, truncate, rename (over it), punch, exchange or move (unlink)",
	  offsetof(struct options, how) },
	{ "json", 0, OPTION_FLAG, NULL, "print JSON", offsetof(struct options, json) },
	{ "policy", 0, OPTION_STRING, "FILE", "the compiled policy",
	  offsetof(struct options, policy) },
	{ "stdin", 0, OPTION_FLAG, NULL,
	  "read lines of {\"argv\":[…]} and cwd, home, name, file, files (that exist), env, git, "
	  "plan where known; "
	  "print one JSON line each",
	  offsetof(struct options, from_stdin) },
	{ 0 },
};

const struct command command_explain = {
	.name = "explain",
	.arguments = "[--] COMMAND [ARGUMENT…] | --connect DEST | --delete PATH",
	.help = "tell what would happen, and why: 0 allow, 10 alert, 11 hold, 12 deny",
	.example = "backstop explain -- terraform destroy -auto-approve",
	.options = explain_options,
	.options_size = sizeof(struct options),
	.run = run_explain,
	.stops_at_operand = true,
	.max_operands = UINT_MAX,
};

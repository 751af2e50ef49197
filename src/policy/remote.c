/* Remote carriers (see carrier.h): ssh, containers, pods; and the wrappers around what runs
 * there. */
#include "policy/carrier.h"

#include <ctype.h>
#include <string.h>

#include "policy/grammar.h"

const struct remote_mark carrier_remote_marks[] = {
	{ "ssh", NULL },
	{ "docker", "exec" },
	{ "docker", "run" },
	{ "podman", "exec" },
	{ "podman", "run" },
	{ "nerdctl", "exec" },
	{ "nerdctl", "run" },
	{ "docker-compose", "exec" },
	{ "docker-compose", "run" },
	{ "podman-compose", "exec" },
	{ "podman-compose", "run" },
	{ "kubectl", "exec" },
	{ "oc", "exec" },
	{ "oc", "rsh" },
	{ "kubectl", "run" },
	{ "kubectl", "debug" },
	{ "oc", "run" },
	{ "oc", "debug" },
	{ "busybox", NULL },
	{ "toybox", NULL },
};
const u32 carrier_remote_marks_count = ARRAY_SIZE(carrier_remote_marks);

/* Flags, for these programs have few and many options with a value. */
static const struct grammar ssh_flags = { "46AaCfGgKkMNnqsTtVvXxYy", NULL, true };
static const struct grammar engine_flags = {
	"Dv",
	"--debug --tls --tlsverify --version --remote --syslog --verbose --compatibility "
	"--all-resources --dry-run --no-ansi --insecure-registry",
	true
};
static const struct grammar container_flags = {
	"diPqtTAI",
	"--detach --interactive --tty --privileged --rm --init --read-only --publish-all "
	"--no-healthcheck --oom-kill-disable --sig-proxy --disable-content-trust "
	"--quiet --latest --replace --no-hosts --no-hostname --systemd --rmi "
	"--no-deps --service-ports --use-aliases --build --remove-orphans --no-TTY "
	"--interactive-tty --quiet-pull --help",
	true
};
static const struct grammar kube_flags = {
	"itqTh",
	"--stdin --tty --quiet --insecure-skip-tls-verify --match-server-version "
	"--warnings-as-errors --no-tty --no-tls --help --disable-compression",
	true
};

struct engine {
	const char *name;
	const char *exec, *run, *compose_exec, *compose_run; /* as a carrier */
	bool compose;
};

static const struct engine engines[] = {
	{ "docker", "docker exec", "docker run", "docker compose exec", "docker compose run",
	  false },
	{ "podman", "podman exec", "podman run", "podman compose exec", "podman compose run",
	  false },
	{ "nerdctl", "nerdctl exec", "nerdctl run", "nerdctl compose exec", "nerdctl compose run",
	  false },
	{ "docker-compose", NULL, NULL, "docker-compose exec", "docker-compose run", true },
	{ "podman-compose", NULL, NULL, "podman-compose exec", "podman-compose run", true },
};

static bool is(char *const *words, u32 count, u32 at, const char *word)
{
	return at < count && strcmp(words[at], word) == 0;
}

/* --entrypoint PROGRAM among the options from `at` to `end`. */
static const char *find_entrypoint(char *const *words, u32 at, u32 end)
{
	for (; at < end; at++) {
		if (strncmp(words[at], "--entrypoint=", 13) == 0)
			return words[at] + 13;
		if (strcmp(words[at], "--entrypoint") == 0 && at + 1 < end)
			return words[at + 1];
	}
	return NULL;
}

static enum remote_kind engine_words(const struct engine *e, char *const *words, u32 count,
				     u32 *ret_first, const char **ret_carrier,
				     const char **ret_entrypoint)
{
	bool compose = e->compose;
	u32 at = grammar_skip_options(&engine_flags, words, count, 0), options;

	if (!compose && is(words, count, at, "compose")) {
		compose = true;
		at = grammar_skip_options(&engine_flags, words, count, at + 1);
	} else if (!compose && is(words, count, at, "container")) {
		at++;
	}
	if (is(words, count, at, "exec"))
		*ret_carrier = compose ? e->compose_exec : e->exec;
	else if (is(words, count, at, "run"))
		*ret_carrier = compose ? e->compose_run : e->run;
	else
		return REMOTE_NONE;
	options = at + 1;
	at = grammar_skip_options(&container_flags, words, count, options);
	*ret_entrypoint = find_entrypoint(words, options, at);
	*ret_first = MIN(at + 1, count); /* behind the container, service or image */
	return REMOTE_WORDS;
}

struct pod_command {
	const char *program, *sub, *carrier;
	bool dashes; /* words stand behind -- only */
};

static const struct pod_command pod_commands[] = {
	{ "kubectl", "exec", "kubectl exec", false },
	{ "oc", "exec", "oc exec", false },
	{ "oc", "rsh", "oc rsh", false },
	{ "kubectl", "run", "kubectl run", true },
	{ "kubectl", "debug", "kubectl debug", true },
	{ "oc", "run", "oc run", true },
	{ "oc", "debug", "oc debug", true },
};

static const struct pod_command *find_pod_command(const char *name, const char *sub)
{
	for (size_t i = 0; i < ARRAY_SIZE(pod_commands); i++)
		if (strcmp(pod_commands[i].program, name) == 0 &&
		    strcmp(pod_commands[i].sub, sub) == 0)
			return &pod_commands[i];
	return NULL;
}

/* kubectl exec POD [-c C] -- WORDS; before there was --, the words followed POD. */
static enum remote_kind pod_words(const char *name, char *const *words, u32 count, u32 *ret_first,
				  const char **ret_carrier)
{
	u32 at = grammar_skip_options(&kube_flags, words, count, 0);
	const struct pod_command *c = at < count ? find_pod_command(name, words[at]) : NULL;

	if (!c)
		return REMOTE_NONE;
	*ret_carrier = c->carrier;
	at = grammar_skip_options(&kube_flags, words, count, at + 1);
	for (u32 i = at; i < count; i++)
		if (strcmp(words[i], "--") == 0) {
			*ret_first = i + 1;
			return REMOTE_WORDS;
		}
	if (c->dashes)
		return REMOTE_NONE;
	*ret_first = grammar_skip_options(&kube_flags, words, count, MIN(at + 1, count));
	return REMOTE_WORDS;
}

enum remote_kind carrier_remote(const char *name, char *const *words, u32 count, u32 *ret_first,
				const char **ret_carrier, const char **ret_entrypoint)
{
	*ret_entrypoint = NULL;
	if (strcmp(name, "ssh") == 0) {
		u32 host = grammar_skip_options(&ssh_flags, words, count, 0);

		*ret_carrier = "ssh";
		*ret_first = grammar_skip_options(&ssh_flags, words, count, MIN(host + 1, count));
		return REMOTE_SHELL;
	}
	if (strcmp(name, "kubectl") == 0 || strcmp(name, "oc") == 0)
		return pod_words(name, words, count, ret_first, ret_carrier);
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++)
		if (strcmp(name, engines[i].name) == 0)
			return engine_words(&engines[i], words, count, ret_first, ret_carrier,
					    ret_entrypoint);
	return REMOTE_NONE;
}

/* --- wrappers */

struct wrapper {
	const char *names;
	struct grammar values;
	u32 operands;	  /* words before the command */
	bool assignments; /* and VAR=x */
};

static const struct wrapper wrappers[] = {
	{ "sudo",
	  { "ughpCrtTUDR",
	    "--user --group --host --prompt --chdir --chroot --role --type "
	    "--other-user --close-from --command-timeout",
	    false },
	  0,
	  true },
	{ "doas", { "uC", NULL, false }, 0, false },
	{ "env", { "uC", "--unset --chdir", false }, 0, true },
	{ "nohup setsid command builtin exec", { "a", NULL, false }, 0, false },
	{ "nice", { "n", "--adjustment", false }, 0, false },
	{ "ionice", { "cn", "--class --classdata", false }, 0, false },
	{ "timeout", { "sk", "--signal --kill-after", false }, 1, false },
	{ "chroot", { "", NULL, false }, 1, false },
	{ "time", { "fo", "--format --output", false }, 0, false },
	{ "stdbuf", { "ioe", "--input --output --error", false }, 0, false },
	{ "gosu su-exec", { "", NULL, false }, 1, false },
	{ "setpriv",
	  { "",
	    "--reuid --regid --groups --inh-caps --ambient-caps --bounding-set --securebits "
	    "--selinux-label --apparmor-profile --pdeathsig",
	    false },
	  0,
	  false },
	{ "runuser", { "ugGws", "--user --group --supp-group --shell", false }, 0, false },
	{ "unshare", { "RwSG", "--root --wd --setuid --setgid --propagation", false }, 0, false },
	{ "nsenter", { "tSG", "--target --setuid --setgid", false }, 0, false },
	{ "flock", { "wE", "--timeout --conflict-exit-code", false }, 1, false },
	{ "xargs",
	  { "aEIdnPLs",
	    "--arg-file --delimiter --max-args --max-procs --max-lines --max-chars "
	    "--replace",
	    false },
	  0,
	  false },
};

static bool is_assignment(const char *word)
{
	const char *equals = strchr(word, '=');

	return equals && equals != word && !strchr("-/", *word);
}

/* sh -c TEXT, bash -lc TEXT, su USER -c TEXT */
static enum wrapper_kind shell_text(char *const *words, u32 count, u32 *ret_first)
{
	for (u32 i = 1; i + 1 < count; i++) {
		const char *word = words[i];

		if (word[0] == '-' && word[1] != '-' && strchr(word, 'c')) {
			*ret_first = i + 1;
			return WRAPPER_SHELL;
		}
	}
	return WRAPPER_NONE;
}

static enum wrapper_kind wrapped(const struct wrapper *w, char *const *words, u32 count,
				 u32 *ret_first)
{
	u32 at = grammar_skip_options(&w->values, words, count, 1) + w->operands;

	while (w->assignments && at < count && is_assignment(words[at]))
		at++;
	if (at >= count)
		return WRAPPER_NONE;
	*ret_first = at;
	return WRAPPER_RUNS;
}

/* Those that may be given shell text. */
static const char shells[] =
	"sh bash dash ash hush zsh ksh mksh oksh yash rbash fish csh tcsh su runuser script flock";

enum wrapper_kind carrier_wrapper(char *const *words, u32 count, u32 *ret_first)
{
	const char *name = carrier_base_name(words[0]);
	size_t len = strlen(name);

	if (grammar_lists(shells, name, len) && shell_text(words, count, ret_first))
		return WRAPPER_SHELL;
	if (strcmp(name, "eval") == 0 && count > 1) {
		*ret_first = 1;
		return WRAPPER_EVAL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrappers); i++)
		if (grammar_lists(wrappers[i].names, name, len))
			return wrapped(&wrappers[i], words, count, ret_first);
	return WRAPPER_NONE;
}

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

/* Images whose entry point is the program that they are made for. */
static const struct {
	const char *images, *program;
} entrypoints[] = {
	{ "hashicorp/terraform terraform", "terraform" },
	{ "opentofu/opentofu tofu", "tofu" },
	{ "hashicorp/vault vault", "vault" },
	{ "hashicorp/consul consul", "consul" },
	{ "hashicorp/nomad nomad", "nomad" },
	{ "hashicorp/packer packer", "packer" },
	{ "pulumi/pulumi pulumi", "pulumi" },
	{ "amazon/aws-cli aws-cli/aws-cli aws aws-cli", "aws" },
	{ "bitnami/kubectl rancher/kubectl lachlanevenson/k8s-kubectl kubectl", "kubectl" },
	{ "alpine/helm helm", "helm" },
	{ "argoproj/argocd argocd", "argocd" },
	{ "fluxcd/flux-cli", "flux" },
	{ "velero/velero velero", "velero" },
	{ "alpine/git bitnami/git", "git" },
	{ "rclone/rclone rclone", "rclone" },
	{ "restic/restic restic", "restic" },
	{ "kopia/kopia kopia", "kopia" },
	{ "minio/mc mc", "mc" },
	{ "peakcom/s5cmd", "s5cmd" },
	{ "d3fk/s3cmd", "s3cmd" },
	{ "flyway/flyway redgate/flyway flyway", "flyway" },
	{ "liquibase/liquibase liquibase", "liquibase" },
	{ "migrate/migrate", "migrate" },
	{ "amacneil/dbmate dbmate", "dbmate" },
	{ "arigaio/atlas atlas", "atlas" },
	{ "digitalocean/doctl doctl", "doctl" },
	{ "flyio/flyctl flyctl", "flyctl" },
	{ "hetznercloud/cli hcloud", "hcloud" },
	{ "alpine/psql", "psql" },
	{ "curlimages/curl", "curl" },
};

/* The program of an image, without its registry, tag and digest; of compose, of a service that is
 * called like it. */
static const char *find_image(const char *image)
{
	const char *slash = strchr(image, '/');
	size_t len;

	/* a registry has a dot or a port in its name */
	if (slash && (memchr(image, '.', (size_t)(slash - image)) ||
		      memchr(image, ':', (size_t)(slash - image))))
		image = slash + 1;
	len = strcspn(image, ":@");
	for (size_t i = 0; i < ARRAY_SIZE(entrypoints); i++)
		if (grammar_lists(entrypoints[i].images, image, len))
			return entrypoints[i].program;
	return NULL;
}

static enum remote_kind engine_words(const struct engine *e, char *const *words, u32 count,
				     u32 *ret_first, const char **ret_carrier,
				     const char **ret_entrypoint)
{
	bool compose = e->compose, runs = false;
	u32 at = grammar_skip_options(&engine_flags, words, count, 0), options;

	if (!compose && is(words, count, at, "compose")) {
		compose = true;
		at = grammar_skip_options(&engine_flags, words, count, at + 1);
	} else if (!compose && is(words, count, at, "container")) {
		at++;
	}
	if (is(words, count, at, "exec"))
		*ret_carrier = compose ? e->compose_exec : e->exec;
	else if ((runs = is(words, count, at, "run")))
		*ret_carrier = compose ? e->compose_run : e->run;
	else
		return REMOTE_NONE;
	options = at + 1;
	at = grammar_skip_options(&container_flags, words, count, options);
	*ret_entrypoint = find_entrypoint(words, options, at);
	if (runs && !*ret_entrypoint && at < count)
		*ret_entrypoint = find_image(words[at]);
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

/* --- new containers */

/* All options of which it is known that they bring in no file, device or process of the host. */
static const struct grammar inside_flags = { "ditPq",
					     "--detach --interactive --tty --rm --init --read-only "
					     "--publish-all --no-healthcheck --quiet --sig-proxy",
					     true };
static const struct grammar inside_values = {
	"ewuphlm",
	"--env --workdir --user --publish --hostname --label --memory --name --platform --pull "
	"--entrypoint --cpus --network --net --add-host --dns --tmpfs --shm-size --restart "
	"--expose "
	"--stop-signal --memory-swap --ulimit",
	false
};

static bool stays_inside(const char *option)
{
	size_t len = strcspn(option, "=");

	if (option[1] == '-')
		return grammar_lists(inside_flags.names, option, len) ||
		       grammar_lists(inside_values.names, option, len);
	option += 1 + strspn(option + 1, inside_flags.letters);
	return !*option || strchr(inside_values.letters, *option);
}

bool carrier_is_fresh(const char *name, char *const *words, u32 count)
{
	u32 at = grammar_skip_options(&engine_flags, words, count, 0);

	if (!grammar_lists("docker podman nerdctl", name, strlen(name)))
		return false;
	at += is(words, count, at, "container");
	if (!is(words, count, at++, "run"))
		return false;
	for (; at < count && words[at][0] == '-' && words[at][1]; at++) {
		if (!stays_inside(words[at]))
			return false;
		at += grammar_takes_next(&inside_values, words[at]);
	}
	return true;
}

/* --- wrappers */

struct wrapper {
	const char *names;
	struct grammar values;
	u32 operands;	     /* words before the command */
	bool assignments;    /* and VAR=x */
	bool text;	     /* the command is shell text, in one word or many */
	const char *nothing; /* short options with which nothing is started */
};

static const struct wrapper wrappers[] = {
	{ .names = "sudo",
	  .values = { "ughpCrtTUDR",
		      "--user --group --host --prompt --chdir --chroot --role --type "
		      "--other-user --close-from --command-timeout",
		      false },
	  .assignments = true,
	  .nothing = "leKv" },
	{ .names = "doas", .values = { "uC", NULL, false } },
	{ .names = "env", .values = { "uC", "--unset --chdir", false }, .assignments = true },
	{ .names = "nohup setsid builtin exec and or not noglob nocorrect chronic fakeroot "
		   "eatmydata "
		   "unbuffer torsocks proxychains proxychains4 firejail linux32 linux64 dumb-init "
		   "tini",
	  .values = { "a", NULL, false } },
	{ .names = "command", .values = { "", NULL, false }, .nothing = "vV" },
	{ .names = "pkexec run0",
	  .values = { "u", "--user --group --unit --slice --setenv", false } },
	{ .names = "nice", .values = { "n", "--adjustment", false } },
	{ .names = "ionice", .values = { "cn", "--class --classdata", false } },
	{ .names = "timeout", .values = { "sk", "--signal --kill-after", false }, .operands = 1 },
	{ .names = "chroot", .values = { "", NULL, false }, .operands = 1 },
	{ .names = "time", .values = { "fo", "--format --output", false } },
	{ .names = "stdbuf", .values = { "ioe", "--input --output --error", false } },
	{ .names = "gosu su-exec taskset chrt setarch faketime",
	  .values = { "", NULL, false },
	  .operands = 1 },
	{ .names = "strace", .values = { "aeEIoOPsSuUXbp", NULL, false } },
	{ .names = "ltrace", .values = { "aAeFlnopsux", NULL, false } },
	{ .names = "prlimit numactl", .values = { "pCNmiP", NULL, false } },
	{ .names = "cgexec", .values = { "g", NULL, false } },
	{ .names = "caffeinate xvfb-run entr", .values = { "tnsfew", NULL, false } },
	{ .names = "systemd-run",
	  .values = { "pMHEu",
		      "--property --machine --host --setenv --unit --description --slice --uid "
		      "--gid --nice "
		      "--working-directory --service-type --on-active --on-boot --on-calendar "
		      "--on-unit-active --on-startup --timer-property",
		      false } },
	{ .names = "systemd-inhibit systemd-cat",
	  .values = { "tp", "--what --who --why --mode --identifier --priority", false } },
	{ .names = "screen", .values = { "ScehpsTX", NULL, false } },
	{ .names = "watch", .values = { "n", "--interval", false }, .text = true },
	{ .names = "hyperfine",
	  .values = { "wmMrspnSLi",
		      "--warmup --runs --min-runs --max-runs --setup --prepare --shell", false },
	  .text = true },
	{ .names = "setpriv",
	  .values = { "",
		      "--reuid --regid --groups --inh-caps --ambient-caps --bounding-set "
		      "--securebits "
		      "--selinux-label --apparmor-profile --pdeathsig",
		      false } },
	{ .names = "runuser", .values = { "ugGws", "--user --group --supp-group --shell", false } },
	{ .names = "unshare",
	  .values = { "RwSG", "--root --wd --setuid --setgid --propagation", false } },
	{ .names = "nsenter", .values = { "tSG", "--target --setuid --setgid", false } },
	{ .names = "flock",
	  .values = { "wE", "--timeout --conflict-exit-code", false },
	  .operands = 1 },
	{ .names = "xargs",
	  .values = { "aEIdnPLs", "--arg-file --delimiter --max-args --max-procs --max-chars",
		      false } },
};

static bool is_assignment(const char *word)
{
	const char *equals = strchr(word, '=');

	return equals && equals != word && !strchr("-/", *word);
}

/* -l in sudo -l rm: is there one of these letters among the options? */
static bool starts_nothing(const struct wrapper *w, char *const *words, u32 end)
{
	for (u32 i = 1; w->nothing && i < end; i++)
		if (words[i][0] == '-' && words[i][1] != '-' && strpbrk(words[i], w->nothing))
			return true;
	return false;
}

/* sh -c TEXT, bash -lc TEXT, su USER -c TEXT */
static enum wrapper_kind shell_text(char *const *words, u32 count, u32 *ret_first)
{
	for (u32 i = 1; i + 1 < count && strcmp(words[i], "--") != 0; i++) {
		const char *word = words[i];

		if (strcmp(word, "-u") == 0) /* runuser -u USER starts words */
			break;
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
	if (at >= count || starts_nothing(w, words, at))
		return WRAPPER_NONE;
	*ret_first = at;
	return w->text ? WRAPPER_EVAL : WRAPPER_RUNS;
}

/* env -S TEXT */
static bool split_string(char *const *words, u32 count, u32 *ret_first)
{
	for (u32 i = 1; i + 1 < count && words[i][0] == '-'; i++)
		if (words[i][1] != '-' && words[i][strlen(words[i]) - 1] == 'S') {
			*ret_first = i + 1;
			return true;
		}
	return false;
}

/* Those that may be given shell text. */
static const char shells[] =
	"sh bash dash ash hush zsh ksh mksh oksh yash rbash fish csh tcsh su sg runuser script "
	"flock";

enum wrapper_kind carrier_wrapper(char *const *words, u32 count, u32 *ret_first)
{
	const char *name = carrier_base_name(words[0]);
	size_t len = strlen(name);

	if (grammar_lists(shells, name, len) && shell_text(words, count, ret_first))
		return WRAPPER_SHELL;
	if (strcmp(name, "env") == 0 && split_string(words, count, ret_first))
		return WRAPPER_SHELL;
	if (strcmp(name, "trap") == 0 && count > 2 && words[1][0] != '-') {
		*ret_first = 1;
		return WRAPPER_SHELL;
	}
	if (strcmp(name, "eval") == 0 && count > 1) {
		*ret_first = 1;
		return WRAPPER_EVAL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrappers); i++)
		if (grammar_lists(wrappers[i].names, name, len))
			return wrapped(&wrappers[i], words, count, ret_first);
	return WRAPPER_NONE;
}

/* Programs that hand a part of a word to a shell. */
static const struct {
	const char *names, *prefix;
} escapes[] = {
	{ "psql mysql mariadb", "\\!" },
	{ "mysql mariadb", "system " },
	{ "sqlite3 duckdb", ".shell " },
	{ "sqlite3 duckdb", ".system " },
	{ "vi vim nvim ex view", "!" },
	{ "vi vim nvim ex view", ":!" },
	{ "vi vim nvim ex view", "+!" },
	{ "vi vim nvim ex view", "+:!" },
	{ "gdb", "shell " },
	{ "gdb", "!" },
	{ "tar gtar bsdtar", "--checkpoint-action=exec=" },
	{ "tar gtar bsdtar", "--to-command=" },
};

const char *carrier_escape(const char *name, char *const *words, u32 count)
{
	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++)
		for (u32 k = 1; grammar_lists(escapes[i].names, name, strlen(name)) && k < count;
		     k++) {
			size_t len = strlen(escapes[i].prefix);

			if (strncmp(words[k], escapes[i].prefix, len) == 0)
				return words[k] + len;
		}
	return NULL;
}

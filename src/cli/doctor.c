/* What this machine gives, what is missing, what that costs, and how to get it. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/installed.h"
#include "cli/table.h"
#include "kernel/probe.h"
#include "kernel/tier.h"
#include "policy/policy.h"
#include "guard/guard.h"

#define NAME_WIDTH 14
#define STATUS_MS  1000		 /* that a guard may take to say how it is */
#define BPFFS	   "/sys/fs/bpf" /* where the guard's pins are, if the settings name no other */

struct options {
	bool json;
	const char *socket, *state_dir, *policy;
};

/* A probe of what lies outside the kernel; its own run() stays empty. */
struct check {
	struct probe probe;
	int (*run)(const struct options *o, struct strbuf *detail);
};

struct result {
	const struct probe *probe;
	enum probe_state state;
	struct strbuf detail, remedy;
};

/* What the guard that runs says of itself, where it says it to this user. */
static void add_status(struct client *c, struct strbuf *detail)
{
	_cleanup_json_ json_t *request = json_pack("{ss}", "op", "status"), *s = NULL;

	if (client_ask_silently(c, request, STATUS_MS, &s))
		return;
	strbuf_adds(detail, ": pid ");
	add_member(detail, s, "pid");
	strbuf_adds(detail, ", mode ");
	add_member(detail, s, "mode");
	strbuf_addf(detail, ", %zu sessions, agents are %sfollowed",
		    json_array_size(json_object_get(s, "sessions")),
		    json_is_true(json_object_get(s, "follows_agents")) ? "" : "not ");
	if (!json_is_string(json_object_get(s, "blind")))
		return;
	strbuf_adds(detail, ", connects are neither seen nor held: ");
	add_member(detail, s, "blind");
}

static int check_guard(const struct options *o, struct strbuf *detail)
{
	_cleanup_client_ struct client c = CLIENT_INIT;
	int err = client_connect(o->socket, &c);

	strbuf_adds(detail, o->socket ? o->socket : GUARD_SOCKET);
	if (err)
		strbuf_addf(detail, ": %s", strerror(-err));
	else
		add_status(&c, detail);
	return err;
}

/* "/usr/bin/gh (tls by Go's crypto/tls, session 19ab3f2c1d0)" */
static void add_unseen(const json_t *program, struct strbuf *detail)
{
	bool known = json_is_string(json_object_get(program, "library"));

	strbuf_adds(detail, detail->len ? ", " : "");
	add_member(detail, program, "file");
	strbuf_adds(detail, " (");
	add_member(detail, program, "protocol");
	strbuf_adds(detail, known ? " by " : "");
	if (known)
		add_member(detail, program, "library");
	strbuf_adds(detail, ", session ");
	add_member(detail, program, "session");
	strbuf_addc(detail, ')');
}

/* As the guard has found it in sessions that live. */
static int check_tls(const struct options *o, struct strbuf *detail)
{
	_cleanup_client_ struct client c = CLIENT_INIT;
	_cleanup_json_ json_t *request = json_pack("{ss}", "op", "status"), *s = NULL;
	const json_t *unseen;

	if (client_connect(o->socket, &c) || client_ask_silently(&c, request, STATUS_MS, &s)) {
		strbuf_adds(detail, "not known without a guard that answers");
		return 0;
	}
	unseen = json_object_get(s, "unseen");
	for (size_t i = 0; i < json_array_size(unseen); i++)
		add_unseen(json_array_get(unseen, i), detail);
	return detail->len ? -ENOTSUP : 0;
}

static int check_bpffs(const struct options *o _unused_, struct strbuf *detail)
{
	const char *dir = BPFFS;
	struct statfs fs;

	strbuf_adds(detail, dir);
	if (statfs(dir, &fs) == 0 && fs.f_type == BPF_FS_MAGIC)
		return 0;
	strbuf_adds(detail, " is none");
	return -ENODEV;
}

/* The directory itself, or what is there already of the path to it. */
static int open_nearest(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	const char *dir = copy;
	int fd = -1;

	if (!copy)
		return -ENOMEM;
	for (;;) {
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 || errno != ENOENT || strcmp(dir, "/") == 0 || strcmp(dir, ".") == 0)
			return fd < 0 ? -errno : fd;
		dir = dirname((char *)dir);
	}
}

/* By making a directory there for a moment: permissions alone do not tell. */
static int try_write(int dir)
{
	char name[32];

	snprintf(name, sizeof(name), ".doctor-%d", (int)getpid());
	if (mkdirat(dir, name, 0700) < 0)
		return -errno;
	return unlinkat(dir, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int check_journal(const struct options *o, struct strbuf *detail)
{
	_cleanup_strbuf_ struct strbuf path = STRBUF_INIT;
	_cleanup_close_ int dir = -1;
	int err;

	strbuf_addf(&path, "%s/journal", o->state_dir ? o->state_dir : GUARD_STATE_DIR);
	strbuf_adds(detail, strbuf_str(&path));
	dir = open_nearest(strbuf_str(&path));
	err = dir < 0 ? dir : try_write(dir);
	if (err)
		strbuf_addf(detail, ": %s", strerror(-err));
	return err;
}

static int check_policy(const struct options *o, struct strbuf *detail)
{
	_cleanup_(policy_free_ptr) struct policy *policy = NULL;
	_cleanup_free_ char *path = NULL;
	int err = policy_find(o->policy, &path);

	if (err) {
		strbuf_addf(detail, "no image is found: %s", strerror(-err));
		return err;
	}
	err = policy_open(path, &policy, detail);
	if (!err)
		strbuf_addf(detail, "%s: version %s, %u signatures", path, policy_version(policy),
			    policy_signature_count(policy));
	return err;
}

static int check_desktop(const struct options *o _unused_, struct strbuf *detail)
{
	strbuf_adds(detail, GUARD_NOTIFY_SEND);
	return access(GUARD_NOTIFY_SEND, X_OK) < 0 ? -errno : 0;
}

/* None is no fault: each is found when it starts. */
static int check_agents(const struct options *o, struct strbuf *detail)
{
	_cleanup_(policy_free_ptr) struct policy *policy = NULL;
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	_cleanup_free_ char *path = NULL;
	int r = policy_find(o->policy, &path);

	if (!r)
		r = policy_open(path, &policy, &err);
	if (r) {
		strbuf_adds(detail, "not known without a policy");
		return 0;
	}
	installed_agents(policy, detail);
	if (detail->len == 0)
		strbuf_adds(detail, "none is found in PATH and in the usual directories of a home: "
				    "one elsewhere is found when it starts");
	return 0;
}

static const struct check checks[] = {
	{ { "journal", "the directory of the journal", NEED_REQUIRED, true,
	    "a guard does not start, as it could not record what it decides",
	    "make it writable for root, or give another one to the guard with --state-dir DIR",
	    NULL, NULL },
	  check_journal },
	{ { "policy", "the compiled policy", NEED_REQUIRED, false,
	    "a guard does not start, as it knows nothing to look for",
	    "make it with 'backstop policy compile --output policy.image signatures' and give it "
	    "with --policy FILE, or install backstop",
	    NULL, NULL },
	  check_policy },
	{ { "bpffs", "a mounted bpffs for what outlives a guard", NEED_BETTER, false,
	    "'backstop guard' does not start; 'backstop run' brings its own guard and bpffs",
	    "mount -t bpf bpf " BPFFS ", or name a directory in another one in the settings "
	    "(pins:)",
	    NULL, NULL },
	  check_bpffs },
	{ { "guard", "a guard that answers", NEED_BETTER, false,
	    "no agent is found by itself, and only root starts sessions: 'backstop run' brings its "
	    "own guard",
	    "start the service with 'sudo systemctl enable --now backstop', or a guard here with "
	    "'sudo backstop guard'",
	    NULL, NULL },
	  check_guard },
	{ { "tls", "what sessions encrypt goes through a library that is probed", NEED_BETTER,
	    false,
	    "no rule of 'send:' is asked about what these programs send; where they connect to is "
	    "known",
	    "hold or deny where they may connect by rules of 'connect:', or use programs with "
	    "OpenSSL "
	    "or GnuTLS",
	    NULL, NULL },
	  check_tls },
	{ { "desktop", "a program that shows a hold on the desktop", NEED_BETTER, false,
	    "who sits at the screen learns of a hold by 'backstop watch' and 'backstop pending'",
	    "apt-get install libnotify-bin, or say 'notify: false' in the settings", NULL, NULL },
	  check_desktop },
	{ { "agents", "agents that are installed here", NEED_BETTER, false, NULL, NULL, NULL,
	    NULL },
	  check_agents },
};

/* --- what the security hooks are used for */

static struct probe uses[TIER_USES];

static void run_use(struct result *r, const struct tiers *t, enum tier_use u)
{
	enum bs_tier tier = tier_of_use(t, u);

	uses[u] = (struct probe) {
		.name = tier_uses[u].name,
		.what = tier_uses[u].what,
		.need = NEED_BETTER,
		.cost = tier_uses[u].cost,
		.remedy = tier_of(t) == BS_TIER_TRACE
				  ? "see lsm and fmod-ret above: one of them is enough"
				  : "use a newer kernel: this one lacks some hook",
	};
	r->probe = &uses[u];
	r->state = geteuid() != 0 ? PROBE_UNKNOWN : tier ? PROBE_OK : PROBE_MISSING;
	if (r->state == PROBE_UNKNOWN)
		return;
	tier_explain(t, u, &r->detail);
	if (!r->detail.len)
		strbuf_addf(&r->detail, "tier %s", tier_name(tier));
}

/* --- results */

#define RESULTS (probes_count + TIER_USES + ARRAY_SIZE(checks))

static void run_check(struct result *r, const struct check *c, const struct options *o)
{
	r->probe = &c->probe;
	if (c->probe.privileged && geteuid() != 0)
		r->state = PROBE_UNKNOWN;
	else
		r->state = c->run(o, &r->detail) ? PROBE_MISSING : PROBE_OK;
}

static void run_all(const struct options *o, const struct tiers *t, struct result *results)
{
	struct result *r = results;

	for (size_t i = 0; i < probes_count; i++, r++) {
		r->probe = &probes[i];
		r->state = probe_run(r->probe, &r->detail);
	}
	for (int u = 0; u < TIER_USES; u++, r++)
		run_use(r, t, u);
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++, r++)
		run_check(r, &checks[i], o);
	for (r = results; r < results + RESULTS; r++)
		if (r->state == PROBE_MISSING && (r->probe->remedy || r->probe->advise))
			probe_advise(r->probe, &r->remedy);
}

static enum probe_state state_of(const struct result *results, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(results[i].probe->name, name) == 0)
			return results[i].state;
	return PROBE_UNKNOWN;
}

/* Where a guard answers there is nothing more to prove. */
static bool can_work(const struct result *results, size_t count)
{
	if (state_of(results, count, "guard") == PROBE_OK)
		return true;
	for (size_t i = 0; i < count; i++)
		if (results[i].probe->need == NEED_REQUIRED && results[i].state != PROBE_OK)
			return false;
	return true;
}

/* --- the two ways to show them */

static void put_result(struct json *j, const struct result *r)
{
	static const char *const needs[] = {
		[NEED_REQUIRED] = "required", [NEED_BETTER] = "better", [NEED_LATER] = "later"
	};

	json_open_object(j, NULL);
	json_put_string(j, "name", r->probe->name);
	json_put_string(j, "what", r->probe->what);
	json_put_string(j, "need", needs[r->probe->need]);
	json_put_string(j, "state", probe_state_name(r->state));
	json_put_string(j, "detail", r->detail.len ? strbuf_str(&r->detail) : NULL);
	if (r->state == PROBE_MISSING) {
		json_put_string(j, "cost", r->probe->cost);
		json_put_string(j, "remedy", r->remedy.len ? strbuf_str(&r->remedy) : NULL);
	}
	json_close_object(j);
}

static void add_json(struct strbuf *out, const struct result *results, size_t count,
		     enum bs_tier tier)
{
	struct json j = JSON_INIT(out);

	json_open_object(&j, NULL);
	json_put_bool(&j, "works", can_work(results, count));
	json_put_string(&j, "tier", can_work(results, count) ? tier_name(tier) : NULL);
	json_open_array(&j, "checks");
	for (size_t i = 0; i < count; i++)
		put_result(&j, &results[i]);
	json_close_array(&j);
	json_close_object(&j);
	strbuf_addc(out, '\n');
}

static void add_result(struct strbuf *out, const struct result *r)
{
	strbuf_addf(out, "%-8s %-*s %s", probe_state_name(r->state), NAME_WIDTH, r->probe->name,
		    r->probe->what);
	if (r->detail.len > 0) {
		strbuf_adds(out, " (");
		escape_bytes(out, r->detail.data, r->detail.len);
		strbuf_addc(out, ')');
	}
	strbuf_adds(out, r->probe->need == NEED_LATER && r->state == PROBE_OK
				 ? ": available, not used yet\n"
				 : "\n");
	if (r->state == PROBE_MISSING)
		strbuf_addf(out, "%*scosts: %s%s\n%*sremedy: %s\n", NAME_WIDTH + 10, "",
			    r->probe->need == NEED_LATER ? "nothing yet; later: " : "",
			    r->probe->cost, NAME_WIDTH + 10, "", strbuf_str(&r->remedy));
}

static void add_sum(struct strbuf *out, const struct result *results, size_t count,
		    enum bs_tier tier)
{
	bool guard = state_of(results, count, "guard") == PROBE_OK;

	if (can_work(results, count))
		strbuf_addf(out, "\ntier: %s. Programs%s can be held here%s.\n",
			    geteuid() != 0 ? "not known without root" : tier_name(tier),
			    state_of(results, count, "cgroup2") == PROBE_OK ? " and connections"
									    : "",
			    guard ? ", by the guard that runs" : "");
	else if (geteuid() != 0)
		strbuf_adds(out, "\ntier: unknown. What needs root could not be tried: sudo "
				 "backstop doctor\n");
	else
		strbuf_adds(out, "\ntier: none. Nothing can be held here until what is missing "
				 "above and required is there.\n");
	if (can_work(results, count) && !guard)
		strbuf_adds(out, "next: sudo systemctl enable --now backstop, then start an agent "
				 "in any terminal\n");
}

static int run(const void *options, int argc _unused_, char **argv _unused_)
{
	const struct options *o = options;
	size_t count = RESULTS;
	struct tiers tiers = { 0 };
	enum bs_tier tier;
	_cleanup_free_ struct result *results = calloc(count, sizeof(*results));
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	bool works;

	if (!results)
		return log_errno(-ENOMEM, "cannot look"), EXIT_FAILURE;
	if (geteuid() == 0)
		tier_find(&tiers);
	tier = tier_of(&tiers);
	run_all(o, &tiers, results);
	works = can_work(results, count);
	if (o->json)
		add_json(&out, results, count, tier);
	for (size_t i = 0; !o->json && i < count; i++)
		add_result(&out, &results[i]);
	if (!o->json)
		add_sum(&out, results, count, tier);
	for (size_t i = 0; i < count; i++) {
		strbuf_free(&results[i].detail);
		strbuf_free(&results[i].remedy);
	}
	fputs(strbuf_str(&out), stdout);
	return works ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const struct option_def option_defs[] = {
	{ "json", 0, OPTION_FLAG, NULL, "print one line of JSON", offsetof(struct options, json) },
	{ "socket", 0, OPTION_STRING, "PATH", "the guard's socket",
	  offsetof(struct options, socket) },
	{ "state-dir", 0, OPTION_STRING, "DIR", "where the journal is kept",
	  offsetof(struct options, state_dir) },
	{ "policy", 0, OPTION_STRING, "FILE", "compiled policy", offsetof(struct options, policy) },
	{ 0 },
};

const struct command command_doctor = {
	.name = "doctor",
	.help = "tell what this machine gives, what is missing, and how to get it",
	.example = "sudo backstop doctor",
	.options = option_defs,
	.options_size = sizeof(struct options),
	.run = run,
};

/* backstop run: becomes the command, as the root of a session.
 *
 * The guard labels this very process, which then executes COMMAND: streams, terminal, signals and
 * exit status are the command's own. Where no guard runs, root starts one that ends with its last
 * session. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/client.h"
#include "cli/guard_options.h"
#include "guard/keeper.h"

struct run_cli {
	struct guard_settings guard;
	const char *agent, *as;
	bool unattended;
};

static const struct option_def run_defs[] = {
	{ "agent", 'a', OPTION_STRING, "NAME", "what the agent is called in records",
	  offsetof(struct run_cli, agent) },
	{ "unattended", 'u', OPTION_FLAG, NULL,
	  "nobody will answer (CI): what would be held is denied at once",
	  offsetof(struct run_cli, unattended) },
	{ "as", 0, OPTION_STRING, "USER",
	  "run COMMAND as this user (default: under sudo who called it, else yourself)",
	  offsetof(struct run_cli, as) },
	GUARD_SETTINGS_OPTIONS(struct run_cli, guard),
	{ 0 },
};

/* ---- the embedded guard */

/* Leaves the starter's terminal and files behind, but for stderr, where it says why it cannot
 * start. Returns the log's fd. */
static int detach(const char *state_dir, int *ready_fd)
{
	_cleanup_free_ char *path = NULL;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), log;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	prctl(PR_SET_NAME, "backstop-guard");
	if (chdir("/") || null < 0 || io_mkdir_p(state_dir, 0750) ||
	    asprintf(&path, "%s/guard.log", state_dir) < 0)
		return -errno;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	*ready_fd = dup2(*ready_fd, 3);
	close_range(4, ~0U, 0);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	return log < 0 ? -errno : log;
}

/* Never returns. */
static _Noreturn void become_guard(struct guard_options *o, int ready_fd)
{
	o->log_fd = detach(o->state_dir, &ready_fd);
	if (o->log_fd < 0)
		_exit(!!log_errno(o->log_fd, "cannot make the guard's log in %s", o->state_dir));
	_exit(keeper_run(o, ready_fd) ? 1 : 0);
}

/* Twice forked, so that it is nobody's child. Waits until it is ready. 0 or a negative errno,
 * logged. */
static int start_guard(struct guard_options *o)
{
	int ready[2];
	char byte;
	pid_t pid;
	ssize_t n;

	if (pipe2(ready, O_CLOEXEC))
		return log_errno(-errno, "cannot start a guard");
	pid = fork();
	if (pid == 0) {
		if (fork() == 0)
			become_guard(o, ready[1]);
		_exit(0);
	}
	close(ready[1]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	do {
		n = read(ready[0], &byte, 1);
	} while (n < 0 && errno == EINTR);
	close(ready[0]);
	return n == 1 ? 0 : -ECHILD; /* it said why */
}

/* ---- the user */

/* Under sudo the command is run as who called it; --as says otherwise. NULL: nothing changes. */
static const char *target_user(const struct run_cli *o)
{
	const char *caller = getenv("SUDO_USER");

	if (o->as)
		return o->as;
	return geteuid() == 0 && caller && strcmp(caller, "root") ? caller : NULL;
}

static uid_t owner_uid(void)
{
	const char *caller = getenv("SUDO_UID");

	return caller ? (uid_t)strtoul(caller, NULL, 10) : getuid();
}

static int become_user(const char *name)
{
	const struct passwd *pw = getpwnam(name);

	if (!pw) {
		log_error("there is no user '%s'", name);
		return -ENOENT;
	}
	if (pw->pw_uid == geteuid() && pw->pw_uid == getuid())
		return 0;
	if (initgroups(name, pw->pw_gid) || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid))
		return log_errno(-errno, "cannot become user '%s'", name);
	setenv("HOME", pw->pw_dir, 1);
	setenv("USER", name, 1);
	setenv("LOGNAME", name, 1);
	setenv("SHELL", pw->pw_shell, 1);
	return 0;
}

/* ---- the session */

static int ask_for_session(const struct run_cli *o, struct client *c)
{
	_cleanup_json_ json_t *reply = NULL;

	return client_ask_again(c, o->guard.socket,
				json_pack("{s:s, s:s, s:b}", "op", "run", "agent", o->agent ?: "",
					  "unattended", o->unattended),
				&reply);
}

/* Of several that find no guard at the same time one starts it. Returns the lock's fd, or a
 * negative errno, logged. */
static int lock_start(const char *state_dir)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	int r = io_mkdir_p(state_dir, 0750);

	if (!r && asprintf(&path, "%s/start.lock", state_dir) < 0)
		r = -ENOMEM;
	if (r)
		return log_errno(r, "cannot make %s", state_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX))
		return log_errno(-errno, "cannot lock %s", path);
	return TAKE_FD(fd);
}

/* What a guard is told at its start says nothing to one that runs. */
static void warn_of_settings(const struct guard_settings *s)
{
	if (s->mode || s->policy || s->settings || s->state_dir || s->hold_timeout)
		log_warning("a guard runs already: --mode, --policy, --settings, --state-dir and "
			    "--hold-timeout have no effect on it");
}

/* A named socket is that of a certain guard: one that is started there has the state of another
 * only where that is meant. */
static int refuse_to_start(const struct run_cli *o, int err)
{
	client_log_connect(err, o->guard.socket);
	log_info("to have one started there name its --state-dir as well; without --socket one is "
		 "started where that is by default");
	return err;
}

/* Connects to the guard that runs; else, as root, starts one first. 0 or a negative errno, logged.
 */
static int reach_guard(const struct run_cli *o, struct client *c)
{
	_cleanup_guard_paths_ struct guard_paths paths = { 0 };
	_cleanup_close_ int lock = -1;
	struct guard_options g;
	int r = client_connect(o->guard.socket, c);

	if (!r) {
		warn_of_settings(&o->guard);
		return 0;
	}
	if ((r != -ENOENT && r != -ECONNREFUSED) || geteuid())
		return client_log_connect(r, o->guard.socket);
	if (o->guard.socket && !o->guard.state_dir)
		return refuse_to_start(o, r);
	r = guard_settings_apply(&o->guard, &g, &paths);
	if (r)
		return r;
	g.embedded = true;
	g.owner = owner_uid();
	lock = lock_start(g.state_dir);
	if (lock < 0)
		return lock;
	if (!client_connect(o->guard.socket, c))
		return 0; /* another was faster */
	r = start_guard(&g);
	if (r)
		return r;
	r = client_connect(o->guard.socket, c);
	return r ? client_log_connect(r, o->guard.socket) : 0;
}

static int exec_command(char **argv)
{
	int r;

	execvp(argv[0], argv);
	r = errno;
	log_errno(-r, "cannot run '%s'", argv[0]);
	if (r == ENOENT && getenv("SUDO_USER") && !strchr(argv[0], '/'))
		log_info(
			"sudo has a PATH of its own: try sudo backstop run -- \"$(command -v %s)\"",
			argv[0]);
	return r == ENOENT ? 127 : 126;
}

static int run_run(const void *options, _unused_ int argc, char **argv)
{
	const struct run_cli *o = options;
	const char *user = target_user(o);
	_cleanup_client_ struct client c = CLIENT_INIT;

	if (reach_guard(o, &c))
		return 1;
	if (user && become_user(user))
		return 1;
	if (ask_for_session(o, &c))
		return 1;
	return exec_command(argv);
}

const struct command command_run = {
	.name = "run",
	.arguments = "[--] COMMAND [ARGUMENT…]",
	.help = "start a session: run COMMAND, and follow every process it starts",
	.example = "sudo backstop run -- claude",
	.options = run_defs,
	.options_size = sizeof(struct run_cli),
	.run = run_run,
	.stops_at_operand = true,
	.min_operands = 1,
	.max_operands = UINT_MAX,
};

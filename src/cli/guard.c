/* backstop guard: the guard in the foreground. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/guard_feed.h"
#include "cli/guard_options.h"
#include "guard/keeper.h"

#define HOLD_TIMEOUT 600 /* seconds, until the settings are read */

struct guard_cli {
	struct guard_settings settings;
	bool foreground;
};

static const struct option_def guard_defs[] = {
	{ "foreground", 'f', OPTION_FLAG, NULL,
	  "show what it finds as it finds it (default on a terminal)",
	  offsetof(struct guard_cli, foreground) },
	GUARD_SETTINGS_OPTIONS(struct guard_cli, settings),
	{ 0 },
};

static int check_settings(const char *path)
{
	_cleanup_strbuf_ struct strbuf word = STRBUF_INIT;

	if (!path || access(path, R_OK) == 0)
		return 0;
	escape_word(&word, path);
	return log_errno(-errno, "cannot read the settings %s", strbuf_str(&word));
}

static int check_mode(const char *name)
{
	int mode = name ? mode_parse(name) : MODE_ENFORCE;

	if (mode < 0)
		log_error("there is no mode '%s': enforce, shadow or record", name);
	return mode;
}

void guard_paths_free(struct guard_paths *p)
{
	free(p->socket);
	free(p->state_dir);
	free(p->settings);
	free(p->policy);
}

static int make_absolute(const char *path, char **ret)
{
	_cleanup_free_ char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
	char *absolute;

	if (path[0] != '/' && !cwd)
		return log_errno(-errno, "the working directory has no path");
	if (asprintf(&absolute, "%s%s%s", cwd ?: "", cwd ? "/" : "", path) < 0)
		return log_errno(-ENOMEM, "cannot start");
	*ret = absolute;
	return 0;
}

/* Which of the two the policy comes from. */
static int find_source(const struct guard_settings *s, struct guard_paths *paths)
{
	_cleanup_free_ char *policy = NULL;
	const char *settings = s->settings;
	int r;

	if (settings && s->policy) {
		log_error("--settings and --policy exclude each other: an image holds the settings "
			  "it was compiled with ('backstop policy compile --settings FILE')");
		return -EINVAL;
	}
	if (!settings && !s->policy && access(GUARD_SETTINGS_FILE, F_OK) == 0)
		settings = GUARD_SETTINGS_FILE;
	if (settings)
		return check_settings(settings) ?: make_absolute(settings, &paths->settings);
	r = policy_find(s->policy, &policy);
	return r ? r : make_absolute(policy, &paths->policy);
}

int guard_settings_apply(const struct guard_settings *s, struct guard_options *ret,
			 struct guard_paths *paths)
{
	int mode = check_mode(s->mode), r;

	r = mode < 0 ? mode : find_source(s, paths);
	if (!r)
		r = make_absolute(s->socket ?: GUARD_SOCKET, &paths->socket);
	if (!r)
		r = make_absolute(s->state_dir ?: GUARD_STATE_DIR, &paths->state_dir);
	if (r)
		return r;
	*ret = (struct guard_options) {
		.policy = paths->policy,
		.settings = paths->settings,
		.socket = paths->socket,
		.state_dir = paths->state_dir,
		.mode = mode,
		.mode_given = s->mode != NULL,
		.hold_timeout = s->hold_timeout ?: HOLD_TIMEOUT,
		.timeout_given = s->hold_timeout != 0,
	};
	return 0;
}

/* A file that is opened later is not to get the number that messages go to. */
static void open_standard_streams(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	close_fd(&fd);
}

static int run_guard(const void *options, _unused_ int argc, _unused_ char **argv)
{
	const struct guard_cli *o = options;
	_cleanup_guard_paths_ struct guard_paths paths = { 0 };
	struct guard_options g;

	open_standard_streams();
	if (guard_settings_apply(&o->settings, &g, &paths))
		return EXIT_USAGE;
	if (geteuid()) {
		log_error("the guard needs root: sudo backstop guard");
		return 1;
	}
	if (o->foreground || isatty(STDOUT_FILENO))
		guard_feed_start(g.socket);
	return keeper_run(&g, -1) ? 1 : 0;
}

const struct command command_guard = {
	.name = "guard",
	.arguments = "",
	.help = "find agents, follow sessions, decide candidates, keep holds (needs root)",
	.example = "sudo backstop guard --mode shadow",
	.options = guard_defs,
	.options_size = sizeof(struct guard_cli),
	.run = run_guard,
};

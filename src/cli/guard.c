/* backstop guard: the guard in the foreground. */
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/command.h"
#include "cli/guard_options.h"

struct guard_cli {
	struct guard_settings settings;
};

static const struct option_def guard_defs[] = {
	GUARD_SETTINGS_OPTIONS(struct guard_cli, settings),
	{ 0 },
};

int guard_settings_apply(const struct guard_settings *s, struct guard_options *ret,
			 char **ret_policy)
{
	int mode = s->mode ? mode_parse(s->mode) : MODE_ENFORCE;
	int r;

	if (mode < 0) {
		log_error("there is no mode '%s': enforce, shadow or record", s->mode);
		return mode;
	}
	r = policy_find(s->policy, ret_policy);
	if (r)
		return r;
	*ret = (struct guard_options) {
		.policy = *ret_policy,
		.socket = s->socket ?: GUARD_SOCKET,
		.state_dir = s->state_dir ?: GUARD_STATE_DIR,
		.mode = mode,
		.hold_timeout = s->hold_timeout ?: 600,
	};
	return 0;
}

static int run_guard(const void *options, _unused_ int argc, _unused_ char **argv)
{
	const struct guard_cli *o = options;
	_cleanup_free_ char *policy = NULL;
	struct guard_options g;

	if (guard_settings_apply(&o->settings, &g, &policy))
		return EXIT_USAGE;
	if (geteuid()) {
		log_error("the guard needs root: sudo backstop guard");
		return 1;
	}
	return guard_run(&g, -1) ? 1 : 0;
}

const struct command command_guard = {
	.name = "guard",
	.arguments = "",
	.help = "watch sessions, decide candidates, keep holds (needs root)",
	.example = "sudo backstop guard --mode shadow",
	.options = guard_defs,
	.options_size = sizeof(struct guard_cli),
	.run = run_guard,
};

/* The options of a guard, which `guard` and an embedding `run` share. */
#ifndef CLI_GUARD_OPTIONS_H
#define CLI_GUARD_OPTIONS_H

#include "cli/command.h"
#include "guard/guard.h"
#include "policy/policy.h"

#define GUARD_SETTINGS_FILE "/etc/backstop/backstop.yaml"

struct guard_settings {
	const char *socket, *state_dir, *settings, *policy, *mode;
	unsigned int hold_timeout;
};

#define GUARD_SETTINGS_OPTIONS(type, member)                                                       \
	{ "settings",                                                                              \
	  0,                                                                                       \
	  OPTION_STRING,                                                                           \
	  "FILE",                                                                                  \
	  "settings (default " GUARD_SETTINGS_FILE ", where it is there)",                         \
	  offsetof(type, member.settings) },                                                       \
		{ "policy",                                                                        \
		  0,                                                                               \
		  OPTION_STRING,                                                                   \
		  "IMAGE",                                                                         \
		  "compiled policy, settings included, in place of --settings",                    \
		  offsetof(type, member.policy) },                                                 \
		{ "socket",                                                                        \
		  0,                                                                               \
		  OPTION_STRING,                                                                   \
		  "PATH",                                                                          \
		  "control socket (default " GUARD_SOCKET ")",                                     \
		  offsetof(type, member.socket) },                                                 \
		{ "state-dir",                                                                     \
		  0,                                                                               \
		  OPTION_STRING,                                                                   \
		  "DIR",                                                                           \
		  "where the journal is kept (default " GUARD_STATE_DIR ")",                       \
		  offsetof(type, member.state_dir) },                                              \
		{ "mode",                                                                          \
		  0,                                                                               \
		  OPTION_STRING,                                                                   \
		  "MODE",                                                                          \
		  "enforce, shadow (say what would happen) or record, whatever the settings say",  \
		  offsetof(type, member.mode) },                                                   \
	{                                                                                          \
		"hold-timeout", 0, OPTION_UINT, "SECONDS",                                         \
			"a hold that nobody answers is denied after this, whatever the "           \
			"settings say",                                                            \
			offsetof(type, member.hold_timeout)                                        \
	}

/* Absolute, as a guard has a working directory of its own. */
struct guard_paths {
	char *socket, *state_dir, *settings, *policy;
};
void guard_paths_free(struct guard_paths *p);
#define _cleanup_guard_paths_ _cleanup_(guard_paths_free)

/* Checked, with defaults: settings, else an image. The options point into `paths`, which is empty
 * and the caller's to free. 0 or a negative errno, logged. */
int guard_settings_apply(const struct guard_settings *s, struct guard_options *ret,
			 struct guard_paths *paths);

#endif

/* The options of a guard, which `guard` and an embedding `run` share. */
#ifndef CLI_GUARD_OPTIONS_H
#define CLI_GUARD_OPTIONS_H

#include "cli/command.h"
#include "guard/guard.h"
#include "policy/policy.h"

struct guard_settings {
	const char *socket, *state_dir, *policy, *mode;
	unsigned int hold_timeout;
};

#define GUARD_SETTINGS_OPTIONS(type, member)                                                       \
	{ "socket",                                                                                \
	  0,                                                                                       \
	  OPTION_STRING,                                                                           \
	  "PATH",                                                                                  \
	  "control socket (default " GUARD_SOCKET ")",                                             \
	  offsetof(type, member.socket) },                                                         \
		{ "state-dir",                                                                     \
		  0,                                                                               \
		  OPTION_STRING,                                                                   \
		  "DIR",                                                                           \
		  "where the journal is kept (default " GUARD_STATE_DIR ")",                       \
		  offsetof(type, member.state_dir) },                                              \
		{ "policy",                                                                        \
		  0,                                                                               \
		  OPTION_STRING,                                                                   \
		  "FILE",                                                                          \
		  "compiled policy (default: the one that came with backstop)",                    \
		  offsetof(type, member.policy) },                                                 \
		{ "mode",                                                                          \
		  0,                                                                               \
		  OPTION_STRING,                                                                   \
		  "MODE",                                                                          \
		  "enforce, shadow (say what would happen) or record (default enforce)",           \
		  offsetof(type, member.mode) },                                                   \
	{                                                                                          \
		"hold-timeout", 0, OPTION_UINT, "SECONDS",                                         \
			"a hold that nobody answers is denied after this (default 600)",           \
			offsetof(type, member.hold_timeout)                                        \
	}

/* Checked, with defaults. `ret_policy` owns the path of the policy. 0 or a negative errno, logged.
 */
int guard_settings_apply(const struct guard_settings *s, struct guard_options *ret,
			 char **ret_policy);

#endif

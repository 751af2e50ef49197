/* Commands are data: a program's table of them makes usage and --help. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/util.h"

enum option_kind { OPTION_FLAG, OPTION_STRING, OPTION_UINT /* from 1; 0: not given */ };

struct option_def {
	const char *name; /* long name, without dashes */
	char letter;	  /* 0: none */
	enum option_kind kind;
	const char *argument; /* what help calls its value */
	const char *help;
	size_t offset; /* of the bool, const char * or unsigned int in the command's options */
};

struct command {
	const char *name;
	const char *arguments;		  /* as in usage: "[--] COMMAND…"; NULL: none */
	const char *help;		  /* one line */
	const char *example;		  /* one line a user could type */
	const struct option_def *options; /* ended by name NULL; may be NULL */
	size_t options_size;
	/* 0, or an exit status; options points to a zeroed struct of options_size that was filled
	 * in, argv to the operands, ended by NULL */
	int (*run)(const void *options, int argc, char **argv);
	const char *program;   /* what we become instead of that, as io_find_program() finds it */
	bool stops_at_operand; /* options end at the first operand (run, explain) */
	unsigned int min_operands, max_operands; /* UINT_MAX: no limit */
};

#define EXIT_USAGE 2

#define SERVE_HELP "keep the database that log, tree, who, report and stats are answered from"

/* Opens the compiled policy, found as policy_find() does. 0 or a negative errno, logged. */
struct policy;
int command_open_policy(const char *option, struct policy **ret);

extern const struct command command_run, command_guard, command_status, command_pending,
	command_approve, command_deny, command_attach, command_watch, command_explain,
	command_policy, command_log, command_who, command_journal, command_tree, command_report,
	command_stats, command_replay, command_doctor, command_key;

#endif

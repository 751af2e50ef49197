#include <locale.h>

#include "cli/dispatch.h"

/* It links what no other command needs. */
static const struct command serve = { .name = "serve",
				      .help = SERVE_HELP,
				      .program = "backstop-serve" };

static const struct command *const commands[] = {
	&command_run,	  &command_guard,   &command_status,
	&command_pending, &command_approve, &command_deny,
	&command_watch,	  &command_attach,  &command_explain,
	&command_policy,  &command_log,	    &command_who,
	&command_journal, &serve,	    &command_tree,
	&command_report,  &command_stats,   &command_replay,
	&command_key,	  &command_doctor,  NULL,
};

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "");
	return dispatch(commands, argc, argv);
}

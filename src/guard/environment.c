/* What of a program's environment is recorded: the names alone. */
#include <string.h>

#include "guard/internal.h"
#include "policy/context.h"

/* Variables by which others' code gets into a program that does not ask for it. */
static const char *const loaders[] = {
	"LD_PRELOAD",	   "LD_AUDIT",	"LD_LIBRARY_PATH",   "PYTHONPATH",	  "PYTHONSTARTUP",
	"PYTHONHOME",	   "NODE_PATH", "NODE_OPTIONS",	     "PERL5OPT",	  "PERL5LIB",
	"PERL5DB",	   "RUBYOPT",	"RUBYLIB",	     "BASH_ENV",	  "ENV",
	"GIT_SSH_COMMAND", "GIT_SSH",	"GIT_EXTERNAL_DIFF", "JAVA_TOOL_OPTIONS",
};
_Static_assert(ARRAY_SIZE(loaders) < ARRAY_SIZE(((struct exec *)0)->environment), "room");

void exec_read_environment(struct exec *x)
{
	size_t n = 0;

	for (size_t i = 0; x->context && i < ARRAY_SIZE(loaders); i++)
		if (context_var(x->context, loaders[i]))
			x->environment[n++] = loaders[i];
	x->environment[n] = NULL;
}

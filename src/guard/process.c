/* The processes of the sessions, by what they last exec'ed. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/escape.h"
#include "guard/internal.h"

#define COMMAND_MAX 200 /* bytes kept of an ancestor's command */

static void process_free(struct process *p)
{
	if (!p)
		return;
	free(p->path);
	free(p->cwd);
	free(p->command);
	free(p);
}

void process_exec(struct guard *g, const struct exec *x)
{
	_cleanup_strbuf_ struct strbuf command = STRBUF_INIT;
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return;
	escape_argv(&command, exec_shown(x), COMMAND_MAX);
	p->tgid = x->tgid;
	p->start = x->start;
	p->path = x->path ? strdup(x->path) : NULL;
	p->cwd = x->cwd ? strdup(x->cwd) : NULL;
	p->command = strbuf_take(&command);
	p->tty = x->tty;
	p->cgroup = x->cgroup;
	memcpy(p->ancestors, x->ancestors, sizeof(p->ancestors));
	process_exit(g, x->tgid);
	if (map_set(&g->processes, x->tgid, p))
		process_free(p);
}

void process_exit(struct guard *g, u32 tgid)
{
	process_free(map_remove(&g->processes, tgid));
	connect_forget(g, tgid);
}

/* Forgets those whose exit event was lost. */
void process_sweep(struct guard *g)
{
	_cleanup_free_ u32 *gone = calloc(g->processes.count + 1, sizeof(*gone));
	struct process *p;
	size_t n = 0;

	if (!gone)
		return;
	map_for_each (&g->processes, p)
		if (kill((pid_t)p->tgid, 0) && errno == ESRCH)
			gone[n++] = p->tgid;
	while (n > 0)
		process_exit(g, gone[--n]);
}

void process_free_all(struct guard *g)
{
	struct process *p;

	map_for_each (&g->processes, p)
		process_free(p);
	map_free(&g->processes);
}

/* The processes of the sessions, by what they last exec'ed. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/escape.h"
#include "base/proc.h"
#include "guard/internal.h"

#define COMMAND_MAX 200 /* bytes kept of an ancestor's command */

static void process_free(struct process *p)
{
	if (!p)
		return;
	free(p->path);
	free(p->cwd);
	free(p->name);
	free(p->argv);
	free(p->command);
	free(p);
}

#define WORDS_MAX 64   /* kept of argv */
#define BYTES_MAX 2048 /* and of those */

/* As much as it takes to tell what a program was asked to do. */
static char **first_words(const struct exec *x)
{
	_cleanup_strbuf_ struct strbuf words = STRBUF_INIT;
	size_t count;

	for (size_t i = 0; i < x->argc && i < WORDS_MAX && words.len < BYTES_MAX; i++) {
		strbuf_add(&words, x->argv[i], strnlen(x->argv[i], BYTES_MAX));
		strbuf_addc(&words, '\0');
	}
	return words.len ? proc_split_words(strbuf_str(&words), words.len, &count) : NULL;
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
	p->name = x->name ? strdup(x->name) : NULL;
	p->argv = first_words(x);
	p->command = strbuf_take(&command);
	p->tty = x->tty;
	p->cgroup = x->cgroup;
	memcpy(p->ancestors, x->ancestors, sizeof(p->ancestors));
	process_exit(g, x->tgid);
	if (map_set(&g->processes, x->tgid, p))
		process_free(p);
}

const struct process *process_of(const struct guard *g, u32 tgid, u32 parent)
{
	return map_get(&g->processes, tgid) ?: map_get(&g->processes, parent);
}

bool process_copy(const struct guard *g, struct exec *x, u32 parent)
{
	const struct process *p = process_of(g, x->tgid, parent);
	int own = p && p->tgid != x->tgid;

	x->ancestors[0] = parent;
	if (!p)
		return false;
	x->path = p->path ? strdup(p->path) : NULL;
	x->cwd = p->cwd ? strdup(p->cwd) : NULL;
	x->tty = p->tty;
	x->cgroup = p->cgroup;
	memcpy(x->ancestors + own, p->ancestors, sizeof(x->ancestors) - own * sizeof(u32));
	x->command = p->command ? strdup(p->command) : NULL;
	x->program = p->tgid;
	x->program_start = p->start;
	return true;
}

void process_exit(struct guard *g, u32 tgid)
{
	process_free(map_remove(&g->processes, tgid));
	pass_forget(g, tgid);
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

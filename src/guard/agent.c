/* Agents: which execs start one, by the profiles. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/log.h"
#include "guard/internal.h"
#include "guard/slot.h"

static const char *profile_of(const struct guard *g, const struct exec *x)
{
	const struct action a = {
		.argv = x->argv,
		.path = x->path ?: x->file,
		.name = x->name,
		.cwd = x->cwd,
		.root_fd = -1,
	};

	return policy_match_agent(g->policy, &a);
}

static bool lists(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = names; (p = strstr(p, name)); p += len)
		if ((p == names || p[-1] == ' ') && (!p[len] || p[len] == ','))
			return true;
	return false;
}

void agent_seen(struct guard *g, const struct exec *x)
{
	struct session *s = x->session;
	const char *name = s ? profile_of(g, x) : NULL;
	char *all;

	if (!name || !strcmp(name, s->agent) || (s->subagents && lists(s->subagents, name)))
		return;
	if (asprintf(&all, "%s%s%s", s->subagents ?: "", s->subagents ? ", " : "", name) < 0)
		return;
	free(s->subagents);
	s->subagents = all;
	report_guard(g, s, "agent seen", "agent %s runs in session %s of agent %s", name, s->name,
		     s->agent[0] ? s->agent : "(not named)");
}

/* Begins a session with it, if it is an agent's first process. */
static void begin(struct guard *g, struct exec *x, const char *name)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	const struct session_options o = { .agent = name };
	uint64_t id;

	if (guard_attach(g, (pid_t)x->tgid, &o, &id, &err)) {
		log_warning("agent %s (process %u) cannot be followed: %s", name, x->tgid,
			    strbuf_str(&err));
		return;
	}
	x->session_id = id;
	x->session = session_get(g, id);
	if (x->session) /* its process may have ended meanwhile */
		log_info("agent %s found: process %u, session %s", name, x->tgid, x->session->name);
}

void agent_event(struct guard *g, const struct bs_exec_event *e)
{
	_cleanup_(exec_free_ptr) struct exec *x = exec_decode(g, e);
	const char *name = x ? profile_of(g, x) : NULL;

	if (name && policy_settings(g->policy)->follow_agents)
		begin(g, x, name);
	if (e->slot < BS_SLOTS)
		slot_take(&kernel_slots(g->kernel)[e->slot], e->ticket, BS_SLOT_ALLOWED);
	if (x && x->session) {
		report_action(g, x, OCSF_ALLOWED);
		process_exec(g, x);
	}
}

static bool is_tracked(struct guard *g, u32 pid)
{
	_cleanup_close_ int pidfd = pidfd_open((pid_t)pid, 0);
	uint64_t session;

	return pidfd < 0 || guard_is_labelled(g, pidfd, &session) != 0;
}

static void look_at(struct guard *g, u32 pid)
{
	_cleanup_(exec_free_ptr) struct exec *x = calloc(1, sizeof(*x));
	const char *name;

	if (!x)
		return;
	x->tgid = pid;
	if (exec_read_proc(g, x) || !x->argv[0][0])
		return;
	name = profile_of(g, x);
	if (!name || is_tracked(g, pid))
		return;
	begin(g, x, name);
	if (x->session)
		process_exec(g, x);
}

/* Parents have the lower numbers, most often; a sub-agent that is met first begins a session of its
 * own. */
void agent_find_running(struct guard *g)
{
	struct dirent **pids;
	int n;

	if (!policy_settings(g->policy)->follow_agents || g->options.embedded)
		return;
	n = scandir("/proc", &pids, NULL, versionsort);
	for (int i = 0; i < n; i++) {
		if (isdigit((unsigned char)pids[i]->d_name[0]))
			look_at(g, (u32)strtoul(pids[i]->d_name, NULL, 10));
		free(pids[i]);
	}
	if (n >= 0)
		free(pids);
}

/* Connects: what a session's processes reach out to. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "guard/internal.h"

static bool is_ip4(const struct bs_dest *d)
{
	static const u8 mapped[12] = { [10] = 0xff, 0xff };

	return !memcmp(d->addr, mapped, sizeof(mapped));
}

/* ---- the host's own addresses, as the task's network namespace has them */

static bool is_loopback(const struct bs_dest *d)
{
	static const u8 one[16] = { [15] = 1 };

	return is_ip4(d) ? d->addr[12] == 127 : !memcmp(d->addr, one, sizeof(one));
}

static int read_net(u32 tgid, const char *name, struct strbuf *ret)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%u/net/%s", tgid, name);
	r = io_read_file(AT_FDCWD, path, 16UL << 20, ret);
	if (!r)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/net/%s", name); /* it is gone: ours, most likely */
	return io_read_file(AT_FDCWD, path, 16UL << 20, ret);
}

/* fib_trie names an address in one line, and what it is in a line below: "/32 host LOCAL". */
static bool is_own_ip4(u32 tgid, const u8 addr[4])
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	char text[INET_ADDRSTRLEN + 8], *line, *at;
	bool mine = false;

	if (read_net(tgid, "fib_trie", &sb))
		return false;
	snprintf(text, sizeof(text), "-- %u.%u.%u.%u", addr[0], addr[1], addr[2], addr[3]);
	at = (char *)strbuf_str(&sb);
	while ((line = strsep(&at, "\n"))) {
		if (strstr(line, "-- "))
			mine = !strcmp(strstr(line, "-- "), text);
		else if (mine && strstr(line, "host LOCAL"))
			return true;
	}
	return false;
}

/* if_inet6 begins each line with an address in 32 hex digits. */
static bool is_own_ip6(u32 tgid, const u8 addr[16])
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	char text[33], *line, *at;

	if (read_net(tgid, "if_inet6", &sb))
		return false;
	for (int i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", addr[i]);
	at = (char *)strbuf_str(&sb);
	while ((line = strsep(&at, "\n")))
		if (!strncmp(line, text, 32))
			return true;
	return false;
}

bool connect_is_own(const struct exec *x)
{
	if (is_loopback(&x->dest))
		return true;
	return is_ip4(&x->dest) ? is_own_ip4(x->tgid, x->dest.addr + 12)
				: is_own_ip6(x->tgid, x->dest.addr);
}

/* ---- what humans approved */

struct pass {
	LIST_ENTRY(pass) entry;
	u32 tgid;
	u64 start, hold;
	struct bs_dest dest;
};

void connect_remember(struct guard *g, const struct exec *x, u64 hold)
{
	struct pass *p = calloc(1, sizeof(*p));

	if (!p)
		return;
	p->tgid = x->tgid;
	p->start = x->start;
	p->dest = x->dest;
	p->hold = hold;
	LIST_INSERT_HEAD(&g->passes, p, entry);
}

u64 connect_remembered(const struct guard *g, const struct exec *x)
{
	const struct pass *p;

	LIST_FOREACH (p, &g->passes, entry)
		if (p->tgid == x->tgid && p->start == x->start && p->dest.port == x->dest.port &&
		    !memcmp(p->dest.addr, x->dest.addr, sizeof(p->dest.addr)))
			return p->hold;
	return 0;
}

void connect_forget(struct guard *g, u32 tgid)
{
	struct pass *p, *next;

	for (p = LIST_FIRST(&g->passes); p; p = next) {
		next = LIST_NEXT(p, entry);
		if (p->tgid != tgid)
			continue;
		LIST_REMOVE(p, entry);
		free(p);
	}
}

void connect_forget_all(struct guard *g)
{
	struct pass *p;

	while ((p = LIST_FIRST(&g->passes))) {
		LIST_REMOVE(p, entry);
		free(p);
	}
}

/* ---- events */

/* The program that connects, as its last exec left it; a fork has that of its parent. */
static void copy_process(struct guard *g, struct exec *x, u32 parent)
{
	const struct process *p = map_get(&g->processes, x->tgid);
	int own = !p;

	if (!p)
		p = map_get(&g->processes, parent);
	if (!p)
		return;
	x->path = p->path ? strdup(p->path) : NULL;
	x->cwd = p->cwd ? strdup(p->cwd) : NULL;
	x->tty = p->tty;
	x->cgroup = p->cgroup;
	x->ancestors[0] = parent;
	memcpy(x->ancestors + own, p->ancestors, sizeof(x->ancestors) - own * sizeof(u32));
	x->command = p->command ? strdup(p->command) : NULL;
}

struct exec *connect_decode(struct guard *g, const struct bs_connect_event *e)
{
	_cleanup_(exec_free_ptr) struct exec *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->kind = BS_SLOT_CONNECT;
	x->dest = e->dest;
	x->number = e->head.number;
	x->time = e->head.time;
	x->start = e->start;
	x->tgid = e->head.tgid;
	x->tid = e->head.tid;
	x->uid = x->euid = e->uid;
	x->session_id = e->head.session;
	x->session = session_get(g, e->head.session);
	x->flags = e->flags;
	x->slot = e->slot;
	x->ticket = e->ticket;
	if (!(e->flags & BS_CONNECT_CANDIDATE) || exec_read_proc(g, x))
		copy_process(g, x, e->parent);
	return TAKE_PTR(x);
}

struct exec *connect_from_slot(struct guard *g, u32 slot, u32 ticket)
{
	const struct bs_slot *s = &kernel_slots(g->kernel)[slot];
	_cleanup_(exec_free_ptr) struct exec *x = exec_from_slot(g, slot, ticket);
	struct bs_waiting w;

	if (!x || kernel_get_waiting(g->kernel, s->tid, &w))
		return NULL;
	x->kind = BS_SLOT_CONNECT;
	x->dest = w.dest;
	x->flags = w.flags;
	return TAKE_PTR(x);
}

void connect_answer(struct guard *g, const struct exec *x, enum bs_answer answer)
{
	const struct bs_waiting w = { .dest = x->dest, .answer = answer, .flags = x->flags };
	int r = kernel_answer_connect(g->kernel, x->tid, &w);

	if (r && r != -ENOENT)
		log_errno(r, "the connect of thread %u cannot be answered: it is asked about again",
			  x->tid);
}

/* Nothing waits for it: reported, and with it what a signature says of it. */
static void report_passed(struct guard *g, struct exec *x)
{
	struct decision d;

	decide(g, x, &d);
	if (!d.finding.id) {
		report_action(g, x, OCSF_ALLOWED);
		return;
	}
	if (!exec_read_proc(g, x) && g->options.mode == MODE_SHADOW &&
	    d.finding.verdict > VERDICT_ALERT)
		explain_action(g, x, &d);
	if (d.verdict > VERDICT_ALERT) { /* a policy that was in force a moment later */
		d.verdict = VERDICT_ALERT;
		d.reason = "the policy was changed meanwhile";
	}
	report_action(g, x, d.verdict == VERDICT_ALERT ? OCSF_ALERT : OCSF_ALLOWED);
	report_finding(g, x, &d, NULL, d.verdict == VERDICT_ALERT ? OCSF_ALERT : OCSF_ALLOWED, 0);
}

void connect_event(struct guard *g, const struct bs_connect_event *e)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;
	bool asks = e->flags & (BS_CONNECT_FIXED | BS_CONNECT_TRACED);

	if (e->slot < BS_SLOTS && candidate_is_known(g, e->slot, e->ticket, asks))
		return;
	x = connect_decode(g, e);
	if (!x)
		return; /* a candidate fails, or waits for the next sweep */
	if (!(e->flags & BS_CONNECT_CANDIDATE))
		report_passed(g, x);
	else if (e->slot >= BS_SLOTS)
		candidate_missed(g, x);
	else
		candidate_decide(g, TAKE_PTR(x));
}

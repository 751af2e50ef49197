/* Deletions: what a session's processes take away. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/path.h"
#include "base/proc.h"
#include "guard/away.h"
#include "guard/burst.h"
#include "guard/candidate.h"

#define BEHIND_MAX (2 * BS_ANCESTORS)

/* ---- what a policy is asked */

static const char *base_of(const char *path)
{
	return path ? path_base(path) : NULL;
}

/* What those that it descends from run: their programs and scripts. */
static void list_behind(const struct guard *g, const struct exec *x, const char **ret)
{
	size_t n = 0;

	for (int i = 0; i < BS_ANCESTORS && x->ancestors[i]; i++) {
		const struct process *p = map_get(&g->processes, x->ancestors[i]);
		const char *program = p ? base_of(p->path) : NULL,
			   *name = p ? base_of(p->name) : NULL;

		if (program)
			ret[n++] = program;
		if (name && (!program || strcmp(name, program)))
			ret[n++] = name;
	}
	ret[n] = NULL;
}

struct question {
	struct deletion deletion;
	const char *behind[BEHIND_MAX + 1];
};

static void fill_question(const struct guard *g, const struct exec *x, struct question *q)
{
	const struct process *p = process_of(g, x->tgid, x->ancestors[0]);
	const struct session *s = x->session;

	q->deletion = (struct deletion) {
		.op = x->object.id.op,
		.path = x->object.path,
		.inner = x->object.inner,
		.program = base_of(x->path),
		.argv = x->argv
				?: p ? p->argv
				     : NULL,
		.behind = q->behind,
		.links = x->object.links,
		.home = s ? s->home : NULL,
		.workspace = s ? s->workspace : NULL,
		.project = s ? s->project : NULL,
		.protected_inode = x->flags & BS_DELETE_INODE,
	};
	list_behind(g, x, q->behind);
}

/* ---- bursts */

static u64 window_of(const struct guard *g, const struct exec *x)
{
	u64 window = policy_burst(g->policy).seconds * 1000000000ULL;

	return x->time > window ? x->time - window : 0;
}

/* Of a window in which events were lost, or that began before this guard, the kernel knows more. */
static bool has_seen_all(const struct guard *g, const struct exec *x)
{
	const volatile struct bs_counters *c = kernel_counters(g->kernel);

	return g->burst_losses == c->losses[BS_LOSS_EVENT] &&
	       (!g->burst_since || g->burst_since <= window_of(g, x));
}

void delete_start(struct guard *g)
{
	g->burst_losses = kernel_counters(g->kernel)->losses[BS_LOSS_EVENT];
	g->burst_since = kernel_was_adopted(g->kernel) ? boot_ns() : 0;
}

static void note_losses(struct guard *g, const struct exec *x)
{
	u64 losses = kernel_counters(g->kernel)->losses[BS_LOSS_EVENT];

	if (g->burst_losses == losses)
		return;
	g->burst_losses = losses;
	g->burst_since = x->time;
}

/* The kernel counts by the names of directories alone, and one file as often as it goes; what does
 * not count here makes no burst.
 * Where nothing is prevented it does not count at all. */
static bool is_burst(const struct guard *g, const struct exec *x)
{
	u32 limit = policy_burst(g->policy).count;
	bool asked = x->flags & BS_DELETE_BURST;

	if (!x->object.counts || !x->session || !limit ||
	    (!asked && g->options.mode == MODE_ENFORCE))
		return false;
	if (asked && !has_seen_all(g, x))
		return true;
	return !gone_has(x->session->gone, window_of(g, x), x->object.path) &&
	       gone_count(x->session->gone, window_of(g, x)) + 1 >= limit;
}

void delete_is_gone(struct guard *g, const struct exec *x)
{
	u32 limit = policy_burst(g->policy).count;

	if (x->object.counts && x->session && limit &&
	    !gone_has(x->session->gone, window_of(g, x), x->object.path))
		gone_add(&x->session->gone, limit, x->time, x->object.path);
}

void delete_list_gone(const struct guard *g, const struct exec *x, struct strbuf *out)
{
	if (x->session)
		gone_describe(x->session->gone, window_of(g, x), out);
}

u32 delete_count_gone(const struct guard *g, const struct exec *x)
{
	return x->session ? gone_count(x->session->gone, window_of(g, x)) : 0;
}

/* What has happened and nobody can name: its event was lost, or the kernel had no memory to say
 * more. What is not known does not go on by itself. */
static const struct finding unknown = {
	.verdict = VERDICT_HOLD,
	.severity = SEVERITY_HIGH,
	.pack = "self",
	.id = "unknown",
	.why = "Something was deleted, and what it was is not known.",
	.signature = (u32)-1,
};

/* It leaves for where it would be protected no more. */
static void match_below(const struct guard *g, const struct exec *x,
			const struct deletion *question, struct finding *ret)
{
	struct deletion d = *question;

	if (!x->object.below || ret->verdict > VERDICT_ALERT)
		return;
	if (!x->object.below[0]) {
		*ret = unknown;
		return;
	}
	d.path = x->object.below;
	d.op = BS_DELETE_UNLINK;
	d.program = NULL;
	d.argv = NULL;
	d.behind = NULL;
	d.inner = NULL;
	policy_match_delete(g->policy, &d, ret);
	ret->context = x->object.lies;
}

void delete_match(struct guard *g, const struct exec *x, struct decision *ret)
{
	struct finding alone;
	struct question q;

	if (!x->object.path[0]) {
		ret->finding = unknown;
		return;
	}
	fill_question(g, x, &q);
	policy_match_delete(g->policy, &q.deletion, &ret->finding);
	match_below(g, x, &q.deletion, &ret->finding);
	if (!is_burst(g, x))
		return;
	alone = ret->finding;
	q.deletion.burst = true;
	policy_match_delete(g->policy, &q.deletion, &ret->finding);
	ret->burst = ret->finding.id && ret->finding.signature != alone.signature;
}

void delete_spare(struct guard *g, const struct exec *x, const struct decision *d)
{
	struct question q;

	if (!x->object.place || !(x->flags & BS_DELETE_CANDIDATE) || d->finding.id ||
	    d->verdict != VERDICT_ALLOW)
		return;
	fill_question(g, x, &q);
	if (policy_spares_directory(g->policy, &q.deletion))
		kernel_spare(g->kernel, x->object.place);
}

/* ---- what was said of a process a moment ago
 *
 * Whoever removes a tree comes with its next file at once: nobody is asked again what was just
 * refused, and nothing is explained twice. What would count in a burst that was denied the kernel
 * refuses by itself, until the process has tried nothing for a moment. */

#define AGAIN_NS  (10 * 1000000000ULL) /* since the last time */
#define AGAIN_MAX 256

struct remark {
	LIST_ENTRY(remark) entry;
	u32 tgid;
	u64 start, signature, time;
	bool refused;
	bool denied; /* in the kernel */
};

/* The kernel tells those that it makes what it tells the process. */
static void lift(struct guard *g, const struct remark *r)
{
	const struct process *p;

	kernel_burst(g->kernel, r->tgid, r->start, BS_BURST_COUNTS);
	map_for_each (&g->processes, p)
		for (int i = 0; i < BS_ANCESTORS && p->ancestors[i]; i++)
			if (p->ancestors[i] == r->tgid)
				kernel_burst(g->kernel, p->tgid, p->start, BS_BURST_COUNTS);
}

static void remark_free(struct guard *g, struct remark *r)
{
	if (r->denied)
		lift(g, r);
	LIST_REMOVE(r, entry);
	free(r);
}

static struct remark *find_remark(struct guard *g, const struct exec *x, u64 signature)
{
	struct remark *r, *next, *found = NULL;
	u64 now = boot_ns();

	for (r = LIST_FIRST(&g->remarks); r; r = next) {
		next = LIST_NEXT(r, entry);
		if (r->time + AGAIN_NS < now)
			remark_free(g, r);
		else if (r->tgid == x->tgid && r->start == x->start && r->signature == signature)
			found = r;
	}
	return found;
}

static struct remark *add_remark(struct guard *g, const struct exec *x, u64 signature)
{
	struct remark *r, *oldest = NULL;
	unsigned int n = 0;

	for (r = LIST_FIRST(&g->remarks); r; r = LIST_NEXT(r, entry)) {
		n++;
		if (!oldest || r->time < oldest->time)
			oldest = r;
	}
	if (n >= AGAIN_MAX)
		remark_free(g, oldest);
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->tgid = x->tgid;
	r->start = x->start;
	r->signature = signature;
	LIST_INSERT_HEAD(&g->remarks, r, entry);
	return r;
}

static struct remark *remark(struct guard *g, const struct exec *x, u64 signature, bool refused)
{
	struct remark *r = find_remark(g, x, signature) ?: add_remark(g, x, signature);

	if (!r)
		return NULL;
	r->time = boot_ns();
	r->refused = refused;
	return r;
}

static void lift_old(void *data)
{
	struct guard *g = data;
	const struct exec none = { 0 };
	const struct remark *r;

	g->lift = NULL;
	find_remark(g, &none, 0);
	LIST_FOREACH (r, &g->remarks, entry)
		if (r->denied && !g->lift &&
		    loop_add_timer(g->loop, AGAIN_NS / 1000, lift_old, g, &g->lift))
			return;
}

/* Under no signature: it is none of the policy's that refuses then. */
static void deny_burst(struct guard *g, const struct exec *x)
{
	struct remark *r = remark(g, x, 0, true);

	if (!r)
		return; /* it is asked about again */
	if (!g->lift && loop_add_timer(g->loop, AGAIN_NS / 1000, lift_old, g, &g->lift))
		return;
	r->denied = true;
	kernel_burst(g->kernel, x->tgid, x->start, BS_BURST_DENIED);
}

/* The process, and those that it makes, may go on; others of the session have their limit anew. */
void delete_allow_burst(struct guard *g, const struct exec *x)
{
	if (!(x->flags & BS_DELETE_BURST))
		return;
	kernel_burst(g->kernel, x->tgid, x->start, BS_BURST_ALLOWED);
	if (!x->session)
		return;
	gone_free(x->session->gone);
	x->session->gone = NULL;
}

/* The kernel has counted what does not count: so that it does not ask for each that follows, its
 * count begins anew, and reaches the limit before there are twice as many. */
static void forget_count(struct guard *g, const struct exec *x)
{
	if (x->flags & BS_DELETE_BURST && has_seen_all(g, x) &&
	    delete_count_gone(g, x) < policy_burst(g->policy).count / 2)
		kernel_burst(g->kernel, x->tgid, x->start, BS_BURST_RESET);
}

void delete_remember(struct guard *g, const struct exec *x, const struct decision *d, bool refused)
{
	if (!refused && d->finding.verdict <= VERDICT_ALERT)
		forget_count(g, x);
	if (!d->finding.id)
		return;
	if (!refused && d->finding.verdict > VERDICT_ALERT)
		delete_allow_burst(g, x);
	else if (refused && d->burst && x->kind == BS_SLOT_DELETE)
		deny_burst(g, x);
	remark(g, x, signature_key(&d->finding), refused);
}

void delete_recall(struct guard *g, const struct exec *x, struct decision *d)
{
	struct remark *r = d->finding.id ? find_remark(g, x, signature_key(&d->finding)) : NULL;

	if (!r)
		return;
	if (d->verdict == VERDICT_HOLD && r->refused) {
		d->verdict = VERDICT_DENY;
		d->reason = "the same was refused to its process a moment ago";
	}
	d->again = d->verdict != VERDICT_HOLD && r->refused == (d->verdict > VERDICT_ALERT);
}

void delete_forget_all(struct guard *g)
{
	loop_remove(g->lift);
	g->lift = NULL;
	while (!LIST_EMPTY(&g->remarks)) {
		LIST_FIRST(&g->remarks)->denied = false; /* the guard after this one learns of it */
		remark_free(g, LIST_FIRST(&g->remarks));
	}
}

/* The kernel has refused it, as the rest of a burst that was denied. */
static void report_refused(struct guard *g, const struct exec *x)
{
	deny_burst(g, x);
	report_decided(g, x, OCSF_BLOCKED, VERDICT_DENY,
		       "its process was denied a burst of deletions");
}

/* ---- events */

static char *given_dir(const struct exec *x, const struct bs_delete_event *e)
{
	char name[32];

	if (e->inner_len)
		return exec_join_parts(e->data + e->path_len, e->inner_len, false);
	snprintf(name, sizeof(name), "fd/%d", e->dirfd);
	return proc_readlink((pid_t)x->tid, e->dirfd == AT_FDCWD ? "cwd" : name)
		       ?: strdup(x->cwd ?: "/");
}

/* As a system call was given it. */
static char *given_path(const struct exec *x, const struct bs_delete_event *e)
{
	_cleanup_free_ char *path = strndup(e->data, e->path_len), *dir = NULL;

	if (!path)
		return NULL;
	dir = path[0] == '/' ? strdup("/") : given_dir(x, e);
	return dir ? path_join(dir, path) : NULL;
}

static int decode_object(struct exec *x, const struct bs_delete_event *e)
{
	struct object *o = &x->object;

	o->id = (struct bs_object) {
		.op = e->op, .dev = e->dev, .inode = e->inode, .parent_inode = e->parent_inode
	};
	o->bytes = e->bytes;
	o->links = e->links;
	o->burst = e->burst;
	o->place = e->place;
	if (e->flags & BS_DELETE_DONE) {
		o->path = e->path_len ? given_path(x, e) : strdup("");
		return o->path ? 0 : -ENOMEM;
	}
	o->path = exec_join_parts(e->data, e->path_len, e->flags & BS_DELETE_CUT);
	if (e->inner_len)
		o->inner = exec_join_parts(e->data + e->path_len, e->inner_len, false);
	return o->path ? 0 : -ENOMEM;
}

static void copy_head(struct guard *g, struct exec *x, const struct bs_delete_event *e)
{
	x->kind = e->flags & BS_DELETE_DONE ? BS_SLOT_DELETED : BS_SLOT_DELETE;
	exec_take_head(g, x, &e->head, e->start, e->uid);
	x->flags = e->flags;
	x->slot = e->slot;
	x->ticket = e->ticket;
}

static void find_program(struct guard *g, struct exec *x, u32 parent)
{
	bool frozen = x->flags & BS_DELETE_CANDIDATE;

	if (!frozen && process_copy(g, x, parent))
		return;
	if (exec_read_proc(g, x))
		process_copy(g, x, parent);
	else if (!process_of(g, x->tgid, parent))
		process_exec(g, x); /* one that began before this guard */
}

/* Whether a rename replaced something nobody can tell any more. */
static bool is_guess(const struct exec *x)
{
	return x->kind == BS_SLOT_DELETED && x->object.id.op == BS_DELETE_RENAME;
}

/* In a burst: what the kernel does not count, where it counts, does not. */
static void set_counts(struct guard *g, struct exec *x)
{
	struct question q;

	if (!x->object.path[0] || x->flags & BS_DELETE_MADE ||
	    (g->options.mode == MODE_ENFORCE ? !x->object.burst : is_guess(x)))
		return;
	fill_question(g, x, &q);
	x->object.counts = policy_counts(g->policy, &q.deletion);
}

static void look_below(struct guard *g, struct exec *x)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct question q;

	if (!(x->flags & BS_DELETE_AWAY) || !(x->flags & BS_DELETE_CANDIDATE))
		return;
	fill_question(g, x, &q);
	x->object.below = away_find(g, x->tid, &q.deletion);
	if (!x->object.below)
		return;
	escape_bytes(&sb, x->object.below, strlen(x->object.below));
	strbuf_adds(&sb, " would go into scratch or build output, where nothing keeps it");
	x->object.lies = strbuf_take(&sb);
}

struct exec *delete_decode(struct guard *g, const struct bs_delete_event *e)
{
	_cleanup_(exec_free_ptr) struct exec *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	copy_head(g, x, e);
	find_program(g, x, e->parent);
	if (decode_object(x, e))
		return NULL;
	note_losses(g, x);
	set_counts(g, x);
	look_below(g, x);
	return TAKE_PTR(x);
}

struct exec *delete_from_slot(struct guard *g, u32 slot, u32 ticket)
{
	const struct bs_slot *s = &kernel_slots(g->kernel)[slot];
	_cleanup_(exec_free_ptr) struct exec *x = exec_from_slot(g, slot, ticket);
	struct bs_waiting w;

	if (!x)
		return NULL;
	x->kind = s->kind;
	x->flags = BS_DELETE_CANDIDATE | BS_DELETE_DONE;
	if (recorded_object(g, s->number, &x->object))
		x->object.path = x->kind == BS_SLOT_DELETED ? strdup("") : NULL;
	if (!x->object.path)
		return NULL; /* it asks again */
	if (x->kind == BS_SLOT_DELETE) {
		if (kernel_get_waiting(g->kernel, s->tid, &w))
			return NULL;
		x->flags = w.flags;
		x->object.id = w.object;
	}
	if (x->object.burst)
		x->flags |= BS_DELETE_BURST;
	set_counts(g, x);
	look_below(g, x);
	return TAKE_PTR(x);
}

void delete_event(struct guard *g, const struct bs_delete_event *e)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;
	bool candidate = e->flags & BS_DELETE_CANDIDATE;
	bool asks = e->flags & (BS_DELETE_FIXED | BS_DELETE_TRACED);

	if (e->slot < BS_SLOTS && candidate_is_known(g, e->slot, e->ticket, asks))
		return;
	if (candidate)
		guard_read_events(g, e->flags & BS_DELETE_BURST);
	x = delete_decode(g, e);
	if (!x)
		return; /* a candidate fails, or waits for the next sweep */
	if (!candidate && e->flags & BS_DELETE_REFUSED)
		report_refused(g, x);
	else if (!candidate)
		candidate_passed(g, x);
	else if (e->slot >= BS_SLOTS)
		candidate_missed(g, x);
	else
		candidate_decide(g, TAKE_PTR(x));
}

/* The verdict on an action, in the order of DESIGN section 5. */
#include <fcntl.h>
#include <stdio.h>

#include "guard/resolved.h"
#include "guard/internal.h"
#include "policy/context.h"

int decide_open_root(const struct exec *x)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/root", x->tgid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Whether it is the host's own address is asked only where that may matter. */
static void match_connect(struct guard *g, const struct exec *x, struct finding *ret)
{
	struct connection c = { .dest = x->dest };
	const char *names[RESOLVED_NAMES_MAX + 1];

	c.sure = (u32)names_of(g, x->session_id, &x->dest, names);
	if (c.sure)
		c.names = names;
	policy_match_connect(g->policy, &c, ret);
	if (ret->verdict == VERDICT_ALLOW || !connect_is_own(x))
		return;
	c.own = true;
	policy_match_connect(g->policy, &c, ret);
}

void decide_match(const struct guard *g, const struct exec *x, int root, struct finding *ret)
{
	const struct session *s = x->session;
	struct action a = {
		.argv = x->argv,
		.path = x->path ?: x->file,
		.file = x->file,
		.name = x->name,
		.cwd = x->cwd,
		.home = s ? s->home : NULL,
		.workspace = s ? s->workspace : NULL,
		.project = s ? s->project : NULL,
		.context = x->context,
		.root_fd = root,
	};

	policy_match(g->policy, &a, ret);
}

/* Without a context nothing waits for it: its paths are taken as they are written. */
static void match(const struct guard *g, const struct exec *x, struct finding *ret)
{
	_cleanup_close_ int root = x->context ? decide_open_root(x) : -1;

	decide_match(g, x, root, ret);
}

/* The mode, and the session, bend the policy's verdict. */
static void bend(const struct guard *g, const struct exec *x, struct decision *d)
{
	if (d->verdict <= VERDICT_ALERT)
		return;
	if (g->options.mode != MODE_ENFORCE) {
		d->verdict = VERDICT_ALERT;
		d->reason = g->options.mode == MODE_SHADOW ? "mode shadow: nothing is prevented"
							   : "mode record: nothing is prevented";
		return;
	}
	if (d->verdict == VERDICT_HOLD && x->session && x->session->unattended) {
		d->verdict = VERDICT_DENY;
		d->reason = "the session is unattended: nobody would answer";
	}
}

/* Does the label carry an approval of this very signature? */
static bool is_covered(const struct guard *g, const struct exec *x, const struct finding *f)
{
	u64 approved;

	return x->kind == BS_SLOT_EXEC && x->approval &&
	       !kernel_get_approval(g->kernel, x->approval, &approved) &&
	       approved == signature_key(f);
}

/* Could an answer that is missing change what is done? Of paths that are not known the worst has
 * been taken. */
static bool hangs_on_answers(const struct guard *g, const struct exec *x, enum verdict verdict)
{
	if (!x->context)
		return false;
	if (x->context->looks.pending && verdict > VERDICT_ALLOW)
		return true;
	return context_is_pending(x->context) && g->options.mode != MODE_RECORD;
}

static void let_pass(struct decision *d, u64 hold, const char *reason)
{
	d->verdict = VERDICT_ALLOW;
	d->approval = hold;
	d->reason = reason;
}

void decide(struct guard *g, const struct exec *x, struct decision *ret)
{
	u64 grant;

	*ret = (struct decision) { 0 };
	if (x->kind == BS_SLOT_CONNECT)
		match_connect(g, x, &ret->finding);
	else if (exec_is_sending(x))
		ret->finding = x->sent.finding;
	else if (exec_is_deletion(x))
		delete_match(g, x, ret);
	else
		match(g, x, &ret->finding);
	ret->verdict = ret->finding.verdict;
	if (ret->verdict > VERDICT_ALERT && is_covered(g, x, &ret->finding)) {
		let_pass(ret, x->approval, "it follows from an approved action");
		return;
	}
	ret->pending = hangs_on_answers(g, x, ret->verdict);
	if (ret->pending || ret->verdict <= VERDICT_ALERT)
		return;
	grant = pass_of(g, x);
	if (grant) {
		let_pass(ret, grant,
			 x->kind != BS_SLOT_CONNECT && !x->sent.again
				 ? "a human allowed its program"
				 : "its process was allowed to connect there");
		return;
	}
	if (g->options.mode == MODE_ENFORCE) {
		grant = grant_use(g, x);
		if (grant) {
			let_pass(ret, grant, "a human allowed it once");
			return;
		}
	}
	bend(g, x, ret);
	if (exec_is_deletion(x))
		delete_recall(g, x, ret);
}

void decide_at_once(struct guard *g, const struct exec *x, struct decision *ret)
{
	x->context->looks.over = true;
	do {
		context_answer(x->context, NULL, 0);
		decide(g, x, ret);
	} while (ret->pending);
}

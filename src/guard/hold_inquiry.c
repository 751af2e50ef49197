/* Holds whose decision hangs on what is around the task: see policy/context.h. */
#include <errno.h>

#include "base/log.h"
#include "guard/hold.h"
#include "guard/inquiry.h"
#include "policy/context.h"

static void settle_at_once(struct hold *h)
{
	decide_at_once(h->guard, h->exec, &h->decision);
	hold_settle(h);
}

/* The policy may be another one by now. */
static void on_answers(void *data)
{
	struct hold *h = data;
	struct policy *before = h->policy;

	h->inquiry = NULL;
	h->policy = h->guard->policy;
	decide(h->guard, h->exec, &h->decision);
	hold_drop_policy(h->guard, before);
	if (h->decision.pending)
		hold_inquire(h);
	else
		hold_settle(h);
}

void hold_inquire(struct hold *h)
{
	int r = -ELOOP;

	if (h->inquiries++ < CONTEXT_ROUNDS)
		r = inquiry_start(h->guard, h->exec, on_answers, h, &h->inquiry);
	if (!r)
		return;
	log_errno(r, "what is around a held command cannot be looked at");
	settle_at_once(h);
}

void hold_end_inquiries(struct guard *g)
{
	struct hold *h, *next;

	for (h = LIST_FIRST(&g->holds); h; h = next) {
		next = LIST_NEXT(h, entry);
		if (!h->inquiry)
			continue;
		inquiry_free(h->inquiry);
		h->inquiry = NULL;
		settle_at_once(h);
	}
}

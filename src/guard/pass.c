/* What a human approved goes for as long as the process runs its program: to connect there again,
 * and, where its exec was approved, to delete and to send what it was started for. What it starts
 * itself asks anew. */
#include <string.h>

#include "guard/internal.h"

struct pass {
	LIST_ENTRY(pass) entry;
	enum bs_slot_kind kind;
	u32 tgid;
	u64 start, hold;
	struct bs_dest dest;
};

void pass_remember(struct guard *g, const struct exec *x, u64 hold)
{
	struct pass *p = calloc(1, sizeof(*p));

	if (!p)
		return;
	p->kind = x->kind;
	p->tgid = x->tgid;
	p->start = x->start;
	p->dest = x->dest;
	p->hold = hold;
	LIST_INSERT_HEAD(&g->passes, p, entry);
}

static bool covers(const struct pass *p, const struct exec *x)
{
	if (exec_is_deletion(x) || exec_is_sending(x))
		return p->kind == BS_SLOT_EXEC;
	return x->kind == BS_SLOT_CONNECT && p->kind == BS_SLOT_CONNECT &&
	       p->dest.port == x->dest.port &&
	       !memcmp(p->dest.addr, x->dest.addr, sizeof(p->dest.addr));
}

u64 pass_of(const struct guard *g, const struct exec *x)
{
	const struct pass *p;

	LIST_FOREACH (p, &g->passes, entry)
		if (p->tgid == x->tgid && p->start == x->start && covers(p, x))
			return p->hold;
	return 0;
}

void pass_forget(struct guard *g, u32 tgid)
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

void pass_forget_all(struct guard *g)
{
	struct pass *p;

	while ((p = LIST_FIRST(&g->passes))) {
		LIST_REMOVE(p, entry);
		free(p);
	}
}

/* What a human approved goes for as long as the process runs its program: to connect there again,
 * for QUIC by the same name, and, where its exec was approved, to delete and to send what it was
 * started for. What it starts itself asks anew. */
#include <stdlib.h>
#include <string.h>

#include "guard/internal.h"

struct pass {
	LIST_ENTRY(pass) entry;
	enum bs_slot_kind kind;
	u32 tgid;
	u64 start, hold;
	struct bs_dest dest;
	char *name; /* NULL: by any */
};

static void pass_free(struct pass *p)
{
	LIST_REMOVE(p, entry);
	free(p->name);
	free(p);
}

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
	p->name = x->sent.again && x->sent.name ? strdup(x->sent.name) : NULL;
	LIST_INSERT_HEAD(&g->passes, p, entry);
}

static bool is_same_place(const struct pass *p, const struct exec *x)
{
	return p->dest.port == x->dest.port &&
	       !memcmp(p->dest.addr, x->dest.addr, sizeof(p->dest.addr));
}

static bool covers(const struct pass *p, const struct exec *x)
{
	if (x->sent.again && p->name)
		return is_same_place(p, x) && !strcmp(p->name, x->sent.name ?: "");
	if (exec_is_deletion(x) || exec_is_sending(x))
		return p->kind == BS_SLOT_EXEC;
	return x->kind == BS_SLOT_CONNECT && p->kind == BS_SLOT_CONNECT && is_same_place(p, x);
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
		if (p->tgid == tgid)
			pass_free(p);
	}
}

void pass_forget_all(struct guard *g)
{
	struct pass *p;

	while ((p = LIST_FIRST(&g->passes)))
		pass_free(p);
}

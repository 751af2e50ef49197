/* The names for which addresses stand, as name servers tell sessions. */
#include <string.h>

#include "guard/resolved.h"
#include "guard/internal.h"
#include "policy/wire.h"

struct telling {
	struct guard *g;
	u64 session;
};

static u64 now_s(void)
{
	return boot_ns() / 1000000000;
}

static void on_answer(const struct wire_answer *a, void *data)
{
	const struct telling *t = data;

	resolved_learn(t->g->resolved, t->session, a->addr, a->name, a->ttl, now_s());
}

/* Over TCP two bytes say how long it is; one that comes in several packets is not known. */
void names_event(struct guard *g, const struct bs_names_event *e)
{
	struct telling t = { .g = g, .session = e->head.session };
	u32 skip = e->stream ? 2 : 0;

	if (e->len > skip && session_get(g, e->head.session))
		wire_dns(e->data + skip, e->len - skip, on_answer, &t);
}

size_t names_of(const struct guard *g, u64 session, const struct bs_dest *d, const char **ret)
{
	return resolved_names(g->resolved, session, d->addr, now_s(), ret);
}

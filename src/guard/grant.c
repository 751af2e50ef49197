/* Grants: what was refused while nobody answered may be allowed for its next attempt, once. */
#include <errno.h>
#include <string.h>

#include "base/strbuf.h"
#include "guard/internal.h"

#define GRANT_LIFE_MS (10 * 60 * 1000) /* for the next attempt, once approved */
#define GRANTS_MAX    256 /* refused holds that are remembered; the oldest goes first */

static void grant_free(struct guard *g, struct grant *r)
{
	LIST_REMOVE(r, entry);
	g->grant_count--;
	exec_free(r->exec);
	free(r->by);
	free(r);
}

static void drop_oldest(struct guard *g)
{
	struct grant *r, *oldest = NULL;

	LIST_FOREACH (r, &g->grants, entry)
		if (!oldest || r->hold < oldest->hold)
			oldest = r;
	if (oldest)
		grant_free(g, oldest);
}

/* Takes over the hold's exec, which has ended with it. */
void grant_remember(struct guard *g, struct hold *h)
{
	struct grant *r = calloc(1, sizeof(*r));

	if (!r)
		return;
	if (g->grant_count >= GRANTS_MAX)
		drop_oldest(g);
	r->hold = h->id;
	r->exec = TAKE_PTR(h->exec);
	r->exec->session = NULL; /* which may end before it is approved */
	LIST_INSERT_HEAD(&g->grants, r, entry);
	g->grant_count++;
}

const struct exec *grant_find_exec(const struct guard *g, u64 hold)
{
	const struct grant *r;

	LIST_FOREACH (r, &g->grants, entry)
		if (r->hold == hold)
			return r->exec;
	return NULL;
}

int grant_approve(struct guard *g, u64 hold, const char *by, struct strbuf *err)
{
	struct grant *r;

	LIST_FOREACH (r, &g->grants, entry)
		if (r->hold == hold)
			break;
	if (!r) {
		strbuf_addf(err, "there is no hold %llu: 'backstop pending' lists what is open",
			    (unsigned long long)hold);
		return -ENOENT;
	}
	if (r->expires_ms) {
		strbuf_addf(err, "hold %llu is approved already, for its next attempt",
			    (unsigned long long)hold);
		return -EALREADY;
	}
	r->by = strdup(by);
	r->exec->session = session_get(g, r->exec->session_id);
	if (exec_is_deletion(r->exec))
		delete_allow_burst(g, r->exec);
	r->expires_ms = now_ms() + GRANT_LIFE_MS;
	report_guard(g, r->exec->session, "grant",
		     "hold %llu was approved by %s after its end: the same action is allowed once "
		     "within 10 minutes",
		     (unsigned long long)hold, by);
	r->exec->session = NULL;
	return 0;
}

u64 grant_use(struct guard *g, const struct exec *x)
{
	struct grant *r, *found = NULL;
	u64 hold;

	LIST_FOREACH (r, &g->grants, entry)
		if (r->expires_ms > now_ms() && exec_same(r->exec, x))
			found = r;
	if (!found)
		return 0;
	hold = found->hold;
	grant_free(g, found);
	return hold;
}

void grant_free_all(struct guard *g)
{
	while (!LIST_EMPTY(&g->grants))
		grant_free(g, LIST_FIRST(&g->grants));
}

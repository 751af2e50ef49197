#include "guard/lookup.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "guard/aside.h"
#include "guard/urgent.h"
#include "policy/context.h"

#define LOOKUPS_MAX	8  /* children of a session, of which some may hang; others wait for them */
#define LOOKUPS_MAX_ALL 64 /* of all */

struct lookup {
	LIST_ENTRY(lookup) entry;
	struct guard *guard;
	u64 session;
	const struct exec *exec; /* while somebody waits */
	void (*fn)(void *data);	 /* NULL: nobody does */
	void *data;
	struct aside *aside; /* NULL: there was no room yet */
};

static void lookup_free(struct lookup *l)
{
	LIST_REMOVE(l, entry);
	aside_end(l->aside);
	free(l);
}

/* The same decision, which stays in the child. */
static void run(void *data)
{
	struct lookup *l = data;
	struct finding f;

	urgent_schedule(1); /* as the guard, which did this itself if it could */
	l->exec->context->looks.waits = true;
	decide_match(l->guard, l->exec, 0, &f);
}

/* Of a session; 0: of all. */
static unsigned int count_begun(const struct guard *g, u64 session)
{
	const struct lookup *l;
	unsigned int n = 0;

	LIST_FOREACH (l, &g->lookups, entry)
		n += l->aside && (!session || l->session == session);
	return n;
}

static bool has_room(const struct guard *g, u64 session)
{
	return count_begun(g, session) < LOOKUPS_MAX && count_begun(g, 0) < LOOKUPS_MAX_ALL &&
	       aside_has_room();
}

static void on_done(void *data);

static int begin(struct lookup *l)
{
	_cleanup_close_ int root = decide_open_root(l->exec);
	int r = root < 0 ? -ESRCH : looks_share(&l->exec->context->looks);

	return r ?: aside_start(l->guard->loop, root, run, on_done, l, &l->aside);
}

/* Those that wait for room. What cannot begin ends by its time. */
static void begin_next(struct guard *g)
{
	struct lookup *l;

	LIST_FOREACH (l, &g->lookups, entry)
		if (!l->aside && has_room(g, l->session) && begin(l))
			log_debug("process %u: its paths are not looked up", l->exec->tgid);
}

static void on_done(void *data)
{
	struct lookup *l = data;
	struct guard *g = l->guard;
	void (*fn)(void *) = l->fn;
	void *its = l->data;

	lookup_free(l);
	begin_next(g);
	if (fn)
		fn(its);
}

static struct lookup *add(struct guard *g, const struct exec *x)
{
	struct lookup *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	*l = (struct lookup) { .guard = g, .session = x->session_id, .exec = x };
	LIST_INSERT_HEAD(&g->lookups, l, entry);
	return l;
}

int lookup_start(struct guard *g, const struct exec *x, void (*fn)(void *data), void *data,
		 struct lookup **ret)
{
	bool room = has_room(g, x->session_id);
	struct lookup *l = add(g, x);
	int r = !l ? -ENOMEM : room ? begin(l) : 0;

	if (!r) {
		l->fn = fn;
		l->data = data;
		*ret = l;
	} else if (l) {
		lookup_free(l);
	}
	return r;
}

void lookup_wait(struct guard *g, const struct exec *x, int ms)
{
	struct lookup *l = has_room(g, x->session_id) ? add(g, x) : NULL;

	if (!l)
		return;
	if (begin(l))
		lookup_free(l);
	else
		aside_wait(l->aside, ms);
}

void lookup_leave(struct lookup *l)
{
	if (l && !l->aside)
		lookup_free(l);
	else if (l)
		l->fn = NULL;
}

void lookup_forget_all(struct guard *g)
{
	while (!LIST_EMPTY(&g->lookups))
		lookup_free(LIST_FIRST(&g->lookups));
}

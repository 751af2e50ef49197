#include "guard/tripwire.h"

#include "base/log.h"
#include "guard/internal.h"
#include "guard/slot.h"

/* To attach it again soon after takes the kernel a grace period of some 15 ms, in which nobody
 * decides: it stays for a while. */
#define TRIPWIRE_REST (10ULL * 1000 * 1000)

static void take_down(void *data)
{
	struct guard *g = data;

	g->tripwire_rest = NULL;
	if (!g->open_execs)
		kernel_set_tripwire(g->kernel, false);
}

void tripwire_rest(struct guard *g)
{
	if (loop_add_timer(g->loop, TRIPWIRE_REST, take_down, g, &g->tripwire_rest))
		take_down(g);
}

void tripwire_set(struct guard *g)
{
	loop_remove(g->tripwire_rest);
	g->tripwire_rest = NULL;
	if (kernel_set_tripwire(g->kernel, true))
		log_warning("the tripwire cannot be attached: holds rest on ptrace alone");
}

#define FENCE_REST (1000ULL * 1000)

void fence_raise(struct guard *g)
{
	__atomic_store_n(&kernel_shared(g->kernel)->state.frozen, 1, __ATOMIC_SEQ_CST);
}

static bool is_frozen(const struct bs_slot *s)
{
	u32 state = BS_SLOT_STATE(__atomic_load_n(&s->word, __ATOMIC_SEQ_CST));

	return state >= BS_SLOT_SEIZED && state <= BS_SLOT_STOPPED && !slot_restarts(s->kind);
}

static bool any_is_frozen(const struct guard *g)
{
	for (u32 i = 0; i < BS_SLOTS; i++)
		if (is_frozen(&kernel_slots(g->kernel)[i]))
			return true;
	return false;
}

/* What the kernel stopped meanwhile is found behind it, or raises it again. */
static void lower(void *data)
{
	struct guard *g = data;

	g->fence_rest = NULL;
	if (!any_is_frozen(g)) {
		__atomic_store_n(&kernel_shared(g->kernel)->state.frozen, 0, __ATOMIC_SEQ_CST);
		if (!any_is_frozen(g))
			return;
		fence_raise(g);
	}
	fence_rest(g);
}

void fence_rest(struct guard *g)
{
	if (!kernel_shared(g->kernel)->state.frozen || g->fence_rest)
		return;
	if (loop_add_timer(g->loop, FENCE_REST, lower, g, &g->fence_rest))
		log_warning("the fence stays up: out of memory");
}

#include "guard/tripwire.h"

#include "base/log.h"
#include "guard/internal.h"

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

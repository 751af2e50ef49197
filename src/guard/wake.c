/* Those who stop with their child (su, sudo, script), once they have seen it stop. */
#include <signal.h>
#include <string.h>

#include "base/proc.h"
#include "guard/hold.h"

struct waker {
	LIST_ENTRY(waker) entry;
	struct guard *guard;
	u32 ancestors[BS_ANCESTORS];
	u64 wait; /* microseconds to the next look */
};
#define WAKER_FIRST 10000
#define WAKER_LAST  1000000

static void waker_free(struct waker *w)
{
	LIST_REMOVE(w, entry);
	free(w);
}

/* By us, or by the kernel, in whose name we have not looked at it yet. */
static bool is_frozen(const struct guard *g, u32 tgid)
{
	const struct bs_slot *slots = kernel_slots(g->kernel);

	for (u32 i = 0; i < BS_SLOTS; i++) {
		u32 state = BS_SLOT_STATE(__atomic_load_n(&slots[i].word, __ATOMIC_SEQ_CST));

		if (slots[i].tgid == tgid && state != BS_SLOT_FREE && state != BS_SLOT_ALLOWED &&
		    state != BS_SLOT_REFUSED)
			return true;
	}
	return false;
}

static void wake(void *data)
{
	struct waker *w = data;

	for (int i = 0; i < BS_ANCESTORS && w->ancestors[i] > 1; i++) {
		struct proc_stat s;

		if (!proc_read_stat(w->ancestors[i], &s) && s.state == 'T' &&
		    !is_frozen(w->guard, w->ancestors[i]))
			kill(w->ancestors[i], SIGCONT);
	}
	w->wait *= 2;
	if (w->wait > WAKER_LAST || loop_add_timer(w->guard->loop, w->wait, wake, w, NULL))
		waker_free(w);
}

void wake_ancestors(struct guard *g, const struct exec *x)
{
	struct waker *w = malloc(sizeof(*w));

	if (!w)
		return;
	*w = (struct waker) { .guard = g, .wait = WAKER_FIRST };
	memcpy(w->ancestors, x->ancestors, sizeof(w->ancestors));
	LIST_INSERT_HEAD(&g->wakers, w, entry);
	wake(w);
}

void wake_end(struct guard *g)
{
	while (!LIST_EMPTY(&g->wakers))
		waker_free(LIST_FIRST(&g->wakers));
}

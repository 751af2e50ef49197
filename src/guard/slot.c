#include "guard/slot.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/util.h"

bool slot_is_open(u32 word)
{
	u32 state = BS_SLOT_STATE(word);

	return state == BS_SLOT_CLAIMED || state == BS_SLOT_ASKED || state == BS_SLOT_STOPPING;
}

bool slot_restarts(enum bs_slot_kind kind)
{
	return kind == BS_SLOT_CONNECT || kind == BS_SLOT_DELETE || kind == BS_SLOT_SEND;
}

static bool change(struct bs_slot *s, u32 ticket, enum bs_slot_state from, enum bs_slot_state to)
{
	u32 word = BS_SLOT_WORD(ticket, from);

	return __atomic_compare_exchange_n(&s->word, &word, BS_SLOT_WORD(ticket, to), false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

enum bs_slot_state slot_state(const struct bs_slot *s, u32 ticket)
{
	u32 word = __atomic_load_n(&s->word, __ATOMIC_SEQ_CST);

	return word >> 3 == ticket ? BS_SLOT_STATE(word) : BS_SLOT_FREE;
}

bool slot_take(struct bs_slot *s, u32 ticket, enum bs_slot_state state)
{
	return change(s, ticket, BS_SLOT_ASKED, state);
}

void slot_keep(struct bs_slot *s, u32 ticket)
{
	change(s, ticket, BS_SLOT_STOPPED, BS_SLOT_SEIZED);
}

void slot_free(struct bs_slot *s, u32 ticket)
{
	static const enum bs_slot_state owned[] = { BS_SLOT_ASKED, BS_SLOT_SEIZED, BS_SLOT_STOPPING,
						    BS_SLOT_STOPPED };

	for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
		if (change(s, ticket, owned[i], BS_SLOT_FREE))
			return;
}

#define STOPPING_MAX_NS 1000000000ULL

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* A SIGCONT discards a SIGSTOP only once that is pending. STOPPING lasts some nanoseconds, or as
 * long as the host of a virtual machine keeps its CPU away. */
static bool has_stopped(const struct bs_slot *s, u32 ticket)
{
	u64 end = now_ns() + STOPPING_MAX_NS;
	struct proc_stat st;

	while (slot_state(s, ticket) == BS_SLOT_STOPPING && now_ns() < end)
		usleep(10);
	return !proc_read_stat(s->tid, &st) && st.state == 'T';
}

bool slot_unstop(const struct bs_slot *s, u32 ticket)
{
	bool seen = has_stopped(s, ticket);

	kill(s->tgid, SIGCONT);
	return seen;
}

/* In this order: a task that runs while its slot says that it is stopped is killed. */
bool slot_let_go(struct bs_slot *s, u32 ticket)
{
	bool seen = has_stopped(s, ticket);
	pid_t tgid = (pid_t)s->tgid;

	slot_free(s, ticket);
	kill(tgid, SIGCONT);
	return seen;
}

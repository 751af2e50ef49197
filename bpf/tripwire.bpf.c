/* Tripwire: a held task that enters a system call was woken by somebody else, and is killed.
 *
 * tp_btf/sys_enter	attached by the guard only while an exec is held; a connect that
 *			is woken restarts, and freezes again
 * tracepoint/raw_syscalls/sys_enter
 *			likewise, where the former was passed over
 */
#include "shared.h"
#include "held.h"

#define SIGNAL_GROUP_EXIT 4 /* it is dying */

static __always_inline int trip(void)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct bs_label *l = label_of(t);
	struct bs_slot *s;
	u32 at, state;

	if (!l || !l->slot || !is_acting())
		return 0;
	at = l->slot - 1;
	s = bpf_map_lookup_elem(&slots, &at);
	if (!s || !goes_on(s) || s->tid != (u32)t->pid ||
	    s->start != t->group_leader->start_boottime)
		return 0;
	state = BS_SLOT_STATE(s->word);
	if ((state != BS_SLOT_SEIZED && state != BS_SLOT_STOPPED) ||
	    t->signal->flags & SIGNAL_GROUP_EXIT)
		return 0;
	COUNT(tripped);
	bpf_send_signal(SIGKILL);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(tripwire_enter)
{
	return trip();
}

LATE("raw_syscalls/sys_enter")
int tripwire_late(void *ctx)
{
	return trip();
}

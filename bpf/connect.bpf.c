/* connect: where is a tracked process about to connect, or to send a datagram?
 *
 * cgroup/connect4, connect6	TCP, and all that connects (MSG_FASTOPEN, MPTCP and UDP too)
 * cgroup/sendmsg4, sendmsg6	datagrams of unconnected sockets
 * tp_btf/bpf_trace_printk	a bridge: cgroup programs of kernels before 6.13 can neither send a
 *				signal nor see the system call. They call bpf_trace_printk(), whose
 *				tracepoint runs this program then and there, in the same task.
 *
 * A candidate's system call returns -ERESTARTNOINTR, restarts, comes here again, and so on, until
 *the guard has answered or the keeper has trapped its thread: then it goes on, fails with EPERM, or
 *waits in the trap. Other threads are not disturbed, and the guard may run on the same CPU
 *meanwhile. For a restart the thread must believe that a signal is pending: it is sent SIGSTOP, and
 *SIGCONT, which takes the SIGSTOP back. Only where no answer comes for long is it really stopped.
 */
#include "shared.h"
#include "hold.h"

#define ERESTARTNOINTR 513
#define AF_INET	       2
#define PF_IO_WORKER   0x10
#define TS_COMPAT      0x2 /* x86: a 32-bit system call */

struct net_key {
	u32 bits;
	u8 addr[16];
};

/* Which ports of an address are candidates: an index in `connect_ports`. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct net_key);
	__type(value, u32);
} connect_nets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u8[BS_PORT_BYTES]);
} connect_ports SEC(".maps");

/* Destinations that a process has sent datagrams to: only the first is an event. */
struct sent_key {
	struct bs_dest dest;
	u32 tgid;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sent_key);
	__type(value, u64); /* start of the process */
} connect_sent SEC(".maps");

/* How long a thread goes round before it is stopped: the guard answers in some 100 us. */
#define ROUNDS_NS (100 * 1000 * 1000)

/* ---- the bridge */

enum { BRIDGE_LOOK = 1, BRIDGE_STOP, BRIDGE_CONT };

/* connect, sendto, sendmsg by their numbers: those restart as they began. sendmmsg does not. */
static __always_inline bool is_restartable(struct task_struct *t)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(t);
	u64 nr = regs->orig_ax;

	if (t->flags & PF_IO_WORKER)
		return false;
	if (t->thread_info.status & TS_COMPAT)
		return nr == 362 || nr == 369 || nr == 370 || nr == 102;
	nr &= ~0x40000000ULL; /* x32 */
	return nr == 42 || nr == 44 || nr == 46 || nr == 518;
}

/* It would see our SIGCONT. */
static __always_inline bool handles_cont(struct task_struct *t)
{
	return (unsigned long)t->sighand->action[SIGCONT - 1].sa.sa_handler > 1;
}

static __always_inline void look(struct task_struct *t, struct bs_waiting *w)
{
	if (t->ptrace)
		w->flags |= BS_CONNECT_TRACED;
	if (!is_restartable(t))
		w->flags |= BS_CONNECT_FIXED;
	if (handles_cont(t))
		w->until = 0;
}

SEC("tp_btf/bpf_trace_printk")
int BPF_PROG(connect_bridge)
{
	struct task_struct *t = bpf_get_current_task_btf();
	u32 tid = t->pid, what;
	struct bs_waiting *w = bpf_map_lookup_elem(&waiting, &tid);

	if (!w)
		return 0;
	what = w->bridge;
	w->bridge = 0;
	if (what == BRIDGE_LOOK)
		look(t, w);
	else if (what && bpf_send_signal_thread(what == BRIDGE_STOP ? SIGSTOP : SIGCONT))
		w->flags |= BS_CONNECT_REFUSED;
	return 0;
}

/* Runs the bridge; what it found is in `w`. False where it failed. */
static __always_inline bool cross(struct bs_waiting *w, u32 what)
{
	static const char word[] = "backstop";

	w->bridge = what;
	bpf_trace_printk(word, sizeof(word));
	return !w->bridge && !(w->flags & BS_CONNECT_REFUSED);
}

/* ---- asking */

enum { REFUSE, PASS, WAIT /* restart, and come again */ };

static __always_inline bool same_dest(const struct bs_dest *a, const struct bs_dest *b)
{
	const u64 *x = (const void *)a, *y = (const void *)b;

	return x[0] == y[0] && x[1] == y[1] && ((const u32 *)a)[4] == ((const u32 *)b)[4];
}

/* What cannot be made to wait does not go on. */
static __always_inline int give_up(const struct place *p)
{
	COUNT(losses[BS_LOSS_STOP]);
	set_slot(p, BS_SLOT_FREE);
	return REFUSE;
}

/* Two crossings, as one can send but one signal where it runs with interrupts off. */
static __always_inline int go_round(const struct place *p, struct bs_waiting *w)
{
	if (!cross(w, BRIDGE_STOP))
		return give_up(p);
	return cross(w, BRIDGE_CONT) ? WAIT : give_up(p);
}

/* The slot is in state STOPPING, or STOPPED while the thread was woken by somebody else. */
static __always_inline int stop_connect(const struct place *p, struct bs_waiting *w)
{
	if (!cross(w, BRIDGE_STOP))
		return give_up(p);
	COUNT(stopped);
	set_slot(p, BS_SLOT_STOPPED);
	return WAIT;
}

/* It comes to wait, or comes again: what has become of its slot? */
static __always_inline int wait_on(const struct place *p, struct bs_waiting *w)
{
	u32 word = *(volatile u32 *)&p->slot->word;
	u32 stopping = BS_SLOT_WORD(p->ticket, BS_SLOT_STOPPING);
	u32 state = BS_SLOT_STATE(word);

	if (state == BS_SLOT_ALLOWED || state == BS_SLOT_REFUSED) {
		COUNT(shaken);
		set_slot(p, BS_SLOT_FREE);
		return state == BS_SLOT_ALLOWED ? PASS : REFUSE;
	}
	if (state == BS_SLOT_STOPPED || state == BS_SLOT_STOPPING)
		return stop_connect(p, w);
	if (!shared.state.down && bpf_ktime_get_ns() < w->until)
		return go_round(p, w);
	if (__sync_val_compare_and_swap(&p->slot->word, word, stopping) != word)
		return go_round(p, w); /* answered this moment */
	return stop_connect(p, w);
}

/* One that cannot restart waits in the kernel, and is refused without an answer. */
static __always_inline int ask_once(const struct place *p)
{
	enum bs_slot_state s = ask(p, BS_SLOT_FREE);

	set_slot(p, BS_SLOT_FREE);
	return s == BS_SLOT_ALLOWED ? PASS : REFUSE;
}

/* While no guard runs, as the owner wants it; WAIT: the candidate is frozen. */
static __always_inline int decide_down(struct bs_connect_event *e)
{
	u32 down = shared.state.down;

	if (down != BS_DOWN_ALLOW && down != BS_DOWN_KILL)
		return WAIT;
	e->flags |= BS_CONNECT_DOWN;
	if (down == BS_DOWN_ALLOW)
		return PASS;
	e->flags |= BS_CONNECT_REFUSED;
	return REFUSE;
}

static __always_inline int freeze(struct bs_connect_event *e, struct bs_waiting *w)
{
	int verdict = decide_down(e);
	struct place p = {};

	if (verdict == WAIT) {
		p = claim_slot(BS_SLOT_CONNECT, &e->head, e->start);
		e->slot = w->slot = p.at;
		e->ticket = w->ticket = p.ticket;
		if (!p.slot) {
			e->flags |= BS_CONNECT_REFUSED;
			verdict = REFUSE;
		}
	}
	send_decision(&e->head, sizeof(*e));
	if (!p.slot)
		return verdict;
	if (e->flags & (BS_CONNECT_FIXED | BS_CONNECT_TRACED))
		return ask_once(&p);
	return wait_on(&p, w);
}

static __always_inline int end(int verdict, u32 tid)
{
	if (verdict == WAIT)
		bpf_set_retval(-ERESTARTNOINTR);
	else
		bpf_map_delete_elem(&waiting, &tid);
	return verdict == PASS;
}

static __always_inline int candidate(struct bs_connect_event *e)
{
	struct bs_waiting init = { .dest = e->dest }, *w;
	u32 tid = e->head.tid;

	COUNT(candidates);
	number_event(&e->head);
	e->flags = BS_CONNECT_CANDIDATE;
	init.until = bpf_ktime_get_ns() + ROUNDS_NS;
	w = bpf_map_update_elem(&waiting, &tid, &init, BPF_ANY)
		    ? NULL
		    : bpf_map_lookup_elem(&waiting, &tid);
	if (!w) {
		COUNT(losses[BS_LOSS_SLOT]);
		e->flags |= BS_CONNECT_REFUSED;
		send_decision(&e->head, sizeof(*e));
		return REFUSE;
	}
	if (!cross(w, BRIDGE_LOOK))
		w->flags |= BS_CONNECT_FIXED;
	e->flags |= w->flags & (BS_CONNECT_FIXED | BS_CONNECT_TRACED);
	w->flags = e->flags;
	return end(freeze(e, w), tid);
}

/* This very connect, which asks or waits already; NULL: it is a new one. */
static __always_inline struct bs_waiting *find_waiting(const struct bs_dest *d, u32 tid)
{
	struct bs_waiting *w = bpf_map_lookup_elem(&waiting, &tid);

	return w && same_dest(&w->dest, d) ? w : NULL;
}

/* It comes again: PASS or REFUSE, which ends it, or WAIT; -1: it must ask anew. */
static __always_inline int come_again(struct bs_waiting *w)
{
	u32 at = w->slot;
	struct place p = { .ticket = w->ticket, .at = at };

	if (w->answer)
		return w->answer == BS_ANSWER_PASS ? PASS : REFUSE;
	p.slot = bpf_map_lookup_elem(&slots, &at);
	if (!p.slot || p.slot->word >> 3 != w->ticket ||
	    BS_SLOT_STATE(p.slot->word) == BS_SLOT_FREE)
		return -1;
	return wait_on(&p, w);
}

static __always_inline bool is_candidate(const struct bs_dest *d)
{
	struct net_key key = { .bits = 128 };
	const u8 *ports;
	u32 *set;

	__builtin_memcpy(key.addr, d->addr, sizeof(key.addr));
	set = bpf_map_lookup_elem(&connect_nets, &key);
	ports = set ? bpf_map_lookup_elem(&connect_ports, set) : NULL;
	return ports && ports[d->port >> 3 & (BS_PORT_BYTES - 1)] >> (d->port & 7) & 1;
}

/* Has this process sent a datagram there before? */
static __always_inline bool was_sent(const struct bs_connect_event *e)
{
	struct sent_key key = { .dest = e->dest, .tgid = e->head.tgid };
	u64 *start = bpf_map_lookup_elem(&connect_sent, &key);

	if (start && *start == e->start)
		return true;
	bpf_map_update_elem(&connect_sent, &key, &e->start, BPF_ANY);
	return false;
}

/* Global: the verifier walks it once for all hooks. */
__noinline int connect_event(struct bs_dest *d, u64 session)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct bs_connect_event e = {};
	struct bs_waiting *w;
	struct bs_session *s;
	int verdict;

	if (!d)
		return PASS;
	event_head(&e.head, BS_EVENT_CONNECT, sizeof(e), session);
	e.start = BPF_CORE_READ(t, group_leader, start_boottime);
	e.parent = BPF_CORE_READ(t, real_parent, tgid);
	e.dest = *d;
	e.slot = BS_NO_SLOT;
	e.uid = bpf_get_current_uid_gid();
	w = find_waiting(&e.dest, e.head.tid);
	verdict = w ? come_again(w) : -1;
	if (verdict >= 0)
		return end(verdict, e.head.tid);
	s = bpf_map_lookup_elem(&sessions, &e.head.session);
	if (s)
		__sync_fetch_and_add(&s->connects, 1);
	COUNT(connects);
	if (is_candidate(&e.dest))
		return candidate(&e);
	if (!d->datagram || !was_sent(&e))
		emit(&e.head, sizeof(e));
	return PASS;
}

/* ---- the hooks */

/* Of the current process; 0: none. */
static __always_inline u64 tracked_by(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct bs_process *p = bpf_map_lookup_elem(&processes, &tgid);

	return p && is_acting() ? p->session : 0;
}

/* 0.0.0.0 and :: reach the host itself. */
static __always_inline int to_ip4(u32 ip, struct bpf_sock_addr *ctx, bool datagram, u64 session)
{
	struct bs_dest d = { .addr = { [10] = 0xff, [11] = 0xff } };

	if (!ip)
		ip = bpf_htonl(0x7f000001);
	__builtin_memcpy(d.addr + 12, &ip, sizeof(ip));
	d.port = bpf_ntohs(ctx->user_port);
	d.protocol = ctx->protocol;
	d.datagram = datagram;
	return connect_event(&d, session) ? PASS : REFUSE;
}

static __always_inline int to_ip6(struct bpf_sock_addr *ctx, bool datagram, u64 session)
{
	u32 ip[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };
	struct bs_dest d = {};

	if (!ip[0] && !ip[1] && ip[2] == bpf_htonl(0xffff))
		return to_ip4(ip[3], ctx, datagram, session);
	if (!ip[0] && !ip[1] && !ip[2] && !ip[3])
		ip[3] = bpf_htonl(1);
	__builtin_memcpy(d.addr, ip, sizeof(ip));
	d.port = bpf_ntohs(ctx->user_port);
	d.protocol = ctx->protocol;
	d.datagram = datagram;
	return connect_event(&d, session) ? PASS : REFUSE;
}

SEC("cgroup/connect4")
int connect_ip4(struct bpf_sock_addr *ctx)
{
	u64 session = tracked_by();

	return session ? to_ip4(ctx->user_ip4, ctx, false, session) : PASS;
}

SEC("cgroup/connect6")
int connect_ip6(struct bpf_sock_addr *ctx)
{
	u64 session = tracked_by();

	return session ? to_ip6(ctx, false, session) : PASS;
}

SEC("cgroup/sendmsg4")
int connect_send4(struct bpf_sock_addr *ctx)
{
	u64 session = tracked_by();

	return session ? to_ip4(ctx->user_ip4, ctx, true, session) : PASS;
}

SEC("cgroup/sendmsg6")
int connect_send6(struct bpf_sock_addr *ctx)
{
	u64 session = tracked_by();

	return session ? to_ip6(ctx, true, session) : PASS;
}

/* connect: where is a tracked process about to connect, or to send a datagram?
 *
 * cgroup/connect4, connect6	TCP, and all that connects (MSG_FASTOPEN, MPTCP and UDP too)
 * cgroup/sendmsg4, sendmsg6	datagrams of unconnected sockets
 * tp_btf/bpf_trace_printk	a bridge: cgroup programs of kernels before 6.13 can neither send a
 *				signal nor see the system call. They call bpf_trace_printk(), whose
 *				tracepoint runs this program then and there, in the same task.
 *
 * A candidate waits a moment for the guard's answer, and the system call goes on or fails with
 * EPERM. If the answer takes longer, the call returns -ERESTARTNOINTR to a task that has been
 *traced or stopped meanwhile: it restarts by itself when the task goes on, and takes the answer
 *that was left for it. */
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

/* ---- the bridge */

enum { BRIDGE_LOOK = 1, BRIDGE_STOP };

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
	if (what == BRIDGE_LOOK) {
		w->flags |= t->ptrace ? BS_CONNECT_TRACED : 0;
		w->flags |= is_restartable(t) ? 0 : BS_CONNECT_FIXED;
	} else if (what == BRIDGE_STOP && bpf_send_signal_thread(SIGSTOP)) {
		w->flags |= BS_CONNECT_REFUSED;
	}
	return 0;
}

/* Runs the bridge; what it found is in the flags of `w`. */
static __always_inline void cross(struct bs_waiting *w, u32 what)
{
	static const char word[] = "backstop";

	w->bridge = what;
	bpf_trace_printk(word, sizeof(word));
	if (w->bridge) /* nobody was there */
		w->flags |= BS_CONNECT_FIXED | BS_CONNECT_REFUSED;
}

/* ---- asking */

enum { REFUSE, PASS, WAIT /* restart, and look for an answer */ };

static __always_inline bool same_dest(const struct bs_dest *a, const struct bs_dest *b)
{
	const u64 *x = (const void *)a, *y = (const void *)b;

	return x[0] == y[0] && x[1] == y[1] && ((const u32 *)a)[4] == ((const u32 *)b)[4];
}

/* The guard is late: the task is stopped, and its system call will restart. */
static __always_inline int stop_connect(const struct place *p, struct bs_waiting *w)
{
	cross(w, BRIDGE_STOP);
	if (w->flags & BS_CONNECT_REFUSED) {
		COUNT(losses[BS_LOSS_STOP]);
		set_slot(p, BS_SLOT_FREE);
		return REFUSE;
	}
	COUNT(stopped);
	set_slot(p, BS_SLOT_STOPPED);
	return WAIT;
}

static __always_inline int ask_connect(const struct place *p, struct bs_waiting *w)
{
	bool fixed = w->flags & BS_CONNECT_FIXED;

	switch (ask(p, fixed ? BS_SLOT_FREE : BS_SLOT_STOPPING)) {
	case BS_SLOT_ALLOWED:
		set_slot(p, BS_SLOT_FREE);
		return PASS;
	case BS_SLOT_SEIZED:
		return WAIT;
	case BS_SLOT_ASKED:
		return fixed ? REFUSE : stop_connect(p, w);
	default:
		set_slot(p, BS_SLOT_FREE);
		return REFUSE;
	}
}

/* While no guard runs, as the owner wants it; -1: the candidate is frozen. */
static __always_inline int decide_down(struct bs_connect_event *e)
{
	u32 down = shared.state.down;

	if (down != BS_DOWN_ALLOW && down != BS_DOWN_KILL)
		return -1;
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

	if (verdict < 0) {
		p = claim_slot(BS_SLOT_CONNECT, &e->head, e->start);
		e->slot = p.at;
		e->ticket = p.ticket;
		if (!p.slot) {
			e->flags |= BS_CONNECT_REFUSED;
			verdict = REFUSE;
		}
	}
	send_decision(&e->head, sizeof(*e));
	return p.slot ? ask_connect(&p, w) : verdict;
}

static __always_inline int candidate(struct bs_connect_event *e)
{
	struct bs_waiting init = { .dest = e->dest }, *w;
	u32 tid = e->head.tid;
	int verdict;

	COUNT(candidates);
	number_event(&e->head);
	e->flags = BS_CONNECT_CANDIDATE;
	w = bpf_map_update_elem(&waiting, &tid, &init, BPF_ANY)
		    ? NULL
		    : bpf_map_lookup_elem(&waiting, &tid);
	if (!w) {
		COUNT(losses[BS_LOSS_SLOT]);
		e->flags |= BS_CONNECT_REFUSED;
		send_decision(&e->head, sizeof(*e));
		return REFUSE;
	}
	cross(w, BRIDGE_LOOK);
	e->flags |= w->flags;
	w->flags = e->flags;
	verdict = freeze(e, w);
	if (verdict == WAIT)
		bpf_set_retval(-ERESTARTNOINTR);
	else
		bpf_map_delete_elem(&waiting, &tid);
	return verdict == PASS;
}

/* The answer that was left for this very connect: PASS or REFUSE, -1 where there is none. */
static __always_inline int left_answer(const struct bs_dest *d, u32 tid)
{
	struct bs_waiting *w = bpf_map_lookup_elem(&waiting, &tid);
	u32 answer;

	if (!w || !w->answer || !same_dest(&w->dest, d))
		return -1;
	answer = w->answer;
	bpf_map_delete_elem(&waiting, &tid);
	return answer == BS_ANSWER_PASS ? PASS : REFUSE;
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
__noinline int connect_event(struct bs_dest *d)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct task_struct *t = bpf_get_current_task_btf();
	struct bs_connect_event e = {};
	struct bs_process *p;
	struct bs_session *s;
	int left;

	p = d ? bpf_map_lookup_elem(&processes, &tgid) : NULL;
	if (!p)
		return PASS;
	event_head(&e.head, BS_EVENT_CONNECT, sizeof(e), p->session);
	e.start = BPF_CORE_READ(t, group_leader, start_boottime);
	e.dest = *d;
	e.slot = BS_NO_SLOT;
	e.uid = bpf_get_current_uid_gid();
	left = left_answer(&e.dest, e.head.tid);
	if (left >= 0)
		return left;
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

static __always_inline bool is_tracked(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_lookup_elem(&processes, &tgid) && is_acting();
}

/* 0.0.0.0 and :: reach the host itself. */
static __always_inline int to_ip4(u32 ip, struct bpf_sock_addr *ctx, bool datagram)
{
	struct bs_dest d = { .addr = { [10] = 0xff, [11] = 0xff } };

	if (!ip)
		ip = bpf_htonl(0x7f000001);
	__builtin_memcpy(d.addr + 12, &ip, sizeof(ip));
	d.port = bpf_ntohs(ctx->user_port);
	d.protocol = ctx->protocol;
	d.datagram = datagram;
	return connect_event(&d) ? PASS : REFUSE;
}

static __always_inline int to_ip6(struct bpf_sock_addr *ctx, bool datagram)
{
	u32 ip[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };
	struct bs_dest d = {};

	if (!ip[0] && !ip[1] && ip[2] == bpf_htonl(0xffff))
		return to_ip4(ip[3], ctx, datagram);
	if (!ip[0] && !ip[1] && !ip[2] && !ip[3])
		ip[3] = bpf_htonl(1);
	__builtin_memcpy(d.addr, ip, sizeof(ip));
	d.port = bpf_ntohs(ctx->user_port);
	d.protocol = ctx->protocol;
	d.datagram = datagram;
	return connect_event(&d) ? PASS : REFUSE;
}

SEC("cgroup/connect4")
int connect_ip4(struct bpf_sock_addr *ctx)
{
	return is_tracked() ? to_ip4(ctx->user_ip4, ctx, false) : PASS;
}

SEC("cgroup/connect6")
int connect_ip6(struct bpf_sock_addr *ctx)
{
	return is_tracked() ? to_ip6(ctx, false) : PASS;
}

SEC("cgroup/sendmsg4")
int connect_send4(struct bpf_sock_addr *ctx)
{
	return is_tracked() ? to_ip4(ctx->user_ip4, ctx, true) : PASS;
}

SEC("cgroup/sendmsg6")
int connect_send6(struct bpf_sock_addr *ctx)
{
	return is_tracked() ? to_ip6(ctx, true) : PASS;
}

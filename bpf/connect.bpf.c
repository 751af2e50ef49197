/* connect: where is a tracked process about to connect, or to send a datagram?
 *
 * cgroup/connect4, connect6	TCP, and all that connects (MSG_FASTOPEN, MPTCP and UDP too)
 * cgroup/sendmsg4, sendmsg6	datagrams of unconnected sockets
 * tp_btf/bpf_trace_printk	a bridge: cgroup programs of kernels before 6.13 can neither send a
 *				signal nor see the system call. They call bpf_trace_printk(), whose
 *				tracepoint runs this program then and there, in the same task.
 *
 * A candidate's system call restarts until it is answered (restart.h).
 */
#include "shared.h"
#include "call.h"
#include "send.h"

#define NAMES_PORT 53

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

enum { BRIDGE_LOOK = 1, BRIDGE_STOP, BRIDGE_CONT };

/* Runs the bridge; what it found is in `w`. False where it failed. */
static __always_inline bool cross(struct bs_waiting *w, u32 what)
{
	static const char word[] = "backstop";

	w->bridge = what;
	bpf_trace_printk(word, sizeof(word));
	return !w->bridge && !(w->flags & BS_CONNECT_REFUSED);
}

static __always_inline bool send_stop(struct bs_waiting *w)
{
	return cross(w, BRIDGE_STOP);
}

/* Crosses once more, as one can send but one signal where it runs with interrupts off. */
static __always_inline bool send_cont(struct bs_waiting *w)
{
	return cross(w, BRIDGE_CONT);
}

#include "restart.h"

static __always_inline void look(struct task_struct *t, struct bs_waiting *w)
{
	if (t->ptrace)
		w->flags |= BS_CONNECT_TRACED;
	if (!is_connect_call(t))
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

/* ---- asking */

/* How many pages of code it has mapped: more where a library was loaded. */
static __always_inline u32 code_pages(void)
{
	return BPF_CORE_READ(bpf_get_current_task_btf(), mm, exec_vm);
}

static __always_inline struct bs_process *own_process(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_lookup_elem(&processes, &tgid);
}

/* What encrypts is loaded before the connection is made, most often: there the guard looks at what
 * the process has mapped. */
static __always_inline bool wants_look(const struct bs_dest *d)
{
	struct bs_process *p = send_tables && !d->datagram ? own_process() : NULL;

	return p && p->looked != code_pages();
}

static __always_inline void note_looked(const struct bs_waiting *w)
{
	struct bs_process *p = w->flags & BS_CONNECT_LOOK ? own_process() : NULL;

	if (p)
		p->looked = code_pages();
}

static __always_inline int end(int verdict, u32 tid, const struct bs_waiting *w)
{
	if (verdict == WAIT)
		bpf_set_retval(-ERESTARTNOINTR);
	if (verdict == PASS)
		note_looked(w);
	forget_waiting(verdict, tid);
	return verdict == PASS;
}

/* There is no room for it. What is only to be looked at goes. */
static __always_inline int turn_away(struct bs_connect_event *e, u32 looks)
{
	e->flags = send_observes ? looks : e->flags | BS_CONNECT_REFUSED;
	send_decision(&e->head, sizeof(*e));
	return send_observes ? PASS : REFUSE;
}

/* It asks still, while the guard takes long: where it is only to be looked at it is not stopped for
 * that. It is told anew, by its number. */
static __always_inline bool is_let_go(const struct bs_waiting *w, struct bs_event *e)
{
	u32 at = w->slot, asked = BS_SLOT_WORD(w->ticket, BS_SLOT_ASKED);
	struct bs_slot *s;

	if (!send_observes || bpf_ktime_get_ns() < w->until)
		return false;
	s = bpf_map_lookup_elem(&slots, &at);
	if (!s || __sync_val_compare_and_swap(&s->word, asked, asked & ~7U) != asked)
		return false;
	e->number = s->number;
	return true;
}

/* `same` as in find_waiting(): there is no room for two of them. */
static __always_inline int candidate(struct bs_connect_event *e, struct bs_waiting *same, u32 flags)
{
	struct bs_waiting *w;
	u32 tid = e->head.tid;
	struct place p;
	int verdict;

	COUNT(candidates);
	number_event(&e->head);
	same->flags = e->flags = BS_CONNECT_CANDIDATE | flags;
	same->until = bpf_ktime_get_ns() + ROUNDS_NS;
	w = note_waiting(tid, same);
	if (!w)
		return turn_away(e, flags);
	if (!cross(w, BRIDGE_LOOK))
		w->flags |= BS_CONNECT_FIXED;
	verdict = freeze_call(w, &e->head, e->start, &p);
	if (!p.slot && send_observes)
		return end(turn_away(e, flags), tid, w);
	e->flags = w->flags;
	e->slot = p.at;
	e->ticket = p.ticket;
	send_decision(&e->head, sizeof(*e));
	if (p.slot)
		verdict = wait_call(&p, w);
	return end(send_observes && verdict == REFUSE ? PASS : verdict, tid, w);
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
__noinline int connect_event(struct bs_dest *d, u64 session, u64 cookie)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct bs_connect_event e = {};
	struct bs_waiting same = { .key = {}, .kind = BS_SLOT_CONNECT }, *w;
	struct bs_session *s;
	u32 looks;
	int verdict;

	if (!d)
		return PASS;
	event_head(&e.head, BS_EVENT_CONNECT, sizeof(e), session);
	e.start = BPF_CORE_READ(t, group_leader, start_boottime);
	e.parent = BPF_CORE_READ(t, real_parent, tgid);
	e.dest = *d;
	e.slot = BS_NO_SLOT;
	e.uid = bpf_get_current_uid_gid();
	same.dest = *d;
	w = find_waiting(e.head.tid, &same);
	if (w && is_let_go(w, &e.head))
		return end(turn_away(&e, w->flags & BS_CONNECT_LOOK), e.head.tid, w);
	verdict = w ? come_again(w) : -1;
	if (verdict >= 0)
		return end(verdict, e.head.tid, w);
	s = bpf_map_lookup_elem(&sessions, &e.head.session);
	if (s)
		__sync_fetch_and_add(&s->connects, 1);
	COUNT(connects);
	if (d->port == NAMES_PORT)
		names_ask(cookie, e.head.session);
	looks = wants_look(d) && !(send_observes && shared.state.down) ? BS_CONNECT_LOOK : 0;
	if (is_candidate(&e.dest) || looks)
		return candidate(&e, &same, looks);
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

/* False where a connection could not be told from those of others as it sends. */
static __always_inline bool track(struct bpf_sock_addr *ctx, u64 session)
{
	struct bpf_sock *sk = ctx->sk;
	struct stream *s;

	if (!send_unhooked || ctx->protocol != IPPROTO_TCP)
		return true;
	s = sk ? bpf_sk_storage_get(&socket_streams, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE) : NULL;
	if (s)
		send_track(s, session);
	return s;
}

static __always_inline int ask_connect(struct bs_dest *d, struct bpf_sock_addr *ctx, u64 session)
{
	return track(ctx, session) && connect_event(d, session, bpf_get_socket_cookie(ctx))
		       ? PASS
		       : REFUSE;
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
	return ask_connect(&d, ctx, session);
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
	return ask_connect(&d, ctx, session);
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

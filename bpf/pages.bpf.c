/* pages: what is sent from pages, as by sendfile() and splice(): no hook can look at it before it
 * goes, so from then on the packets of its connection are looked at (egress.bpf.c).
 *
 * the security hooks	file_permission and socket_sendmsg of security.bpf.c: the first of all such
 *			sends asks the guard, which attaches what looks at packets
 * fentry/inet_sendpage	kernels up to 6.4, where pages are sent without a security hook
 *
 * What is written from memory that is not there, as of a file that was mapped and not touched, no
 * hook can read either: the guard reads it in the process, which brings it there, and then the hook
 * looks anew. Nothing but that hangs on the guard's answer.
 */
#include "shared.h"
#include "send.h"
#include "ask.h"

const volatile bool send_sendpage = false;

#define ASKS_FOR_PACKETS ~0ULL /* no stream's number */

/* What asks for this, or waits with it; NULL: nothing does. */
static __always_inline struct bs_waiting *find_aside(struct send_work *w, u64 what, u64 of)
{
	u32 tid = w->event.head.tid;
	struct bs_waiting *b = bpf_map_lookup_elem(&waiting, &tid);

	return b && b->kind == BS_SLOT_SEND && b->send.stream == what && b->send.position == of
		       ? b
		       : NULL;
}

/* PASS, REFUSE or WAIT. */
static __always_inline int ask_aside(struct send_work *w, u64 what, u64 of, u32 flags)
{
	w->event.send = (struct bs_send) { .stream = what, .position = of };
	w->event.flags = flags;
	w->event.buffer = w->event.end = 0;
	__builtin_memset(&w->same, 0, sizeof(w->same));
	w->same.send = w->event.send;
	w->same.kind = BS_SLOT_SEND;
	return ask_for(w);
}

/* Once, until the guard looks at packets. PASS, REFUSE or WAIT. */
static __always_inline int ask_for_packets(struct send_work *w)
{
	struct bs_waiting *b = find_aside(w, ASKS_FOR_PACKETS, 0);
	int verdict = b ? come_again(b) : -1;

	if (verdict < 0) {
		__builtin_memset(&w->event.dest, 0, sizeof(w->event.dest));
		__builtin_memset(w->event.tail, 0, sizeof(w->event.tail));
		w->event.path[0] = '\0';
		w->fill = 0;
		verdict = ask_aside(w, ASKS_FOR_PACKETS, 0, BS_SEND_PAGES);
	}
	forget_waiting(verdict, w->event.head.tid);
	return send_observes && verdict == REFUSE ? PASS : verdict;
}

/* It is there, already: -1. Where more than was told may be away, the call comes again. */
static __always_inline int look_anew(struct send_work *w)
{
	if (w->event.flags & BS_SEND_DOWN)
		return PASS;
	if (w->event.flags & (BS_SEND_FIXED | BS_SEND_TRACED))
		return w->messages_left ? REFUSE : -1;
	return send_stop(NULL) && send_cont(NULL) ? WAIT : REFUSE;
}

/* Asks for what data[] lists, or comes again with that. PASS: no guard runs, and it goes; -1: it is
 * to be looked at anew. */
__noinline int pages_fetch(struct send_work *given)
{
	struct send_work *w = own_work(given);
	struct bs_waiting *b;
	int verdict;

	if (!w)
		return REFUSE;
	b = find_aside(w, SEND_FETCHES, w->base);
	if (b) {
		verdict = come_again(b);
		verdict = verdict == PASS ? -1 : verdict;
	} else {
		verdict = ask_aside(w, SEND_FETCHES, w->base, BS_SEND_AWAY);
		verdict = verdict == PASS ? look_anew(w) : verdict;
	}
	forget_waiting(verdict, w->event.head.tid);
	return verdict;
}

__noinline int pages_ask(struct send_work *given)
{
	struct send_work *w = own_work(given);

	if (!w)
		return REFUSE;
	if (shared.state.packets || (send_observes && shared.state.down))
		return PASS;
	return ask_for_packets(w);
}

/* PASS: its packets are looked at; REFUSE, WAIT: nobody does yet; -1: it is to be judged here. */
__noinline int pages_judge(struct send_work *given)
{
	struct send_work *w = own_work(given);
	int verdict;

	if (!w)
		return REFUSE;
	if (shared.state.packets && send_is_by_packets(w->key.object))
		return PASS;
	if (!w->paged)
		return -1;
	verdict = pages_ask(w);
	if (verdict != PASS)
		return verdict;
	if (!shared.state.packets)
		return -1;
	send_hand_over(w);
	return PASS;
}

/* Of each page. */
SEC("fentry/inet_sendpage")
int BPF_PROG(pages_sendpage, struct socket *sock)
{
	struct bs_label *l = label_of(bpf_get_current_task_btf());
	struct sock *sk = sock->sk;
	struct send_work *w;
	u64 cookie;

	if (!l || !is_acting() || !sk || !BPF_CORE_READ(sock, file) || !shared.state.packets)
		return 0;
	cookie = bpf_get_socket_cookie(sk);
	if (send_is_by_packets(cookie))
		return 0;
	w = send_claim();
	if (!w) {
		COUNT(losses[BS_LOSS_SLOT]);
		return 0;
	}
	w->key.object = cookie;
	w->key.owner = 0;
	w->size = w->parts = w->messages_left = 0;
	send_head(w, l->session, BS_SEND_SOCKET);
	send_sequence(w, sk, BPF_CORE_READ(sk, __sk_common.skc_family));
	if (is_for_packets(w, sk))
		send_hand_over(w);
	send_release(w);
	return 0;
}

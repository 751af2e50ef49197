/* pages: what is sent from pages, as by sendfile() and splice(): no hook can look at it before it
 * goes, so from then on the packets of its connection are looked at (egress.bpf.c).
 *
 * the security hooks	file_permission and socket_sendmsg of security.bpf.c: the first of all such
 *			sends asks the guard, which attaches what looks at packets
 * fentry/inet_sendpage	kernels up to 6.4, where pages are sent without a security hook
 */
#include "shared.h"
#include "send.h"
#include "ask.h"

const volatile bool send_sendpage = false;

#define ASKS_FOR_PACKETS ~0ULL /* no stream's number */

/* Once, until the guard looks at packets. PASS, REFUSE or WAIT. */
static __always_inline int ask_for_packets(struct send_work *w)
{
	u32 tid = w->event.head.tid;
	struct bs_waiting *b;
	int verdict;

	__builtin_memset(&w->event.dest, 0, sizeof(w->event.dest));
	__builtin_memset(w->event.tail, 0, sizeof(w->event.tail));
	__builtin_memset(&w->same, 0, sizeof(w->same));
	w->event.path[0] = '\0';
	w->event.send = (struct bs_send) { .stream = ASKS_FOR_PACKETS };
	w->event.flags = BS_SEND_PAGES;
	w->event.buffer = w->event.end = w->fill = 0;
	w->same.send = w->event.send;
	w->same.kind = BS_SLOT_SEND;
	b = bpf_map_lookup_elem(&waiting, &tid);
	verdict = b && b->kind == BS_SLOT_SEND && b->send.stream == ASKS_FOR_PACKETS ? come_again(b)
										     : -1;
	if (verdict < 0)
		verdict = ask_for(w);
	forget_waiting(verdict, tid);
	return send_observes && verdict == REFUSE ? PASS : verdict;
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

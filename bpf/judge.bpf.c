/* judge: what a security hook asks about what is about to leave.
 *
 * the security hook	socket_sendmsg of security.bpf.c, by way of send.h: a candidate's system
 *			call restarts until it is answered
 */
#include "shared.h"
#include "send.h"
#include "ask.h"

/* A datagram is another to another destination, which may be changed while its call waits. */
static __always_inline u64 hash_dest(const struct bs_dest *d, u64 hash)
{
	const u16 *p = (const u16 *)d;

#pragma GCC unroll 10
	for (u32 i = 0; i < sizeof(*d) / sizeof(*p); i++)
		hash = (hash ^ p[i]) * 0x9e3779b97f4a7c15ULL;
	return hash;
}

static __always_inline void name_write(struct send_work *w)
{
	w->event.send.hash = w->hash[0] ^ w->hash[1];
	if (!w->counted)
		w->event.send.hash = hash_dest(&w->event.dest, w->event.send.hash);
	__builtin_memset(&w->same, 0, sizeof(w->same));
	w->same.send = w->event.send;
	w->same.kind = BS_SLOT_SEND;
}

static __always_inline int end(struct send_work *w, int verdict, u32 say)
{
	forget_waiting(verdict, (u32)w->event.head.tid);
	if (verdict == PASS) {
		send_answered(w, say);
		w->stream.passed = w->event.send.hash;
		send_advance(w);
	}
	return verdict;
}

/* The answer to this very write, if it asks or waits already; else -1. Of a datagram to a name the
 * destination is asked about behind us, and the call comes again for that: what was let go here is
 * not asked about anew, which would leave the other question without its answer. */
static __always_inline int ask_again(struct send_work *w)
{
	u32 tid = w->event.head.tid;
	struct bs_waiting *b = bpf_map_lookup_elem(&waiting, &tid);
	int verdict;

	if (!b || (b->kind != BS_SLOT_SEND && b->kind != BS_SLOT_CONNECT))
		return -1;
	if (b->kind == BS_SLOT_SEND && b->send.stream == SEND_FETCHES &&
	    b->send.position == w->base)
		return pages_fetch(w);
	send_find(w);
	w->event.send.stream = w->stream.id;
	w->event.send.position = w->stream.position;
	if (b->kind == BS_SLOT_SEND
		    ? b->send.stream != w->stream.id || b->send.position != w->stream.position
		    : w->counted || !w->stream.passed)
		return -1;
	send_hash(w);
	name_write(w);
	if (w->lost)
		return -1; /* nobody has seen what is lost */
	if (b->kind == BS_SLOT_CONNECT)
		return w->stream.passed == w->event.send.hash ? PASS : -1;
	if (b->send.hash != w->event.send.hash)
		return -1;
	verdict = come_again(b);
	return verdict < 0 ? verdict : end(w, verdict, b->flags >> BS_SAY_SHIFT);
}

static __always_inline int ask_new(struct send_work *w)
{
	int verdict;

	send_hash(w);
	name_write(w);
	send_more(w);
	send_again(w);
	verdict = ask_for(w);
	return end(w, verdict, w->said);
}

/* What was not in memory, and the parts behind it. PASS or REFUSE, WAIT, or -1: it is there. */
static __always_inline int fetch(struct send_work *w)
{
	send_parts(w);
	w->away = 0;
	return pages_fetch(w);
}

/* Of TCP only the guard needs to know it. */
static __always_inline void describe(struct send_work *w)
{
	struct sock *sk = (struct sock *)w->sock;
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	__builtin_memset(&w->event.dest, 0, sizeof(w->event.dest));
	w->event.path[0] = '\0';
	if (family == AF_UNIX)
		send_path(w->event.path, sk);
	else
		send_dest(&w->event.dest, sk, family, (const struct msghdr *)w->msg);
}

__noinline int send_judge(struct send_work *given)
{
	struct send_work *w = own_work(given);
	int verdict, candidate;

	if (!w)
		return REFUSE;
	if (!w->counted)
		describe(w);
	verdict = ask_again(w);
	if (verdict >= 0)
		return verdict;
	candidate = send_begin(w);
	if (w->counted && (candidate || w->away))
		describe(w);
	if (w->away && !send_observes) {
		verdict = fetch(w);
		if (verdict >= 0)
			return verdict;
		candidate = send_begin(w);
		if (w->away)
			return REFUSE;
	}
	if (candidate) {
		if (!send_observes)
			return ask_new(w);
		send_observe(w);
	}
	send_advance(w);
	return PASS;
}

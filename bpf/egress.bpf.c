/* egress: what leaves in the clear, where no security hook asks before it is sent.
 *
 * cgroup_skb/egress	packets of TCP connections that tracked processes made: the kernel's own
 *copy of the bytes, which no other thread changes any more
 *
 * A packet with a candidate is dropped, and so is all that follows it on its connection, until the
 * guard lets it go: TCP sends it again by itself, the same bytes. What was denied never leaves; its
 * process is ended by the guard. The thread that was to send it goes on meanwhile.
 */
#include "shared.h"
#include "hold.h"
#include "send.h"

#define ETH_P_IP   0x0800
#define ETH_P_IPV6 0x86dd
#define GO	   1
#define DROP	   0

/* How far a connection was let go, by its cookie: the guard's. Full: the oldest is forgotten, and
 * waits for ever. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u32);
} egress_grants SEC(".maps");

struct segment {
	u32 seq, at,
		len; /* of its first byte, where that is in the packet, and how many there are */
};

#define IP_BYTES  20
#define TCP_BYTES 20

/* Behind an IP header of `at` bytes. 1; 0: it has no bytes. */
static __always_inline int find_behind(const struct __sk_buff *skb, const u8 *tcp, u32 at,
				       struct segment *ret)
{
	ret->seq = bpf_ntohl(*(const u32 *)(tcp + 4));
	ret->at = at + (tcp[12] >> 4) * 4U;
	ret->len = skb->len > ret->at ? skb->len - ret->at : 0;
	return ret->len != 0;
}

/* Likewise; -1: nobody knows. */
static __always_inline int load_bytes(struct __sk_buff *skb, struct segment *ret)
{
	bool v4 = skb->protocol == bpf_htons(ETH_P_IP);
	u8 ip[IP_BYTES] = {}, tcp[TCP_BYTES] __attribute__((aligned(4))) = {};
	u32 at;

	if (bpf_skb_load_bytes(skb, 0, ip, sizeof(ip)))
		return -1;
	at = v4 ? (ip[0] & 15) * 4U : 40;
	if ((v4 ? ip[9] : ip[6]) != IPPROTO_TCP || bpf_skb_load_bytes(skb, at, tcp, sizeof(tcp)))
		return -1;
	return find_behind(skb, tcp, at, ret);
}

/* Most packets have both headers as they are here, where no call has to copy them. */
static __always_inline int find_bytes(struct __sk_buff *skb, struct segment *ret)
{
	const u8 *ip = (const u8 *)(long)skb->data, *end = (const u8 *)(long)skb->data_end;

	if (ip + IP_BYTES + TCP_BYTES <= end && ip[0] == 0x45 && ip[9] == IPPROTO_TCP)
		return find_behind(skb, ip + IP_BYTES, IP_BYTES, ret);
	return load_bytes(skb, ret);
}

static __always_inline void read_dest(struct __sk_buff *skb, struct bs_dest *d)
{
	__builtin_memset(d, 0, sizeof(*d));
	d->protocol = IPPROTO_TCP;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		d->addr[10] = d->addr[11] = 0xff;
		bpf_skb_load_bytes(skb, 16, d->addr + 12, 4);
	} else {
		bpf_skb_load_bytes(skb, 24, d->addr, 16);
	}
	d->port = bpf_ntohl(skb->remote_port);
}

struct egress_ctx {
	struct __sk_buff *skb;
	struct send_work *w;
	u32 at, left;
	bool tells; /* instead of looking */
};

/* What follows has these bytes before it. */
static __always_inline void look(struct send_work *w)
{
	send_look(w);
	if (w->more)
		send_copy(w->event.tail, w->stream.tail, SEND_TAIL);
}

static long egress_step(u32 i, void *data)
{
	struct egress_ctx *c = data;
	struct send_work *w = c->w;
	u32 n = c->left < BS_SEND_DATA ? c->left : BS_SEND_DATA;

	if (!send_load(c->skb, c->at, w->data, n, BS_SEND_DATA)) {
		w->lost = 1;
		return 1;
	}
	c->at += n;
	c->left -= n;
	w->fill = n;
	w->more = c->left > 0;
	if (c->tells)
		send_told(w);
	else
		look(w);
	return !c->left;
}

/* Through all of the packet. 1: a candidate. */
static __always_inline bool look_through(struct __sk_buff *skb, struct send_work *w,
					 const struct segment *g)
{
	struct egress_ctx c = { .skb = skb, .w = w, .at = g->at, .left = g->len };
	bool found;

	w->lost = 0;
	w->size = g->len;
	send_copy(w->first, w->event.tail, SEND_TAIL);
	send_begin_look(w);
	bpf_loop(SEND_CHUNKS, egress_step, &c, 0);
	send_copy(w->event.tail, w->first, SEND_TAIL);
	found = send_end_look(w);
	return found || w->lost;
}

/* What its event has no room for goes before it; then data[] has the first bytes. */
static __always_inline void tell_more(struct __sk_buff *skb, struct send_work *w,
				      const struct segment *g)
{
	struct egress_ctx c = { .skb = skb,
				.w = w,
				.at = g->at + BS_SEND_DATA,
				.left = g->len - BS_SEND_DATA,
				.tells = true };

	if (g->len <= BS_SEND_DATA)
		return;
	w->event.flags |= BS_SEND_MORE;
	bpf_loop(SEND_CHUNKS, egress_step, &c, 0);
	w->event.flags &= ~BS_SEND_MORE;
	w->fill = BS_SEND_DATA;
	if (!send_load(skb, g->at, w->data, BS_SEND_DATA, BS_SEND_DATA))
		w->event.flags |= BS_SEND_LOST;
}

/* Waits for the guard only where its own process sends: else many others would wait. Without an
 * answer in time the guard finds it as if it were stopped. */
static __always_inline bool ask_egress(struct send_work *w)
{
	struct bs_send_event *e = &w->event;
	struct task_struct *t = bpf_get_current_task_btf();
	struct place p;
	u32 asked, word;

	COUNT(candidates);
	e->flags |= BS_SEND_CANDIDATE;
	p = claim_slot(BS_SLOT_SENDING, &e->head, e->start);
	e->slot = p.at;
	e->ticket = p.ticket;
	if (!p.slot)
		e->flags |= BS_SEND_REFUSED;
	send_told(w);
	if (!p.slot)
		return false;
	asked = BS_SLOT_WORD(p.ticket, BS_SLOT_ASKED);
	if ((u32)BPF_CORE_READ(t, tgid) == e->head.tgid)
		wait_for_guard(p.slot, asked);
	word = __sync_val_compare_and_swap(&p.slot->word, asked,
					   BS_SLOT_WORD(p.ticket, BS_SLOT_STOPPED));
	if (word != BS_SLOT_WORD(p.ticket, BS_SLOT_ALLOWED))
		return false;
	COUNT(shaken);
	send_answered(w, p.slot->say);
	set_slot(&p, BS_SLOT_FREE);
	return true;
}

static __always_inline void head(struct __sk_buff *skb, struct send_work *w,
				 const struct segment *g)
{
	struct bs_send_event *e = &w->event;
	const struct stream *s = &w->stream;

	send_event_head(&e->head, s->session, s->tgid, s->tid);
	e->start = s->start;
	e->send.stream = s->id;
	e->send.position = s->position;
	e->send.hash = 0;
	e->buffer = 0;
	e->cookie = bpf_get_socket_cookie(skb);
	e->size = g->len;
	e->flags = s->flags & STREAM_BEGUN ? BS_SEND_BEGUN : 0;
	e->flags |= s->flags & STREAM_KNOWN ? 0 : BS_SEND_FIRST;
	e->uid = e->parent = e->ticket = 0;
	e->slot = BS_NO_SLOT;
	e->fd = -1;
	e->source = BS_SEND_EGRESS;
	e->path[0] = '\0';
	e->end = g->seq + g->len;
	read_dest(skb, &e->dest);
}

/* Of a connection that is looked at; else NULL. */
static __always_inline struct stream *find(struct __sk_buff *skb)
{
	struct stream_key key = { .owner = SEND_PACKETS };
	struct bpf_sock *sk = skb->sk;

	if (send_unhooked) {
		sk = sk ? bpf_sk_fullsock(sk) : NULL;
		return sk ? bpf_sk_storage_get(&socket_streams, sk, NULL, 0) : NULL;
	}
	key.object = bpf_get_socket_cookie(skb);
	return key.object ? bpf_map_lookup_elem(&streams, &key) : NULL;
}

static __always_inline int leaves(struct send_work *w, struct stream *s, const struct segment *g)
{
	u32 end = g->seq + g->len;

	w->stream.position += (s32)(end - w->stream.seq);
	w->stream.seq = end;
	*s = w->stream;
	return GO;
}

/* What TCP sends again it may join with what follows: only what is behind `seq` is to be judged. */
static __always_inline void skip_to(struct segment *g, u32 seq)
{
	u32 n = seq - g->seq;

	if ((s32)n <= 0 || n >= g->len)
		return;
	g->seq += n;
	g->at += n;
	g->len -= n;
}

/* Of a connection that waits: has the guard let this go? -1: it is more than that. */
static __always_inline int go_on(struct __sk_buff *skb, struct send_work *w, struct stream *s,
				 struct segment *g)
{
	u64 cookie = bpf_get_socket_cookie(skb);
	u32 *end = bpf_map_lookup_elem(&egress_grants, &cookie);
	u32 mine = g->seq + g->len;

	if (!end || (s32)(*end - w->stream.seq) <= 0)
		return DROP;
	if ((s32)(mine - *end) >= 0)
		send_late(w);
	if ((s32)(mine - *end) > 0) {
		skip_to(g, *end);
		return -1;
	}
	if (mine == *end)
		w->stream.flags &= ~STREAM_WAITS;
	return leaves(w, s, g);
}

static __always_inline int judge_new(struct __sk_buff *skb, struct send_work *w, struct stream *s,
				     const struct segment *g)
{
	bool asks, goes;

	w->stream.position += (s32)(g->seq - w->stream.seq);
	w->stream.seq = g->seq;
	w->stream.flags &= ~STREAM_WAITS;
	if (w->stream.flags & STREAM_LATE)
		send_late(w);
	COUNT(sends);
	if (w->stream.flags & STREAM_BLIND)
		return leaves(w, s, g);
	asks = look_through(skb, w, g);
	if (!asks && w->stream.flags & STREAM_KNOWN && !(w->stream.flags & STREAM_WATCH))
		return leaves(w, s, g);
	head(skb, w, g);
	if (w->lost)
		w->event.flags |= BS_SEND_LOST;
	tell_more(skb, w, g);
	if (send_observes) {
		send_observe(w);
		return leaves(w, s, g);
	}
	w->stream.asked = w->stream.position;
	memo_note(w);
	goes = ask_egress(w);
	s = find(skb); /* that took time */
	if (!s)
		return goes ? GO : DROP;
	if (goes)
		return leaves(w, s, g);
	w->stream.flags |= STREAM_WAITS;
	*s = w->stream;
	return DROP;
}

static __always_inline int judge(struct __sk_buff *skb, struct send_work *w, struct stream *s,
				 struct segment *g)
{
	int r;

	if (!(w->stream.flags & STREAM_COUNTED)) {
		w->stream.flags |= STREAM_COUNTED;
		w->stream.seq = g->seq;
	}
	if ((s32)(g->seq + g->len - w->stream.seq) <= 0)
		return GO; /* it comes again */
	skip_to(g, w->stream.seq);
	r = w->stream.flags & STREAM_WAITS ? go_on(skb, w, s, g) : -1;
	return r < 0 ? judge_new(skb, w, s, g) : r;
}

SEC("cgroup_skb/egress")
int send_egress(struct __sk_buff *skb)
{
	struct segment g = {};
	struct send_work *w;
	struct stream *s;
	int verdict;

	if (!is_acting() || !skb->sk)
		return GO;
	s = find(skb);
	if (!s || (s->flags & (STREAM_BLIND | STREAM_WAITS)) == STREAM_BLIND)
		return GO; /* nobody looks at it, or there is nothing to see */
	verdict = find_bytes(skb, &g);
	if (verdict <= 0)
		return verdict < 0 ? DROP : GO;
	w = send_claim();
	if (!w)
		return send_observes ? GO : DROP; /* it comes again */
	send_take(w, s);
	verdict = judge(skb, w, s, &g);
	send_release(w);
	return verdict;
}

/* What is about to leave: where its bytes are, and to whom they go. send.bpf.c looks at it, and
 * judge.bpf.c asks. */
#ifndef BPF_SEND_H
#define BPF_SEND_H

#include "call.h"
#include "shared.h"

#define SEND_TAIL     BS_SEND_TAIL /* a needle may begin there */
#define SEND_AGAIN    64	   /* bytes of it that are looked at again */
#define SEND_PATH     2048	   /* bytes of a path by components */
#define SEND_CARRIED  6		   /* needles that were found in writes before */
#define SEND_CHUNKS   64	   /* of BS_SEND_DATA bytes: a longer write is a candidate */
#define SEND_HASHED   64	   /* bytes of a step */
#define SEND_MESSAGES 1024	   /* the kernel takes no more of one sendmmsg() */

_Static_assert(SEND_TAIL >= BS_NEEDLE_MAX + 2, "a needle fits");
_Static_assert(SEND_TAIL % sizeof(u64) == 0, "whole words");

enum stream_flag {
	STREAM_WATCH = BS_SAY_WATCH,
	STREAM_BLIND = BS_SAY_BLIND,
	STREAM_KNOWN = 1 << 8,	  /* a candidate of it was decided */
	STREAM_COUNTED = 1 << 9,  /* `seq` tells how much of a write went */
	STREAM_BEGUN = 1 << 10,	  /* it was seen from its first byte */
	STREAM_WAITS = 1 << 11,	  /* egress: nothing leaves until the guard lets it go */
	STREAM_LATE = 1 << 12,	  /* what the guard says of it is in `stream_says` */
	STREAM_CARRIES = 1 << 13, /* `found` has all that was found up to here */
};

/* A connection, or one inside of TLS. */
struct stream_key {
	u64 object; /* cookie of the socket, or address of the library's */
	u64 owner;  /* tgid of the latter; SEND_PACKETS: packets of the socket are looked at */
};
#define SEND_PACKETS ~0ULL
struct stream {
	u64 id, position;
	u64 asked;    /* position of the last write that was asked about */
	u64 shape[2]; /* its shape, where the answer may come late; 0: it has none */
	u32 seq;      /* of TCP, at `position` */
	u32 flags;
	u32 found_count;
	u32 found[SEND_CARRIED]; /* entries of lists */
	u32 tgid, tid;		 /* egress: who connected */
	u64 start, session;	 /* likewise */
	u64 since;		 /* position of the first that was told and has no answer yet */
	u64 passed;		 /* hash of the write that was asked about and let go last */
	u32 generation;		 /* whose lists `found` is of */
	u8 tail[SEND_TAIL];
};

/* Full: the longest silent is forgotten, and its next write is a candidate. */
struct streams_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct stream_key);
	__type(value, struct stream);
};
extern struct streams_map streams SEC(".maps");

#define SEND_FETCHES ~1ULL /* no stream's number: what is not in memory is asked for */

/* A write in hand. Each takes one of a pool, as in delete.h. */
struct send_work {
	u32 busy, index;
	struct stream_key key;
	/* where its bytes are */
	u64 base, room; /* the part in hand */
	u64 vector;	/* the next parts, in the kernel */
	u32 parts;
	u32 size;
	/* messages.h: what follows in one call to the same name, at the caller's */
	u64 messages, name[3];
	u32 messages_left, narrow;
	u32 paged;	    /* they are in pages, which cannot be read */
	u64 away, away_len; /* what could not be read, as it is not in memory */
	u64 sock, msg;	    /* of the hook: who is sent to is told from these */
	/* as far as they were gathered */
	u64 at, at_room, at_vector;
	u32 at_parts, left;
	u64 at_messages;
	u32 at_messages_left, at_user;
	u32 fill, lost, more;
	u32 seq, counted, begun;
	u32 scans, hashes;
	u32 again;    /* what went before data[] is looked at, too */
	u32 scanning; /* the scan has begun: there was something to find */
	u32 said;
	u16 path_len, reserved;
	u64 hash[2], symbols;
	u8 first[SEND_TAIL]; /* what went before all */
	struct stream stream;
	struct bs_waiting same;
	struct bs_send_event event; /* its tail is what went before data[] */
	u8 data[2 * BS_SEND_DATA + BS_CHUNK];
};

struct send_works_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 32);
	__type(key, u32);
	__type(value, struct send_work);
};
extern struct send_works_map send_works SEC(".maps");

/* Those of packets, where no security hook asks: with the socket, for as long as that lives. */
struct socket_streams_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct stream);
};
extern struct socket_streams_map socket_streams SEC(".maps");
extern const volatile u32 send_works_mask;
extern const volatile u64 send_key[2];
extern const volatile bool send_tables;	  /* there are any: else nothing is looked at */
extern const volatile bool send_unhooked; /* no security hook asks: packets are looked at */
extern const volatile bool send_sendpage; /* what is in pages is sent without one */
extern const volatile bool send_observes; /* nothing is asked: the guard is told, and it goes */

/* Global functions: the verifier walks each once. */
int send_begin(struct send_work *w);
int send_judge(struct send_work *w); /* judge.bpf.c */
int send_find(struct send_work *w);  /* its stream */
int send_hash(struct send_work *w);  /* of all its bytes */
int send_parts(struct send_work *w); /* data[] has where its parts are */
int send_unix(struct send_work *w);
int send_follow(struct send_work *w); /* its size is with what follows it; -EMSGSIZE: too much */
int send_track(struct stream *s, u64 session); /* a connection that is seen as it leaves */
int send_is_by_packets(u64 cookie);
int send_hand_over(struct send_work *w); /* from here on its packets are looked at */
int pages_ask(struct send_work *w);	 /* pages.bpf.c */
int pages_judge(struct send_work *w);
int pages_fetch(struct send_work *w);	/* data[] lists what is to be in memory */
int names_ask(u64 cookie, u64 session); /* names.bpf.c: answers are listened to */
int send_recall(struct send_work *w);	/* begins the scan with what was found before */
int send_look(struct send_work *w);	/* looks at what data[] has */
int send_scanned(struct send_work *w);	/* ends the scan; 1: a candidate */
int send_again(struct send_work *w);	/* data[] has the first of its bytes */
int send_more(struct send_work *w);	/* tells those behind, where the guard cannot read them */
int send_advance(struct send_work *w);	/* it goes */
int send_observe(struct send_work *w);	/* observe.bpf.c: tells of a candidate, which goes */
int send_scan(struct send_work *w, u32 at); /* of some bytes of data[] */
int send_forget(u64 object, u64 owner);
int send_told(struct send_work *w); /* sends the event, with what data[] has */
int send_answered(struct send_work *w, u32 say);
int send_late(struct send_work *w);  /* the same, of what was not waited for */
int memo_knows(struct send_work *w); /* memo.bpf.c. 1: the write is a statement known as harmless */
int memo_learn(struct send_work *w); /* it is one */
int memo_note(struct send_work *w);  /* its shape is kept with the stream */
int memo_learn_noted(struct send_work *w);

#define AF_UNIX	    1
#define AF_INET	    2
#define AF_INET6    10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

static __always_inline struct send_work *send_claim(void)
{
	u32 first = bpf_get_smp_processor_id() * 2;

#pragma clang loop unroll(full)
	for (int i = 0; i < 8; i++) {
		u32 at = (first + i) & send_works_mask;
		struct send_work *w = bpf_map_lookup_elem(&send_works, &at);

		if (w && !w->busy && !__sync_val_compare_and_swap(&w->busy, 0, 1)) {
			w->index = at;
			return w;
		}
	}
	return NULL;
}

/* x86 lets no store overtake another. */
static __always_inline void send_release(struct send_work *w)
{
	asm volatile("" : : : "memory");
	*(volatile u32 *)&w->busy = 0;
}

/* 1 … most bytes of a packet. The verifiers of old kernels learn nothing from n != 0. */
static __always_inline bool send_load(struct __sk_buff *skb, u32 at, void *to, u32 n, u32 most)
{
	u32 last = n - 1;

	asm volatile("" : "+r"(last));
	if (last >= most)
		return false;
	return !bpf_skb_load_bytes(skb, at, to, last + 1);
}

/* Bytes at any address, by words: the compiler would take one at a time. */
static __always_inline void send_copy(u8 *to, const u8 *from, u32 n)
{
#pragma clang loop unroll(full)
	for (u32 i = 0; i < n; i += sizeof(u64))
		*(u64 *)(to + i) = *(const u64 *)(from + i);
}

static __always_inline void send_clear(u8 *to, u32 n)
{
#pragma clang loop unroll(full)
	for (u32 i = 0; i < n; i += sizeof(u64))
		*(u64 *)(to + i) = 0;
}

/* ---- a write of a stream */

/* Of another policy: what was found until then is of other lists, and it is asked about anew. */
static __always_inline void send_renew(struct stream *s)
{
	if (s->generation == generation)
		return;
	s->generation = generation;
	s->found_count = 0;
	s->flags &= ~(STREAM_KNOWN | STREAM_CARRIES);
}

/* It is of that stream. */
static __always_inline void send_take(struct send_work *w, const struct stream *s)
{
	__builtin_memcpy(&w->stream, s, sizeof(*s));
	send_copy(w->event.tail, s->tail, SEND_TAIL);
	send_renew(&w->stream);
}

/* Before its bytes are looked at, and after. Each rule has a needle with a pattern: where nothing
 * was found before, the scan begins when something is. */
static __always_inline void send_begin_look(struct send_work *w)
{
	w->scanning = 0;
	w->again = !(w->stream.flags & STREAM_CARRIES);
	if (w->stream.found_count)
		send_recall(w);
}

/* 1: a candidate. */
static __always_inline bool send_end_look(struct send_work *w)
{
	if (w->scanning)
		return send_scanned(w);
	w->stream.flags |= STREAM_CARRIES;
	return false;
}

/* ---- where the bytes are */

static __always_inline const struct iovec *iter_vector(const struct iov_iter *i)
{
	const struct iov_iter___old *old = (const void *)i;

	if (bpf_core_field_exists(i->__iov))
		return BPF_CORE_READ(i, __iov);
	return BPF_CORE_READ(old, iov);
}

/* What is in pages, as of sendfile(), is not read: the write is a candidate. */
static __always_inline void send_source(struct send_work *w, const struct msghdr *msg)
{
	const struct iov_iter *i = &msg->msg_iter;
	u32 type = i->iter_type;
	u64 offset = i->iov_offset;
	struct iovec part = {};
	const struct iovec *v;

	w->base = w->room = w->vector = w->parts = 0;
	w->messages_left = w->paged = 0;
	w->away = 0;
	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	    type == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
		/* read as it stands it is a pointer for the verifier */
		w->base = (u64)BPF_CORE_READ(i, ubuf) + offset;
		w->room = w->size;
		return;
	}
	if (type != bpf_core_enum_value(enum iter_type, ITER_IOVEC)) {
		w->paged = 1;
		return;
	}
	v = iter_vector(i);
	bpf_probe_read_kernel(&part, sizeof(part), v);
	w->base = (u64)part.iov_base + offset;
	w->room = part.iov_len - offset;
	w->vector = (u64)(v + 1);
	w->parts = i->nr_segs - 1;
}

static __always_inline int send_messages(struct send_work *w, const struct msghdr *msg)
{
	const void *name = msg->msg_name;
	struct call_messages c;

	if (!name || !call_messages(bpf_get_current_task_btf(), &c) || c.count < 2)
		return 0;
	bpf_probe_read_kernel(w->name, sizeof(w->name), name);
	w->messages = c.at;
	w->messages_left = c.count < SEND_MESSAGES ? c.count : SEND_MESSAGES;
	w->narrow = c.narrow;
	return send_follow(w);
}

/* ---- to whom they go */

struct send_address {
	u16 family;
	u16 port;
	union {
		u8 ip4[4];
		struct {
			u32 flow;
			u8 ip6[16];
		};
	};
};

static __always_inline void send_ip4(struct bs_dest *d, u32 ip, u16 port)
{
	d->addr[10] = d->addr[11] = 0xff;
	__builtin_memcpy(d->addr + 12, &ip, sizeof(ip));
	d->port = bpf_ntohs(port);
}

/* Of a socket that is not connected: as the call says. */
static __always_inline void send_to_name(struct bs_dest *d, const struct msghdr *msg)
{
	struct send_address n = {};
	u32 ip;

	d->datagram = 1;
	if (bpf_probe_read_kernel(&n, sizeof(n), BPF_CORE_READ(msg, msg_name)))
		return;
	if (n.family == AF_INET) {
		__builtin_memcpy(&ip, n.ip4, sizeof(ip));
		send_ip4(d, ip, n.port);
	} else if (n.family == AF_INET6) {
		__builtin_memcpy(d->addr, n.ip6, sizeof(d->addr));
		d->port = bpf_ntohs(n.port);
	}
}

static __always_inline void send_dest(struct bs_dest *d, struct sock *sk, u16 family,
				      const struct msghdr *msg)
{
	const struct in6_addr *v6 = &sk->__sk_common.skc_v6_daddr;

	d->protocol = BPF_CORE_READ(sk, sk_protocol);
	if (BPF_CORE_READ(msg, msg_name))
		send_to_name(d, msg);
	else if (family == AF_INET)
		send_ip4(d, BPF_CORE_READ(sk, __sk_common.skc_daddr),
			 BPF_CORE_READ(sk, __sk_common.skc_dport));
	else {
		bpf_probe_read_kernel(d->addr, sizeof(d->addr), v6);
		d->port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	}
}

static __always_inline void send_name(char *path, struct unix_address *a)
{
	const char *name = (const char *)a->name[0].sun_path;

	bpf_probe_read_kernel_str(path, BS_UNIX_PATH, name);
	if (path[0])
		return;
	bpf_probe_read_kernel_str(path + 1, BS_UNIX_PATH - 1, name + 1);
	path[0] = path[1] ? '@' : '\0';
}

/* The name by which the other end was found; none of its own has a socket pair. */
static __always_inline void send_path(char *path, struct sock *sk)
{
	struct unix_sock *u = (struct unix_sock *)sk;
	struct sock *peer = BPF_CORE_READ(u, peer);
	struct unix_address *a = peer ? BPF_CORE_READ((struct unix_sock *)peer, addr) : NULL;

	path[0] = '\0';
	if (a)
		send_name(path, a);
}

/* When it is told it gets its size and time: most is not. */
static __always_inline void send_event_head(struct bs_event *e, u64 session, u32 tgid, u32 tid)
{
	e->type = BS_EVENT_SEND;
	e->number = 0;
	e->session = session;
	e->tgid = tgid;
	e->tid = tid;
}

static __always_inline void send_head(struct send_work *w, u64 session, u32 source)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct bs_send_event *e = &w->event;

	send_event_head(&e->head, session, bpf_get_current_pid_tgid() >> 32,
			bpf_get_current_pid_tgid());
	e->start = t->group_leader->start_boottime;
	e->parent = t->real_parent->tgid;
	e->uid = bpf_get_current_uid_gid();
	e->slot = BS_NO_SLOT;
	e->ticket = 0;
	e->source = source;
	e->size = w->size;
	e->buffer = w->parts || w->messages_left ? 0 : w->base;
	e->copied = 0;
	e->flags = 0;
	e->cookie = 0;
	e->fd = -1;
}

/* ---- the hook's body: 0 or a negative errno */

#define TCP_CLOSE 7 /* include/net/tcp_states.h */

/* Of TCP it is known how much of a write went: a short count is no guess. Before it is connected,
 * by MSG_FASTOPEN, that is not known: the call comes again when its address was asked about. */
static __always_inline void send_sequence(struct send_work *w, struct sock *sk, u16 family)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;

	w->counted = family != AF_UNIX && sk->sk_protocol == IPPROTO_TCP &&
		     sk->__sk_common.skc_state != TCP_CLOSE;
	w->seq = w->counted ? BPF_CORE_READ(tcp, write_seq) : 0;
	w->begun = !w->counted || !BPF_CORE_READ(tcp, data_segs_out);
}

/* One that something else, such as the kernel's TLS, stands behind leaves otherwise than it came.
 */
static __always_inline bool is_for_packets(const struct send_work *w, struct sock *sk)
{
	return w->counted && !BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_ulp_ops);
}

static __always_inline int as_result(int verdict)
{
	return verdict == WAIT ? -ERESTARTNOINTR : verdict == REFUSE ? -EPERM : 0;
}

static __always_inline int send_socket(struct bs_label *l, struct socket *sock, struct msghdr *msg,
				       int size)
{
	struct sock *sk = sock->sk;
	struct send_work *w;
	u16 family;
	int verdict;

	if (!send_tables || !sk || size < 0 || !sock->file)
		return 0; /* one without a file is the kernel's own */
	family = sk->__sk_common.skc_family;
	if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
		return 0;
	w = send_claim();
	if (!w) {
		COUNT(losses[BS_LOSS_SLOT]);
		return send_observes ? 0 : -EPERM;
	}
	w->key.object = bpf_get_socket_cookie(sk);
	w->key.owner = 0;
	w->size = size;
	send_source(w, msg);
	verdict = send_messages(w, msg);
	if (verdict || !w->size) {
		send_release(w);
		return send_observes ? 0 : verdict;
	}
	send_head(w, l->session, BS_SEND_SOCKET);
	w->event.cookie = w->key.object;
	w->event.fd = call_regs(bpf_get_current_task_btf())->di;
	send_sequence(w, sk, family);
	if ((w->paged || shared.state.packets) && is_for_packets(w, sk)) {
		verdict = pages_judge(w);
		if (verdict >= 0) {
			send_release(w);
			return as_result(verdict);
		}
	}
	w->sock = (u64)sk;
	w->msg = (u64)msg;
	verdict = send_judge(w);
	send_release(w);
	return as_result(verdict);
}

/* Of a kernel that asks no hook when pages are sent. */
static __always_inline int send_paged(struct bs_label *l)
{
	struct send_work *w;
	int verdict;

	if (shared.state.packets)
		return 0;
	w = send_claim();
	if (!w) {
		COUNT(losses[BS_LOSS_SLOT]);
		return send_observes ? 0 : -EPERM;
	}
	w->size = w->parts = w->messages_left = 0;
	send_head(w, l->session, BS_SEND_SOCKET);
	verdict = pages_ask(w);
	send_release(w);
	return as_result(verdict);
}

/* ---- Unix sockets: by where the listener's file is, links and mounts make no difference */

/* A socket without a name was not found by one. */
static __always_inline int send_to_unix(struct bs_label *l, struct sock *other)
{
	struct unix_sock *u = (struct unix_sock *)other;
	struct dentry *dentry = BPF_CORE_READ(u, path.dentry);
	struct unix_address *a = BPF_CORE_READ(u, addr);
	struct send_work *w;
	int verdict;

	if (!send_tables || !a)
		return 0;
	w = send_claim();
	if (!w) {
		COUNT(losses[BS_LOSS_SLOT]);
		return send_observes ? 0 : -EPERM;
	}
	w->size = w->parts = w->messages_left = 0;
	w->base = (u64)dentry;
	w->vector = (u64)BPF_CORE_READ(u, path.mnt);
	send_head(w, l->session, BS_SEND_UNIX);
	__builtin_memset(&w->event.dest, 0, sizeof(w->event.dest));
	__builtin_memset(w->event.tail, 0, sizeof(w->event.tail));
	w->event.end = 0;
	w->event.buffer = 0;
	send_name(w->event.path, a);
	verdict = send_unix(w);
	send_release(w);
	return as_result(verdict);
}

#endif

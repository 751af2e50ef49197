/* send: may what is about to leave be destructive?
 *
 * All bytes are scanned, with the last of the write before them. The first write of a connection is
 * always a candidate: it tells the protocol, and the name of the other end.
 */
#include "shared.h"
#define SCAN(name) send_##name
#include "scan.h"
#include "send.h"
#include "ask.h"

struct send_ctx {
	struct send_work *w;
	u32 n;
};

#include "messages.h"

#define BS_QUICK_MOST	     (BS_SEND_DATA + SEND_AGAIN)
#define BS_QUICK_SCAN(q, at) send_scan((q)->of, at)
#include "backstop/quick.h"

const volatile u32 send_works_mask = 31;
const volatile bool send_tables = false;
const volatile bool send_unhooked = false;
const volatile bool send_observes = false;
const volatile u64 send_key[2]; /* of the hash of what is asked about */

/* The scan's state, beside each of `send_works`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 32);
	__type(key, u32);
	__type(value, struct bs_scan);
} send_scans SEC(".maps");

/* What needles end with, see backstop/ends.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, BS_ENDS_SIZE);
} send_ends SEC(".maps");

_Static_assert(SEND_AGAIN % BS_QUICK == 0 && SEND_HASHED >= BS_QUICK, "a look's room");
_Static_assert(SEND_AGAIN + BS_QUICK_BEFORE == SEND_TAIL, "all of the tail");
_Static_assert(__builtin_offsetof(struct send_work, event.tail) + SEND_TAIL ==
		       __builtin_offsetof(struct send_work, data),
	       "no gap");

/* The guard's. Full: the oldest is forgotten, and the next write of its stream is a candidate. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct bs_said);
} stream_says SEC(".maps");

static __always_inline struct bs_scan *scan_of(struct send_work *w)
{
	u32 at = w->index;

	return bpf_map_lookup_elem(&send_scans, &at);
}

/* ---- the bytes */

static long gather_step(u32 i, void *data)
{
	struct send_ctx *c = data;
	struct send_work *w = c->w;
	u32 fill = w->fill, n;

	if (!w->left || fill >= BS_SEND_DATA || w->lost)
		return 1;
	if (!w->at_room)
		return next_part(w);
	n = BS_SEND_DATA - fill;
	if (n > w->left)
		n = w->left;
	if (n > w->at_room)
		n = w->at_room;
	asm volatile("" : "+r"(n));
	if (n > BS_SEND_DATA)
		return 1;
	if (bpf_probe_read_user(w->data + (fill & (BS_SEND_DATA - 1)), n, (const void *)w->at))
		return lose(w, w->at, w->at_room);
	w->fill = fill + n;
	w->left -= n;
	w->at += n;
	w->at_room -= n;
	return 0;
}

/* The next BS_SEND_DATA bytes, or what is left. */
__noinline int send_gather(struct send_work *w)
{
	struct send_ctx c = { .w = w };

	if (!w)
		return 0;
	w->fill = 0;
	bpf_loop(2048, gather_step, &c, 0);
	w->more = w->left && !w->lost;
	if (w->fill <= BS_SEND_DATA)
		send_clear(w->data + w->fill, SEND_HASHED);
	return 0;
}

static __always_inline void begin_scan(struct send_work *w, struct bs_scan *s, const void *table)
{
	if (w->scanning)
		return;
	w->scanning = 1;
	bs_scan_begin(s, table);
	s->names = BS_NAMES_NONE;
	bs_quick_end(s);
}

__noinline int send_scan(struct send_work *w, u32 at)
{
	const void *table = scan_table();
	struct bs_scan *s = w ? scan_of(w) : NULL;

	if (!w || !s || !table || at > BS_QUICK_MOST)
		return 0;
	begin_scan(w, s, table);
	bs_quick_scan(s, table, w->event.tail + BS_QUICK_BEFORE, at);
	return 0;
}

/* All that data[] has. What went before is looked at once more where it is not known what was found
 * there: the guard may not have been shown that. */
static __always_inline void scan_data(struct send_work *w)
{
	u32 zero = 0, n = (w->again ? SEND_AGAIN : 0) + w->fill + (w->more ? 0 : BS_QUICK);
	struct bs_quick q = {
		.of = w,
		.data = w->event.tail + BS_QUICK_BEFORE,
		.symbols = &w->symbols,
		.first = w->again ? 0 : SEND_AGAIN,
	};

	q.ends = bpf_map_lookup_elem(&send_ends, &zero);
	if (!q.ends)
		return;
	w->again = 0;
	bs_quick_begin(&q);
	bpf_loop(n / BS_QUICK, bs_quick_step, &q, 0);
}

static long hash_step(u32 i, void *data)
{
	struct send_ctx *c = data;
	struct send_work *w = c->w;
	const u64 *p = (const u64 *)(w->data + (i * SEND_HASHED & (BS_SEND_DATA - 1)));
	u64 a = w->hash[0], b = w->hash[1];

#pragma GCC unroll 8
	for (int k = 0; k < SEND_HASHED / 8; k++) {
		a = (a ^ p[k]) * 0x9e3779b97f4a7c15ULL;
		b = (b + p[k]) * 0xc2b2ae3d27d4eb4fULL;
		a ^= b >> 32;
	}
	w->hash[0] = a;
	w->hash[1] = b;
	return 0;
}

/* The last bytes that go, for the look at what goes next. */
static __always_inline void note_tail(struct send_work *w)
{
	if (w->fill > BS_SEND_DATA)
		return;
	send_copy(w->stream.tail, w->event.tail + w->fill, SEND_TAIL);
}

static long walk_step(u32 i, void *data)
{
	struct send_ctx *c = data;
	struct send_work *w = c->w;

	if (i)
		send_copy(w->event.tail, w->stream.tail, SEND_TAIL);
	send_gather(w);
	if (w->scans)
		scan_data(w);
	if (w->hashes)
		bpf_loop((w->fill + SEND_HASHED - 1) / SEND_HASHED, hash_step, c, 0);
	note_tail(w);
	return !w->more;
}

/* Through all of the write. */
static __always_inline void walk(struct send_work *w, bool scans, bool hashes)
{
	struct send_ctx c = { .w = w };

	rewind(w);
	send_copy(w->first, w->event.tail, SEND_TAIL);
	w->scans = scans;
	w->hashes = hashes;
	w->hash[0] = send_key[0];
	w->hash[1] = send_key[1];
	bpf_loop(SEND_CHUNKS, walk_step, &c, 0);
	send_copy(w->event.tail, w->first, SEND_TAIL);
}

/* ---- the stream */

/* Number of a stream that is new, which no other has had. */
static __always_inline void begin_stream(struct send_work *w)
{
	__builtin_memset(&w->stream, 0, sizeof(w->stream));
	w->stream.id = bpf_ktime_get_boot_ns() << 8 | (bpf_get_smp_processor_id() & 0xff);
	w->stream.seq = w->seq;
	w->stream.flags = w->begun ? STREAM_BEGUN : 0;
	w->stream.generation = generation;
	__builtin_memset(w->event.tail, 0, SEND_TAIL);
	bpf_map_update_elem(&streams, &w->key, &w->stream, BPF_ANY);
}

/* True where it is where the last write was to bring it. */
static __always_inline bool find_stream(struct send_work *w)
{
	struct stream *s = bpf_map_lookup_elem(&streams, &w->key);

	if (!s) {
		begin_stream(w);
		return true;
	}
	send_take(w, s);
	if (!w->counted || s->seq == w->seq)
		return true;
	w->stream.position += (s32)(w->seq - s->seq);
	w->stream.seq = w->seq;
	return false;
}

/* In its place, which costs a quarter of an update: of a connection one write is in hand. */
static __always_inline bool store(struct send_work *w)
{
	struct stream *s = bpf_map_lookup_elem(&streams, &w->key);

	if (s)
		__builtin_memcpy(s, &w->stream, sizeof(*s));
	return s;
}

/* It goes: what follows begins there. */
static __always_inline void advance(struct send_work *w)
{
	w->stream.position += w->size;
	w->stream.seq += w->size;
	if (!store(w))
		bpf_map_update_elem(&streams, &w->key, &w->stream, BPF_ANY);
}

/* What the guard said with its answer. */
static __always_inline void take_say(struct send_work *w, u32 say)
{
	w->stream.flags &= ~(STREAM_WATCH | STREAM_BLIND | STREAM_LATE | STREAM_CARRIES);
	w->stream.flags |= (say & (STREAM_WATCH | STREAM_BLIND | STREAM_LATE)) | STREAM_KNOWN;
	w->stream.found_count = 0;
	if (say & BS_SAY_SHAPE)
		memo_learn(w);
}

static __always_inline void recall_found(struct send_work *w, struct bs_scan *s)
{
	u32 n = w->stream.found_count;

	for (u32 i = 0; i < SEND_CARRIED; i++)
		if (i < n)
			bs_scan_needle(s, w->stream.found[i]);
}

/* More than there is room for: all that follows is a candidate. */
static __always_inline void note_found(struct send_work *w, const struct bs_scan *s)
{
	u32 n = s->found_count;

	for (u32 i = 0; i < SEND_CARRIED; i++)
		w->stream.found[i] = i < n ? s->found[i] : 0;
	w->stream.found_count = n < SEND_CARRIED ? n : SEND_CARRIED;
	if (n > SEND_CARRIED)
		w->stream.flags |= STREAM_WATCH;
}

__noinline int send_recall(struct send_work *w)
{
	const void *table = scan_table();
	struct bs_scan *s = w ? scan_of(w) : NULL;

	if (!w || !s || !table)
		return 0;
	begin_scan(w, s, table);
	recall_found(w, s);
	return 0;
}

__noinline int send_scanned(struct send_work *w)
{
	const void *table = scan_table();
	struct bs_scan *s = w ? scan_of(w) : NULL;

	u32 carried = w ? w->stream.found_count : 0, watched;

	if (!w || !s || !table)
		return 1;
	watched = w->stream.flags & STREAM_WATCH;
	note_found(w, s);
	w->stream.flags |= STREAM_CARRIES;
	if (!bs_scan_end(s, table))
		return 0;
	w->stream.flags &= ~STREAM_CARRIES;
	if (watched || !memo_knows(w))
		return 1;
	w->stream.found_count = carried; /* its message has ended */
	w->stream.flags &= ~STREAM_WATCH;
	return 0;
}

#define AHEAD_MAX (256 * 1024) /* bytes of a stream told without an answer: more is a flood */

/* It was told and went. What has no answer yet may be the begin of a statement. */
static __always_inline bool is_awaited(const struct send_work *w)
{
	return send_observes && w->stream.position - w->stream.since <= AHEAD_MAX;
}

__noinline int send_late(struct send_work *w)
{
	u64 id = w ? w->stream.id : 0; /* old kernels take no key from where it is */
	struct bs_said *said = bpf_map_lookup_elem(&stream_says, &id);
	bool known;

	if (!w)
		return 0;
	known = said && said->position == w->stream.asked;
	if (known && said->say & BS_SAY_SHAPE)
		memo_learn_noted(w);
	if (known)
		take_say(w, said->say & (STREAM_WATCH | STREAM_BLIND));
	else if (is_awaited(w))
		take_say(w, STREAM_WATCH | STREAM_LATE);
	else
		take_say(w, send_observes ? 0 : STREAM_WATCH);
	return 0;
}

#define QUIC_TYPE     0xf0 /* of the first byte; with a long header (RFC 9000, 17.2) */
#define QUIC_V1	      bpf_htonl(1)
#define QUIC_FIRST    0xc0		    /* Initial */
#define QUIC_V2	      bpf_htonl(0x6b3343cf) /* RFC 9369, 3.1 and 3.2 */
#define QUIC_V2_FIRST 0xd0

/* Of UDP: it may ask for a name, as each connection does that shares the socket. */
static __always_inline bool begins_quic(struct send_work *w)
{
	u32 version;
	u8 type;

	if (w->counted || w->event.dest.protocol != IPPROTO_UDP)
		return false;
	send_again(w);
	type = w->data[0] & QUIC_TYPE;
	__builtin_memcpy(&version, w->data + 1, sizeof(version));
	return (version == QUIC_V1 && type == QUIC_FIRST) ||
	       (version == QUIC_V2 && type == QUIC_V2_FIRST);
}

/* Looks at all of it. 1: a candidate. */
__noinline int send_begin(struct send_work *given)
{
	struct send_work *w = own_work(given);
	bool follows;

	if (!w)
		return 0;
	COUNT(sends);
	follows = find_stream(w);
	if (w->stream.flags & STREAM_LATE)
		send_late(w);
	w->event.send.stream = w->stream.id;
	w->event.send.position = w->stream.position;
	w->event.flags = w->stream.flags & STREAM_BEGUN ? BS_SEND_BEGUN : 0;
	if (w->stream.flags & STREAM_BLIND)
		return 0;
	send_begin_look(w);
	walk(w, true, false);
	if (w->lost || w->left)
		w->event.flags |= BS_SEND_LOST;
	if (!(w->stream.flags & STREAM_KNOWN))
		w->event.flags |= BS_SEND_FIRST;
	return send_end_look(w) || !follows || w->event.flags & (BS_SEND_LOST | BS_SEND_FIRST) ||
	       w->stream.flags & STREAM_WATCH || begins_quic(w);
}

/* ---- for packets and libraries */

__noinline int send_track(struct stream *s, u64 session)
{
	struct task_struct *t = bpf_get_current_task_btf();

	if (!s)
		return 0;
	__builtin_memset(s, 0, sizeof(*s));
	s->id = bpf_ktime_get_boot_ns() << 8 | (bpf_get_smp_processor_id() & 0xff);
	s->flags = STREAM_BEGUN;
	s->generation = generation;
	s->session = session;
	s->tgid = BPF_CORE_READ(t, tgid);
	s->tid = BPF_CORE_READ(t, pid);
	s->start = BPF_CORE_READ(t, group_leader, start_boottime);
	return 0;
}

__noinline int send_is_by_packets(u64 cookie)
{
	struct stream_key key = { .object = cookie, .owner = SEND_PACKETS };

	return bpf_map_lookup_elem(&streams, &key) != NULL;
}

/* What was written before was judged as it was written. */
__noinline int send_hand_over(struct send_work *given)
{
	struct send_work *w = own_work(given);
	struct stream_key key = { .owner = SEND_PACKETS };

	if (!w)
		return 0;
	find_stream(w);
	key.object = w->key.object;
	w->stream.flags |= STREAM_COUNTED;
	w->stream.session = w->event.head.session;
	w->stream.tgid = w->event.head.tgid;
	w->stream.tid = w->event.head.tid;
	w->stream.start = w->event.start;
	bpf_map_update_elem(&streams, &key, &w->stream, BPF_NOEXIST);
	return 0;
}

__noinline int send_look(struct send_work *w)
{
	if (!w)
		return 0;
	if (w->fill <= BS_SEND_DATA)
		send_clear(w->data + w->fill, BS_QUICK);
	scan_data(w);
	note_tail(w);
	return 0;
}

__noinline int send_again(struct send_work *w)
{
	if (!w || w->size <= BS_SEND_DATA)
		return 0;
	rewind(w);
	return send_gather(w);
}

static long more_step(u32 i, void *data)
{
	struct send_ctx *c = data;
	struct send_work *w = c->w;

	send_gather(w);
	if (i)
		send_told(w);
	return !w->more;
}

__noinline int send_more(struct send_work *w)
{
	struct send_ctx c = { .w = w };

	if (!w || w->size <= BS_SEND_DATA || w->event.buffer)
		return 0;
	w->event.flags |= BS_SEND_MORE;
	rewind(w);
	bpf_loop(SEND_CHUNKS, more_step, &c, 0);
	w->event.flags &= ~BS_SEND_MORE;
	return 0;
}

__noinline int send_forget(u64 object, u64 owner)
{
	struct stream_key key = { .object = object, .owner = owner };

	bpf_map_delete_elem(&streams, &key);
	return 0;
}

__noinline int send_told(struct send_work *w)
{
	if (w)
		tell(w);
	return 0;
}

__noinline int send_advance(struct send_work *given)
{
	struct send_work *w = own_work(given);

	if (w)
		advance(w);
	return 0;
}

__noinline int send_answered(struct send_work *w, u32 say)
{
	if (w)
		take_say(w, say);
	return 0;
}

static long list_step(u32 i, void *data)
{
	struct send_work *w = ((struct send_ctx *)data)->w;
	u64 *part = (u64 *)(w->data + (i * sizeof(struct iovec) & (BS_SEND_DATA - 1)));

	if (i)
		w->at = w->at_room = 0;
	if (i && next_part(w))
		return 1;
	part[0] = i ? w->at : w->away;
	part[1] = i ? w->at_room : w->away_len;
	w->fill = (i + 1) * sizeof(struct iovec);
	return 0;
}

__noinline int send_parts(struct send_work *w)
{
	struct send_ctx c = { .w = w };

	if (!w)
		return 0;
	w->fill = 0;
	bpf_loop(BS_SEND_DATA / sizeof(struct iovec), list_step, &c, 0);
	return 0;
}

__noinline int send_find(struct send_work *given)
{
	struct send_work *w = own_work(given);

	if (w)
		find_stream(w);
	return 0;
}

__noinline int send_hash(struct send_work *w)
{
	if (w)
		walk(w, false, true);
	return 0;
}

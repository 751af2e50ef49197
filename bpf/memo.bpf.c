/* memo: statements that the guard has judged harmless whatever their numbers are (shape.h). A write
 * that is one of them, all of it and nothing else, is no candidate for what is found in it.
 *
 * Only PostgreSQL's Query has its place here: where such a write is taken for one and is in truth a
 * part of another message, the zeros of its length end that message's text before it.
 */
#include "shared.h"
#include "send.h"

#define BS_LOOP(count, fn, ctx) bpf_loop(count, fn, ctx, 0)
#include "backstop/shape.h"

#define QUERY_HEADER 5 /* type and length */

struct memo_key {
	u64 stream; /* so that the names of its other end, and its session, are the same */
	struct bs_shape shape;
};

/* Full: the longest unused is forgotten, and its next write is a candidate. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct memo_key);
	__type(value, u8);
} memo_shapes SEC(".maps");

/* 0: the write is no statement of its own. Global: the verifier walks it once for all below. */
__noinline int memo_find(struct send_work *w, struct memo_key *ret)
{
	const struct bs_shape secret = { send_key[0], send_key[1] };
	const u8 *p;
	u32 size;

	if (!w || !ret)
		return 0;
	p = w->data;
	size = (u32)p[1] << 24 | (u32)p[2] << 16 | (u32)p[3] << 8 | p[4];
	if (w->lost || w->fill != w->size || w->size <= QUERY_HEADER || w->size > BS_SHAPE_MAX ||
	    p[0] != 'Q' || size != w->size - 1)
		return 0;
	ret->stream = w->stream.id;
	ret->shape = bs_shape_of(p + QUERY_HEADER, w->size - QUERY_HEADER, &secret);
	return 1;
}

__noinline int memo_knows(struct send_work *w)
{
	struct memo_key key = {};

	return memo_find(w, &key) && bpf_map_lookup_elem(&memo_shapes, &key);
}

static __always_inline void learn(const struct memo_key *key)
{
	u8 one = 1;

	bpf_map_update_elem(&memo_shapes, key, &one, BPF_ANY);
}

__noinline int memo_learn(struct send_work *w)
{
	struct memo_key key = {};

	if (memo_find(w, &key))
		learn(&key);
	return 0;
}

__noinline int memo_note(struct send_work *w)
{
	struct memo_key key = {};

	if (!w)
		return 0;
	memo_find(w, &key);
	w->stream.shape[0] = key.shape.a;
	w->stream.shape[1] = key.shape.b;
	return 0;
}

__noinline int memo_learn_noted(struct send_work *w)
{
	struct memo_key key = {};

	if (!w || !(w->stream.shape[0] | w->stream.shape[1]))
		return 0;
	key.stream = w->stream.id;
	key.shape.a = w->stream.shape[0];
	key.shape.b = w->stream.shape[1];
	learn(&key);
	return 0;
}

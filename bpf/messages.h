/* The parts of a write, one by one.
 *
 * Of sendmmsg() to a name the kernel asks no hook about a message that goes where the one before it
 * went, so those behind the one in hand are taken together with it. */
#ifndef BPF_MESSAGES_H
#define BPF_MESSAGES_H

#include "send.h"

/* struct msghdr as the caller has it, and where its system calls are of 32 bits. */
struct message {
	u64 name, name_len, vector, parts;
};
struct narrow_message {
	u32 name, name_len, vector, parts;
};
struct narrow_part {
	u32 base, len;
};

#define MESSAGE_BYTES	     64 /* struct mmsghdr */
#define NARROW_MESSAGE_BYTES 32
#define PARTS_MAX	     1024 /* the kernel takes no more, of either */
#define FOLLOW_MAX	     (SEND_CHUNKS * BS_SEND_DATA)
#define FOLLOW_STEPS	     (8 * PARTS_MAX)
#define EMSGSIZE	     90

static __always_inline long read_message(const struct send_work *w, u64 at, struct message *ret)
{
	struct narrow_message n = {};
	long r;

	if (!w->narrow)
		return bpf_probe_read_user(ret, sizeof(*ret), (const void *)at);
	r = bpf_probe_read_user(&n, sizeof(n), (const void *)at);
	*ret = (struct message) { n.name, n.name_len, n.vector, n.parts };
	return r;
}

static __always_inline long read_part(const struct send_work *w, u64 at, struct iovec *ret)
{
	struct narrow_part n = {};
	long r;

	if (!w->narrow)
		return bpf_probe_read_user(ret, sizeof(*ret), (const void *)at);
	r = bpf_probe_read_user(&n, sizeof(n), (const void *)at);
	ret->iov_base = (void *)(u64)n.base;
	ret->iov_len = n.len;
	return r;
}

static __always_inline u32 message_bytes(const struct send_work *w)
{
	return w->narrow ? NARROW_MESSAGE_BYTES : MESSAGE_BYTES;
}

static __always_inline u32 part_bytes(const struct send_work *w)
{
	return w->narrow ? sizeof(struct narrow_part) : sizeof(struct iovec);
}

static __always_inline long lose(struct send_work *w, u64 at, u64 len)
{
	w->away = at;
	w->away_len = len;
	w->lost = 1;
	return 1;
}

/* 1: the kernel may take it for the same, though it compares more; 0: not; else it is lost. */
static __always_inline long is_same_name(struct send_work *w, u64 at)
{
	u32 bytes = (u16)w->name[0] == AF_INET6 ? sizeof(w->name) : sizeof(w->name[0]);
	u64 name[3] = {};

	if (bpf_probe_read_user(name, bytes, (const void *)at))
		return lose(w, at, bytes);
	return name[0] == w->name[0] &&
	       (bytes == sizeof(w->name[0]) || (name[1] == w->name[1] && name[2] == w->name[2]));
}

/* To the next message. One that goes elsewhere has no parts here: that what follows it was not sent
 * before is not known, where several messages are of the same bytes. */
static __always_inline long next_message(struct send_work *w)
{
	struct message m = {};
	long same;

	if (!w->at_messages_left) {
		w->lost = 1;
		return 1;
	}
	if (read_message(w, w->at_messages, &m))
		return lose(w, w->at_messages, message_bytes(w));
	same = is_same_name(w, m.name);
	if (w->lost)
		return 1;
	w->at_messages += message_bytes(w);
	w->at_messages_left--;
	w->at_vector = m.vector;
	w->at_parts = !same ? 0 : m.parts < PARTS_MAX ? m.parts : PARTS_MAX;
	w->at_user = 1;
	return 0;
}

/* Is the next message the one in hand? Then what follows it begins there. */
static long find_step(u32 i, void *data)
{
	struct send_work *w = ((struct send_ctx *)data)->w;
	u32 bytes = message_bytes(w);
	u64 at = w->messages + (u64)i * bytes;
	struct message m = {};
	struct iovec part = {};

	if (i >= w->messages_left)
		return 1;
	if (read_message(w, at, &m) || read_part(w, m.vector, &part) ||
	    (u64)part.iov_base != w->base)
		return 0;
	w->messages = at + bytes;
	w->messages_left -= i + 1;
	return 1;
}

static __always_inline void rewind(struct send_work *w)
{
	w->at = w->base;
	w->at_room = w->room;
	w->at_vector = w->vector;
	w->at_parts = w->parts;
	w->at_messages = w->messages;
	w->at_messages_left = w->messages_left;
	w->at_user = 0;
	w->left = w->size;
	w->lost = 0;
}

static __always_inline long next_part(struct send_work *w)
{
	const void *at = (const void *)w->at_vector;
	struct iovec part = {};

	if (!w->at_parts)
		return next_message(w);
	if (w->at_user ? read_part(w, w->at_vector, &part)
		       : bpf_probe_read_kernel(&part, sizeof(part), at))
		return lose(w, w->at_vector, part_bytes(w));
	w->at = (u64)part.iov_base;
	w->at_room = part.iov_len;
	w->at_vector += w->at_user ? part_bytes(w) : sizeof(part);
	w->at_parts--;
	return 0;
}

static long follow_step(u32 i, void *data)
{
	struct send_work *w = ((struct send_ctx *)data)->w;

	w->at_room = 0;
	if (next_part(w))
		return 1;
	w->size += w->at_room < FOLLOW_MAX ? w->at_room : FOLLOW_MAX;
	return w->size > FOLLOW_MAX;
}

__noinline int send_follow(struct send_work *w)
{
	struct send_ctx c = { .w = w };

	if (!w)
		return 0;
	bpf_loop(PARTS_MAX, find_step, &c, 0);
	rewind(w);
	w->at_parts = 0;
	bpf_loop(FOLLOW_STEPS, follow_step, &c, 0);
	return w->lost ? 0 : -EMSGSIZE;
}

#endif

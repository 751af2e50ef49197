/* System calls by their numbers, on x86: which may restart, and what they were given. */
#ifndef BPF_CALL_H
#define BPF_CALL_H

#include "shared.h"

#define ERESTARTNOINTR 513
#define PF_IO_WORKER   0x10
#define TS_COMPAT      0x2 /* x86: a 32-bit system call */

enum { REFUSE, PASS, WAIT /* restart, and come again */, PASSED /* after it was asked for */ };

static __always_inline struct pt_regs *call_regs(struct task_struct *t)
{
	return (struct pt_regs *)bpf_task_pt_regs(t);
}

static __always_inline bool is_compat(struct task_struct *t)
{
	return t->thread_info.status & TS_COMPAT;
}

/* Without the bit of x32. */
static __always_inline u64 call_number(struct pt_regs *regs)
{
	return regs->orig_ax & ~0x40000000ULL;
}

/* The length that truncate() and ftruncate() were given; 0: it is another call, or nobody knows. */
static __always_inline s64 call_length(struct task_struct *t)
{
	struct pt_regs *regs = call_regs(t);
	u64 nr = call_number(regs);

	if (t->flags & PF_IO_WORKER)
		return 0;
	if (!is_compat(t))
		return nr == 76 || nr == 77 ? (s64)regs->si : 0;
	if (nr == 92 || nr == 93)
		return (s32)regs->cx;
	return nr == 193 || nr == 194 ? (s64)(regs->dx << 32 | (u32)regs->cx) : 0;
}

struct call_range {
	s64 offset, len;
};

#define FALLOC_LOSES (0x02 | 0x08 | 0x10) /* punch a hole, collapse, zero */

/* Is it fallocate() with a mode that loses content? */
static __always_inline bool call_punches(struct task_struct *t, struct call_range *ret)
{
	struct pt_regs *regs = call_regs(t);
	u64 nr = call_number(regs);

	if (is_compat(t)) {
		if (nr != 324 || !(regs->cx & FALLOC_LOSES))
			return false;
		ret->offset = 0;
		ret->len = ~0ULL >> 1;
		return true;
	}
	if (nr != 285 || !(regs->si & FALLOC_LOSES))
		return false;
	ret->offset = regs->dx;
	ret->len = regs->r10;
	return true;
}

/* connect, sendto, sendmsg restart as they began. sendmmsg does not. */
static __always_inline bool is_connect_call(struct task_struct *t)
{
	u64 nr = call_number(call_regs(t));

	if (t->flags & PF_IO_WORKER)
		return false;
	if (is_compat(t))
		return nr == 362 || nr == 369 || nr == 370 || nr == 102;
	return nr == 42 || nr == 44 || nr == 46 || nr == 518;
}

/* What writes to a socket, and restarts as it began: write, writev, sendfile, sendto, sendmsg,
 * splice, pwritev2. sendmmsg restarts where its first message waits; behind another it returns how
 * many went, and the caller sends the rest. */
static __always_inline bool is_send_call(struct task_struct *t)
{
	u64 nr = call_number(call_regs(t));

	if (t->flags & PF_IO_WORKER)
		return false;
	if (is_compat(t))
		return nr == 4 || nr == 146 || nr == 345 || nr == 369 || nr == 370 || nr == 102;
	return nr == 1 || nr == 20 || nr == 40 || nr == 44 || nr == 46 || nr == 275 || nr == 307 ||
	       nr == 328 || nr == 516 || nr == 518 || nr == 538;
}

/* May it give pages to a socket: sendfile, splice, or what io_uring does? */
static __always_inline bool is_page_call(struct task_struct *t)
{
	u64 nr = call_number(call_regs(t));

	if (t->flags & PF_IO_WORKER || nr == 426)
		return true;
	return is_compat(t) ? nr == 187 || nr == 239 || nr == 313 : nr == 40 || nr == 275;
}

/* What sendmmsg() was given. */
struct call_messages {
	u64 at;
	u32 count;
	bool narrow; /* its structures are of 32 bits */
};

#define SOCKETCALL_SENDMMSG 20

static __always_inline bool call_messages(struct task_struct *t, struct call_messages *ret)
{
	struct pt_regs *regs = call_regs(t);
	u64 nr = call_number(regs);
	u32 given[3] = { 0, regs->cx, regs->dx };

	if (t->flags & PF_IO_WORKER)
		return false;
	if (!is_compat(t)) {
		*ret = (struct call_messages) { regs->si, regs->dx, nr == 538 };
		return nr == 307 || nr == 538;
	}
	if (nr == 102 && (u32)regs->bx == SOCKETCALL_SENDMMSG)
		bpf_probe_read_user(given, sizeof(given), (const void *)(u64)(u32)regs->cx);
	else if (nr != 345)
		return false;
	*ret = (struct call_messages) { given[1], given[2], true };
	return true;
}

/* One of up to 64 numbers in a row, as a bit. */
static __always_inline bool is_one_of(u64 nr, u64 first, u64 bits)
{
	return nr - first < 64 && bits >> (nr - first) & 1;
}

#define BIT(nr, first) (1ULL << ((nr) - (first)))

/* open, creat, truncate, rename, unlink, rmdir, fallocate and their like, in 64 bits. */
static __always_inline bool is_deleting_number(u64 nr)
{
	return nr == 2 ||
	       is_one_of(nr, 76,
			 BIT(76, 76) | BIT(77, 76) | BIT(82, 76) | BIT(84, 76) | BIT(85, 76) |
				 BIT(87, 76)) ||
	       is_one_of(nr, 257,
			 BIT(257, 257) | BIT(263, 257) | BIT(264, 257) | BIT(285, 257) |
				 BIT(304, 257) | BIT(316, 257)) ||
	       nr == 437;
}

static __always_inline bool is_delete_call(struct task_struct *t)
{
	u64 nr = call_number(call_regs(t));

	if (t->flags & PF_IO_WORKER)
		return false;
	if (is_compat(t))
		return is_one_of(nr, 5,
				 BIT(5, 5) | BIT(8, 5) | BIT(10, 5) | BIT(38, 5) | BIT(40, 5)) ||
		       nr == 92 || nr == 93 || nr == 193 || nr == 194 || nr == 437 ||
		       is_one_of(nr, 295,
				 BIT(295, 295) | BIT(301, 295) | BIT(302, 295) | BIT(324, 295) |
					 BIT(342, 295) | BIT(353, 295));
	return is_deleting_number(nr);
}

#endif

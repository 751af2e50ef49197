/* The shape of a statement: its bytes, with each run of digits as a single 1. Statements of one
 * shape differ in their numbers alone, so where one of a shape was found harmless whatever its
 * numbers are, all of them are (see policy_is_shape_harmless()): the kernel lets them pass by the
 * shape's hash.
 *
 * One header for both sides, as match.h; the side that includes it defines BS_LOOP(count, fn, ctx)
 * before it, or gets the types alone. The key is random and secret: nobody builds a second text
 * with the same hash. */
#ifndef BACKSTOP_SHAPE_H
#define BACKSTOP_SHAPE_H

#include "backstop/types.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define BS_SHAPE_BLOCK 16   /* bytes of a step; the body is unrolled over them */
#define BS_SHAPE_MAX   4096 /* bytes of a statement that has a shape */

struct bs_shape {
	u64 a, b;
};

#ifdef BS_LOOP

struct bs_shape_ctx {
	struct bs_shape shape;
	const u8 *data;	      /* BS_SHAPE_MAX bytes may be read */
	u32 len, after_digit; /* of the byte before: is it one? */
};

/* Without a branch in the body the verifier walks it once, and each byte costs the same. */
static long bs_shape_step(u32 i, void *data)
{
	struct bs_shape_ctx *c = data;
	u32 at = (i * BS_SHAPE_BLOCK) & (BS_SHAPE_MAX - 1), after = c->after_digit, digit;
	const u8 *p = c->data + at;
	u64 a = c->shape.a, b = c->shape.b, value, counts;

#pragma GCC unroll 16
	for (u32 k = 0; k < BS_SHAPE_BLOCK; k++) {
		digit = ((u32)p[k] - '0' - 10) >> 31 & (~((u32)p[k] - '0') >> 31);
		__asm__ volatile("" : "+r"(digit)); /* compilers make branches of it */
		/* all bits where the byte counts, for it is no further digit and not behind the end
		 */
		counts = -(u64)((at + k - c->len) >> 31 & ~(digit & after));
		value = p[k] ^ ((p[k] ^ '1') & -digit);
		after = digit;
		a ^= (((a ^ value) * 0x9e3779b97f4a7c15ULL) ^ a) & counts;
		b ^= (((b + value) * 0xc2b2ae3d27d4eb4fULL) ^ b) & counts;
		a ^= b >> 32 & counts;
	}
	c->shape.a = a;
	c->shape.b = b;
	c->after_digit = after;
	return 0;
}

/* The hash of the shape of `len` (at most BS_SHAPE_MAX) bytes; what is behind them, up to the end
 * of their block, is read and does not count. */
static __always_inline struct bs_shape bs_shape_of(const u8 *data, u32 len,
						   const struct bs_shape *key)
{
	struct bs_shape_ctx c = { .shape = *key, .data = data, .len = len };

	BS_LOOP((len + BS_SHAPE_BLOCK - 1) / BS_SHAPE_BLOCK, bs_shape_step, &c);
	return c.shape;
}

#endif
#endif

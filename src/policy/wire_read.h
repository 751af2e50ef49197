/* Numbers and strings out of bytes that anybody may have written. */
#ifndef POLICY_WIRE_READ_H
#define POLICY_WIRE_READ_H

#include <string.h>

#include "policy/wire.h"

static inline u16 wire_be16(const u8 *p)
{
	return (u16)(p[0] << 8 | p[1]);
}

static inline u32 wire_be32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static inline u32 wire_be24(const u8 *p)
{
	return (u32)p[0] << 16 | (u32)p[1] << 8 | p[2];
}

static inline u32 wire_le24(const u8 *p)
{
	return (u32)p[2] << 16 | (u32)p[1] << 8 | p[0];
}

static inline u32 wire_le32(const u8 *p)
{
	return (u32)p[3] << 24 | wire_le24(p);
}

/* What is left to be read. Behind its end all is zero, and `bad` says so. */
struct reader {
	const u8 *p, *end;
	bool bad;
};

static inline struct reader reader_of(const void *data, size_t len)
{
	return (struct reader) { data, (const u8 *)data + len, false };
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->p);
}

static inline const u8 *reader_take(struct reader *r, size_t n)
{
	static const u8 zeros[8];
	const u8 *p = r->p;

	if (n > reader_left(r)) {
		r->bad = true;
		r->p = r->end;
		return n <= sizeof(zeros) ? zeros : NULL;
	}
	r->p += n;
	return p;
}

static inline u8 reader_u8(struct reader *r)
{
	return *reader_take(r, 1);
}

static inline u16 reader_be16(struct reader *r)
{
	return wire_be16(reader_take(r, 2));
}

static inline u32 reader_be32(struct reader *r)
{
	return wire_be32(reader_take(r, 4));
}

static inline u32 reader_le32(struct reader *r)
{
	return wire_le32(reader_take(r, 4));
}

static inline struct wire_slice reader_bytes(struct reader *r, size_t n)
{
	const u8 *p = reader_take(r, n);

	return (struct wire_slice) { r->bad ? NULL : (const char *)p, r->bad ? 0 : n };
}

/* Up to a NUL, which is passed. Without one: all that is left, and `bad`. */
static inline struct wire_slice reader_string(struct reader *r)
{
	const u8 *p = r->p, *nul = reader_left(r) ? memchr(p, '\0', reader_left(r)) : NULL;

	r->bad |= !nul;
	r->p = nul ? nul + 1 : r->end;
	return (struct wire_slice) { (const char *)p, (size_t)((nul ? nul : r->end) - p) };
}

#endif

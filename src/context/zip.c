/* One member of a zip file: as much of the format as plan files use. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "context/reader.h"

#define TAIL_MAX      (22 + 0xffff) /* bytes: the end record and the longest comment */
#define DIRECTORY_MAX (1 << 20)	    /* bytes */
#define MEMBERS_MAX   4096
#define ZIP64	      0xffffffffU /* an offset that stands elsewhere, in 64 bits */

enum { STORED = 0, DEFLATED = 8 };

static u32 get16(const u8 *p)
{
	return p[0] | (u32)p[1] << 8;
}

static u32 get32(const u8 *p)
{
	return get16(p) | get16(p + 2) << 16;
}

static int read_at(int fd, u64 offset, size_t len, struct strbuf *ret)
{
	char chunk[4096];

	while (len) {
		ssize_t n = pread(fd, chunk, MIN(len, sizeof(chunk)), (off_t)offset);

		if (n <= 0)
			return n ? -errno : -EINVAL;
		strbuf_add(ret, chunk, (size_t)n);
		offset += (u64)n;
		len -= (size_t)n;
	}
	return strbuf_error(ret);
}

/* The central directory, and how many members it lists. */
static int read_directory(int fd, struct strbuf *ret, u32 *ret_count)
{
	_cleanup_strbuf_ struct strbuf tail = STRBUF_INIT;
	const u8 *end;
	struct stat st;
	u64 size;
	int r;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return -EINVAL;
	size = MIN((u64)st.st_size, TAIL_MAX);
	r = size < 22 ? -EINVAL : read_at(fd, (u64)st.st_size - size, size, &tail);
	if (r)
		return r;
	for (end = (u8 *)tail.data + size - 22; memcmp(end, "PK\5\6", 4); end--)
		if (end == (u8 *)tail.data)
			return -EINVAL;
	if (get32(end + 12) > DIRECTORY_MAX || get16(end + 10) > MEMBERS_MAX ||
	    get32(end + 16) == ZIP64)
		return -EINVAL;
	*ret_count = get16(end + 10);
	return read_at(fd, get32(end + 16), get32(end + 12), ret);
}

static int inflate_all(const struct strbuf *packed, size_t max, struct strbuf *ret)
{
	z_stream z = { .next_in = (Bytef *)packed->data, .avail_in = (uInt)packed->len };
	unsigned char chunk[16384];
	int r = inflateInit2(&z, -MAX_WBITS);

	while (r == Z_OK && ret->len <= max) {
		z.next_out = chunk;
		z.avail_out = sizeof(chunk);
		r = inflate(&z, Z_NO_FLUSH);
		strbuf_add(ret, chunk, sizeof(chunk) - z.avail_out);
	}
	inflateEnd(&z);
	return r == Z_STREAM_END && ret->len <= max ? strbuf_error(ret) : -EINVAL;
}

/* `entry`: of the central directory. */
static int read_member(int fd, const u8 *entry, size_t max, struct strbuf *ret)
{
	_cleanup_strbuf_ struct strbuf head = STRBUF_INIT, packed = STRBUF_INIT;
	u32 method = get16(entry + 10), size = get32(entry + 20);
	u64 offset = get32(entry + 42);
	bool encrypted = get16(entry + 8) & 1;
	int r;

	if (encrypted || (method != STORED && method != DEFLATED) || size > max || offset == ZIP64)
		return -EINVAL;
	r = read_at(fd, offset, 30, &head);
	if (r || memcmp(head.data, "PK\3\4", 4))
		return r ?: -EINVAL;
	offset += 30 + get16((u8 *)head.data + 26) + get16((u8 *)head.data + 28);
	r = read_at(fd, offset, size, method == STORED ? ret : &packed);
	return r || method == STORED ? r : inflate_all(&packed, max, ret);
}

int zip_read(int fd, const char *name, size_t max, struct strbuf *ret)
{
	_cleanup_strbuf_ struct strbuf directory = STRBUF_INIT;
	u32 count = 0;
	int r = read_directory(fd, &directory, &count);
	const u8 *p = (const u8 *)strbuf_str(&directory), *end = p + directory.len;

	for (; !r && count && end - p >= 46 && memcmp(p, "PK\1\2", 4) == 0; count--) {
		u32 len = get16(p + 28), whole = 46 + len + get16(p + 30) + get16(p + 32);

		if ((size_t)(end - p) < whole)
			break;
		if (len == strlen(name) && memcmp(p + 46, name, len) == 0)
			return read_member(fd, p, max, ret);
		p += whole;
	}
	return r ?: -EINVAL;
}

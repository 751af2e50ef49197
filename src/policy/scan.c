/* The scan in user space: match.h over the tables of an image. */
#include "policy/scan.h"

#include <string.h>

#include "policy/carrier.h"
#include "policy/search.h"

#define TABLES(t) ((const struct scan_tables *)(t))
#define BS_LOOP(count, fn, ctx)                                                                    \
	do {                                                                                       \
		for (u32 i_ = 0, n_ = (count); i_ < n_; i_++)                                      \
			if (fn(i_, (ctx)))                                                         \
				break;                                                             \
	} while (0)
#define BS_TRANS(tables, index) (TABLES(tables)->trans[index])
#define BS_ACCEPTS(tables)	(TABLES(tables)->accepts_count)
#define BS_ACCEPT(tables, i)	(&TABLES(tables)->accepts[i])
#define BS_ANCHOR(tables, i)	(&TABLES(tables)->anchors[i])
#define BS_RULE(tables, i)	(&TABLES(tables)->rules[i])

#include "backstop/match.h"

/* A stream, cut into chunks of whole blocks: only its end is padded. */
struct stream {
	struct bs_scan scan;
	const struct scan_tables *tables;
	u8 chunk[BS_CHUNK + BS_PADDING];
	u32 filled;
	size_t total;
};

static void flush(struct stream *s)
{
	memset(s->chunk + s->filled, 0, BS_PADDING);
	bs_scan_chunk(&s->scan, s->tables, s->chunk, s->filled);
	s->filled = 0;
}

static void feed(struct stream *s, const void *data, size_t len)
{
	const u8 *p = data;

	s->total += len;
	while (len) {
		size_t n = MIN(len, BS_CHUNK - s->filled);

		memcpy(s->chunk + s->filled, p, n);
		s->filled += (u32)n;
		p += n;
		len -= n;
		if (s->filled == BS_CHUNK)
			flush(s);
	}
}

static void begin(struct stream *s, const struct scan_tables *tables)
{
	memset(&s->scan, 0, sizeof(s->scan));
	s->tables = tables;
	s->filled = 0;
	s->total = 0;
	bs_scan_begin(&s->scan, tables->start);
}

static bool end(struct stream *s)
{
	flush(s);
	return bs_scan_end(&s->scan, s->tables);
}

bool scan_bytes(const struct scan_tables *tables, const void *data, size_t len)
{
	struct stream s;

	begin(&s, tables);
	feed(&s, data, len);
	return end(&s);
}

bool policy_is_candidate(const struct policy *p, const struct action *a)
{
	struct stream s;
	size_t before;

	begin(&s, &p->image.scan);
	if (a->path) {
		const char *name = carrier_base_name(a->path);

		feed(&s, name, strlen(name) + 1);
	}
	if (a->name)
		feed(&s, a->name, strlen(a->name) + 1);
	before = s.total;
	for (char *const *word = a->argv; *word; word++)
		feed(&s, *word, strlen(*word) + 1);
	return end(&s) || s.total - before > BS_SCAN_MAX;
}

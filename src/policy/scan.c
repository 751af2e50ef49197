/* The scan in user space: match.h over the tables of an image. */
#include "policy/scan.h"

#include <string.h>

#include "policy/carrier.h"
#include "policy/paths.h"
#include "policy/search.h"

#define TABLES(t) ((const struct scan_tables *)(t))
#define BS_LOOP(count, fn, ctx)                                                                    \
	do {                                                                                       \
		for (u32 i_ = 0, n_ = (count); i_ < n_; i_++)                                      \
			if (fn(i_, (ctx)))                                                         \
				break;                                                             \
	} while (0)
#define BS_FILTER(tables, at) ((const u8 *)TABLES(tables)->filter + (at))
#define BS_MASK(tables, mask) (mask)
#define BS_BUCKET(tables, key)                                                                     \
	(&TABLES(tables)->buckets[(key) & (TABLES(tables)->buckets_count - 1)])
#define BS_LIST(tables, i)   (&TABLES(tables)->lists[i])
#define BS_ANCHOR(tables, i) (&TABLES(tables)->anchors[i])
#define BS_RULE(tables, i)   (&TABLES(tables)->rules[i])

#include "backstop/match.h"

/* A stream, cut into chunks of whole blocks: only its end is padded. */
struct stream {
	struct bs_scan scan;
	const struct scan_tables *tables;
	u8 chunk[BS_CHUNK + BS_PADDING];
	u32 filled;
	size_t total;
};

static void flush(struct stream *s, bool more)
{
	memset(s->chunk + s->filled, 0, BS_PADDING);
	bs_scan_chunk(&s->scan, s->tables, s->chunk, s->filled, more);
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
			flush(s, true);
	}
}

static void begin(struct stream *s, const struct scan_tables *tables)
{
	memset(&s->scan, 0, sizeof(s->scan));
	s->tables = tables;
	s->filled = 0;
	s->total = 0;
	bs_scan_begin(&s->scan, tables);
}

static bool end(struct stream *s)
{
	flush(s, false);
	return bs_scan_end(&s->scan, s->tables);
}

bool scan_bytes(const struct scan_tables *tables, const void *data, size_t len)
{
	struct stream s;

	begin(&s, tables);
	feed(&s, data, len);
	return end(&s);
}

bool scan_path(const struct scan_tables *tables, const char *path)
{
	char words[PATHS_MAX + 1];
	size_t len = 0, left = strlen(path);

	if (left >= PATHS_MAX)
		return true;
	while (left) {
		size_t end = left;

		while (left && path[left - 1] != '/')
			left--;
		if (end > left) {
			memcpy(words + len, path + left, end - left);
			len += end - left;
			words[len++] = '\0';
		}
		left -= left > 0;
	}
	return scan_bytes(tables, words, len);
}

/* As much of a name as the kernel sees. */
static void feed_name(struct stream *s, const char *name, size_t max, bool *whole)
{
	size_t len = strlen(name) + 1;

	*whole &= len <= max;
	feed(s, name, MIN(len, max));
}

/* The head: names and argv[0]. False where nothing else has to be looked at. */
static bool scan_head(struct stream *s, const struct action *a)
{
	bool whole = true;

	if (a->path)
		feed_name(s, carrier_base_name(a->path), BS_FILE_MAX, &whole);
	if (a->name)
		feed_name(s, a->name, BS_NAME_MAX, &whole);
	feed_name(s, a->argv[0], BS_ARGV0_MAX, &whole);
	memset(s->chunk + s->filled, 0, BS_PADDING);
	whole = bs_scan_head(&s->scan, s->tables, s->chunk, s->filled, whole);
	s->filled = 0;
	return whole;
}

bool scan_action(const struct scan_tables *tables, const struct action *a)
{
	struct stream s;

	begin(&s, tables);
	if (!a->argv[0] || !scan_head(&s, a))
		return false;
	s.total = 0;
	for (char *const *word = a->argv; *word; word++)
		feed(&s, *word, strlen(*word) + 1);
	return end(&s) || s.total > BS_SCAN_MAX;
}

bool policy_is_candidate(const struct policy *p, const struct action *a)
{
	return scan_action(&p->image.scan, a);
}

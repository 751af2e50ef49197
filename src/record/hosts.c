#include "record/hosts.h"

#include <errno.h>
#include <string.h>

#include "record/store_internal.h"

static void host_free(struct host *n)
{
	numbers_free(&n->lines);
	free(n);
}

void hosts_free(struct hosts *h)
{
	void *n;

	map_for_each (&h->map, n)
		host_free(n);
	map_free(&h->map);
	*h = (struct hosts) { 0 };
}

static struct slice name_of(const struct event *e)
{
	return e->machine.len ? e->machine : e->host;
}

struct host *hosts_find(const struct hosts *h, const struct event *e)
{
	struct slice known = name_of(e);

	return known.len ? map_get(&h->map, store_hash(known.at, known.len)) : NULL;
}

int hosts_add(struct hosts *h, struct slice known, struct host **ret)
{
	struct host *n = calloc(1, sizeof(*n) + known.len + 1);
	int r = n ? map_set(&h->map, store_hash(known.at, known.len), n) : -ENOMEM;

	if (r) {
		free(n);
		return r;
	}
	memcpy(n->known, known.at, known.len);
	n->id = ++h->count;
	n->changed_from = UINT64_MAX;
	*ret = n;
	return 0;
}

static bool says_key(const struct event *e)
{
	return e->key.len == 2 * CHAIN_PUBLIC;
}

bool host_begins_anew(const struct host *n, const struct event *e)
{
	return says_key(e) && n->key[0] && memcmp(n->key, e->key.at, e->key.len) != 0;
}

static void note_key(struct host *n, const struct event *e)
{
	if (!says_key(e))
		return;
	if (host_begins_anew(n, e)) {
		numbers_free(&n->lines);
		n->changed_from = 0;
		n->told = 0;
	}
	memcpy(n->key, e->key.at, e->key.len);
}

static int take(struct host *n, const struct event *e)
{
	uint64_t line = e->line > 0 ? (uint64_t)e->line : 0;
	int r;

	note_key(n, e);
	r = line ? numbers_add(&n->lines, line) : 1;
	if (r <= 0)
		return r;
	n->changed_from = MIN(n->changed_from, line);
	return 1;
}

int hosts_take(struct hosts *h, const struct event *e, struct host **ret)
{
	struct slice known = name_of(e);
	struct host *n = hosts_find(h, e);
	int r = !n && known.len ? hosts_add(h, known, &n) : 0;

	if (!r)
		r = n ? take(n, e) : 1;
	if (r >= 0)
		*ret = n;
	return r;
}

bool host_last_gap(const struct host *n, struct number_range *ret)
{
	const struct number_range *last = n->lines.ranges + n->lines.count;

	if (n->lines.count < 2)
		return false;
	*ret = (struct number_range) { last[-2].last + 1, last[-1].first - 1 };
	return true;
}

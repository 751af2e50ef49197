#include "guard/burst.h"

#include <string.h>

#include "base/escape.h"

#define LIMIT_MAX 65536
#define SHOWN_MAX 5   /* paths */
#define SHOWN_LEN 400 /* bytes, about */

struct gone {
	u32 size, first, count; /* a ring, oldest at `first` */
	struct {
		u64 time, hash;
		char *path;
	} all[];
};

void gone_free(struct gone *g)
{
	for (u32 i = 0; g && i < g->count; i++)
		free(g->all[(g->first + i) % g->size].path);
	free(g);
}

/* One of the right size, with nothing in it: the limit was changed. */
static struct gone *gone_new(u32 limit)
{
	u32 size = MIN(MAX(limit, 1U), (u32)LIMIT_MAX);
	struct gone *g = calloc(1, sizeof(*g) + size * sizeof(g->all[0]));

	if (g)
		g->size = size;
	return g;
}

static void drop_first(struct gone *g)
{
	free(g->all[g->first].path);
	g->first = (g->first + 1) % g->size;
	g->count--;
}

static u64 hash_of(const char *path)
{
	u64 hash = 14695981039346656037ULL; /* FNV-1a */

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 1099511628211ULL;
	return hash;
}

void gone_add(struct gone **gone, u32 limit, u64 time, const char *path)
{
	struct gone *g = *gone;
	u32 at;

	if (!g || g->size != MIN(MAX(limit, 1U), (u32)LIMIT_MAX)) {
		gone_free(g);
		g = *gone = gone_new(limit);
	}
	if (!g)
		return;
	if (g->count == g->size)
		drop_first(g);
	at = (g->first + g->count++) % g->size;
	g->all[at].time = time;
	g->all[at].hash = hash_of(path);
	g->all[at].path = strdup(path);
}

/* Events come nearly in order, from two rings: one that is late only counts a moment less. */
static u32 first_after(const struct gone *g, u64 since)
{
	u32 i = 0;

	while (i < g->count && g->all[(g->first + i) % g->size].time <= since)
		i++;
	return i;
}

#define LOOK_BACK 512 /* entries: a limit may be much higher */

bool gone_has(const struct gone *g, u64 since, const char *path)
{
	u64 hash = hash_of(path);
	u32 end = g && g->count > LOOK_BACK ? g->count - LOOK_BACK : 0;

	for (u32 i = g ? g->count : 0; i > end; i--) {
		u32 at = (g->first + i - 1) % g->size;

		if (g->all[at].hash == hash && g->all[at].time > since && g->all[at].path &&
		    !strcmp(g->all[at].path, path))
			return true;
	}
	return false;
}

u32 gone_count(const struct gone *g, u64 since)
{
	return g ? g->count - first_after(g, since) : 0;
}

/* As long as the directory stays the same it is said once. */
static void add_path(struct strbuf *out, const char *path, const char *before)
{
	const char *slash = strrchr(path, '/'), *last = before ? strrchr(before, '/') : NULL;

	if (slash && last && slash - path == last - before && slash[1] &&
	    !memcmp(path, before, slash - path))
		path = slash + 1;
	escape_bytes(out, path, strlen(path));
}

void gone_describe(const struct gone *g, u64 since, struct strbuf *out)
{
	u32 from = g ? first_after(g, since) : 0, shown = 0;
	const char *before = NULL;
	size_t start = out->len;

	for (u32 i = from; g && i < g->count; i++) {
		const char *path = g->all[(g->first + i) % g->size].path;

		if (shown++ == SHOWN_MAX || out->len - start > SHOWN_LEN) {
			strbuf_adds(out, ", …");
			return;
		}
		strbuf_adds(out, before ? ", " : "");
		add_path(out, path ?: "?", before);
		before = path;
	}
}

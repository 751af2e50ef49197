#include "guard/resolved.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>

#include "base/map.h"

#define KEPT_MIN 600 /* seconds */

struct host_name {
	char *name;
	u64 until; /* seconds */
};

struct host {
	LIST_ENTRY(host) of_session;
	struct host *same_hash;
	u64 session;
	u8 addr[16];
	struct host_name names[RESOLVED_NAMES_MAX];
	u32 names_count;
};

struct host_session {
	LIST_ENTRY(host_session) all;
	LIST_HEAD(host_list, host) hosts;
	u32 count;
	bool full;
};

struct resolved {
	struct map by_addr; /* chains of hosts, by the hash of session and address */
	struct map sessions;
	LIST_HEAD(session_list, host_session) all;
};

static u64 hash(u64 session, const u8 *addr)
{
	u64 h = session * 0x9e3779b97f4a7c15ULL;

	for (int i = 0; i < 16; i++)
		h = (h ^ addr[i]) * 0x100000001b3ULL;
	return h ^ h >> 29;
}

struct resolved *resolved_new(void)
{
	return calloc(1, sizeof(struct resolved));
}

static void drop_names(struct host *host, u64 now)
{
	u32 kept = 0;

	for (u32 i = 0; i < host->names_count; i++) {
		if (host->names[i].until > now)
			host->names[kept++] = host->names[i];
		else
			free(host->names[i].name);
	}
	host->names_count = kept;
}

static struct host *find(const struct resolved *h, u64 session, const u8 *addr)
{
	struct host *host = map_get(&h->by_addr, hash(session, addr));

	while (host && (host->session != session || memcmp(host->addr, addr, 16) != 0))
		host = host->same_hash;
	return host;
}

static void unchain(struct resolved *h, const struct host *host)
{
	u64 key = hash(host->session, host->addr);
	struct host *first = map_get(&h->by_addr, key), **at = &first;

	while (*at != host)
		at = &(*at)->same_hash;
	*at = host->same_hash;
	map_remove(&h->by_addr, key);
	if (first) /* in the place that was just left */
		map_set(&h->by_addr, key, first);
}

static void drop_host(struct resolved *h, struct host_session *s, struct host *host)
{
	unchain(h, host);
	LIST_REMOVE(host, of_session);
	s->count--;
	drop_names(host, ~0ULL);
	free(host);
}

/* Those whose names are in force no more. */
static void sweep(struct resolved *h, struct host_session *s, u64 now)
{
	struct host *host = LIST_FIRST(&s->hosts), *next;

	for (; host; host = next) {
		next = LIST_NEXT(host, of_session);
		drop_names(host, now);
		if (!host->names_count)
			drop_host(h, s, host);
	}
}

static struct host_session *find_session(struct resolved *h, u64 session)
{
	struct host_session *s = map_get(&h->sessions, session);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	if (map_set(&h->sessions, session, s)) {
		free(s);
		return NULL;
	}
	LIST_INSERT_HEAD(&h->all, s, all);
	return s;
}

static int add_host(struct resolved *h, struct host_session *s, u64 session, const u8 *addr,
		    struct host **ret)
{
	u64 key = hash(session, addr);
	struct host *host = calloc(1, sizeof(*host));

	if (!host)
		return -ENOMEM;
	host->session = session;
	memcpy(host->addr, addr, sizeof(host->addr));
	host->same_hash = map_get(&h->by_addr, key);
	if (map_set(&h->by_addr, key, host)) {
		free(host);
		return -ENOMEM;
	}
	LIST_INSERT_HEAD(&s->hosts, host, of_session);
	s->count++;
	*ret = host;
	return 0;
}

static int add_name(struct host_session *s, struct host *host, const char *name, u64 until, u64 now)
{
	char *copy;

	for (u32 i = 0; i < host->names_count; i++)
		if (strcmp(host->names[i].name, name) == 0) {
			host->names[i].until = MAX(until, host->names[i].until);
			return 0;
		}
	drop_names(host, now);
	if (host->names_count == RESOLVED_NAMES_MAX) {
		s->full = true;
		return -ENOSPC;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	host->names[host->names_count++] = (struct host_name) { copy, until };
	return 0;
}

int resolved_learn(struct resolved *h, u64 session, const u8 *addr, const char *name, u32 ttl,
		   u64 now)
{
	struct host_session *s = find_session(h, session);
	struct host *host;
	int r;

	if (!s)
		return -ENOMEM;
	host = find(h, session, addr);
	if (!host && s->count == RESOLVED_MAX)
		sweep(h, s, now);
	if (!host && s->count == RESOLVED_MAX) {
		s->full = true;
		return -ENOSPC;
	}
	r = host ? 0 : add_host(h, s, session, addr, &host);
	return r ? r : add_name(s, host, name, now + MAX(ttl, KEPT_MIN), now);
}

size_t resolved_names(const struct resolved *h, u64 session, const u8 *addr, u64 now,
		      const char **ret)
{
	const struct host *host = find(h, session, addr);
	size_t count = 0;

	for (u32 i = 0; host && i < host->names_count; i++)
		if (host->names[i].until > now)
			ret[count++] = host->names[i].name;
	ret[count] = NULL;
	return count;
}

bool resolved_is_full(const struct resolved *h, u64 session)
{
	const struct host_session *s = map_get(&h->sessions, session);

	return s && s->full;
}

static void drop_session(struct resolved *h, struct host_session *s)
{
	while (!LIST_EMPTY(&s->hosts))
		drop_host(h, s, LIST_FIRST(&s->hosts));
	LIST_REMOVE(s, all);
	free(s);
}

void resolved_forget(struct resolved *h, u64 session)
{
	struct host_session *s = map_remove(&h->sessions, session);

	if (s)
		drop_session(h, s);
}

void resolved_free(struct resolved *h)
{
	if (!h)
		return;
	while (!LIST_EMPTY(&h->all))
		drop_session(h, LIST_FIRST(&h->all));
	map_free(&h->by_addr);
	map_free(&h->sessions);
	free(h);
}

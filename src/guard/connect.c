/* Connects: what a session's processes reach out to. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "guard/resolved.h"
#include "guard/internal.h"
#include "guard/library.h"

static bool is_ip4(const struct bs_dest *d)
{
	static const u8 mapped[12] = { [10] = 0xff, 0xff };

	return !memcmp(d->addr, mapped, sizeof(mapped));
}

/* ---- the host's own addresses, as the task's network namespace has them */

static bool is_loopback(const struct bs_dest *d)
{
	static const u8 one[16] = { [15] = 1 };

	return is_ip4(d) ? d->addr[12] == 127 : !memcmp(d->addr, one, sizeof(one));
}

static int read_net(u32 tgid, const char *name, struct strbuf *ret)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%u/net/%s", tgid, name);
	r = io_read_file(AT_FDCWD, path, 16UL << 20, ret);
	if (!r)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/net/%s", name); /* it is gone: ours, most likely */
	return io_read_file(AT_FDCWD, path, 16UL << 20, ret);
}

/* fib_trie names an address in one line, and what it is in a line below: "/32 host LOCAL". */
static bool is_own_ip4(u32 tgid, const u8 addr[4])
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	char text[INET_ADDRSTRLEN + 8], *line, *at;
	bool mine = false;

	if (read_net(tgid, "fib_trie", &sb))
		return false;
	snprintf(text, sizeof(text), "-- %u.%u.%u.%u", addr[0], addr[1], addr[2], addr[3]);
	at = (char *)strbuf_str(&sb);
	while ((line = strsep(&at, "\n"))) {
		if (strstr(line, "-- "))
			mine = !strcmp(strstr(line, "-- "), text);
		else if (mine && strstr(line, "host LOCAL"))
			return true;
	}
	return false;
}

/* if_inet6 begins each line with an address in 32 hex digits. */
static bool is_own_ip6(u32 tgid, const u8 addr[16])
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	char text[33], *line, *at;

	if (read_net(tgid, "if_inet6", &sb))
		return false;
	for (int i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", addr[i]);
	at = (char *)strbuf_str(&sb);
	while ((line = strsep(&at, "\n")))
		if (!strncmp(line, text, 32))
			return true;
	return false;
}

bool connect_is_own(const struct exec *x)
{
	if (is_loopback(&x->dest))
		return true;
	return is_ip4(&x->dest) ? is_own_ip4(x->tgid, x->dest.addr + 12)
				: is_own_ip6(x->tgid, x->dest.addr);
}

/* ---- where a process connects to: what a library encrypts has no other address */

struct bs_dest connect_last(const struct guard *g, u32 tgid)
{
	const struct bs_dest *d = map_get(&g->dests, tgid);

	return d ? *d : (struct bs_dest) { 0 };
}

static void note_last(struct guard *g, const struct exec *x)
{
	struct bs_dest *d = map_get(&g->dests, x->tgid);

	if (!d) {
		d = calloc(1, sizeof(*d));
		if (!d || map_set(&g->dests, x->tgid, d)) {
			free(d);
			return;
		}
	}
	*d = x->dest;
}

void connect_forget(struct guard *g, u32 tgid)
{
	free(map_remove(&g->dests, tgid));
}

void connect_forget_all(struct guard *g)
{
	void *d;

	map_for_each (&g->dests, d)
		free(d);
	map_free(&g->dests);
}

/* ---- events */

/* The first of them, for the record. */
static void note_name(const struct guard *g, struct exec *x)
{
	const char *names[RESOLVED_NAMES_MAX + 1];

	if (names_of(g, x->session_id, &x->dest, names))
		x->sent.name = strdup(names[0]);
}

struct exec *connect_decode(struct guard *g, const struct bs_connect_event *e)
{
	_cleanup_(exec_free_ptr) struct exec *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->kind = BS_SLOT_CONNECT;
	x->dest = e->dest;
	exec_take_head(g, x, &e->head, e->start, e->uid);
	x->flags = e->flags;
	x->slot = e->slot;
	x->ticket = e->ticket;
	if (!(e->flags & BS_CONNECT_CANDIDATE) || exec_read_proc(g, x))
		process_copy(g, x, e->parent);
	if (x->dest.protocol == IPPROTO_TCP && !x->dest.datagram)
		note_last(g, x);
	note_name(g, x);
	return TAKE_PTR(x);
}

struct exec *connect_from_slot(struct guard *g, u32 slot, u32 ticket)
{
	const struct bs_slot *s = &kernel_slots(g->kernel)[slot];
	_cleanup_(exec_free_ptr) struct exec *x = exec_from_slot(g, slot, ticket);
	struct bs_waiting w;

	if (!x || kernel_get_waiting(g->kernel, s->tid, &w))
		return NULL;
	x->kind = BS_SLOT_CONNECT;
	x->dest = w.dest;
	x->flags = w.flags;
	if (w.flags & BS_CONNECT_LOOK)
		library_look(g, s->tgid, false);
	return TAKE_PTR(x);
}

void connect_event(struct guard *g, const struct bs_connect_event *e)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;
	bool asks = e->flags & (BS_CONNECT_FIXED | BS_CONNECT_TRACED);

	if (e->slot < BS_SLOTS && candidate_is_known(g, e->slot, e->ticket, asks))
		return;
	if (e->flags & BS_CONNECT_LOOK)
		library_look(g, e->head.tgid, false);
	if (e->slot < BS_SLOTS)
		guard_read_events(g, false); /* what its name server answered */
	x = connect_decode(g, e);
	if (!x)
		return; /* a candidate fails, or waits for the next sweep */
	if (!(e->flags & BS_CONNECT_CANDIDATE))
		candidate_passed(g, x);
	else if (e->slot >= BS_SLOTS)
		candidate_missed(g, x);
	else
		candidate_decide(g, TAKE_PTR(x));
}

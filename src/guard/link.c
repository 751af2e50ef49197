#include "guard/link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "guard/hold.h"
#include "guard/reload.h"
#include "guard/tripwire.h"

/* Messages that came while the guard waited for another one, or for the disk. */
struct deferred {
	STAILQ_ENTRY(deferred) entry;
	struct keeper_message m;
};
STAILQ_HEAD(deferred_list, deferred);

struct link {
	int fd;
	struct loop_source *source, *later;
	struct deferred_list deferred;
	bool is_ready;
};

/* Without a keeper there is no guard: what it traced is its alone. */
static _Noreturn void keeper_is_gone(void)
{
	_exit(1);
}

static void say(struct guard *g, const void *m, size_t len)
{
	if (send(g->link->fd, m, len, MSG_NOSIGNAL) < 0)
		keeper_is_gone();
}

static void quit(struct guard *g, enum guard_end end)
{
	g->end = end;
	loop_quit(g->loop, 0);
}

static void handle(struct guard *g, const struct keeper_message *m)
{
	struct keeper_message pong = { .op = KEEPER_PONG };

	switch ((enum keeper_op)m->op) {
	case KEEPER_KEPT:
		hold_restore(g, m->slot, m->ticket);
		break;
	case KEEPER_TRAPPED:
		hold_trapped(g, m->slot, m->ticket);
		break;
	case KEEPER_GONE:
		hold_gone(g, m->slot, m->ticket);
		break;
	case KEEPER_READY:
		g->link->is_ready = true;
		break;
	case KEEPER_RELOAD:
		reload_asked(g);
		break;
	case KEEPER_LEAVE:
		quit(g, GUARD_LEAVE);
		break;
	case KEEPER_STOP:
		quit(g, GUARD_STOP);
		break;
	case KEEPER_PING:
		say(g, &pong, sizeof(pong));
		break;
	default:
		break;
	}
}

/* False where there is nothing yet. */
static bool receive(struct guard *g, struct keeper_message *ret, int flags)
{
	ssize_t n;

	do {
		n = recv(g->link->fd, ret, sizeof(*ret), flags);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n != sizeof(*ret))
		keeper_is_gone();
	return true;
}

static void handle_deferred(void *data)
{
	struct guard *g = data;
	struct link *l = g->link;
	struct deferred *d;

	loop_remove(l->later);
	l->later = NULL;
	while ((d = STAILQ_FIRST(&l->deferred))) {
		struct keeper_message m = d->m;

		STAILQ_REMOVE_HEAD(&l->deferred, entry);
		free(d);
		handle(g, &m);
	}
}

static void defer(struct guard *g, const struct keeper_message *m)
{
	struct link *l = g->link;
	struct deferred *d = malloc(sizeof(*d));

	if (!d)
		keeper_is_gone(); /* the next guard learns all of it anew */
	d->m = *m;
	STAILQ_INSERT_TAIL(&l->deferred, d, entry);
	if (!l->later && loop_add_timer(g->loop, 0, handle_deferred, g, &l->later))
		keeper_is_gone();
}

static void on_link(void *data, _unused_ uint32_t events)
{
	struct guard *g = data;
	struct keeper_message m;

	handle_deferred(g);
	while (receive(g, &m, MSG_DONTWAIT))
		handle(g, &m);
}

/* It changes no hold, and nothing that a hold was decided on. */
static bool is_harmless(const struct keeper_message *m)
{
	return m->op == KEEPER_PING || m->op == KEEPER_STOP || m->op == KEEPER_LEAVE;
}

void link_defer(struct guard *g)
{
	struct keeper_message m;

	while (receive(g, &m, MSG_DONTWAIT))
		if (is_harmless(&m))
			handle(g, &m);
		else
			defer(g, &m);
}

int link_fd(const struct guard *g)
{
	return g->link->fd;
}

void link_pump(struct guard *g, int timeout_ms)
{
	struct pollfd p = { .fd = g->link->fd, .events = POLLIN };

	handle_deferred(g);
	poll(&p, 1, timeout_ms);
	on_link(g, 0);
}

int link_seize(struct guard *g, u32 tid, u32 slot, u32 ticket)
{
	struct keeper_message m = {
		.op = KEEPER_SEIZE, .tid = tid, .slot = slot, .ticket = ticket
	};

	fence_raise(g);
	say(g, &m, sizeof(m));
	for (;;) {
		receive(g, &m, 0);
		if (m.op == KEEPER_KEPT && m.slot == slot && m.ticket == ticket)
			return m.err;
		defer(g, &m);
	}
}

void link_tell(struct guard *g, enum keeper_op op, u32 slot, u32 ticket)
{
	struct keeper_message m = { .op = op, .slot = slot, .ticket = ticket };

	say(g, &m, sizeof(m));
}

void link_reloaded(struct guard *g)
{
	struct keeper_ready m = { .head = { .op = KEEPER_READY },
				  .when_down = policy_settings(g->policy)->when_down };

	snprintf(m.pins, sizeof(m.pins), "%s", g->pins);
	say(g, &m, sizeof(m));
}

int link_ready(struct guard *g)
{
	struct keeper_message m;

	link_reloaded(g);
	while (!g->link->is_ready) {
		receive(g, &m, 0);
		handle(g, &m);
	}
	return loop_add_fd(g->loop, g->link->fd, EPOLLIN, on_link, g, &g->link->source);
}

int link_open(struct guard *g, int fd)
{
	g->link = calloc(1, sizeof(*g->link));
	if (!g->link)
		return -ENOMEM;
	g->link->fd = fd;
	STAILQ_INIT(&g->link->deferred);
	return 0;
}

void link_close(struct guard *g)
{
	struct deferred *d;

	if (!g->link)
		return;
	while ((d = STAILQ_FIRST(&g->link->deferred))) {
		STAILQ_REMOVE_HEAD(&g->link->deferred, entry);
		free(d);
	}
	loop_remove(g->link->later);
	loop_remove(g->link->source);
	close(g->link->fd);
	free(g->link);
	g->link = NULL;
}

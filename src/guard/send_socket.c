/* The socket of what is judged, as an fd of our own: its end is told, its packets wait or are sent.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "guard/internal.h"
#include "policy/wire.h"

#define FDS_MAX 1024

/* To have anything else, if but for a moment, could wait for whoever serves it. */
static bool is_socket(u32 tgid, int fd)
{
	char at[64], to[8];

	snprintf(at, sizeof(at), "/proc/%u/fd/%d", tgid, fd);
	return readlink(at, to, sizeof(to)) >= 7 && !memcmp(to, "socket:", 7);
}

/* -1: the process has something else there. */
static int take_socket(u32 tgid, u64 expected, int pidfd, int number)
{
	_cleanup_close_ int fd = is_socket(tgid, number) ? pidfd_getfd(pidfd, number, 0) : -1;
	u64 cookie = 0;
	socklen_t len = sizeof(cookie);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) || cookie != expected)
		return -1;
	return TAKE_FD(fd);
}

#define GOES_ON_MS 1000

struct refusal {
	LIST_ENTRY(refusal) entry;
	struct loop_source *timer;
	u32 tgid;
	int fd; /* in the process */
	u64 cookie;
};

/* Since it was refused. Of what is not TCP nobody knows. */
static bool has_sent(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) &&
	       info.tcpi_last_data_sent < GOES_ON_MS;
}

static void end_reading(void *data)
{
	struct refusal *r = data;
	_cleanup_close_ int pidfd = pidfd_open((pid_t)r->tgid, 0), fd = -1;

	if (pidfd >= 0)
		fd = take_socket(r->tgid, r->cookie, pidfd, r->fd);
	if (fd >= 0 && !has_sent(fd))
		shutdown(fd, SHUT_RD);
	LIST_REMOVE(r, entry);
	free(r);
}

/* libpq keeps the error of a write to itself until the server has ended the connection: it would
 * wait for ever. The end of what comes in tells it. Who goes on with the connection has read the
 * error. */
void send_refused(struct guard *g, const struct exec *x)
{
	struct refusal *r;

	if (x->kind != BS_SLOT_SEND || !x->sent.protocol || !x->sent.cookie ||
	    strcmp(x->sent.protocol, wire_protocol_name(WIRE_POSTGRES)))
		return;
	r = calloc(1, sizeof(*r));
	if (!r)
		return;
	*r = (struct refusal) { .tgid = x->tgid, .fd = x->sent.fd, .cookie = x->sent.cookie };
	LIST_INSERT_HEAD(&g->refusals, r, entry);
	if (loop_add_timer(g->loop, GOES_ON_MS * 1000, end_reading, r, &r->timer))
		end_reading(r);
}

void send_forget_refusals(struct guard *g)
{
	struct refusal *r;

	while ((r = LIST_FIRST(&g->refusals))) {
		loop_remove(r->timer);
		end_reading(r);
	}
}

/* The connection whose packets wait; -1: its process has it no more. */
static int open_socket(const struct exec *x)
{
	_cleanup_close_ int pidfd =
		x->sent.source == BS_SEND_EGRESS ? pidfd_open((pid_t)x->tgid, 0) : -1;
	int fd = -1;

	for (int i = 0; i < FDS_MAX && pidfd >= 0 && fd < 0; i++)
		fd = take_socket(x->tgid, x->sent.cookie, pidfd, i);
	return fd;
}

void send_keep_back(struct exec *x)
{
	const struct linger at_once = { .l_onoff = 1 };
	_cleanup_close_ int fd = open_socket(x);
	socklen_t len = sizeof(x->sent.linger);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_LINGER, &x->sent.linger, &len))
		return;
	x->sent.kept = !setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

void send_cut(const struct exec *x)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	_cleanup_close_ int fd = open_socket(x);

	if (fd >= 0 && connect(fd, &nobody, sizeof(nobody)))
		log_errno(-errno, "the connection of process %u is not reset", x->tgid);
}

/* TCP tries again 200 ms after a packet was dropped, and then ever more rarely; but at once where
 * it is told not to wait for more. */
void send_push(const struct exec *x)
{
	_cleanup_close_ int fd = open_socket(x);
	int corked = 0;
	socklen_t len = sizeof(corked);

	if (fd < 0)
		return;
	if (x->sent.kept)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &x->sent.linger, sizeof(x->sent.linger));
	if (!getsockopt(fd, IPPROTO_TCP, TCP_CORK, &corked, &len) && !corked)
		setsockopt(fd, IPPROTO_TCP, TCP_CORK, &corked, sizeof(corked));
}

/* The socket of what is judged, as an fd of our own: its end is told, its packets wait or are sent.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guard/internal.h"
#include "policy/wire.h"

#define FDS_MAX 1024

/* To have anything else, if but for a moment, could wait for whoever serves it. */
static bool is_socket(const struct exec *x, int fd)
{
	char at[64], to[8];

	snprintf(at, sizeof(at), "/proc/%u/fd/%d", x->tgid, fd);
	return readlink(at, to, sizeof(to)) >= 7 && !memcmp(to, "socket:", 7);
}

/* -1: the process has something else there. */
static int take_socket(const struct exec *x, int pidfd, int number)
{
	_cleanup_close_ int fd = is_socket(x, number) ? pidfd_getfd(pidfd, number, 0) : -1;
	u64 cookie = 0;
	socklen_t len = sizeof(cookie);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) ||
	    cookie != x->sent.cookie)
		return -1;
	return TAKE_FD(fd);
}

/* libpq keeps the error of a write to itself until the server has ended the connection: it would
 * wait for ever. The end of what comes in tells it. */
void send_refused(const struct exec *x)
{
	_cleanup_close_ int pidfd = -1, fd = -1;

	if (x->kind != BS_SLOT_SEND || !x->sent.protocol || !x->sent.cookie ||
	    strcmp(x->sent.protocol, wire_protocol_name(WIRE_POSTGRES)))
		return;
	pidfd = pidfd_open((pid_t)x->tgid, 0);
	if (pidfd >= 0)
		fd = take_socket(x, pidfd, x->sent.fd);
	if (fd >= 0)
		shutdown(fd, SHUT_RD);
}

/* The connection whose packets wait; -1: its process has it no more. */
static int open_socket(const struct exec *x)
{
	_cleanup_close_ int pidfd =
		x->sent.source == BS_SEND_EGRESS ? pidfd_open((pid_t)x->tgid, 0) : -1;
	int fd = -1;

	for (int i = 0; i < FDS_MAX && pidfd >= 0 && fd < 0; i++)
		fd = take_socket(x, pidfd, i);
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

#include "export/dial.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/util.h"
#include "export/sink_type.h"

#define ACK_STEP_MS 2

int dial_parse(const char *text, char **ret_host, char **ret_port)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	_cleanup_free_ char *host = NULL, *port = NULL;

	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (!len || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return -EINVAL;
	host = strndup(text, len);
	port = strdup(colon + 1);
	if (!host || !port)
		return -ENOMEM;
	*ret_host = TAKE_PTR(host);
	*ret_port = TAKE_PTR(port);
	return 0;
}

int dial_wait(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, SINK_TIMEOUT_MS);

	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

static int finish_connect(int fd)
{
	int error = 0, r = dial_wait(fd, POLLOUT);
	socklen_t len = sizeof(error);

	if (!r && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		r = -errno;
	return r ? r : -error;
}

static int connect_to(const struct addrinfo *a)
{
	_cleanup_close_ int fd =
		socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0)
		r = errno == EINPROGRESS ? finish_connect(fd) : -errno;
	return r ? r : TAKE_FD(fd);
}

int dial(const char *host, const char *port, int socket_type)
{
	const struct addrinfo hints = { .ai_socktype = socket_type };
	struct addrinfo *list = NULL;
	int r = -EHOSTUNREACH;

	if (getaddrinfo(host, port, &hints, &list))
		return -EHOSTUNREACH;
	for (const struct addrinfo *a = list; a && r < 0; a = a->ai_next)
		r = connect_to(a);
	freeaddrinfo(list);
	return r;
}

int dial_send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			int r = dial_wait(fd, POLLOUT);

			if (r)
				return r;
			continue;
		}
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int dial_wait_for_acknowledgement(int fd)
{
	int left = 0;

	for (int waited = 0; waited < SINK_TIMEOUT_MS; waited += ACK_STEP_MS) {
		struct pollfd p = { .fd = fd, .events = POLLRDHUP };

		if (ioctl(fd, SIOCOUTQ, &left) < 0)
			return -errno;
		if (poll(&p, 1, left ? ACK_STEP_MS : 0) > 0)
			return -EPIPE; /* it went away, or talks, which no receiver does */
		if (!left)
			return 0;
	}
	return -ETIMEDOUT;
}

int dial_check(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 ? -EPIPE : 0;
}

/* Connections to where a sink is. */
#ifndef EXPORT_DIAL_H
#define EXPORT_DIAL_H

#include <stddef.h>

/* "host:port", "[address]:port": both are the caller's. 0, -EINVAL or -ENOMEM. */
int dial_parse(const char *text, char **ret_host, char **ret_port);

/* A connected socket of that type that does not block, or a negative errno. */
int dial(const char *host, const char *port, int socket_type);

/* 0 once the socket is ready for one of `events`, -ETIMEDOUT, or another negative errno. */
int dial_wait(int fd, short events);

/* Sends all of it. 0 or a negative errno. */
int dial_send_all(int fd, const char *data, size_t len);

/* 0 once the other side's kernel has all that was sent: that is not lost with the connection. */
int dial_wait_for_acknowledgement(int fd);

/* -EPIPE once the other side is gone, else 0. */
int dial_check(int fd);

#endif

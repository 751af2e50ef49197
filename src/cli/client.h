/* The asking side of the control socket. The protocol stands in guard/control.c. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <jansson.h>

#include "base/strbuf.h"

static inline void json_unref(json_t **j)
{
	json_decref(*j);
}
#define _cleanup_json_ _cleanup_(json_unref)

#define CLIENT_TIMEOUT 10000 /* milliseconds a reply may take */
#define CLIENT_RESTART 2000  /* milliseconds in which a guard that restarts is back */

struct client {
	int fd;		     /* close-on-exec; -1: none */
	struct strbuf input; /* what was read */
	size_t taken;	     /* bytes of it that were handed out */
};
#define CLIENT_INIT	 ((struct client) { .fd = -1 })
#define _cleanup_client_ _cleanup_(client_close)
void client_close(struct client *c);

/* Connects to the guard's socket (NULL: GUARD_SOCKET). Where the socket is there and nobody
 * listens, a guard may be restarting: that is tried again for CLIENT_RESTART. 0 or a negative
 * errno, silently: -ENOENT and -ECONNREFUSED where no guard runs. */
int client_connect(const char *socket, struct client *ret);
/* Logs why client_connect() failed and what to do; returns `err`. */
int client_log_connect(int err, const char *socket);

/* Asks, takes the reference to `request` (NULL: out of memory) and gives the reply, which has been
 * checked to be "ok". 0, or a negative errno, logged; -EREMOTEIO: the guard refused. */
int client_ask(struct client *c, json_t *request, json_t **ret_reply);

/* The same, silently; a reply may take `timeout` milliseconds; the request stays the caller's. */
int client_ask_silently(struct client *c, const json_t *request, int timeout, json_t **ret_reply);
/* The same, whatever the reply says. */
int client_exchange(struct client *c, const json_t *request, int timeout, json_t **ret_reply);
/* As client_ask() for what may be asked twice: where the guard goes away without an answer,
 * connects to the next one and asks it. */
int client_ask_again(struct client *c, const char *socket, json_t *request, json_t **ret_reply);

/* Connects, asks and closes. A decision is asked for once, all else as client_ask_again() does. */
int client_request(const char *socket, json_t *request, json_t **ret_reply);

/* Connects and asks for the feed, whose lines client_read_line() gives. 0 or a negative errno,
 * silently. */
int client_watch(const char *socket, struct client *ret);

/* The next line, without newline and ended by NUL, valid until the next call. 1; 0 where none came
 * within `timeout` milliseconds (0: do not wait); or a negative errno, -EPIPE where the guard has
 * gone. Silent. */
int client_read_line(struct client *c, int timeout, const char **ret, size_t *ret_len);

/* The sentence of a reply that is not "ok"; NULL where it is fine or no reply at all. */
const char *client_reply_error(const json_t *reply);

/* Prints the reply as one line of JSON, without "ok". */
void client_print_json(json_t *reply);

#endif

/* The control socket: one JSON object a line each way. The protocol stands in control_request.c. */
#ifndef GUARD_CONTROL_H
#define GUARD_CONTROL_H

#include "base/loop.h"
#include "guard/guard.h"

struct control;

#define CONTROL_CLIENTS	  64	      /* at once */
#define CONTROL_GUESTS	  48	      /* of those, who may not approve: they never fill the table */
#define CONTROL_QUEUE	  (256 << 10) /* bytes that may wait for a watcher, before the last line */
#define CONTROL_IDLE_USEC 30000000ULL /* a client that does not watch asks within this time */

/* Listens on `path` (mode 0666: who may ask what is decided per request), making its directory
 * where it is missing. -EADDRINUSE where a guard answers there; a socket that nobody listens on is
 * replaced in one step, so that clients never find none. A failure is logged. */
int control_open(struct guard *g, struct loop *loop, const char *path, bool embedded, uid_t owner,
		 struct control **ret);
/* The socket's file stays when it is closed, for the next guard: clients that meet it wait. */
void control_keep_socket(struct control *c);
void control_close(struct control *c); /* also removes the socket; NULL is fine */
DEFINE_CLEANUP(struct control, control_close);

/* Sends one journal line to all who watch. A watcher that does not read is dropped, and told so.
 * NULL is fine. */
void control_publish(struct control *c, const char *line, size_t len);

#endif

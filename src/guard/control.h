/* The control socket: one JSON object a line each way. The protocol stands in control.c. */
#ifndef GUARD_CONTROL_H
#define GUARD_CONTROL_H

#include "base/loop.h"
#include "guard/guard.h"

struct control;

/* Listens on `path` (mode 0666: who may ask what is decided per request). -EADDRINUSE where a guard
 * answers there; a socket that nobody listens on is replaced. */
int control_open(struct guard *g, struct loop *loop, const char *path, bool embedded, uid_t owner,
		 struct control **ret);
void control_close(struct control *c); /* also removes the socket; NULL is fine */

/* Sends one journal line to all who watch. A watcher that does not read is dropped, and told so. */
void control_publish(struct control *c, const char *line, size_t len);

#endif

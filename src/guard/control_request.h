/* One request on the control socket: who asks, may they, and the answer. */
#ifndef GUARD_CONTROL_REQUEST_H
#define GUARD_CONTROL_REQUEST_H

#include "guard/guard.h"

#define REQUEST_MAX 4096 /* bytes of a request, its newline included */

struct control_rights {
	bool embedded;
	uid_t owner;	       /* of an embedded guard */
	const char *service;   /* a user of /etc/passwd that decides nothing itself; NULL: none */
	const char *approvers; /* a group of /etc/group; NULL: none. Neither need be there (yet) */
};

struct control_peer {
	int fd; /* of the socket, not owned */
	pid_t pid;
	int pidfd; /* -1: the process is gone, or cannot be told from another one */
	uid_t uid;
	gid_t gid;
};

/* Who is at the other end of the socket `fd`. The pidfd is the caller's. 0 or a negative errno. */
int control_peer_read(int fd, struct control_peer *ret);
/* By uid and groups alone; a label is another matter. */
bool control_peer_has_rights(const struct control_peer *p, const struct control_rights *rights);

/* Appends the reply, one line, to `out`. True where the peer watches from now on. */
bool control_answer(struct guard *g, const struct control_rights *rights,
		    const struct control_peer *peer, const char *line, size_t len,
		    struct strbuf *out);
/* Appends {"ok":false,"error":…}. */
void control_refuse(struct strbuf *out, const char *error);

#endif

/* The keeper: the small process that owns the traces of what is held, and the guard's life. It is
 * the guard's parent; the guard does all that can go wrong. If the guard dies, the keeper goes on
 * holding and starts the next; if the keeper dies, the kernel kills what it held before it ran. */
#ifndef GUARD_KEEPER_H
#define GUARD_KEEPER_H

#include "backstop/types.h"
#include "guard/guard.h"

/* Runs keeper and guard until SIGTERM, SIGINT, or (embedded) the last session's end. SIGHUP: new
 * settings, packs, and a new binary are taken over. Writes one byte to `ready_fd` (-1: none) when
 * sessions can start. 0 or a negative errno, with a message logged. */
int keeper_run(const struct guard_options *o, int ready_fd);

/* --- between the two: one message a packet, on a socket pair */

enum keeper_op {
	/* guard -> keeper */
	KEEPER_READY,  /* sessions can start; answered by a KEPT and maybe a TRAPPED for each task
			  that is held, and then a READY. Again after each reload, unanswered. */
	KEEPER_SEIZE,  /* hold this task: answered by KEPT */
	KEEPER_LET_GO, /* a held task that trapped */
	KEEPER_REFUSE, /* the same, but it exits with status 126 */
	KEEPER_PONG,
	/* keeper -> guard */
	KEEPER_KEPT,	/* `err` 0: seized, and it will trap; 1: the same, but it was seen stopped;
			   -ESRCH: gone; -EPERM: another process traces it */
	KEEPER_TRAPPED, /* it can be let go or refused */
	KEEPER_GONE,	/* it died */
	KEEPER_RELOAD,	/* SIGHUP */
	KEEPER_LEAVE,	/* write the journal and exit; what is pinned and held stays for the next
			   guard */
	KEEPER_STOP,	/* SIGTERM: end holds, detach everything, exit */
	KEEPER_PING,
};

struct keeper_message {
	u32 op; /* enum keeper_op */
	s32 err;
	u32 tid;
	u32 slot, ticket;
};

#define KEEPER_PINS_MAX 256

/* KEEPER_READY */
struct keeper_ready {
	struct keeper_message head;
	u32 when_down;		    /* enum when_down */
	char pins[KEEPER_PINS_MAX]; /* the directory of pins */
};

#endif

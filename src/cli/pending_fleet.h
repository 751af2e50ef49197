/* pending, approve and deny of what is held on any host. */
#ifndef CLI_PENDING_FLEET_H
#define CLI_PENDING_FLEET_H

#include "cli/record.h"

/* Prints what is held; an exit status. */
int pending_fleet(const struct record_place *p, bool json);

/* What backstop-serve's own approve and deny are given, and decide by. */
struct fleet_decision {
	bool json;
	const char *fleet, *key, *reason;
	struct record_place place;
};
/* Becomes backstop-serve, which reaches the servers. An exit status, where it cannot. */
int decide_in_fleet(const struct fleet_decision *d, const char *op, const char *hold);

#endif

/* Decisions that are signed with an approver's key. */
#ifndef CLI_SIGN_H
#define CLI_SIGN_H

#include <jansson.h>
#include <stdint.h>

#include "base/util.h"

struct wish {
	const char *host, *action; /* as in struct approval */
	uint64_t hold;
	bool approve;
	const char *reason; /* NULL: none */
};

/* The request that brings a decision to a guard; NULL with a message logged. */
json_t *sign_wish(const char *key_path, const struct wish *w);
/* The same on what the guard at `socket` holds: host and action are asked of it. */
json_t *sign_local(const char *socket, const char *key_path, const struct wish *w);

#endif

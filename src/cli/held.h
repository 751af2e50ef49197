/* What the record of a fleet says is held, on any host. It is as true as what brought it: a
 * decision is signed on what is shown, and holds for nothing else. */
#ifndef CLI_HELD_H
#define CLI_HELD_H

#include <jansson.h>

#include "base/strbuf.h"
#include "guard/approval.h"
#include "record/query.h"

struct held {
	const char *host; /* as struct approval names it */
	const char *name; /* the host's, where no other has it, or `host` */
	const char *hostname;
	uint64_t hold;
	int64_t since_ms;
	const json_t *event; /* which says that it is held */
};

typedef int (*held_fn)(void *data, const struct held *h);
/* Those that are not decided, the oldest first; `host` as either of the two says, NULL: all;
 * `hold` 0: all. Until `fn` does not return 0, which is returned; 0; or a negative errno. */
int held_list(struct query *q, const char *host, uint64_t hold, held_fn fn, void *data);

/* "HOST/HOLD" as `pending --fleet` prints it: `ret_host` is the caller's. 0, -EINVAL or -ENOMEM. */
int held_parse(const char *text, char **ret_host, uint64_t *ret_hold);
void held_add_name(struct strbuf *out, const struct held *h); /* escaped */
void held_add_action(struct strbuf *out, const struct held *h);
/* Where it would run; NULL: not known. */
const char *held_cwd(const struct held *h);
const char *held_user(const struct held *h);

/* approval_digest() of what it shows. 0, -EINVAL where it does not say enough, or -ENOMEM. */
int held_digest(const struct held *h, char ret[HEX(APPROVAL_DIGEST)]);

#endif

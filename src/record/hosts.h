/* Which lines of whose journal the record has: several hosts may write to one spool, and what they
 * hand over again counts once. Lines are known by the numbers of their chain (journal/chain.h). */
#ifndef RECORD_HOSTS_H
#define RECORD_HOSTS_H

#include "base/map.h"
#include "journal/chain.h"
#include "journal/numbers.h"
#include "record/event.h"

struct host {
	int64_t id;   /* from 1, in the order they came */
	int64_t name; /* of the caller; 0: none yet */
	int64_t last_ms;
	uint64_t events;
	struct numbers lines;
	char key[2 * CHAIN_PUBLIC + 1]; /* that signs its journal, as it said; "": it did not yet */
	bool changed;			/* of the store */
	uint64_t changed_from; /* likewise: the lowest number that it does not have; UINT64_MAX */
	uint64_t told;	       /* of the caller: the last number that was told to be missing */
	char known[];	       /* machine id, or name */
};

struct hosts {
	struct map map; /* hash of what it is known by -> struct host */
	int64_t count;
};

void hosts_free(struct hosts *h);

/* Where the event says so, the host that it is of; NULL: none that is known, or it says none. */
struct host *hosts_find(const struct hosts *h, const struct event *e);
/* One that is known so, with the next id. 0 or -ENOMEM. */
int hosts_add(struct hosts *h, struct slice known, struct host **ret);

/* True where the line begins a journal that another key signs than the host's until now: numbers
 * begin anew with it. */
bool host_begins_anew(const struct host *n, const struct event *e);

/* Notes that the line is there. 1; 0: it was there before; or -ENOMEM. A line without a number is
 * always taken for a new one. `ret` is NULL where the event names no host. */
int hosts_take(struct hosts *h, const struct event *e, struct host **ret);

/* False: nothing is missing between the first and the last line of the host; else the last gap. */
bool host_last_gap(const struct host *n, struct number_range *ret);

#endif

/* The events of all hosts, from a NATS stream into one spool, which is a journal without keys: its
 * lines are those of the hosts, each with the number and the chain that its own journal gave it. */
#ifndef FLEET_FLEET_H
#define FLEET_FLEET_H

#include <stdint.h>

#include "base/util.h"

struct fleet;
struct hosts;

/* 0, or -EINVAL where it names no NATS server, or -ENOMEM. */
int fleet_check(const char *spec);

/* `spec` is a sink's, as --export has it. 0, -EBUSY where another writes the spool, or another
 * negative errno. */
int fleet_open(const char *spec, const char *dir, struct fleet **ret);
void fleet_close(struct fleet *f); /* NULL is fine */
DEFINE_CLEANUP(struct fleet, fleet_close);

/* Brings what the stream has, at most a batch, waiting a little where there is nothing. What was
 * brought is on disk, and acknowledged. The number of messages; 0 where there are none now, or the
 * servers are away, which is logged; or a negative errno: the spool cannot be written, and `hosts`
 * says more than there is. */
int fleet_step(struct fleet *f, struct hosts *hosts);

/* Milliseconds to wait before the next step; 0: none, the last one waited. */
unsigned int fleet_pause(const struct fleet *f);

struct fleet_counts {
	uint64_t taken, twice, refused;
	uint64_t waiting; /* in the stream, as of the last message */
};
struct fleet_counts fleet_counts(const struct fleet *f);

#endif

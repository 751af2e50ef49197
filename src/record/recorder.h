/* Follows a journal into a database. */
#ifndef RECORD_RECORDER_H
#define RECORD_RECORDER_H

#include <stdint.h>

#include "base/util.h"

struct recorder;

/* The path ":memory:" is one that goes with the recorder.
 * A database that is missing, damaged, of a newer version or of another journal is made anew, and a
 * damaged one kept beside it as PATH.bad. 0 or a negative errno. */
int recorder_open(const char *journal_dir, const char *path, struct recorder **ret);
void recorder_close(struct recorder *r); /* NULL is fine */
DEFINE_CLEANUP(struct recorder, recorder_close);

/* Takes what the journal has, one transaction at most: the number of lines, 0 at its end, or a
 * negative errno. */
int recorder_step(struct recorder *r);

/* What there is of each host. A line that hosts_take() is told before it is in the journal has to
 * be there before the next step. Valid until the next step. */
struct hosts;
struct hosts *recorder_hosts(struct recorder *r);

struct sqlite3;
struct sqlite3 *recorder_database(struct recorder *r); /* not owned */

/* Of the database; `skipped` are no events. */
struct recorder_counts {
	uint64_t lines, skipped;
	uint64_t segment, offset; /* where the next line is read */
};
struct recorder_counts recorder_counts(const struct recorder *r);

#endif

/* What metrics are made of, but for the guard's own figures: how far whom the journal has come. */
#ifndef SERVE_FACTS_H
#define SERVE_FACTS_H

#include <stdint.h>

#include "export/threads.h"
#include "record/event.h"
#include "record/recorder.h"

struct facts {
	bool journal_known, database_known;
	uint64_t journal_bytes, journal_segments;
	struct recorder_counts recorder;
	uint64_t recorder_behind;   /* bytes */
	int64_t recorder_behind_ms; /* age of the oldest of these lines */
	uint64_t events[EVENT_KINDS];
	struct export_figures exporters[EXPORT_SINKS_MAX];
	uint64_t exporters_behind[EXPORT_SINKS_MAX]; /* bytes */
	size_t exporter_count;
};

/* Fills in the rest of what has the recorder's counts and the exporters. What cannot be read is not
 * known. */
void facts_read(struct facts *f, const char *journal_dir, const char *database);

#endif

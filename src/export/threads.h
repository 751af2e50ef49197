/* Exporters, each in a thread of its own: a sink that is away keeps no other from its events. */
#ifndef EXPORT_THREADS_H
#define EXPORT_THREADS_H

#include <stdint.h>

#include "base/util.h"

struct export_threads;

#define EXPORT_SINKS_MAX 16

/* Sinks, as they are written. */
struct export_specs {
	char *specs[EXPORT_SINKS_MAX]; /* owned */
	size_t count;
};
void export_specs_free(struct export_specs *s);

/* One more. 0, -EINVAL where it is none of sink_words(), -E2BIG or -ENOMEM. */
int export_specs_add(struct export_specs *s, const char *spec);
/* Those of a list with commas. 0 or a negative errno, logged. */
int export_specs_parse(struct export_specs *s, const char *list);

/* Cursors are kept in `state_dir`. 0, or a negative errno, logged. */
int export_start(const char *journal_dir, const char *state_dir, const struct export_specs *specs,
		 struct export_threads **ret);
/* Ends them; what a sink does not have yet it gets after the next start. NULL is fine. */
void export_stop(struct export_threads *t);
DEFINE_CLEANUP(struct export_threads, export_stop);

/* What became of a sink since the start. */
struct export_figures {
	char name[128];		  /* without secrets; cut where it is longer */
	uint64_t segment, offset; /* behind what it has; segment 0: nothing */
	uint64_t lines, refused, failures;
	bool failing;
};
/* Of each sink: how many there are. NULL is fine. */
size_t export_figures(struct export_threads *t, struct export_figures ret[EXPORT_SINKS_MAX]);

#endif
